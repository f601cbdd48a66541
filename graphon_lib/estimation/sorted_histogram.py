"""The degree-sorted histogram, what the paper calls SAS, and the exact averages over intervals that it is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphon_lib.graphons import StepGraphon, degrees
from graphon_lib.graphons.masks import BoolArray, Counts, compiled
from graphon_lib.graphons.step import Array


def sorted_histogram(mask: BoolArray | Counts, blocks: int, positions: int = 1) -> StepGraphon:
    """Sort rows and columns by degree, densest first, and average over ``blocks`` equal intervals along each axis.

    A block boundary that falls inside a row or column splits it by length, so every mask, whatever its size, is
    averaged over the same (blocks, blocks) grid and the density is kept exactly. Of equal degrees, the first stays
    first. Every value is the correctly rounded quotient of two whole numbers.

    It identifies a graphon only if its degrees are strictly monotone, and it invents structure: even a mask without
    any comes out graded, the more so the sparser, because sorting picks up the noise in the degrees.

    Parameters
    ----------
    mask : (R, C) bool array, contiguous, or the number of kernel positions at which each entry is kept
    blocks : int
    positions : int
        Of how many.

    References
    ----------
    Pham et al. (NeurIPS 2025), section 4.2. Chan and Airoldi (2014), whose SAS goes on to smooth by total variation.
    """
    return StepGraphon(box_means(mask, blocks, blocks) / positions)


def box_means(mask: BoolArray | Counts, row_boxes: int, column_boxes: int) -> Array:
    """The means of a mask, sorted by degree, over equal boxes: (row_boxes, column_boxes)."""
    rows, columns = (np.argsort(-degree, kind="stable") for degree in degrees(mask))
    # The unit of length is a vertex over the number of boxes along each axis, so a box has R units by C.
    return box_sums(mask, rows, columns, row_boxes, column_boxes) / mask.size


def box_sums(mask: BoolArray | Counts, rows: Counts, columns: Counts, row_boxes: int, column_boxes: int) -> Counts:
    """The sums of a mask with its rows and columns in the given orders, over equal boxes of R units by C."""
    by_row = interval_sums(mask, rows, row_boxes)
    return interval_sums(np.ascontiguousarray(by_row.T), columns, column_boxes).T


def interval_shares(order: Counts, blocks: int) -> Array:
    """How much of each of ``blocks`` equal intervals each vertex takes up in ``order``: (blocks, vertices), rows sum
    to 1."""
    return interval_sums(np.eye(order.size, dtype=np.bool_), order, blocks) / order.size


@compiled
def interval_sums(values: NDArray[Any], order: Counts, blocks: int) -> Counts:
    """Sums over ``blocks`` equal intervals of the rows of ``values`` (vertices, n) in ``order``: (blocks, n).

    A row is ``blocks`` units long and an interval as many as there are rows, so all lengths of overlap are whole.
    """
    vertices = order.size
    sums = np.zeros((blocks, values.shape[1]), np.int64)
    for place in range(vertices):
        row = values[order[place]]
        start, stop = place * blocks, (place + 1) * blocks
        for block in range(start // vertices, (stop - 1) // vertices + 1):
            length = min(stop, (block + 1) * vertices) - max(start, block * vertices)
            total = sums[block]
            for j in range(total.size):
                total[j] += length * row[j]
    return sums
