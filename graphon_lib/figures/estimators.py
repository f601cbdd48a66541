"""Figures of chapter 2: what estimators recover, how masks look through them, and what glueing masks does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from graphon_lib.figures.masks import draw_histogram
from graphon_lib.figures.style import (
    GRAPHON_COLOURS,
    METHOD_NAMES,
    NULL_COLOUR,
    canvas,
    line_style,
    logarithmic,
    percent_sparse,
    styled,
)
from graphon_lib.intervals import mean_interval

ESTIMATOR_NAMES = {
    "sorted_histogram": "Sorted histogram",
    "sas": "SAS",
    "cross_fit": "Cross-fit",
    "usvt": "USVT",
    "co_histogram": "Co-clustering",
    "constant": "Constant",
}
_COLOURS = dict(zip(ESTIMATOR_NAMES, ("#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#009E73", "#000000"), strict=True))
_MARKERS = dict(zip(ESTIMATOR_NAMES, "so^vDx", strict=True))

GLUED_NAMES = {"separate": "each mask by itself", "sums": "by the sum of degrees", "pairs": "by both degrees"}
_GLUED_MARKERS = {"separate": "s", "sums": "^", "pairs": "o"}


@styled
def estimate_grid(estimates: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Graphons beside what estimators make of one mask each: a row a graphon, a column an estimator or the truth."""
    columns = list(next(iter(estimates.values())))
    figure, axes = canvas(len(estimates), len(columns), 6.8, 1.05 * len(estimates) + 0.5)
    for row, (shape, panels) in zip(axes, estimates.items(), strict=True):
        row[0].set_ylabel(shape)
        top = panels[columns[0]].max()
        for panel, values in zip(row, panels.values(), strict=True):
            panel.set(xticks=[], yticks=[])
            panel.grid(visible=False)
            panel.spines[:].set_visible(False)
            panel.imshow(values, cmap=GRAPHON_COLOURS, vmin=0, vmax=top, interpolation="nearest")
    for panel, name in zip(axes[0], columns, strict=True):
        panel.set_title(ESTIMATOR_NAMES.get(name, name).replace(" ", "\n"), fontsize=8.5)
    return figure


@styled
def recovery_curves(recovery: pd.DataFrame, error: str = "relabelled_error") -> Figure:
    """Errors against the size of the mask, a panel a shape and a line an estimator, beside slopes -1/2 and -1."""
    shapes, sizes = list(recovery["shape"].unique()), np.array(sorted(recovery["size"].unique()))
    columns = min(3, len(shapes))
    rows = -(-len(shapes) // columns)
    figure, axes = canvas(rows, columns, 2.1 * columns + 0.5, 1.9 * rows + 1.1, sharex=True, sharey=True)
    # What is exact up to rounding would stretch the axis over fifteen decades.
    lowest = 1e-3
    for panel, shape in zip(axes.ravel(), shapes, strict=False):
        chosen = recovery[recovery["shape"] == shape]
        for method, group in chosen.groupby("method", sort=False):
            means = group.groupby("size")[error].mean().clip(lower=lowest)
            style = {"color": _COLOURS[str(method)], "marker": _MARKERS[str(method)]}
            panel.plot(means.index, means, label=ESTIMATOR_NAMES[str(method)], markersize=4, linewidth=1.3, **style)
        for power, dashes in ((0.5, "--"), (1.0, ":")):
            panel.plot(sizes, (sizes / sizes[0]) ** -power, color=NULL_COLOUR, linewidth=1, linestyle=dashes)
        panel.set_title(shape)
        logarithmic(panel, sizes)
        panel.tick_params(axis="x", rotation=45)
        panel.set_yticks([1e-3, 1e-2, 1e-1, 1], ["≤ 0.001", "0.01", "0.1", "1"])
        panel.set_ylim(lowest * 0.8, None)
    for panel in axes.ravel()[len(shapes) :]:
        panel.remove()
    for panel in axes[-1]:
        panel.set_xlabel("size of the mask n")
    for panel in axes[:, 0]:
        panel.set_ylabel("relative L2 error")
    names, labels = axes[0, 0].get_legend_handles_labels()
    slopes = [Line2D([], [], color=NULL_COLOUR, linewidth=1, linestyle=dashes) for dashes in ("--", ":")]
    figure.legend([*names, *slopes], [*labels, "slope −1/2", "slope −1"], loc="outside lower center", ncols=4)
    return figure


@styled
def block_curves(blocks: pd.DataFrame, best: Mapping[str, Mapping[int, float]]) -> Figure:
    """Error of the sorted histogram by the number of its blocks: a panel a shape, a line a size of the mask.

    Parameters
    ----------
    blocks : DataFrame
        ``shape``, ``size``, ``blocks``, ``error``.
    best : dict from shape to dict from size to number of blocks
        What theory has for the best number, drawn as a tick on the line of that size.
    """
    shapes, sizes = list(blocks["shape"].unique()), sorted(blocks["size"].unique())
    figure, axes = canvas(1, len(shapes), 2.15 * len(shapes) + 0.4, 3.1, sharey=True)
    shades = ["#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08306b"]
    for panel, shape in zip(axes[0], shapes, strict=True):
        chosen = blocks[blocks["shape"] == shape].groupby(["size", "blocks"])["error"].mean()
        for number, size in enumerate(sizes):
            means, colour = chosen.xs(size), shades[number * (len(shades) - 1) // max(len(sizes) - 1, 1)]
            panel.plot(means.index, means, marker="o", markersize=4, color=colour, label=f"n = {size}")
            if size in best.get(shape, {}):
                theory = best[shape][size]
                height = np.exp(np.interp(np.log(theory), np.log(means.index), np.log(means)))
                panel.plot([theory], [height], marker="|", markersize=14, markeredgewidth=2, color="#D55E00")
        panel.set_title(shape)
        logarithmic(panel, sorted(blocks["blocks"].unique()))
        panel.set_xlabel("blocks along an axis K")
    axes[0, 0].set_ylabel("relative L2 error")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(sizes))
    return figure


@styled
def flatness_dots(flatness: pd.DataFrame) -> Figure:
    """The structure invented for masks without any, by density: ``error``, and ``bias``, its part that is not noise."""
    figure, axes = canvas(1, 2, 6.0, 2.9, sharey=True)
    densities = sorted(flatness["density"].unique())
    for panel, (column, title) in zip(axes[0], (("error", "in one mask"), ("bias", "without its noise")), strict=True):
        for method, group in flatness.groupby("method", sort=False):
            means = group.groupby("density")[column].mean()
            panel.plot(means.index, means, color=_COLOURS[str(method)], marker=_MARKERS[str(method)], label=str(method))
        panel.set(title=title, xscale="log", xlabel="density of the mask")
        panel.set_xticks(densities, [f"{density:g}" for density in densities])
        panel.minorticks_off()
    axes[0, 0].set_ylabel("distance to a constant")
    axes[0, 0].set_ylim(bottom=-0.02)
    names, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(names, [ESTIMATOR_NAMES[label] for label in labels], loc="outside lower center", ncols=3)
    return figure


@styled
def goodness_grid(goodness: pd.DataFrame, motif: str) -> Figure:
    """How far each estimate is off in one motif, in percent: a row a method and density, a column an estimator.

    "None" where there is no such motif; in bold where masks drawn from the estimate, and estimated again, are off as
    much: within three standard deviations.
    """
    rows = list(goodness[["method", "density"]].drop_duplicates().itertuples(index=False, name=None))
    estimators = list(goodness["estimator"].unique())
    means = goodness.groupby(["method", "density", "estimator"])[[f"{motif}_error", f"{motif}_z"]].mean()
    figure, axes = canvas(1, 1, 6.4, 0.27 * len(rows) + 1.1)
    panel = axes[0, 0]
    cells = np.array([[100 * np.expm1(means.loc[(*row, e), f"{motif}_error"]) for e in estimators] for row in rows])
    panel.imshow(np.abs(cells), cmap="Oranges", vmin=0, vmax=30, aspect="auto")
    for (i, row), (j, estimator) in ((a, b) for a in enumerate(rows) for b in enumerate(estimators)):
        fits = abs(means.loc[(*row, estimator), f"{motif}_z"]) < 3
        colour = "white" if abs(cells[i, j]) > 20 else "black"
        weight = "bold" if fits else "normal"
        number = f"{cells[i, j]:+.0f}" if abs(cells[i, j]) >= 10 else f"{cells[i, j]:+.1f}"
        shown = f"{number} %" if np.isfinite(cells[i, j]) else "none"
        panel.text(j, i, shown, ha="center", va="center", fontsize=8.5, color=colour, weight=weight)
    panel.set_xticks(range(len(estimators)), [ESTIMATOR_NAMES[e].replace(" ", "\n") for e in estimators])
    panel.set_yticks(range(len(rows)), [f"{METHOD_NAMES[m]}, {percent_sparse(d)}" for m, d in rows])
    panel.tick_params(length=0, top=True, bottom=False, labeltop=True, labelbottom=False)
    panel.spines[:].set_visible(False)
    panel.grid(visible=False)
    return figure


@styled
def mask_gallery(cells: pd.DataFrame) -> Figure:
    """Mean sorted histograms at one depth (the paper's Figs. 5-10): a row a method, a column a sparsity and layer.

    Each is divided by its mask's density; where nothing is kept the panel says so. A width is named where it is not the
    largest.
    """
    methods = list(cells["method"].unique())
    columns = list(cells[["density", "layer"]].drop_duplicates().itertuples(index=False, name=None))
    side = min(1.0, 5.3 / len(columns))
    figure, axes = canvas(len(methods), len(columns), side * len(columns) + 1.5, side * len(methods) + 0.8)
    image = None
    for row, method in zip(axes, methods, strict=True):
        words = (
            METHOD_NAMES[method].replace(", ", ",\n").replace(" after ", "\nafter ").replace("Lottery ", "Lottery\n")
        )
        width = cells.loc[cells["method"] == method, "width"].iloc[0]
        words += f"\nn = {width}" if width < cells["width"].max() else ""
        row[0].set_ylabel(words, rotation=0, ha="right", va="center", fontsize=9)
        for panel, (density, layer) in zip(row, columns, strict=True):
            chosen = cells[(cells["method"] == method) & (cells["density"] == density) & (cells["layer"] == layer)]
            (histogram,) = chosen["histogram"]
            if histogram.any():
                image = draw_histogram(panel, histogram)
            else:
                draw_histogram(panel, np.ones((1, 1))).set_visible(False)
                panel.text(0, 0, "nothing\nkept", ha="center", va="center", fontsize=8.5)
    several = cells["layer"].nunique() > 1
    for panel, (density, layer) in zip(axes[0], columns, strict=True):
        panel.set_title(percent_sparse(density) + (f"\nlayer {layer}" if several else ""), fontsize=9)
    if image is not None:
        bar = figure.colorbar(image, ax=axes, extend="max", shrink=0.5, aspect=40, location="bottom", pad=0.01)
        bar.set_label("density of the block / density of the mask")
        bar.outline.set_visible(False)
    return figure


@styled
def path_density_errors(labels: pd.DataFrame) -> Figure:
    """Path density of glued estimates over that of the masks: a panel a depth, a colour a method, a marker a labelling.

    Mean over trials at the largest sparsity.
    """
    methods, depths = list(labels["method"].unique()), sorted(labels["depth"].unique())
    sparsest = labels[labels["density"] == labels["density"].min()]
    figure, axes = canvas(1, len(depths), 3.1 * len(depths) + 0.4, 3.3, sharey=True)
    for panel, depth in zip(axes[0], depths, strict=True):
        for place, method in enumerate(methods):
            chosen = sparsest[(sparsest["method"] == method) & (sparsest["depth"] == depth)]
            for offset, (column, marker) in enumerate(_GLUED_MARKERS.items()):
                ratio = float((chosen[column] / chosen["exact"]).mean())
                style = {"color": line_style(method)["color"], "marker": marker, "linestyle": "none"}
                hollow = "white" if column == "separate" else style["color"]
                panel.plot([place + 0.22 * (offset - 1)], [ratio], markersize=7, markerfacecolor=hollow, **style)
        panel.axhline(1, color=NULL_COLOUR, linewidth=1)
        panel.set_xticks(range(len(methods)), [METHOD_NAMES[m] for m in methods], rotation=30)
        panel.set_title(f"{depth} hidden layers")
        panel.grid(visible=False, axis="x")
    axes[0, 0].set_ylabel("path density, estimate / exact")
    keys = [
        Line2D([], [], linestyle="none", marker=m, color="black", markersize=7,
               markerfacecolor="white" if c == "separate" else "black")
        for c, m in _GLUED_MARKERS.items()
    ]  # fmt: skip
    figure.legend(keys, list(GLUED_NAMES.values()), loc="outside lower center", ncols=3, title="labels")
    return figure


@styled
def block_against_slope(sharpness: pd.DataFrame) -> Figure:
    """What one block foretells of another network's mask over what a smooth slope does, with 95 % intervals.

    A panel a hidden mask, a line a method, sparsity along x; above 1 the block is better.
    """
    masks = list(sharpness[["depth", "layer"]].drop_duplicates().itertuples(index=False, name=None))
    densities = sorted(sharpness["density"].unique(), reverse=True)
    figure, axes = canvas(1, len(masks), 2.0 * len(masks) + 0.6, 3.1, sharey=True)
    ratios = sharpness.assign(ratio=sharpness["two_block"] / sharpness["smooth"])
    for panel, (depth, layer) in zip(axes[0], masks, strict=True):
        chosen = ratios[(ratios["depth"] == depth) & (ratios["layer"] == layer)]
        for method, group in chosen.groupby("method", sort=False):
            found = [mean_interval(group.loc[group["density"] == density, "ratio"]) for density in densities]
            middle = [interval.estimate for interval in found]
            bars = [
                [interval.estimate - interval.low for interval in found],
                [interval.high - interval.estimate for interval in found],
            ]
            panel.errorbar(range(len(densities)), middle, bars, capsize=3, **line_style(str(method)))
        panel.axhline(1, color=NULL_COLOUR, linewidth=1)
        panel.set_xticks(range(len(densities)), [percent_sparse(density) for density in densities])
        panel.set_title(f"{depth} hidden layers,\nmask {layer}")
        panel.set_xlabel("sparsity")
    axes[0, 0].set_ylabel("held-out gain, block / slope")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, handlelength=1.2)
    return figure
