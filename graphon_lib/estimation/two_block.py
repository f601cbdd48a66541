"""How much of a sorted histogram is one sharp block: the best two-by-two step function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphon_lib.graphons import StepGraphon


@dataclass(frozen=True)
class TwoBlockFit:
    """The best fit of a graphon by a step function with one cut along each axis.

    Attributes
    ----------
    explained : float
        Share of the graphon's variance that the fit explains, in [0, 1]; 0 for a constant graphon. A sharp block gives
        1; the graphon u v, smooth in both directions, 0.72.
    row_cut, column_cut : int
        The block at which the second part begins along each axis.
    """

    explained: float
    row_cut: int
    column_cut: int


def two_block_fit(graphon: StepGraphon) -> TwoBlockFit:
    """The least-squares two-by-two step function, found by trying every pair of cuts.

    Raises
    ------
    ValueError
        If the graphon has fewer than two blocks along an axis.
    """
    R, C = graphon.values.shape
    if min(R, C) < 2:
        raise ValueError(f"graphon has {R} x {C} blocks, but two parts along each axis need at least 2 x 2")
    density = graphon.density()
    weights = np.outer(graphon.row_measure, graphon.column_measure)
    variance = float((weights * (graphon.values - density) ** 2).sum())
    if variance <= 1e-24:
        return TwoBlockFit(0.0, 1, 1)
    # Sums over the upper left part for every pair of cuts; the other three parts follow by subtraction.
    mass = (weights * graphon.values).cumsum(axis=0).cumsum(axis=1)
    rows, columns = graphon.row_measure.cumsum()[:-1, None], graphon.column_measure.cumsum()[None, :-1]
    corner, top, left = mass[:-1, :-1], mass[:-1, -1:], mass[-1:, :-1]
    parts = (
        (corner, rows * columns),
        (top - corner, rows * (1 - columns)),
        (left - corner, (1 - rows) * columns),
        (density - top - left + corner, (1 - rows) * (1 - columns)),
    )
    # Variance between the parts: sum of area * mean^2, less the overall mean's. The bound keeps rounding in parts
    # of no area (blocks of measure zero at an end) from counting.
    between = sum((part**2 / np.maximum(area, 1e-12) for part, area in parts), np.zeros((R - 1, C - 1))) - density**2
    best = np.unravel_index(between.argmax(), between.shape)
    return TwoBlockFit(min(1.0, float(between[best]) / variance), int(best[0]) + 1, int(best[1]) + 1)
