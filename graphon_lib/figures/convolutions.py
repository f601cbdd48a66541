"""Figures of convolutions: which kernel positions are kept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from graphon_lib.figures.style import METHOD_NAMES, canvas, styled


@styled
def position_grid(maps: Mapping[str, np.ndarray]) -> Figure:
    """The density of each position of a kernel over their mean, a panel a method, with the numbers in it."""
    figure, axes = canvas(1, len(maps), 1.35 * len(maps) + 0.3, 2.0)
    for panel, (method, densities) in zip(axes[0], maps.items(), strict=True):
        panel.set(xticks=[], yticks=[], title=METHOD_NAMES[method])
        panel.grid(visible=False)
        # One at the middle; symmetric, so that white says "as the others".
        panel.imshow(densities, cmap="PuOr", vmin=0.6, vmax=1.4)
        for (row, column), value in np.ndenumerate(densities):
            panel.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8.5)
    return figure
