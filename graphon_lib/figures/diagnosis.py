"""Figures of a diagnosis: the graphons of one network, and where it stands among the book's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from graphon_lib.figures.style import GRAPHON_COLOURS, canvas, line_style, styled
from graphon_lib.graphons import StepGraphon

Range = tuple[float, float, float]

# A reader tells no more panels apart, and a phone shows no more side by side.
COLUMNS = 4


@styled
def graphons_by_layer(graphons: Mapping[str, StepGraphon]) -> Figure:
    """The graphon of each layer, by name; colours are chances of being kept, from 0 to the largest in any layer."""
    columns = min(COLUMNS, len(graphons))
    rows = -(-len(graphons) // columns)
    figure, axes = canvas(rows, columns, 1.35 * columns + 1.2, 1.5 * rows + 0.3)
    top = max(graphon.values.max() for graphon in graphons.values()) or 1.0
    for panel, (name, graphon) in zip(axes.flat, graphons.items(), strict=False):
        panel.set(xticks=[], yticks=[], title=name if len(name) < 18 else f"…{name[-16:]}")
        panel.grid(visible=False)
        image = panel.imshow(
            graphon.values, cmap=GRAPHON_COLOURS, vmin=0, vmax=top, interpolation="nearest", aspect="auto"
        )
    for empty in axes.flat[len(graphons) :]:
        empty.remove()
    bar = figure.colorbar(image, ax=axes.flat[: len(graphons)].tolist(), shrink=0.8)
    bar.set_label("share kept")
    bar.outline.set_visible(False)
    return figure


@styled
def standing_among(peers: Mapping[str, tuple[Range, Range]], scale: float | None, expected: Range | None) -> Figure:
    """Early loss over Random's against second-moment scale, a point a method, and the network in question.

    Parameters
    ----------
    peers : dict from method to (lowest, mean, highest) of the scale, and of the relative early loss
    scale : float or None
        Of the network in question; it is not drawn where it is None or zero.
    expected : (estimate, low, high) or None
        Its relative early loss; without it, the scale is a line.
    """
    figure, axes = canvas(1, 1, 5.6, 3.4)
    panel = axes[0, 0]
    for method, (across, up) in peers.items():
        look = line_style(method)
        panel.errorbar(
            across[1], up[1], yerr=np.array([[up[1] - up[0]], [up[2] - up[1]]]), markersize=7, linestyle="none", **look
        )
    if scale and expected:
        around = np.array([[expected[0] - expected[1]], [expected[2] - expected[0]]])
        panel.errorbar(
            scale, expected[0], yerr=around, color="black", marker="*", markersize=12, linestyle="none", capsize=4,
            label="this network\n(expected)",
        )  # fmt: skip
    elif scale:
        panel.axvline(scale, color="black", linestyle="--", label="this network\n(not known)")
    panel.set(xscale="log", yscale="log", xlabel="second-moment scale", ylabel="early loss / Random's")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.minorticks_off()
    figure.legend(loc="outside right center")
    return figure
