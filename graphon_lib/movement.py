"""Where a quantity goes as the width doubles and doubles again: its rate, whether it comes to rest, its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from graphon_lib.arguments import finite, floats, whole
from graphon_lib.intervals import CONFIDENCE, Interval

Array = NDArray[np.float64]

RESAMPLES = 999

# What changes by less than this share when the width doubles, with confidence, has settled.
SETTLED = 0.05


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
    _check(values, seed)
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
    _check(values, seed)
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


def _check(values: Mapping[int, ArrayLike], seed: int) -> None:
    whole("seed", seed)
    if not isinstance(values, Mapping):
        raise TypeError(f"values is a {type(values).__name__}, but must map widths to the values of their trials")
    for width in values:
        whole("a width in values", width, 1)


def _resampled(trials: ArrayLike, seed: int, width: int) -> Array:
    """The mean, and behind it those of bootstrap samples; (1 + RESAMPLES,)."""
    values = floats("values", trials)
    if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
        raise ValueError(
            f"values has {values.size} trial(s) at width {width}, and must have at least 2 there, all of them finite"
        )
    finite("values", values)
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
