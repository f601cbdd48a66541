"""Singular value thresholding: a mask's leading singular directions, with a threshold that knows the density."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from graphon_lib.estimation.sorted_histogram import interval_shares
from graphon_lib.graphons import StepGraphon
from graphon_lib.graphons.masks import BoolArray, Counts, degrees
from graphon_lib.graphons.step import Array

# How far the threshold stands above the limit of the norm of noise, which is exceeded by a tenth where degrees are ten.
_MARGIN = 0.1

# A squared singular value below this share of the mask's entries is rounding, where there is no noise at all.
_ROUNDING = 1e-9

# k-means settles in fewer as a rule.
_STEPS = 50


@dataclass(frozen=True)
class Directions:
    """The part of a centred mask, M - density, in singular directions stronger than noise.

    Attributes
    ----------
    density : float
    rows, columns : (R, r), (C, r) arrays
        Singular vectors times singular values: coordinates in which neurons that are alike lie close together.
    centred : (R, C) array
        Their part of M - density.
    """

    density: float
    rows: Array
    columns: Array
    centred: Array


def usvt(mask: BoolArray, blocks: int) -> StepGraphon:
    r"""Keep the mask's mean rho and the singular directions of M - rho above 1.1 (noise of rows + noise of columns),

    .. math:: \text{noise}^2 = \frac{\sum_i v_i^2}{\sum_i v_i}, \qquad v_i = d_i (1 - d_i / C)

    for rows with degrees d of C entries, and likewise for columns; clip to [0, 1], and average over ``blocks`` by
    ``blocks`` groups of neurons that are alike.

    :math:`(\sqrt{R} + \sqrt{C}) \sigma` is the norm of a matrix of independent noise of variance :math:`\sigma^2`, so
    what is above is structure. For equal degrees the threshold is this norm with :math:`\sigma^2 = \rho (1 - \rho)`;
    otherwise some rows and columns are noisier than others, and v is averaged with the weight v, so that empty ones do
    not count. Chatterjee's universal threshold [1]_, 2.01 sqrt(n) for values in [-1, 1], or 1.005 sqrt(n) here, is the
    one for :math:`\sigma = 1 / 2`, the most that any density allows: of sparse masks it keeps nothing. The mean is kept
    whatever its strength: a mask without structure comes out flat.

    The neurons along an axis are split in two by k-means on the singular directions, the part of higher degrees first,
    and each part likewise down to single blocks, which are of equal size. Where degrees are monotone this is their
    order; it needs no monotone degrees to keep unlike neurons apart, but then says which groups there are and not which
    comes first: compare up to relabelling (:func:`~graphon_lib.cut_distance`).

    Assumes that the graphon is nearly of low rank, as block and smooth graphons are. The mean squared error over its
    square density is of the order of k / (n rho) for k blocks, and of (n rho)^(-2 a / (2 a + 1)) for smoothness a [2]_.
    Clipping, and leaving directions out, keep the density nearly, not exactly.

    Parameters
    ----------
    mask : (R, C) bool array, contiguous
    blocks : int

    References
    ----------
    .. [1] Chatterjee (Annals of Statistics 2015), Matrix estimation by universal singular value thresholding.
    .. [2] Xu (ICML 2018), Rates of convergence of spectral methods for graphon estimation, for thresholds that follow
       the density, mean degrees above log n.
    """
    found = directions(mask)
    if not found.rows.size:
        return StepGraphon(np.full((blocks, blocks), found.density))
    denoised = (found.density + found.centred).clip(0, 1)
    across = interval_shares(_order(found.rows, denoised.mean(axis=1), blocks), blocks)
    down = interval_shares(_order(found.columns, denoised.mean(axis=0), blocks), blocks)
    return StepGraphon((across @ denoised @ down.T).clip(0, 1))


def directions(mask: BoolArray) -> Directions:
    """The singular directions of a contiguous mask (R, C), less its density, that are stronger than noise."""
    density = np.count_nonzero(mask) / mask.size
    centred = mask - density
    threshold = (1 + _MARGIN) * sum(_noise(*axis) for axis in zip(degrees(mask), mask.shape[::-1], strict=True))
    # The shorter side's Gram matrix has the squares of the singular values, and those above a bound come fast.
    turned = mask.shape[0] > mask.shape[1]
    wide = centred.T if turned else centred
    bound = max(threshold**2, _ROUNDING * mask.size)
    squares, vectors = eigh(wide @ wide.T, subset_by_value=(bound, np.inf), overwrite_a=True)
    long = wide.T @ vectors
    sides = vectors * np.sqrt(squares), long
    part = vectors @ long.T
    return Directions(density, *(sides[::-1] if turned else sides), part.T if turned else part)


def _noise(degree: Counts, most: int) -> float:
    """The root of the mean variance of rows or columns with ``most`` entries, each with its variance for weight."""
    variance = degree * (1 - degree / most)
    return math.sqrt(float(variance @ variance) / (float(variance.sum()) or 1.0))


def _order(points: Array, degree: Array, blocks: int) -> Counts:
    """The points (n, r) in an order in which those alike are together: split in two, and each part again, as far as
    there are blocks to share out."""
    done: list[Counts] = []
    parts = [(np.arange(len(points)), blocks)]
    while parts:
        part, leaves = parts.pop()
        if leaves == 1 or len(part) < 2:
            done.append(part)
            continue
        along = _separated(points[part])
        # Towards higher degrees, if there is such a direction.
        along = along if along @ (degree[part] - degree[part].mean()) >= 0 else -along
        first = min(max(round(leaves * float((along > 0).mean())), 1), leaves - 1)
        ordered = part[np.argsort(-along, kind="stable")]
        cut = round(len(part) * first / leaves)
        parts += [(ordered[cut:], leaves - first), (ordered[:cut], first)]
    return np.concatenate(done)


def _separated(points: Array) -> Array:
    """Coordinates (n,) along the line between the centres of two groups, by k-means; above 0 in one of them, below in
    the other."""
    centred = points - points.mean(axis=0)
    along = centred @ eigh(centred.T @ centred)[1][:, -1]
    for _ in range(_STEPS):
        side = along > 0
        if side.all() or not side.any():
            break
        a, b = points[side].mean(axis=0), points[~side].mean(axis=0)
        along = (points - (a + b) / 2) @ (a - b)
        if np.array_equal(along > 0, side):
            break
    return np.asarray(along)
