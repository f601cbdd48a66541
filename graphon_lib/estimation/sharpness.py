"""Is a mask one sharp block, or a smooth slope? Fits of both to a sorted histogram, which foretell another's."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from graphon_lib.graphons import StepGraphon

Array = NDArray[np.float64]

# In most cases Newton's method is at rest after ten steps; where the likelihood has no maximum, because some region is
# empty, coefficients grow for ever and the likelihood has long stopped to.
_STEPS = 50


def two_block_fit(graphon: StepGraphon, entries: int) -> StepGraphon:
    """The step function with one cut along each axis under which a mask is likeliest, on the grid of its histogram.

    Every pair of cuts is tried, each part having the density of the mask in it.

    Parameters
    ----------
    graphon : StepGraphon
        A mask's histogram over (R, C) equal blocks, at least 2 x 2.
    entries : int
        Of the mask, at least one a block. Each part is given half an entry kept and half an entry pruned on top of what
        it has, so that none is thought impossible.

    Raises
    ------
    ValueError
        If the graphon has fewer than two blocks along an axis, or the mask fewer entries than blocks.
    """
    values = graphon.values
    R, C = values.shape
    if min(R, C) < 2:
        raise ValueError(f"graphon has {R} x {C} blocks, but two parts along each axis need at least 2 x 2")
    _check(values, entries)
    # Sums over the upper left part for every pair of cuts; the other three parts follow by subtraction.
    sums = values.cumsum(axis=0).cumsum(axis=1)
    rows, columns = np.arange(1, R)[:, None], np.arange(1, C)[None]
    corner, top, left, total = sums[:-1, :-1], sums[:-1, -1:], sums[-1:, :-1], sums[-1, -1]
    parts = (
        (corner, rows * columns),
        (top - corner, rows * (C - columns)),
        (left - corner, (R - rows) * columns),
        (total - top - left + corner, (R - rows) * (C - columns)),
    )
    likelihood = sum(
        area * log_likelihood(_moderate(part / area, area * entries / values.size), part / area) for part, area in parts
    )
    row, column = np.unravel_index(np.argmax(likelihood), (R - 1, C - 1))
    fitted = np.empty_like(values)
    for r, c in itertools.product((slice(0, row + 1), slice(row + 1, R)), (slice(0, column + 1), slice(column + 1, C))):
        fitted[r, c] = _moderate(values[r, c].mean(), values[r, c].size * entries / values.size)
    return StepGraphon(fitted)


def smooth_fit(graphon: StepGraphon, entries: int, *, order: int = 2) -> StepGraphon:
    r"""The likeliest smooth surface: :math:`W(u, v) = 1 / (1 + e^{-p(u, v)})` with a polynomial p, on the same grid.

    A logistic regression on all monomials of total degree at most ``order``, by Newton's method. Of order 2 it has six
    coefficients, as many numbers as a two-block fit: four values and two cuts.

    Parameters
    ----------
    graphon : StepGraphon
        A mask's histogram.
    entries : int
        Of the mask, at least one a block. It is given half an entry kept and half an entry pruned more, spread evenly.
    order : int
        At least 0, which fits the constant.

    Raises
    ------
    ValueError
        If the mask has fewer entries than the histogram blocks.
    """
    values = graphon.values
    _check(values, entries)
    u, v = (np.arange(count) * 2 / count - 1 + 1 / count for count in values.shape)
    powers = [(i, j) for i, j in itertools.product(range(order + 1), repeat=2) if i + j <= order]
    legendre = [np.polynomial.legendre.legvander(x, order) for x in (u, v)]
    basis = np.stack([np.outer(legendre[0][:, i], legendre[1][:, j]).ravel() for i, j in powers], axis=1)
    kept = _moderate(values.ravel(), entries)
    mean = kept.mean()
    coefficients = np.zeros(len(powers))
    coefficients[0] = np.log(mean / (1 - mean))
    reached = log_likelihood(_logistic(basis @ coefficients), kept).mean()
    for _ in range(_STEPS):
        chances = _logistic(basis @ coefficients)
        curvature = basis.T @ (basis * (chances * (1 - chances))[:, None])
        step = np.linalg.lstsq(curvature, basis.T @ (kept - chances), rcond=1e-12)[0]
        # Newton's step, halved until it gains.
        for _ in range(30):
            likelihood = log_likelihood(_logistic(basis @ (coefficients + step)), kept).mean()
            if likelihood > reached:
                break
            step = step / 2
        else:
            break
        gain = likelihood - reached
        coefficients, reached = coefficients + step, likelihood
        if gain < 1e-10:
            break
    return StepGraphon(_logistic(basis @ coefficients).reshape(values.shape))


def log_likelihood(chances: Array, kept: Array) -> Array:
    """Nats an entry, on average over blocks of which the share ``kept`` is kept, each with the chance given."""
    return np.asarray(kept * np.log(chances) + (1 - kept) * np.log1p(-chances))


def _moderate(kept: Array, entries: Array | float) -> Array:
    return np.asarray((kept * entries + 0.5) / (entries + 1))


def _logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))


def _check(values: Array, entries: int) -> None:
    if entries < values.size:
        raise ValueError(
            f"entries is {entries}, but a mask with a histogram of {values.size} blocks has at least as many"
        )
