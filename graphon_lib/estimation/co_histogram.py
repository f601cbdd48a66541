"""Co-clustering: rows and columns in groups found by likelihood, not by degree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphon_lib.estimation.sorted_histogram import interval_sums
from graphon_lib.estimation.usvt import directions
from graphon_lib.graphons import StepGraphon, ordered_product
from graphon_lib.graphons.masks import BoolArray, Counts, compiled, degrees
from graphon_lib.graphons.step import Array

# Told apart from the streams of other modules. There is no seed: equal masks have equal estimates.
_STREAM = 0x636C7573

# k-means keeps the best of so many starts; it and the likelihood's steps settle in fewer than 50 as a rule.
_STARTS = 4
_STEPS = 50


@dataclass(frozen=True)
class _Fit:
    """Labels of rows and columns, kept entries of each pair of groups, and log-likelihood less complexity."""

    rows: Counts
    columns: Counts
    kept: Counts
    score: float


def co_histogram(mask: BoolArray, blocks: int) -> StepGraphon:
    r"""Put rows and columns into k groups each such that the mask is likeliest if every pair of groups has one density.

    k-means on the singular directions stronger than noise (as in :func:`~graphon_lib.estimation.usvt.usvt`) gives first
    labels. Then rows, and columns, move to the group where they are likeliest until none does: steps that never lessen
    the profile likelihood L. Of k = 1, 2, 3, 4, 6, 8, 12, ..., at most ``blocks`` and the square root of the shorter
    side, the one is taken for which

    .. math:: L(k) - \tfrac{1}{2} k^2 \log(R C) - (R + C) \log k

    is largest: what the densities and the labels cost to write down must be saved by the fit. (Both costs stand in the
    minimax rate for k groups, :math:`k^2 / n^2 + \log k / n` in mean squared error, reached by the best labels of all
    [2]_; for Lipschitz graphons it is least, log n / n, at k of the order of the root of n, hence the bound on k.)

    Groups, those of higher degree first, are laid out by their sizes and averaged over ``blocks`` by ``blocks`` equal
    blocks, by overlap: a block across the boundary of two groups holds their mixture. The density is kept, up to
    rounding.

    Assumes blocks, or a graphon that few blocks approximate, but no monotone degrees: of neurons with equal degrees it
    finds the groups, though not an order, so compare up to relabelling (:func:`~graphon_lib.cut_distance`). A mask
    without structure that shows above noise comes out constant. The best labels are NP-hard to find; these are a local
    optimum, which can depend on the order of rows, or columns, with equal degrees.

    Parameters
    ----------
    mask : (R, C) bool array, contiguous
    blocks : int

    References
    ----------
    .. [1] Choi and Wolfe (Annals of Statistics 2014), Co-clustering separately exchangeable network data: by least
       squares or profile likelihood, within O(n^(-1/4)) of the best blocks, whatever the graphon.
    .. [2] Gao, Lu and Zhou (Annals of Statistics 2015), Rate-optimal graphon estimation. Klopp, Tsybakov and Verzelen
       (Annals of Statistics 2017) for sparse graphons: both terms times the density.
    """
    # One order for all orders that a mask may come in, but for ties: what is random below does not depend on it.
    mask = mask[np.ix_(*(np.argsort(-degree, kind="stable") for degree in degrees(mask)))]
    turned = np.ascontiguousarray(mask.T)
    found = directions(mask)
    best = _fit(mask, turned, np.zeros(mask.shape[0], np.int64), np.zeros(mask.shape[1], np.int64), 1)
    most = min(blocks, math.isqrt(min(mask.shape))) if found.rows.size else 1
    for k in sorted({first << doublings for first in (2, 3) for doublings in range(most.bit_length())}):
        if k <= most:
            fit = _fit(mask, turned, _clusters(found.rows, k), _clusters(found.columns, k), k)
            best = max(best, fit, key=lambda candidate: candidate.score)
    sizes = [np.maximum(np.bincount(labels, minlength=len(best.kept)), 1) for labels in (best.rows, best.columns)]
    across = _shares(best.rows, best.kept.sum(axis=1) / sizes[0], blocks)
    down = _shares(best.columns, best.kept.sum(axis=0) / sizes[1], blocks)
    values = ordered_product(ordered_product(across, best.kept / np.outer(*sizes)), np.ascontiguousarray(down.T))
    return StepGraphon(values)


def _fit(mask: BoolArray, turned: BoolArray, rows: Counts, columns: Counts, k: int) -> _Fit:
    """Labels at which the profile likelihood no longer grows by moving rows alone, or columns; turned: transposed."""
    for _ in range(_STEPS):
        before = rows, columns
        rows = _likeliest(group_sums(turned, columns, k), rows, np.bincount(columns, minlength=k))
        columns = _likeliest(group_sums(mask, rows, k), columns, np.bincount(rows, minlength=k))
        if np.array_equal(rows, before[0]) and np.array_equal(columns, before[1]):
            break
    kept = group_sums(np.ascontiguousarray(group_sums(mask, rows, k).T), columns, k).T
    p, q = np.bincount(rows, minlength=k), np.bincount(columns, minlength=k)
    area = np.outer(p, q)
    chance = _chances(kept, area)
    likelihood = float((kept * np.log(chance) + (area - kept) * np.log1p(-chance)).sum())
    used = np.count_nonzero(p), np.count_nonzero(q)
    complexity = math.prod(used) * math.log(mask.size) / 2 + rows.size * math.log(used[0])
    return _Fit(rows, columns, kept, likelihood - complexity - columns.size * math.log(used[1]))


def _likeliest(sums: Counts, labels: Counts, sizes: Counts) -> Counts:
    """The group in which each vertex is likeliest, given its kept entries to the groups of the other side.

    ``sums`` is (k, vertices) and ``sizes`` (k,) has the numbers of vertices in those groups.
    """
    own = np.bincount(labels, minlength=sizes.size)
    chance = _chances(group_sums(np.ascontiguousarray(sums.T), labels, sizes.size), np.outer(own, sizes))
    absent = np.log1p(-chance)
    fit = ordered_product(np.log(chance) - absent, sums.astype(np.float64)) + (absent @ sizes)[:, None]
    fit[own == 0] = -np.inf
    return np.asarray(fit.argmax(axis=0), dtype=np.int64)


def _chances(kept: Counts, area: Counts) -> Array:
    """Densities, half an entry of either kind added: one entry must not be impossible where there were none."""
    return np.asarray((kept + 0.5) / (area + 1))


def _clusters(points: Array, k: int) -> Counts:
    """The labels of k-means for points (n, r), in at most k groups: the best of several k-means++ starts."""
    generator = np.random.default_rng(np.random.SeedSequence((k, _STREAM)))
    # Rounding errors must not tell apart neurons with equal entries.
    points = points.round(9)
    least, best = math.inf, np.zeros(len(points), np.int64)
    for _ in range(_STARTS):
        labels, centres = _lloyd(points, _spread(points, k, generator))
        inertia = float(((points - centres[labels]) ** 2).sum())
        if inertia < least:
            least, best = inertia, labels
    return best


def _spread(points: Array, k: int, generator: np.random.Generator) -> Array:
    """Up to k different points, each new one drawn by its squared distance from those before."""
    centres = points[[generator.integers(len(points))]]
    gaps = ((points - centres[0]) ** 2).sum(axis=1)
    while len(centres) < k and gaps.any():
        centres = np.vstack([centres, points[generator.choice(len(points), p=gaps / gaps.sum())]])
        gaps = np.minimum(gaps, ((points - centres[-1]) ** 2).sum(axis=1))
    return centres


def _lloyd(points: Array, centres: Array) -> tuple[Counts, Array]:
    labels = np.full(len(points), -1)
    for _ in range(_STEPS):
        nearest = ((centres**2).sum(axis=1) - 2 * points @ centres.T).argmin(axis=1)
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        member = labels == np.arange(len(centres))[:, None]
        used = member.any(axis=1)
        centres[used] = member[used] @ points / member[used].sum(axis=1, keepdims=True)
    return labels, centres


def _shares(labels: Counts, degree: Array, blocks: int) -> Array:
    """How much of each of ``blocks`` equal intervals each group takes up, highest degrees first: (blocks, k)."""
    place = np.empty(degree.size, np.int64)
    place[np.argsort(-degree, kind="stable")] = np.arange(degree.size)
    members = labels[:, None] == np.arange(degree.size)
    return interval_sums(members, np.argsort(place[labels], kind="stable"), blocks) / labels.size


@compiled
def group_sums(values: NDArray[Any], labels: Counts, k: int) -> Counts:
    """Sums of the rows of ``values`` (vertices, n) with each label 0, 1, ..., k - 1: (k, n)."""
    sums = np.zeros((k, values.shape[1]), np.int64)
    for i in range(labels.size):
        row, total = values[i], sums[labels[i]]
        for j in range(total.size):
            total[j] += row[j]
    return sums
