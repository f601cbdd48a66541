"""Figures of kernels: spectral metrics, eigenvalues, and the ladder from a pruned network down to chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

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
    "scale": "scale (mean diagonal)",
    "lambda_1": "top eigenvalue",
    "decay": "decay exponent",
    "effective_rank": "effective rank",
    "gap": "spectral gap",
    "concentration": "energy in top 5",
    "alignment": "alignment with labels",
}
RUNG_NAMES = {
    "a": "pruned network",
    "e": "second moment",
    "b": "its mask,\nfresh weights",
    "c": "sampled from\nits graphons",
    "d": "Graphon NTK",
    "g": "same degrees",
    "f": "same layer\ndensities",
}


@styled
def metrics_by_sparsity(rungs: pd.DataFrame, metrics: Sequence[str], shown: Sequence[str]) -> Figure:
    """Spectral metrics against sparsity, a row each metric and a column each rung (the paper's Fig. 3 is rung c).

    Parameters
    ----------
    rungs : DataFrame
        See :func:`graphon_lib.sweeps.rung_by_rung`.
    metrics, shown : sequences of str
        Of ``METRIC_NAMES`` and ``RUNG_NAMES``.
    """
    figure, axes = canvas(len(metrics), len(shown), 7.0, 1.6 * len(metrics) + 0.9, sharex=True, sharey="row")
    for row, metric in zip(axes, metrics, strict=True):
        for panel, rung in zip(row, shown, strict=True):
            of_rung = rungs[rungs["rung"] == rung]
            for method, group in of_rung[of_rung["density"] < 1].groupby("method", sort=False):
                wide = group.pivot(index="trial", columns="density", values=metric)
                mean_and_range(panel, 100 * (1 - wide.columns.to_numpy()), wide.to_numpy(), **line_style(str(method)))
            dense = of_rung[of_rung["method"] == "dense"][metric]
            if len(dense):
                panel.axhline(dense.mean(), color="black", linewidth=1, linestyle=":", label="Dense")
        row[0].set_ylabel(METRIC_NAMES[metric])
        if metric == "gap":
            row[0].set_yscale("log")
            row[0].yaxis.set_major_locator(LogLocator())
            row[0].minorticks_off()
    for top, bottom, rung in zip(axes[0], axes[-1], shown, strict=True):
        top.set_title(RUNG_NAMES[rung], fontsize=8.5)
        bottom.set_xlabel("sparsity (%)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


@styled
def staircase(
    table: pd.DataFrame,
    steps: Mapping[str, str],
    labels: Mapping[str, str],
    *,
    log: bool = False,
    top: float | None = None,
) -> Figure:
    """A value at each step away from the pruned networks, a line a method, with intervals.

    Parameters
    ----------
    table : DataFrame
        ``row`` and ``column`` (the panel), ``method``, ``step``, ``value``, ``low``, ``high``.
    steps : dict
        The steps in order, and what the axis calls them.
    labels : dict
        What the vertical axis of each row is called, in the order of the rows.
    log : bool
        Whether that axis is logarithmic.
    top : float, optional
        Where it ends; what lies above is left out.
    """
    columns = list(table["column"].unique())
    figure, axes = canvas(
        len(labels), len(columns), 2.3 * len(columns), 1.9 * len(labels) + 1.5, sharex=True, sharey="row"
    )
    for row, (name, label) in zip(axes, labels.items(), strict=True):
        for panel, column in zip(row, columns, strict=True):
            shown = table[(table["row"] == name) & (table["column"] == column)]
            for method, group in shown.groupby("method", sort=False):
                line = group.set_index("step").reindex(list(steps))
                style = line_style(str(method))
                panel.plot(range(len(steps)), line["value"], **style)
                panel.fill_between(range(len(steps)), line["low"], line["high"], color=style["color"], alpha=0.15, lw=0)
        row[0].set_ylabel(label)
        if log:
            row[0].set_yscale("log")
        row[0].set_ylim(top=top)
    for first, last, column in zip(axes[0], axes[-1], columns, strict=True):
        first.set_title(column)
        last.set_xticks(range(len(steps)), list(steps.values()), rotation=90)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


def eigenvalue_explorer(rungs: pd.DataFrame, ranks: Sequence[int]) -> go.Figure:
    """Normalised eigenvalues of the pruned networks' kernels and of their limits, with a slider over sparsity.

    Parameters
    ----------
    rungs : DataFrame
        See :func:`graphon_lib.sweeps.rung_by_rung`.
    ranks : sequence of int
        To which the eigenvalues belong.
    """
    densities = sorted((d for d in rungs["density"].unique() if d < 1), reverse=True)
    methods = [m for m in rungs["method"].unique() if m != "dense"]
    figure = go.Figure()
    for density in densities:
        for method in methods:
            for rung, dash, name in (("a", "solid", "pruned"), ("d", "dot", "limit")):
                chosen = rungs[(rungs["method"] == method) & (rungs["density"] == density) & (rungs["rung"] == rung)]
                # A kernel of nothing has none.
                values = np.mean([e for e in chosen["eigenvalues"] if len(e)] or [np.full(len(ranks), np.nan)], axis=0)
                figure.add_trace(
                    go.Scatter(
                        x=list(ranks), y=[float(f"{v:.4g}") for v in values], mode="lines",
                        line={"color": METHOD_COLOURS[method], "dash": dash},
                        name=f"{METHOD_NAMES[method]}, {name}",
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
        height=520,
        margin={"l": 60, "r": 10, "t": 20, "b": 60},
        xaxis={"type": "log", "title": "mode k"},
        yaxis={"type": "log", "title": "eigenvalue / trace"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        sliders=[{"currentvalue": {"prefix": "sparsity "}, "pad": {"t": 50}, "steps": steps}],
    )
    return figure
