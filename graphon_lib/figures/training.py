"""Figures of training: loss curves, early loss against sparsity and against paths, and predicted curves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from graphon_lib.figures.style import METHOD_NAMES, canvas, line_style, mean_and_range, percent_sparse, styled


@styled
def loss_curves(training: pd.DataFrame) -> Figure:
    """Training loss over the first steps, a panel a sparsity (the paper's Figs. 2 and 11); bands span the trials."""
    densities = sorted((d for d in training["density"].unique() if d < 1), reverse=True)
    columns = min(3, len(densities))
    rows = -(-len(densities) // columns)
    figure, axes = canvas(rows, columns, 2.2 * columns + 0.4, 2.2 * rows + 0.9, sharey=True, sharex=True)
    for panel, density in zip(axes.flat, densities, strict=False):
        shown = training[(training["density"] == density) | (training["method"] == "dense")]
        for method, group in shown.groupby("method", sort=False):
            curves = np.stack(group["losses"].tolist())
            # A running mean over ten steps: single mini-batches are noisier than what tells methods apart.
            window = min(10, curves.shape[1])
            smooth = np.apply_along_axis(np.convolve, 1, curves, np.full(window, 1 / window), "valid")
            style = {k: v for k, v in line_style(str(method)).items() if k != "marker"}
            mean_and_range(panel, np.arange(smooth.shape[1]) + window, smooth, **style)
        panel.set_title(f"{percent_sparse(density)} pruned")
    for empty in axes.flat[len(densities) :]:
        empty.remove()
    for panel in axes[-1]:
        panel.set_xlabel("step")
    for panel in axes[:, 0]:
        panel.set(ylabel="training loss", ylim=(0, 2.6))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


@styled
def curves_by_sparsity(table: pd.DataFrame, label: str, *, top: float | None = None) -> Figure:
    """A value against sparsity, a line a method and a panel a setting, with intervals.

    Parameters
    ----------
    table : DataFrame
        ``panel``, ``method``, ``density``, ``value``, ``low``, ``high``. Density 1 is drawn as a dotted line.
    label : str
        Of the vertical axis, which is logarithmic.
    top : float, optional
        Where it ends; what lies above is left out.
    """
    panels = list(table["panel"].unique())
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = canvas(rows, columns, 2.2 * columns + 0.4, 2.4 * rows + 0.9, sharex=True, sharey=True)
    for panel, name in zip(axes.flat, panels, strict=False):
        shown = table[table["panel"] == name]
        for method, group in shown[shown["density"] < 1].groupby("method", sort=False):
            line = group.sort_values("density", ascending=False)
            style, places = line_style(str(method)), 100 * (1 - line["density"])
            panel.plot(places, line["value"], **style)
            panel.fill_between(places, line["low"], line["high"], color=style["color"], alpha=0.15, linewidth=0)
        dense = shown.loc[shown["density"] == 1, "value"]
        if len(dense):
            panel.axhline(dense.mean(), color="black", linewidth=1, linestyle=":", label=METHOD_NAMES["dense"])
        panel.set_title(name)
    first = axes[0, 0]
    first.set_yscale("log")
    first.set_ylim(top=top)
    first.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    first.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    first.minorticks_off()
    for empty in axes.flat[len(panels) :]:
        empty.remove()
    for panel in axes[-1]:
        panel.set_xlabel("sparsity (%)")
    for panel in axes[:, 0]:
        panel.set_ylabel(label)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


@styled
def predicted_curves(curves: pd.DataFrame, rungs: Mapping[str, str]) -> Figure:
    """Measured loss curves of full-batch descent and those that kernels predict, a panel a method.

    Parameters
    ----------
    curves : DataFrame
        One row a network, all of one density: ``method``, ``losses`` and ``r_losses`` for each rung r; of each method,
        the first is drawn, over its initial loss.
    rungs : dict
        Which rungs, and what the legend calls them; at most four.
    """
    methods = list(curves["method"].unique())
    columns = min(3, len(methods))
    rows = -(-len(methods) // columns)
    figure, axes = canvas(rows, columns, 2.2 * columns + 0.4, 2.1 * rows + 1.1, sharex=True, sharey=True)
    dashes = ("-", "--", ":", "-.")
    for panel, method in zip(axes.flat, methods, strict=False):
        row = curves[curves["method"] == method].iloc[0]
        look = line_style(method)
        panel.plot(np.divide(row["losses"], row["losses"][0]), color=look["color"], lw=4, alpha=0.45, label="measured")
        for (rung, name), dash in zip(rungs.items(), dashes, strict=False):
            if len(row[f"{rung}_losses"]):
                panel.plot(np.divide(row[f"{rung}_losses"], row["losses"][0]), dash, color="black", lw=1.2, label=name)
        panel.set_title(METHOD_NAMES[method])
    for empty in axes.flat[len(methods) :]:
        empty.remove()
    for panel in axes[-1]:
        panel.set_xlabel("step")
    for panel in axes[:, 0]:
        panel.set(ylabel="loss / initial loss", ylim=(0, 1.05))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


@styled
def start_against(training: pd.DataFrame, numbers: Mapping[str, str]) -> Figure:
    """Mean loss over the first steps against numbers known before, a panel a number and a point a network.

    Parameters
    ----------
    training : DataFrame
        ``method``, ``density``, ``early_loss``, and a column for each number. Larger points are sparser networks.
    numbers : dict
        The columns, and what the axes call them.
    """
    figure, axes = canvas(1, len(numbers), 1.2 + 2.8 * len(numbers), 3.6, sharey=True)
    for panel, (number, label) in zip(axes[0], numbers.items(), strict=True):
        draw_start_against(panel, training, number, label)
    axes[0, 0].set_ylabel("mean loss, first steps")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def draw_start_against(panel: Axes, training: pd.DataFrame, number: str, label: str) -> None:
    """One panel of :func:`start_against`."""
    for method, group in training.groupby("method", sort=False):
        look = line_style(str(method))
        # A star fills a third of the square that its size names.
        area = (20 + 40 * (1 - group["density"])) * (3 if look["marker"] == "*" else 1)
        panel.scatter(
            group[number], group["early_loss"], s=area, color=look["color"],
            marker=look["marker"], label=look["label"], edgecolors="white", linewidths=0.5,
        )  # fmt: skip
    panel.set(xscale="log", yscale="log", xlabel=label)
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.minorticks_off()
