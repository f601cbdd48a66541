"""What a study of convolutions says of channel graphs: whether they settle as channels are added, what they keep."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from graphon_lib.intervals import CONFIDENCE, Interval, mean_interval
from graphon_lib.pruning import METHODS

Array = NDArray[np.float64]

KINDS = {"mask": "histogram", "random": "random_histogram"}

MOVE, STRUCTURE = "moves to 2n", "differs from flat"


def channel_curves(rows: pd.DataFrame) -> pd.DataFrame:
    """How far sorted channel graphs are from flat, and from those of twice the channels.

    A distance is the root mean square over blocks of histograms that are divided by their means. To 2n, it is between
    what networks of either width have on average: see :func:`distance_of_means`.

    Parameters
    ----------
    rows : DataFrame
        Of :func:`graphon_lib.sweeps.convolutions.convolutions_study`; at least two trials of each network.

    Returns
    -------
    DataFrame
        As :func:`graphon_lib.figures.width_curves` draws it: ``row``, which distance; ``column`` and ``density``;
        ``method``, ``kind`` ("mask", or "random" for as many weights kept anywhere), ``width``, and ``value`` with its
        95 % interval from ``low`` to ``high``.
    """
    found = []
    for (density, method), group in _ordered(rows):
        common = {"column": f"{100 * (1 - density):.3g} % pruned", "density": density, "method": method}
        for kind, name in KINDS.items():
            widths = {width: _relative(trials[name]) for width, trials in group.groupby("width")}
            for width, blocks in widths.items():
                flat = mean_interval(np.sqrt(((blocks - 1) ** 2).mean(axis=1)))
                found.append({**common, "row": STRUCTURE, "kind": kind, "width": width, **_columns(flat)})
            for low, high in itertools.pairwise(sorted(widths)):
                moved = distance_of_means(widths[low], widths[high])
                found.append({**common, "row": MOVE, "kind": kind, "width": low, **_columns(moved)})
    return pd.DataFrame(found)


def distance_of_means(first: Array, second: Array) -> Interval:
    """The root mean square distance between the means that two samples of vectors estimate.

    The distance of the samples' own means is too large, by the noise in both. Its square less the two variances of the
    means is right on average, and may be negative: a distance of 0 then. The interval is a jackknife's, of the square,
    over trials that are left out of both.

    Parameters
    ----------
    first, second : (trials, d) arrays, at least three trials
        Independent of each other.
    """
    trials = len(first)
    squares = np.array(
        [
            _squared_distance(np.delete(first, trial, axis=0), np.delete(second, trial, axis=0))
            for trial in range(trials)
        ]
    )
    whole = _squared_distance(first, second)
    error = np.sqrt((trials - 1) / trials * ((squares - squares.mean()) ** 2).sum())
    half = stats.t.ppf((1 + CONFIDENCE) / 2, trials - 1) * error
    return Interval(*(float(np.sqrt(max(0.0, square))) for square in (whole, whole - half, whole + half)))


def channel_numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """What the widest networks of a study of convolutions keep, a row a density and method.

    Returns
    -------
    DataFrame
        ``density``, ``method``, and as means over trials with 95 % intervals: ``paths``, the share of paths that are
        kept over the product of the layers' densities (missing where a network keeps none); ``chain``, the estimated
        chain's share over the exact one (missing likewise); ``together``, how much more often than by chance a pair of
        channels keeps two positions; ``ends``, the density of the kernel's last position over that of its first;
        ``dead``, the share of channels without a weight.
    """
    found = []
    widest = rows[rows["width"] == rows["width"].max()]
    for (density, method), group in _ordered(widest):
        alive = (group["path_density"] > 0).all()
        positions = np.array(group["positions"].tolist())
        numbers = {
            "paths": _mean(group["path_density"] / group["product"]) if alive else None,
            "chain": _mean(group["chain_density"] / group["path_density"]) if alive else None,
            "together": _mean(group["together"]),
            "ends": _mean(positions[:, -1] / positions[:, 0]),
            "dead": _share(group["dead"]),
        }
        found.append({"density": density, "method": method, **numbers})
    return pd.DataFrame(found)


def position_maps(rows: pd.DataFrame, density: float) -> dict[str, Array]:
    """For each method, the mean densities of the kernel positions of the widest networks, over their mean."""
    widest = rows[(rows["width"] == rows["width"].max()) & (rows["density"] == density)]
    maps = {}
    for (_, method), group in _ordered(widest):
        mean = np.mean(group["positions"].tolist(), axis=0)
        side = int(np.sqrt(mean.size))
        maps[method] = mean.reshape(side, side) / mean.mean()
    return maps


def _ordered(rows: pd.DataFrame) -> Iterator[tuple[tuple[float, str], pd.DataFrame]]:
    """Rows by density, the densest first, and by method in the order of all tables."""
    groups = dict(iter(rows.groupby(["density", "method"])))
    for key in sorted(groups, key=lambda key: (-key[0], METHODS.index(key[1]))):
        yield key, groups[key]


def _mean(values: ArrayLike) -> Interval:
    return mean_interval(np.asarray(values, dtype=np.float64))


def _share(values: ArrayLike) -> Interval:
    """As :func:`_mean`, of what cannot be negative."""
    mean = _mean(values)
    return Interval(mean.estimate, max(0.0, mean.low), mean.high)


def _squared_distance(first: Array, second: Array) -> float:
    between = ((first.mean(axis=0) - second.mean(axis=0)) ** 2).mean()
    noise = sum(sample.var(axis=0, ddof=1).mean() / len(sample) for sample in (first, second))
    return float(between - noise)


def _relative(histograms: pd.Series) -> Array:
    blocks = np.array(histograms.tolist())
    return np.asarray(blocks / blocks.mean(axis=1, keepdims=True))


def _columns(interval: Interval) -> dict[str, float]:
    return {"value": interval.estimate, "low": interval.low, "high": interval.high}
