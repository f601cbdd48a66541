"""Statistics with their uncertainty: rates of convergence, rank correlations."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from graphon_lib.arguments import finite, floats, positive, whole

Array = NDArray[np.float64]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % confidence interval; prints as ``0.49 (0.44 to 0.53)``."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.2f} ({self.low:.2f} to {self.high:.2f})"

    def __abs__(self) -> Interval:
        """Of the size: what lies around zero reaches down to it."""
        ends = sorted((abs(self.low), abs(self.high)))
        return Interval(abs(self.estimate), 0.0 if self.low < 0 < self.high else ends[0], ends[1])


def fitted_rate(sizes: ArrayLike, errors: ArrayLike) -> Interval:
    """The exponent a of errors ~ sizes^-a, by least squares of logarithms, with Student's interval for the slope.

    Parameters
    ----------
    sizes, errors : (n,) arrays of positive numbers
        One entry a trial; at least two different sizes and three entries.

    Raises
    ------
    ValueError
        If there are too few entries, or one is not positive and finite.
    """
    x, y = floats("sizes", sizes), floats("errors", errors)
    if x.ndim != 1 or x.shape != y.shape or x.size < 3 or np.unique(x).size < 2:
        raise ValueError(
            f"sizes and errors have shapes {x.shape} and {y.shape} with {np.unique(x).size} different sizes, but "
            "a rate needs equally many of both, at least 3, of at least 2 different sizes"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError(
            "sizes and errors must be positive and finite to be fitted by a power; drop entries that are not"
        )
    p, q = np.log(x) - np.log(x).mean(), np.log(y) - np.log(y).mean()
    # By hand: the standard error of scipy's linregress is NaN where all errors are equal.
    slope = (p @ q) / (p @ p)
    error = np.linalg.norm(q - slope * p) / np.sqrt((x.size - 2) * (p @ p))
    half = stats.t.ppf((1 + CONFIDENCE) / 2, x.size - 2) * error
    return Interval(float(-slope), float(-slope - half), float(-slope + half))


def mean_interval(values: ArrayLike) -> Interval:
    """The mean of independent values, with Student's interval.

    Raises
    ------
    ValueError
        If there are fewer than two values, or one is not finite.
    """
    x = _sample(values)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, x.size - 1) * x.std(ddof=1) / np.sqrt(x.size)
    return Interval(float(x.mean()), float(x.mean() - half), float(x.mean() + half))


def median_interval(values: ArrayLike) -> Interval:
    """The median of independent values, between two of them by the binomial law: at least 95 %, without a model.

    Of fewer than six values no two enclose the median so surely: the ends are then the least and the largest.

    Raises
    ------
    ValueError
        If there are fewer than two values, or one is not finite.
    """
    x = np.sort(_sample(values))
    # The median is below the k-th value with the chance that fewer than k of n coins show heads.
    below = max(int(stats.binom.ppf((1 - CONFIDENCE) / 2, x.size, 0.5)) - 1, 0)
    return Interval(float(np.median(x)), float(x[below]), float(x[-1 - below]))


def share_interval(hits: int, of: int) -> Interval:
    """The share of hits among independent tries, with Wilson's interval (1927), which stays within 0 and 1.

    Raises
    ------
    ValueError
        If there is no try, or not between none and all of them are hits.
    """
    for name, count in (("hits", hits), ("of", of)):
        if isinstance(count, bool) or not isinstance(count, numbers.Integral):
            raise TypeError(f"{name} is {count!r}, but must be a whole number")
    if not 0 <= hits <= of or of < 1:
        raise ValueError(f"hits is {hits} of {of}, but must be between 0 and the number of tries, at least one")
    z = stats.norm.ppf((1 + CONFIDENCE) / 2)
    share, weight = hits / of, z**2 / of
    middle = (share + weight / 2) / (1 + weight)
    half = np.sqrt(weight * (share * (1 - share) + weight / 4)) / (1 + weight)
    # At none or all hits one end is the share, but for rounding.
    return Interval(share, min(share, max(0.0, float(middle - half))), max(share, min(1.0, float(middle + half))))


def difference_interval(first: ArrayLike, second: ArrayLike) -> Interval:
    """The difference of two means of independent values, with Welch's interval (1947): spreads may differ.

    Raises
    ------
    ValueError
        If either has fewer than two values, or one is not finite.
    """
    samples = _sample(first, "first"), _sample(second, "second")
    errors = np.array([x.var(ddof=1) / x.size for x in samples])
    difference = float(samples[0].mean() - samples[1].mean())
    if errors.sum() == 0:
        return Interval(difference, difference, difference)
    freedom = errors.sum() ** 2 / sum(e**2 / (x.size - 1) for e, x in zip(errors, samples, strict=True))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * np.sqrt(errors.sum()))
    return Interval(difference, difference - half, difference + half)


@dataclass(frozen=True)
class Equivalence:
    """Whether a mean is as good as zero: two one-sided tests (Schuirmann 1987).

    Attributes
    ----------
    mean : float
    bound : float
        The smallest margin within which the mean is shown to lie, at the 5 % level.
    p_value : float
        Of the hypothesis that the mean is outside the margin: small if it is shown to be inside.
    """

    mean: float
    bound: float
    p_value: float


def equivalence(values: ArrayLike, margin: float) -> Equivalence:
    """Test that the mean of independent values lies within ``margin`` of zero: a test of the mean being zero could only
    fail to show that it is not.

    Raises
    ------
    ValueError
        If there are fewer than two values, one is not finite, or margin is not positive.
    """
    x = _sample(values)
    margin = positive("margin", margin, "positive: what is as good as zero")
    # Of equal values, rounding would make a spread.
    error = x.std(ddof=1) / np.sqrt(x.size) if np.ptp(x) > 0 else 0.0
    bound = abs(x.mean()) + stats.t.ppf(CONFIDENCE, x.size - 1) * error
    if error == 0:
        return Equivalence(float(x.mean()), float(bound), float(abs(x.mean()) >= margin))
    p_value = stats.t.sf((margin - abs(x.mean())) / error, x.size - 1)
    return Equivalence(float(x.mean()), float(bound), float(p_value))


def _sample(values: ArrayLike, name: str = "values") -> Array:
    x = floats(name, values)
    if x.ndim != 1 or x.size < 2 or not np.isfinite(x).all():
        raise ValueError(f"{name} has shape {x.shape}, but must hold at least 2 values, all of them finite")
    return finite(name, x)


def rank_correlation(x: ArrayLike, y: ArrayLike, *, seed: int = 0) -> Interval:
    """Spearman's rank correlation in [-1, 1], with a percentile interval from 999 bootstrap samples of the pairs.

    Raises
    ------
    ValueError
        If there are fewer than five pairs, the two differ in length, or a value is not finite.
    """
    whole("seed", seed)
    a, b = floats("x", x), floats("y", y)
    if a.shape != b.shape or a.ndim != 1 or a.size < 5:
        raise ValueError(
            f"x and y have shapes {a.shape} and {b.shape}, but must hold the same number, at least 5, of values"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("x and y must be finite to be ranked; drop the pairs that are not")

    def correlation(p: Array, q: Array, axis: int = -1) -> Array:
        ranks = [stats.rankdata(values, axis=axis) for values in (p, q)]
        a, b = (rank - rank.mean(axis=axis, keepdims=True) for rank in ranks)
        norms = np.sqrt((a**2).sum(axis=axis) * (b**2).sum(axis=axis))
        # A resample that repeats one value has no ranks to correlate: count it as no correlation.
        return np.asarray((a * b).sum(axis=axis) / np.where(norms > 0, norms, np.inf), dtype=np.float64)

    interval: Any = stats.bootstrap(
        (a, b), correlation, paired=True, vectorized=True, n_resamples=999, confidence_level=CONFIDENCE,
        method="percentile", rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return Interval(float(correlation(a, b)), float(interval.low), float(interval.high))
