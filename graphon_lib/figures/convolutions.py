"""Figures of convolutions: which kernel positions are kept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from graphon_lib.figures.style import METHOD_NAMES, canvas, styled

# Panels side by side, as a phone has room for.
COLUMNS = 3


@styled
def position_grid(maps: Mapping[str, np.ndarray]) -> Figure:
    """The density of each position of a kernel over their mean, a panel a method, with the numbers in it."""
    rows = -(-len(maps) // COLUMNS)
    figure, axes = canvas(rows, COLUMNS, 1.5 * COLUMNS, 1.8 * rows)
    for panel in axes.flat[len(maps) :]:
        panel.remove()
    for panel, (method, densities) in zip(axes.flat, maps.items(), strict=False):
        panel.set(xticks=[], yticks=[], title=METHOD_NAMES[method])
        panel.grid(visible=False)
        # One at the middle; symmetric, so that white says "as the others".
        panel.imshow(densities, cmap="PuOr", vmin=0.6, vmax=1.4)
        for (row, column), value in np.ndenumerate(densities):
            panel.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8.5)
    return figure
