"""Do the masks of wider and wider networks converge? Movement from width to width, its rate, and where it leads.

Tables come from :class:`graphon_lib.sweeps.results.Results`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from graphon_lib.intervals import CONFIDENCE, Interval, mean_interval, separation

Array = NDArray[np.float64]

RESAMPLES = 999

# What changes by less than this share when the width doubles, with confidence, has settled.
SETTLED = 0.05


def relative(histogram: Array) -> Array:
    """A histogram over its mean; zero for a mask that keeps nothing."""
    return np.asarray(histogram / (histogram.mean() or 1.0), dtype=np.float64)


def cauchy_distances(distances: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Distance between the *expected* relative histograms at widths n and 2n, with the noise of single masks taken out.

    For independent masks a, a' of width n and b, b' of width 2n, E|a - b|^2 is |E a - E b|^2 and half of E|a - a'|^2
    and half of E|b - b'|^2 (an energy distance). Two trials of each width give one unbiased estimate of the first term,
    and disjoint pairs of trials independent ones, hence Student's interval. What sorting makes of noise is part of the
    expectation and stays in: compare the null model.

    Parameters
    ----------
    distances : DataFrame
        See :func:`graphon_lib.sweeps.read_distances`.
    by : sequence of str
        Columns that tell configurations apart, besides ``width`` and ``kind``.

    Returns
    -------
    DataFrame
        ``by``, ``kind``, ``width`` (the smaller), and ``distance``, ``low`` and ``high``: relative L2, 0 where the
        estimate of the square is negative.
    """
    squares = distances.assign(square=distances["relative_euclidean"] ** 2)
    table = squares.pivot_table(index=[*by, "kind", "width", "trial"], columns="pair", values="square").reset_index()
    # Of trials 2k and 2k + 1: their distance, and those to their likes at twice the width.
    table["block"] = table["trial"] // 2
    even = table["trial"] % 2 == 0
    key = [*by, "kind", "width", "block"]
    crossing = table.groupby(key)["doubling"].mean().rename("crossing")
    within = table[even].set_index(key)["trials"].rename("within")
    blocks = pd.concat([crossing, within], axis=1).dropna().reset_index()
    wider = within.reset_index().assign(width=lambda t: t["width"] // 2).rename(columns={"within": "wider"})
    blocks = blocks.merge(wider, on=key)
    blocks["square"] = blocks["crossing"] - (blocks["within"] + blocks["wider"]) / 2
    rows = []
    for values, group in blocks.groupby([*by, "kind", "width"], sort=False):
        square = mean_interval(group["square"])
        roots = (float(np.sqrt(max(value, 0.0))) for value in (square.estimate, square.low, square.high))
        rows.append((*values, *roots))
    return pd.DataFrame(rows, columns=[*by, "kind", "width", "distance", "low", "high"])


def rate_of_means(values: Mapping[int, ArrayLike], *, seed: int = 0) -> Interval:
    """The exponent a of mean ~ width^-a, by least squares of logarithms, with a percentile interval from 999 bootstrap
    samples of the trials at each width.

    Parameters
    ----------
    values : dict from width to (trials,) array
        At least two widths. Positive means.

    Raises
    ------
    ValueError
        If there are fewer than two widths, or a mean is not positive.
    """
    if len(values) < 2:
        raise ValueError(f"values has {len(values)} width(s), but a rate needs at least 2")
    means = {width: _resampled(trials, seed, width) for width, trials in values.items()}
    worst = min(float(mean[0]) for mean in means.values())
    if not worst > 0:
        raise ValueError(f"values has a mean of {worst}, but a power law needs positive ones; leave that width out")
    x = np.log(np.array(list(means), dtype=np.float64))
    x -= x.mean()
    # A resample may come to nothing where few trials are not zero.
    y = np.log(np.maximum(np.stack(list(means.values())), np.finfo(np.float64).tiny))
    rates = -(x @ y) / (x @ x)
    return _percentiles(rates)


@dataclass(frozen=True)
class Movement:
    """How a quantity moves over its last two doublings of width, and where to.

    Attributes
    ----------
    last : Interval
        At the largest width.
    change : Interval
        Over the last doubling, as a share of the value before.
    contraction : Interval
        The last change over the one before: below 1 in size if the movement dies out geometrically.
    limit : Interval
        At infinite width if it goes on to contract as it does; unbounded where an interval of contraction holds 1.
    state : {"settled", "settling", "moving"}
        Settled: the last doubling changes it by less than 5 %, with confidence. Settling: not yet, but the changes
        contract, with confidence. Moving: neither.
    """

    last: Interval
    change: Interval
    contraction: Interval
    limit: Interval
    state: str


def movement(values: Mapping[int, ArrayLike], *, seed: int = 0) -> Movement:
    """Where a quantity goes as the width doubles twice, from its trials at the three largest widths n, 2n and 4n.

    Intervals are percentiles of 999 bootstrap samples of the trials.

    Raises
    ------
    ValueError
        If the three largest widths are not n, 2n and 4n, or a value is not finite.
    """
    widths = sorted(values)[-3:]
    if len(widths) < 3 or widths[1] != 2 * widths[0] or widths[2] != 2 * widths[1]:
        raise ValueError(f"values has the widths {sorted(values)}, but the three largest must be n, 2n and 4n")
    first, second, third = (_resampled(values[width], seed, width) for width in widths)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = third / second - 1
        contraction = (third - second) / (second - first)
        # What does not move at all contracts.
        contraction = np.nan_to_num(contraction, nan=0.0, posinf=np.inf, neginf=-np.inf)
        limit = third + (third - second) * contraction / (1 - contraction)
    spread = _percentiles(contraction)
    contracts = spread.low > -1 and spread.high < 1
    of_change = _percentiles(np.nan_to_num(change, nan=0.0, posinf=np.inf, neginf=-np.inf))
    if of_change.low > -SETTLED and of_change.high < SETTLED:
        state = "settled"
    else:
        state = "settling" if contracts else "moving"
    unbounded = Interval(float(limit[0]) if contracts else float("nan"), -np.inf, np.inf)
    last = _percentiles(third)
    return Movement(last, of_change, spread, _percentiles(limit) if contracts else unbounded, state)


def remaining(first: Interval, second: Interval) -> float:
    """A bound on the distance from width 4n to infinite width, from the distances n to 2n and 2n to 4n.

    If every doubling covers at most q = second / first of the distance of the one before, all that is left is at most
    second * q / (1 - q). Taken at the ends of the intervals that make it largest; infinite if they need not shrink.
    """
    q = second.high / first.low if first.low > 0 else np.inf
    return float(second.high * q / (1 - q)) if q < 1 else float("inf")


def means(table: pd.DataFrame, by: Sequence[str], column: str) -> pd.DataFrame:
    """The mean of a column over trials: ``by``, ``value``, and ``low`` and ``high`` of Student's interval (NaN for a
    single trial)."""
    groups = table.groupby(list(by), sort=False)[column]
    found = groups.agg(value="mean", error="sem", trials="count").reset_index()
    half = stats.t.ppf((1 + CONFIDENCE) / 2, np.maximum(found["trials"] - 1, 1)) * found["error"]
    return found.assign(low=found["value"] - half, high=found["value"] + half).drop(columns=["error", "trials"])


def movements(table: pd.DataFrame, by: Sequence[str], column: str) -> pd.DataFrame:
    """The :class:`Movement` of a column over ``width`` in each group, as columns beside ``by``.

    Of no group if the three largest widths are not n, 2n and 4n, and of none that lacks values there.
    """
    names = list(Movement.__dataclass_fields__)
    widths = sorted(table["width"].unique())[-3:]
    rows = []
    if len(widths) == 3 and widths[2] == 2 * widths[1] == 4 * widths[0]:
        for values, group in table.dropna(subset=[column]).groupby(list(by), sort=False):
            trials = {width: group.loc[group["width"] == width, column].to_numpy() for width in widths}
            if min(map(len, trials.values())) > 1:
                found = movement(trials)
                rows.append((*values, *(getattr(found, name) for name in names)))
    return pd.DataFrame(rows, columns=[*by, *names])


def separations(pairs: pd.DataFrame, column: str) -> pd.DataFrame:
    """How far apart each two methods lie, see :func:`graphon_lib.intervals.separation`.

    Parameters
    ----------
    pairs : DataFrame
        Of one width, see :func:`graphon_lib.sweeps.read_methods`.
    column : str
        The distance.

    Returns
    -------
    DataFrame
        ``depth``, ``density``, ``layer``, ``method``, ``other``, ``ratio`` and ``p_value``; without those settings that
        have fewer than two networks of a method in each half.
    """
    rows = []
    for setting, group in pairs.groupby(["depth", "density", "layer"], sort=True):
        distances = {
            (method, other): part.pivot(index="trial", columns="other_trial", values=column)
            for (method, other), part in group.groupby(["method", "other"])
        }
        for (method, other), crossing in distances.items():
            if method == other or (method, method) not in distances or (other, other) not in distances:
                continue
            first, second = list(crossing.index), list(crossing.columns)
            matrix = np.zeros((len(first) + len(second),) * 2)
            matrix[: len(first), len(first) :] = crossing
            for block, name, members in (
                (slice(None, len(first)), method, first),
                (slice(len(first), None), other, second),
            ):
                matrix[block, block] = distances[name, name].reindex(index=members, columns=members).fillna(0.0)
            matrix = np.maximum(matrix, matrix.T)
            ratio, p_value = separation(matrix, range(len(first)), range(len(first), len(matrix)))
            rows.append((*setting, method, other, ratio, p_value))
    return pd.DataFrame(rows, columns=["depth", "density", "layer", "method", "other", "ratio", "p_value"])


def scaling(distances: Array) -> tuple[Array, float]:
    """Points in the plane whose distances are nearest to the given ones: classical multidimensional scaling.

    Parameters
    ----------
    distances : (n, n) array
        Symmetric, zero on the diagonal, n at least 3.

    Returns
    -------
    points : (n, 2) array
        Centred; the sign of each axis such that its largest entry in size is positive.
    share : float
        Of the sum of squared distances that the plane shows, in [0, 1] where distances are Euclidean.

    Raises
    ------
    ValueError
        If distances are not a symmetric matrix of at least 3 points with a zero diagonal.
    """
    d = np.asarray(distances, dtype=np.float64)
    if d.ndim != 2 or len(d) != len(d.T) or len(d) < 3 or not np.allclose(d, d.T) or np.diag(d).any():
        raise ValueError(
            f"distances has shape {d.shape}, but must be a symmetric matrix of at least 3 points with a zero diagonal"
        )
    centre = np.eye(len(d)) - 1 / len(d)
    values, vectors = np.linalg.eigh(-centre @ d**2 @ centre / 2)
    points = vectors[:, :-3:-1] * np.sqrt(np.maximum(values[:-3:-1], 0))
    points *= np.sign(points[np.abs(points).argmax(axis=0), range(2)] + (points == 0).all(axis=0))
    return points, float(values[:-3:-1].sum() / np.abs(values).sum())


def _resampled(trials: ArrayLike, seed: int, width: int) -> Array:
    """The mean, and behind it those of bootstrap samples; (1 + RESAMPLES,)."""
    values = np.asarray(trials, dtype=np.float64)
    if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
        raise ValueError(
            f"values has {values.size} trial(s) at width {width}, and must have at least 2 there, all of them finite"
        )
    generator = np.random.default_rng(np.random.SeedSequence((seed, width)))
    chosen = generator.integers(values.size, size=(RESAMPLES, values.size))
    return np.concatenate([[values.mean()], values[chosen].mean(axis=1)])


def _percentiles(values: Array) -> Interval:
    """Of an estimate, and behind it those of bootstrap samples."""
    tail = 100 * (1 - CONFIDENCE) / 2
    # "lower" and "higher": between infinities there is nothing to interpolate.
    low = np.percentile(values[1:], tail, method="lower")
    high = np.percentile(values[1:], 100 - tail, method="higher")
    return Interval(float(values[0]), float(low), float(high))
