"""Figures of chapter 1 on convergence: curves over the width, the map of graphons, how far methods are apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from graphon_lib.figures.style import (
    METHOD_COLOURS,
    NULL_COLOUR,
    canvas,
    line_style,
    percent_sparse,
    styled,
)

# The three sparsities of one method on the map.
_DASHES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")


@styled
def width_curves(curves: pd.DataFrame, *, log: bool = True, line: float | None = None) -> Figure:
    """Quantities against width, a line a method; a panel each ``row`` (its name beside the axis) and ``column``.

    Parameters
    ----------
    curves : DataFrame
        ``row``, ``column``, ``method``, ``kind`` ("mask", or a null model, which is dotted), ``width``, ``value``, and
        ``low`` and ``high`` of the band around it.
    log : bool
        Whether values go on a logarithmic axis, too.
    line : float, optional
        A horizontal line at this value.
    """
    if curves.empty:
        return _blank()
    rows, columns = list(curves["row"].unique()), list(curves["column"].unique())
    figure, axes = canvas(
        len(rows), len(columns), max(1.75 * len(columns), 3.4) + 0.4, 2.0 * len(rows) + 0.8, sharex=True, sharey="row"
    )
    for (row, column, method, kind), group in curves.groupby(["row", "column", "method", "kind"], sort=False):
        panel = axes[rows.index(row), columns.index(column)]
        group = group.sort_values("width")
        if log:  # what is not positive has no place on the axis
            group = group.assign(value=group["value"].where(group["value"] > 0))
        if kind == "mask":
            panel.plot(group["width"], group["value"], **line_style(str(method)))
            band = (group["low"].to_numpy(), group["high"].to_numpy())
            panel.fill_between(group["width"], *band, color=METHOD_COLOURS[str(method)], alpha=0.2, linewidth=0)
        else:
            panel.plot(group["width"], group["value"], ":", color=METHOD_COLOURS[str(method)], linewidth=1)
    for row, panels in zip(rows, axes, strict=True):
        panels[0].set_ylabel(row)
        positive = curves.loc[(curves["row"] == row) & (curves["value"] > 0), "value"]
        limits = (positive.min() / 1.5, positive.max() * 1.5) if len(positive) else (0.1, 1.0)
        for panel in panels:
            if line is not None:
                panel.axhline(line, color=NULL_COLOUR, linewidth=1)
            _width_axis(panel, curves["width"].unique(), limits if log else None)
    for panel, column in zip(axes[0], columns, strict=True):
        panel.set_title(column)
    for panel in axes[-1]:
        panel.set_xlabel("width n")
    _legend(figure, curves)
    return figure


@styled
def width_curves_of_snip(curves: pd.DataFrame) -> Figure:
    """SNIP's quantity against width: a panel each ``column``, a line each ``initialisation`` and number of ``images``.

    Parameters
    ----------
    curves : DataFrame
        ``column``, ``initialisation``, ``images``, ``width``, ``value``, ``low``, ``high``, and ``row``, its name.
    """
    columns = list(curves["column"].unique())
    figure, axes = canvas(1, len(columns), max(1.75 * len(columns), 3.4) + 0.4, 3.1, sharey=True)
    colours = {"pytorch": METHOD_COLOURS["snip"], "he": "#0072B2"}
    fewest = curves["images"].min()
    for (column, initialisation, images), group in curves.groupby(["column", "initialisation", "images"], sort=False):
        panel, colour = axes[0, columns.index(column)], colours[str(initialisation)]
        name = {"pytorch": "PyTorch's", "he": "He's"}[str(initialisation)]
        panel.plot(
            group["width"], group["value"], "s-" if images == fewest else "o--", color=colour,
            label=f"{name} weights, {images} images", markerfacecolor=colour if images == fewest else "white",
        )  # fmt: skip
        panel.fill_between(group["width"], group["low"], group["high"], color=colour, alpha=0.2, linewidth=0)
    for panel, column in zip(axes[0], columns, strict=True):
        panel.set(title=column, xlabel="width n")
        _width_axis(panel, curves["width"].unique(), None)
    axes[0, 0].set_ylabel(curves["row"].iloc[0])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@styled
def distance_scatter(cells: pd.DataFrame) -> Figure:
    """Cut distance (its bracket as a bar) against Euclidean distance, a point a configuration and step of width."""
    if cells.empty:
        return _blank()
    figure, axes = canvas(1, 1, 4.8, 4.0)
    panel = axes[0, 0]
    for method, group in cells.groupby("method", sort=False):
        style = line_style(str(method)) | {"linestyle": "none", "markersize": 4}
        middle = np.sqrt(group["cut_lower"] * group["cut_upper"])
        ends = np.abs(group[["cut_lower", "cut_upper"]].to_numpy().T - middle.to_numpy())
        panel.errorbar(group["euclidean"], middle, yerr=ends, elinewidth=0.8, **style)
    panel.set(xscale="log", yscale="log", xlabel="Euclidean distance (relative L2)", ylabel="cut distance (relative)")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def separation_grid(table: pd.DataFrame) -> Figure:
    """How many times further apart two methods are than networks of one: a row each pair, a column each setting."""
    if table.empty:
        return _blank()
    figure, axes = canvas(1, 1, 0.52 * len(table.columns) + 2.0, 0.3 * len(table) + 1.5)
    panel = axes[0, 0]
    bar = {"label": "between / within", "location": "top", "shrink": 0.6, "aspect": 30}
    sns.heatmap(
        np.log10(table.astype(float)), annot=table.map(_short), fmt="", cmap="Greys", vmin=0, vmax=2, ax=panel,
        cbar_kws=bar, annot_kws={"fontsize": 9}, linewidths=0.5,
    )  # fmt: skip
    panel.collections[0].colorbar.set_ticks([0, 1, 2], labels=["1", "10", "100"])
    panel.set(xlabel="", ylabel="")
    panel.tick_params(axis="x", rotation=90)
    panel.tick_params(axis="y", rotation=0)
    return figure


@styled
def graphon_map(points: pd.DataFrame) -> Figure:
    """The space of graphons in the plane: a trajectory over widths for each method and sparsity.

    Parameters
    ----------
    points : DataFrame
        ``method`` ("constant" for the constant graphon), ``density``, ``width``, ``x`` and ``y``.
    """
    figure, axes = canvas(1, 1, 5.2, 5.2)
    panel = axes[0, 0]
    estimates = points[points["method"] != "constant"]
    densities, widest = sorted(estimates["density"].unique(), reverse=True), estimates["width"].max()
    for (method, density), group in estimates.groupby(["method", "density"], sort=False):
        group = group.sort_values("width")
        style = line_style(str(method)) | {"linestyle": _DASHES[densities.index(density) % len(_DASHES)]}
        marker = style.pop("marker")
        panel.plot(group["x"], group["y"], linewidth=1.2, **style)
        sizes = 12 + 60 * group["width"] / widest
        panel.scatter(group["x"], group["y"], s=sizes, marker=marker, color=style["color"], linewidths=0, alpha=0.85)
    star = points[points["method"] == "constant"]
    panel.scatter(star["x"], star["y"], marker="*", s=160, color="black", zorder=5)
    panel.set(xticks=[], yticks=[], xlabel="first coordinate", ylabel="second coordinate")
    panel.set_aspect("equal", adjustable="datalim")
    handles = _method_handles(estimates["method"].unique())
    handles.append(Line2D([], [], marker="*", markersize=10, color="black", linestyle="none", label="constant graphon"))
    handles += [
        Line2D([], [], color="black", linestyle=dash, label=f"{percent_sparse(density)} pruned")
        for density, dash in zip(densities, _DASHES, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _blank() -> Figure:
    """Said where other parameters leave nothing to draw."""
    figure, axes = canvas(1, 1, 4.8, 1.0)
    axes[0, 0].set_axis_off()
    axes[0, 0].text(0.5, 0.5, "These parameters leave nothing to compare here.", ha="center", va="center")
    return figure


def _short(ratio: float) -> str:
    return "" if np.isnan(ratio) else f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"


def _width_axis(panel: Any, widths: Sequence[int], limits: tuple[float, float] | None) -> None:
    """Plain numbers along both axes; values go on a logarithmic one if their limits are given."""
    panel.set_xscale("log")
    chosen = sorted(widths)
    # Every second where they would touch.
    chosen = chosen[::-1][::2][::-1] if len(chosen) > 3 else chosen
    panel.set_xticks(chosen, [f"{width:g}" for width in chosen])
    panel.xaxis.set_minor_locator(NullLocator())
    if limits is not None:
        panel.set(yscale="log", ylim=limits)
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if limits[1] / limits[0] < 100 else (1,)))
        panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panel.yaxis.set_minor_locator(NullLocator())


def _method_handles(methods: Sequence[str]) -> list[Line2D]:
    return [Line2D([], [], **line_style(str(method))) for method in methods]


def _legend(figure: Figure, curves: pd.DataFrame) -> None:
    handles = _method_handles(curves["method"].unique())
    if (curves["kind"] != "mask").any():
        handles.append(Line2D([], [], color="black", linestyle=":", linewidth=1, label="null of each"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
