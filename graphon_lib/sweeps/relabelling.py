"""How far an estimate is from the truth when nobody knows the labels: the L2 distance after relabelling."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from graphon_lib.graphons import StepGraphon

Array = NDArray[np.float64]
Order = NDArray[np.int64]


def relabelled_distance(estimate: StepGraphon, truth: StepGraphon) -> float:
    r"""The L2 distance of two graphons with the rows and the columns of one relabelled, separately, as well as found.

    .. math:: \min_{\varphi, \psi} \| W^{\varphi, \psi} - W' \|_2

    over permutations of equal blocks: from above, for the exact minimum is NP-hard. Given the order of the columns, the
    best order of the rows is an assignment problem, solved exactly; so rows and columns take turns until the distance
    stays. This from several orders of the columns: as they are, by degree, by the second singular vector, by the third,
    and by the angle of the two, which lays out what is the same all around a circle.

    Parameters
    ----------
    estimate, truth : StepGraphon
        On one grid of equal blocks, as :func:`graphon_lib.estimation.estimate_graphon` gives.

    Raises
    ------
    ValueError
        If the two are not on one grid.
    """
    as_labelled = estimate.l2_distance(truth)
    found = [_descended(estimate.values[:, order], truth.values) for order in _orders(estimate.values, truth.values)]
    return min(as_labelled, *found)


def _orders(values: Array, other: Array) -> Iterator[Order]:
    """Orders of the columns of ``values`` that may go with those of ``other``."""
    yield np.arange(values.shape[1])
    for mine, yours in zip(_positions(values), _positions(other), strict=True):
        # The column of values that is first by its positions comes where other has its first.
        order = np.empty(mine.size, np.int64)
        order[np.argsort(yours, kind="stable")] = np.argsort(mine, kind="stable")
        yield order


def _positions(values: Array) -> list[Array]:
    leading = np.zeros((3, values.shape[1]))
    vectors = np.linalg.svd(values)[2][:3]
    leading[: len(vectors)] = vectors
    return [values.mean(axis=0), leading[1], leading[2], np.arctan2(leading[2], leading[1])]


def _descended(values: Array, other: Array) -> float:
    reached = np.inf
    while True:
        values = values[linear_sum_assignment(other @ values.T, maximize=True)[1]]
        values = values[:, linear_sum_assignment(other.T @ values, maximize=True)[1]]
        distance = float(np.sqrt(np.mean((values - other) ** 2)))
        if distance >= reached:
            return reached
        reached = distance
