"""Figures of chapter 1: sorted histograms and their distances."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from graphon_lib.figures.style import (
    GRAPHON_COLOURS,
    METHOD_NAMES,
    canvas,
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
