"""Figures of chapters 1 and 2: sorted histograms, their distances, and what estimators recover."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from plotly.subplots import make_subplots

from graphon_lib.figures.style import (
    GRAPHON_COLOURS,
    METHOD_COLOURS,
    METHOD_NAMES,
    NULL_COLOUR,
    canvas,
    line_style,
    logarithmic,
    mean_and_range,
    percent_sparse,
    styled,
)


@styled
def histogram_grid(masks: pd.DataFrame, *, columns: str) -> Figure:
    """Mean sorted histograms, a row a method and a column each ``"width"`` or ``"density"`` (Figs. 1, 5-10).

    Each is divided by its mask's density, so colours compare structure and not how much is kept.
    """
    methods, values = list(masks["method"].unique()), list(masks[columns].unique())
    figure, axes = canvas(len(methods), len(values), 1.05 * len(values) + 0.9, 1.05 * len(methods) + 0.5)
    for row, method in zip(axes, methods, strict=True):
        row[0].set_ylabel(METHOD_NAMES[method])
        for panel, value in zip(row, values, strict=True):
            chosen = masks[(masks["method"] == method) & (masks[columns] == value)]
            mean = np.mean(chosen["histogram"].tolist(), axis=0)
            image = draw_histogram(panel, mean)
    for panel, value in zip(axes[0], values, strict=True):
        panel.set_title(f"n = {value}" if columns == "width" else f"{percent_sparse(value)} pruned")
    bar = figure.colorbar(image, ax=axes, extend="max", shrink=0.5, aspect=30)
    bar.set_label("density of the block / density of the mask")
    bar.outline.set_visible(False)
    return figure


def draw_histogram(panel: Axes, histogram: np.ndarray) -> AxesImage:
    """One histogram over its mean, on given axes; colours from 0 to 3 times the mean, the same in all figures."""
    panel.set(xticks=[], yticks=[])
    panel.grid(visible=False)
    panel.spines[:].set_visible(False)
    return panel.imshow(histogram / histogram.mean(), cmap=GRAPHON_COLOURS, vmin=0, vmax=3, interpolation="nearest")


def width_slider(masks: pd.DataFrame) -> go.Figure:
    """The same histograms to slide through by width, one panel a method, with values under the pointer."""
    methods, widths = list(masks["method"].unique()), list(masks["width"].unique())
    columns = 2
    figure = make_subplots(
        -(-len(methods) // columns), columns,
        subplot_titles=[METHOD_NAMES[m] for m in methods], horizontal_spacing=0.06, vertical_spacing=0.09,
    )  # fmt: skip
    for width in widths:
        for place, method in enumerate(methods):
            chosen = masks[(masks["method"] == method) & (masks["width"] == width)]
            mean = np.mean(chosen["histogram"].tolist(), axis=0)
            figure.add_trace(
                go.Heatmap(
                    z=np.round(mean, 3), zmin=0, zmax=1, coloraxis="coloraxis", visible=bool(width == widths[0]),
                    hovertemplate="row block %{y}, column block %{x}<br>density %{z:.3f}<extra></extra>",
                ),
                row=place // columns + 1, col=place % columns + 1,
            )  # fmt: skip
    steps = [
        {
            "label": str(width),
            "method": "update",
            "args": [{"visible": [bool(other == width) for other in widths for _ in methods]}],
        }
        for width in widths
    ]
    figure.update_xaxes(showticklabels=False, constrain="domain")
    figure.update_yaxes(showticklabels=False, autorange="reversed", scaleanchor="x", constrain="domain")
    for place in range(1, len(methods)):
        figure.update_yaxes(scaleanchor=f"x{place + 1}", row=place // columns + 1, col=place % columns + 1)
    figure.update_layout(
        height=780,
        margin={"l": 10, "r": 10, "t": 40, "b": 60},
        coloraxis={"colorscale": "Viridis", "cmin": 0, "cmax": 1, "colorbar": {"title": "kept", "len": 0.6}},
        sliders=[{"currentvalue": {"prefix": "width n = "}, "pad": {"t": 30}, "steps": steps}],
    )
    return figure


@styled
def distance_curves(distances: pd.DataFrame) -> Figure:
    """Distance to the widest networks' histogram against width (the paper's Fig. 4), with the Erdős-Rényi null."""
    figure, axes = canvas(1, 1, 4.8, 4.0)
    panel = axes[0, 0]
    widths = sorted(distances["width"].unique())
    for method, group in distances.groupby("method", sort=False):
        style = line_style(str(method))
        mean_and_range(panel, widths, _by_trial(group, "width", "distance"), **style)
        null = _by_trial(group, "width", "null").mean(axis=0)
        panel.plot(widths, null, color=style["color"], linestyle=":", linewidth=1)
    panel.plot([], [], color="black", linestyle=":", linewidth=1, label="null of each")
    panel.set(xlabel="width n", ylabel="distance to the widest (relative L2)")
    logarithmic(panel, widths)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def between_and_within(distances: np.ndarray, methods: list[str]) -> Figure:
    """Mean distance between the masks of each two methods, with that within a method on the diagonal (claim C2)."""
    names = list(dict.fromkeys(methods))
    member = np.array([[m == name for m in methods] for name in names])
    others = ~np.eye(len(methods), dtype=bool)
    table = np.array([[distances[np.outer(a, b) & others].mean() for b in member] for a in member])
    figure, axes = canvas(1, 1, 4.6, 3.8)
    panel = axes[0, 0]
    labels = [METHOD_NAMES[name] for name in names]
    bar = {"label": "mean distance (relative L2)", "shrink": 0.8}
    sns.heatmap(
        table, annot=True, fmt=".2f", cmap="Greys", vmin=0, square=True, ax=panel, cbar_kws=bar,
        xticklabels=labels, yticklabels=labels,
    )  # fmt: skip
    panel.tick_params(axis="x", rotation=30)
    panel.tick_params(axis="y", rotation=0)
    return figure


@styled
def recovery_curves(recovery: pd.DataFrame) -> Figure:
    """Error of the sorted histogram on known graphons against size."""
    figure, axes = canvas(1, 1, 4.8, 4.2)
    panel = axes[0, 0]
    sizes = sorted(recovery["size"].unique())
    looks = zip(("#0072B2", "#D55E00", "#009E73", "#CC79A7"), ("o", "s", "D", "v"), strict=True)
    for (name, group), (colour, marker) in zip(recovery.groupby("graphon", sort=False), looks, strict=False):
        mean_and_range(panel, sizes, _by_trial(group, "size", "error"), color=colour, marker=marker, label=str(name))
    panel.set(xlabel="size of the mask n", ylabel="relative L2 error")
    logarithmic(panel, sizes)
    figure.legend(loc="outside lower center", ncols=1)
    return figure


@styled
def path_density_bars(densities: pd.DataFrame) -> Figure:
    """Path density of the estimated chain over that of the masks: labelled jointly, and mask by mask."""
    figure, axes = canvas(1, 1, 4.8, 3.4)
    panel = axes[0, 0]
    methods = list(densities["method"].unique())
    for place, method in enumerate(methods):
        chosen = densities[densities["method"] == method]
        for column, offset, filled in (("joint", -0.15, True), ("separate", 0.15, False)):
            panel.plot(
                [place + offset] * len(chosen), chosen[column] / chosen["exact"],
                marker="o" if filled else "s", markersize=8, linestyle="none", color=METHOD_COLOURS[method],
                markerfacecolor=METHOD_COLOURS[method] if filled else "white",
            )  # fmt: skip
    panel.plot([], [], "o", color="black", markersize=8, label="joint labels (chain)")
    panel.plot([], [], "s", color="black", markerfacecolor="white", markersize=8, label="each mask sorted by itself")
    panel.axhline(1, color=NULL_COLOUR, linewidth=1)
    panel.set_xticks(range(len(methods)), [METHOD_NAMES[m] for m in methods])
    panel.set_ylabel("path density, estimate / exact")
    panel.set_ylim(bottom=0)
    panel.grid(visible=False, axis="x")
    panel.legend(loc="upper right")
    return figure


def _by_trial(group: pd.DataFrame, x: str, y: str) -> np.ndarray:
    """(trials, points) values in order of x."""
    return np.asarray(group.pivot(index="trial", columns=x, values=y).to_numpy(), dtype=np.float64)
