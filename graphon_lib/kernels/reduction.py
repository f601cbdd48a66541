"""The smallest network with the same limit kernel: blocks that compute the same thing are computed once.

Three facts about the recursion of :mod:`graphon_lib.kernels.analytic`, with A_l the operator of layer l (graphon,
measure and weight variance in one matrix, so that S_{l+1} = A_{l+1} K_l):

1. Blocks with equal rows of A_l have equal S_l, hence equal K_l: one stands for all, and their columns of A_{l+1} add.
2. For a positively homogeneous phi, rows need only be proportional: S_l(u') = t S_l(u) gives K_l(u') = t K_l(u) and
   the same D'_l, so the columns add with factors t. A first graphon of rank one, W_1(u, j) = a(u) b(j), thus leaves
   one block, the next layer then has one column, and so on up: the collapse to path density times the dense kernel.
3. Inputs enter through x_j x'_j only: coordinates whose columns of A_1 are proportional merge after scaling each by the
   root of its factor.

Blocks that no path leaves, or (homogeneous phi) no path reaches, are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphon_lib.graphons import Chain

# Rows this close, relative to their largest entry, are one row, rounded: as products in another order are.
SAME = 2e-15

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reduced:
    """Operators of the merged network, and what to do with the inputs.

    Attributes
    ----------
    operators : list of arrays
        A_1 (blocks, input groups), ..., A_{L+1} (1, blocks): the last one averages over the outputs.
    groups : (d,) int array
        The input group of each coordinate, -1 for coordinates that reach no output.
    coordinate_scale : (d,) array
        What each coordinate is multiplied by first.
    """

    operators: list[Array]
    groups: NDArray[np.int64]
    coordinate_scale: Array


def reduce(chain: Chain, inputs: int, *, weight_variance: float, homogeneous: bool) -> Reduced:
    """Merge and drop the blocks of a chain for networks of ``inputs`` coordinates; raises as ``chain.input_labels``."""
    labels = chain.input_labels(inputs)
    operators = [weight_variance * g.values * g.column_measure for g in chain.graphons]
    operators[0] = weight_variance * chain.graphons[0].values / inputs
    operators[-1] = chain.graphons[-1].row_measure[None] @ operators[-1]
    for layer in range(len(operators) - 1, 0, -1):
        used = operators[layer].any(axis=0)
        operators[layer], operators[layer - 1] = operators[layer][:, used], operators[layer - 1][used]
    for layer in range(len(operators) - 1):
        representatives, members, factors = merged(operators[layer], proportional=homogeneous)
        # np.add.at by way of a matrix: column v of the layer above goes to its representative's, times its factor.
        spread = np.zeros((len(members), len(representatives)))
        seen = members >= 0
        spread[np.flatnonzero(seen), members[seen]] = factors[seen]
        operators[layer] = operators[layer][representatives]
        operators[layer + 1] = operators[layer + 1] @ spread
    representatives, members, factors = merged(operators[0].T, proportional=True)
    # Without a path from the inputs: one group, of no coordinates, as the layers above may answer to nothing too.
    operators[0] = operators[0][:, representatives] if representatives.size else np.zeros((len(operators[0]), 1))
    return Reduced(operators, members[labels], np.sqrt(factors)[labels])


def merged(rows: Array, *, proportional: bool) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Classes of equal, or proportional, rows of non-negative entries.

    Returns
    -------
    representatives : (classes,) row of each class
    members : (rows,) class of each row; -1 for zero rows where ``proportional``
    factors : (rows,) row = factor times its representative
    """
    largest = rows.max(axis=1, initial=0.0)
    directions = (
        rows / np.where(largest > 0, largest, 1)[:, None]
        if proportional
        else rows / max(largest.max(initial=0), 1e-300)
    )
    members = np.full(len(rows), -1)
    representatives: list[int] = []
    left = np.flatnonzero(largest > 0) if proportional else np.arange(len(rows))
    while left.size:
        same = np.abs(directions[left] - directions[left[0]]).max(axis=1, initial=0.0) <= SAME
        members[left[same]] = len(representatives)
        representatives.append(int(left[0]))
        left = left[~same]
    factors = np.ones(len(rows))
    if proportional:
        seen = members >= 0
        factors[seen] = largest[seen] / largest[np.array(representatives, dtype=int)[members[seen]]]
    return np.array(representatives, dtype=int), members, factors
