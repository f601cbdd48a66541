"""How far groups of networks lie apart beyond their own spread."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from graphon_lib.arguments import array, finite, whole
from graphon_lib.intervals import CONFIDENCE, Interval

Array = NDArray[np.float64]

# Random permutations at most.
RESAMPLES = 9999

_TOGETHER = (
    "distances are zero between members of first and second, or within them, so that they have no ratio; pass members "
    "that differ"
)


def _grouped(
    distances: ArrayLike, first: ArrayLike, second: ArrayLike
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    matrix = finite("distances", distances)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or (matrix < 0).any():
        raise ValueError(
            f"distances has shape {matrix.shape}, but must be (n, n), between all members, none of them negative"
        )
    groups = []
    for name, members in (("first", first), ("second", second)):
        places = array(name, members)
        if places.ndim != 1 or places.dtype.kind not in "iu":
            raise ValueError(f"{name} has shape {places.shape} and type {places.dtype}, but must list whole numbers")
        if places.size and not (places.min() >= 0 and places.max() < len(matrix)):
            raise ValueError(f"{name} names members beyond the {len(matrix)} of distances; count them from 0")
        groups.append(places.astype(np.int64))
    together = np.concatenate(groups)
    if np.unique(together).size < together.size:
        raise ValueError("first and second name a member twice; each belongs to one group, once")
    return matrix, groups[0], groups[1]


def separation(distances: ArrayLike, first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> tuple[float, float]:
    """How far two groups lie apart beyond their own spread, and whether chance could do it.

    Parameters
    ----------
    distances : (n, n) array
        Between all members.
    first, second : index arrays
        The members of the two groups, at least two each.

    Returns
    -------
    ratio : float
        Mean distance between the groups over mean distance within them.
    p_value : float
        Of a permutation test of their difference: exact where there are at most 9999 ways to form the groups, else from
        9999 random ones, to which the actual is added.

    Raises
    ------
    ValueError
        If a group has fewer than two members.
    """
    whole("seed", seed)
    distances, a, b = _grouped(distances, first, second)
    if min(a.size, b.size) < 2:
        raise ValueError(
            f"the groups first and second have {a.size} and {b.size} members, but distances within them need at least "
            "2 each"
        )

    members = np.concatenate([a, b])
    between_all = distances[np.ix_(members, members)]
    ways = math.comb(members.size, a.size)
    generator = np.random.default_rng(seed)
    if ways <= RESAMPLES:
        chosen = np.array(list(itertools.combinations(range(members.size), a.size)))
    else:
        dealt = generator.permuted(np.tile(np.arange(members.size), (RESAMPLES, 1)), axis=1)
        chosen = np.concatenate([np.arange(a.size)[None], dealt[:, : a.size]])
    # Of each way to deal the members into two groups, the first being as they are.
    first_group = np.zeros((len(chosen), members.size))
    np.put_along_axis(first_group, chosen, 1.0, axis=1)
    second_group = 1 - first_group
    to_first, to_second = first_group @ between_all, second_group @ between_all
    between = (to_first * second_group).sum(axis=1) / (a.size * b.size)
    within = (to_first * first_group).sum(axis=1) / (a.size * (a.size - 1)) / 2
    within += (to_second * second_group).sum(axis=1) / (b.size * (b.size - 1)) / 2
    excess = between - within
    if not within[0] > 0:
        raise ValueError(_TOGETHER)
    # Ties by rounding are ties.
    p_value = float((excess >= excess[0] - 1e-12 * np.abs(between_all).max()).mean())
    return float(between[0] / within[0]), p_value


def separation_interval(distances: NDArray[np.float64], first: ArrayLike, second: ArrayLike) -> Interval:
    """The ratio of :func:`separation`, with Student's interval of its logarithm by the jackknife over members.

    Parameters
    ----------
    distances, first, second
        As of :func:`separation`; at least three members each, since one is left out at a time.

    Raises
    ------
    ValueError
        If a group has fewer than three members.
    """
    distances, *groups = _grouped(distances, first, second)
    sizes = [group.size for group in groups]
    if min(sizes) < 3:
        raise ValueError(
            f"the groups first and second have {sizes[0]} and {sizes[1]} members, but an interval that leaves one out "
            "at a time needs at least 3 each"
        )

    def log_ratio(a: NDArray[np.int_], b: NDArray[np.int_]) -> float:
        within = sum(distances[np.ix_(g, g)].sum() / (g.size * (g.size - 1)) / 2 for g in (a, b))
        between = distances[np.ix_(a, b)].mean()
        if not (within > 0 and between > 0):
            raise ValueError(_TOGETHER)
        return float(np.log(between / within))

    left_out = (
        np.array([log_ratio(np.delete(groups[0], i), groups[1]) for i in range(sizes[0])]),
        np.array([log_ratio(groups[0], np.delete(groups[1], i)) for i in range(sizes[1])]),
    )
    error = np.sqrt(sum((x.size - 1) / x.size * ((x - x.mean()) ** 2).sum() for x in left_out))
    half = stats.t.ppf((1 + CONFIDENCE) / 2, sum(sizes) - 2) * error
    ratio = log_ratio(*groups)
    return Interval(*(float(np.exp(value)) for value in (ratio, ratio - half, ratio + half)))
