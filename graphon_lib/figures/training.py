"""Figures of chapter 4: loss curves, spectra against sparsity, and what predicts what."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from graphon_lib.figures.style import (
    METHOD_COLOURS,
    METHOD_NAMES,
    canvas,
    line_style,
    mean_and_range,
    percent_sparse,
    styled,
)

METRIC_NAMES = {
    "decay": "decay exponent",
    "effective_rank": "effective rank",
    "gap": "spectral gap",
    "concentration": "energy in top 5",
    "top_eigenvalue": "top eigenvalue",
    "trace": "trace",
    "alignment": "alignment with labels",
    "path_density": "path density",
}
RUNG_NAMES = {
    "pruned": "pruned network\n(its mask and weights)",
    "sampled": "sampled network\n(the paper's way)",
    "limit": "infinite width\n(analytic)",
}


@styled
def loss_curves(training: pd.DataFrame) -> Figure:
    """Training loss over the first steps, a panel a sparsity (the paper's Figs. 2 and 11); bands span the trials."""
    densities = sorted((d for d in training["density"].unique() if d < 1), reverse=True)
    figure, axes = canvas(1, len(densities), 1.6 * len(densities) + 0.6, 3.0, sharey=True)
    for panel, density in zip(axes[0], densities, strict=True):
        shown = training[(training["density"] == density) | (training["method"] == "dense")]
        for method, group in shown.groupby("method", sort=False):
            curves = np.stack(group["losses"].tolist())
            # A running mean over ten steps: single mini-batches are noisier than what tells methods apart.
            window = min(10, curves.shape[1])
            smooth = np.apply_along_axis(np.convolve, 1, curves, np.full(window, 1 / window), "valid")
            style = {k: v for k, v in line_style(str(method)).items() if k != "marker"}
            mean_and_range(panel, np.arange(smooth.shape[1]) + window, smooth, **style)
        panel.set_title(f"{percent_sparse(density)} pruned")
        panel.set_xlabel("step")
    axes[0, 0].set(ylabel="training loss", ylim=(0, 2.5))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


@styled
def start_against_paths(training: pd.DataFrame) -> Figure:
    """Mean loss over the first steps against path density, a point a network; larger markers are sparser networks."""
    figure, axes = canvas(1, 1, 4.8, 3.8)
    draw_start_against_paths(axes[0, 0], training)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def draw_start_against_paths(panel: Axes, training: pd.DataFrame) -> None:
    """What :func:`start_against_paths` shows, on given axes."""
    for method, group in training.groupby("method", sort=False):
        look = line_style(str(method))
        panel.scatter(
            group["path_density"], group["early_loss"], s=30 + 50 * (1 - group["density"]), color=look["color"],
            marker=look["marker"], label=look["label"], edgecolors="white", linewidths=0.5,
        )  # fmt: skip
    panel.set(xscale="log", yscale="log", xlabel="path density of the masks", ylabel="mean loss, first steps")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.minorticks_off()


@styled
def metrics_by_sparsity(spectra: pd.DataFrame, metrics: tuple[str, ...]) -> Figure:
    """Spectral metrics against sparsity, a column each rung (the paper's Fig. 3 is the middle one)."""
    figure, axes = canvas(len(metrics), len(RUNG_NAMES), 5.8, 1.6 * len(metrics) + 0.9, sharex=True, sharey="row")
    for row, metric in zip(axes, metrics, strict=True):
        for panel, rung in zip(row, RUNG_NAMES, strict=True):
            shown = spectra[spectra["rung"] == rung]
            for method, group in shown[shown["density"] < 1].groupby("method", sort=False):
                wide = group.pivot(index="trial", columns="density", values=metric)
                mean_and_range(panel, 100 * (1 - wide.columns.to_numpy()), wide.to_numpy(), **line_style(str(method)))
            dense = shown[shown["method"] == "dense"][metric]
            if len(dense):
                panel.axhline(dense.mean(), color="black", linewidth=1, linestyle=":", label="Dense")
        row[0].set_ylabel(METRIC_NAMES[metric])
    for top, bottom, rung in zip(axes[0], axes[-1], RUNG_NAMES.values(), strict=True):
        top.set_title(rung, fontsize=8.5)
        bottom.set_xlabel("sparsity (%)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def eigenvalue_explorer(spectra: pd.DataFrame) -> go.Figure:
    """Normalised eigenvalues of the pruned networks' kernels and of their limits, with a slider over sparsity."""
    densities = sorted((d for d in spectra["density"].unique() if d < 1), reverse=True)
    methods = [m for m in spectra["method"].unique() if m != "dense"]
    figure = go.Figure()
    for density in densities:
        for method in methods:
            for rung, dash in (("pruned", "solid"), ("limit", "dot")):
                chosen = spectra[
                    (spectra["method"] == method) & (spectra["density"] == density) & (spectra["rung"] == rung)
                ]
                values = np.mean([e / e.sum() for e in chosen["eigenvalues"]], axis=0)[:50]
                figure.add_trace(
                    go.Scatter(
                        x=np.arange(1, len(values) + 1), y=[float(f"{v:.4g}") for v in values], mode="lines",
                        line={"color": METHOD_COLOURS[method], "dash": dash},
                        name=f"{METHOD_NAMES[method]}, {'pruned' if rung == 'pruned' else 'limit'}",
                        visible=bool(density == densities[0]),
                        hovertemplate="mode %{x}: %{y:.3g} of the trace<extra>%{fullData.name}</extra>",
                    )
                )  # fmt: skip
    each = 2 * len(methods)
    steps = [
        {
            "label": percent_sparse(density),
            "method": "update",
            "args": [{"visible": [place // each == chosen for place in range(each * len(densities))]}],
        }
        for chosen, density in enumerate(densities)
    ]
    figure.update_layout(
        height=480,
        margin={"l": 60, "r": 10, "t": 20, "b": 60},
        xaxis={"type": "log", "title": "mode k"},
        yaxis={"type": "log", "title": "eigenvalue / trace"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        sliders=[{"currentvalue": {"prefix": "sparsity "}, "pad": {"t": 50}, "steps": steps}],
    )
    return figure


@styled
def rank_correlations(table: pd.DataFrame) -> Figure:
    """Spearman correlation of each metric with early training speed, with bootstrap intervals (claim C11).

    Parameters
    ----------
    table : DataFrame
        Columns ``metric``, ``rung``, ``correlation``, ``low``, ``high``.
    """
    metrics = list(table["metric"].unique())
    figure, axes = canvas(1, 1, 5.0, 0.42 * len(metrics) + 1.6)
    panel = axes[0, 0]
    rungs = list(table["rung"].unique())
    looks = dict(zip(rungs, (("#D55E00", "o"), ("#E69F00", "s"), ("#0072B2", "D")), strict=False))
    for rung in rungs:
        shown = table[table["rung"] == rung]
        places = np.array([metrics.index(m) for m in shown["metric"]]) + 0.22 * (
            rungs.index(rung) - (len(rungs) - 1) / 2
        )
        colour, marker = looks[rung]
        panel.hlines(places, shown["low"], shown["high"], color=colour, linewidth=2)
        panel.plot(shown["correlation"], places, marker, color=colour, label=RUNG_NAMES[rung].replace("\n", " "))
    panel.axvline(0, color="black", linewidth=0.8)
    panel.set_yticks(range(len(metrics)), [METRIC_NAMES[m] for m in metrics])
    panel.set(xlim=(-1.05, 1.05), xlabel="Spearman correlation with early loss")
    panel.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=1)
    return figure
