"""Cross-fitting: no entry is averaged under a label that it helped to make."""

from __future__ import annotations

from typing import cast

import numpy as np

from graphon_lib.estimation.sorted_histogram import box_sums
from graphon_lib.graphons import StepGraphon, degrees
from graphon_lib.graphons.masks import BoolArray, Counts

# Told apart from the streams of other modules. There is no seed: equal masks have equal estimates.
_STREAM = 0x68616C66


def cross_fit(mask: BoolArray | Counts, blocks: int, positions: int = 1) -> StepGraphon:
    """A sorted histogram in which the noise in the degrees is not taken for structure.

    Rows and columns are each split into two halves at random, always the same way. In each of the four quadrants, rows
    are sorted by their degrees over the other half of the columns, columns by theirs over the other half of the rows.
    So, given its neurons' positions, an entry is independent of both of its labels, and the mean of a cell is that of
    the graphon over the neurons in it: of masks without structure it comes out flat, on average exactly. The estimate
    is the mean of the four sorted histograms, each with its number of entries for weight, which keeps the density
    exactly; its values are correctly rounded quotients of whole numbers.

    Assumes strictly monotone degrees, as sorting does. What is left is the opposite error: labels from half of the
    entries have twice the variance, and neurons put into wrong cells wash out what there is. It cannot order an axis
    whose other axis has one neuron only.

    Parameters
    ----------
    mask : (R, C) bool array, contiguous, or the number of kernel positions at which each entry is kept
    blocks : int
    positions : int
        Of how many.

    References
    ----------
    THEORY.md, section 8. Chernozhukov et al. (2018), Double/debiased machine learning, section 3, for the principle.
    """
    rows, columns = (_halves(vertices) for vertices in mask.shape)
    sums = np.zeros((blocks, blocks), np.int64)
    for mine, other_rows in (rows, rows[::-1]):
        for yours, other_columns in (columns, columns[::-1]):
            quadrant = _part(mask, mine, yours)
            by_row = degrees(_part(mask, mine, other_columns))[0]
            by_column = degrees(_part(mask, other_rows, yours))[1]
            places, others = (np.argsort(-degree, kind="stable") for degree in (by_row, by_column))
            sums += box_sums(quadrant, places, others, blocks, blocks)
    # A box of a quadrant has as many units as the quadrant entries: the weights are in the sums already.
    return StepGraphon(sums / (mask.size * positions))


def _part(mask: BoolArray | Counts, rows: Counts, columns: Counts) -> BoolArray | Counts:
    return cast(BoolArray | Counts, np.ascontiguousarray(mask[np.ix_(rows, columns)]))


def _halves(vertices: int) -> tuple[Counts, Counts]:
    """Two random halves, in random order so that ties are no one's advantage; of one vertex, the second is empty."""
    generator = np.random.default_rng(np.random.SeedSequence((vertices, _STREAM)))
    order = generator.permutation(vertices)
    return order[: -(-vertices // 2)], order[-(-vertices // 2) :]
