"""Do the masks of wider and wider networks converge? Movement from width to width, its rate, and where it leads.

Tables come from :class:`graphon_lib.sweeps.results.Results`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from graphon_lib.cut import cut_norm
from graphon_lib.intervals import CONFIDENCE, difference_interval, mean_interval
from graphon_lib.movement import rate_of_means
from graphon_lib.separation import separation, separation_interval

Array = NDArray[np.float64]


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
    if "doubling" not in set(distances["pair"]):
        return pd.DataFrame(columns=[*by, "kind", "width", "distance", "low", "high"])
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


def doubling_rates(distances: pd.DataFrame, by: Sequence[str], column: str) -> pd.DataFrame:
    """How fast the distance between widths n and 2n falls, as the exponent a of n^-a.

    Returns
    -------
    DataFrame
        ``by``, ``kind``, and the intervals ``rate`` over all widths and ``last`` over the last two doublings; no row
        for what was doubled less than twice. A positive rate makes the sum of all further distances finite.
    """
    rows = []
    doubling = distances[(distances["pair"] == "doubling") & (distances[column] > 0)]
    for values, group in doubling.groupby([*by, "kind"], sort=False):
        trials = {int(str(width)): of_width.to_numpy() for width, of_width in group.groupby("width")[column]}
        if len(trials) > 1 and min(map(len, trials.values())) > 1:
            last = dict(sorted(trials.items())[-2:])
            rows.append((*values, rate_of_means(trials), rate_of_means(last)))
    return pd.DataFrame(rows, columns=[*by, "kind", "rate", "last"])


def means(table: pd.DataFrame, by: Sequence[str], column: str, *, geometric: bool = False) -> pd.DataFrame:
    """The mean of a column over trials: ``by``, ``value``, and ``low`` and ``high`` of Student's interval (NaN for a
    single trial); the geometric mean of positive numbers, with the interval of their logarithms, if asked for."""
    if geometric:
        found = means(table.assign(**{column: np.log(table[column])}), by, column)
        return found.assign(**{name: np.exp(found[name]) for name in ("value", "low", "high")})
    groups = table.groupby(list(by), sort=False)[column]
    found = groups.agg(value="mean", error="sem", trials="count").reset_index()
    half = stats.t.ppf((1 + CONFIDENCE) / 2, np.maximum(found["trials"] - 1, 1)) * found["error"]
    return found.assign(low=found["value"] - half, high=found["value"] + half).drop(columns=["error", "trials"])


def separations(pairs: pd.DataFrame, column: str) -> pd.DataFrame:
    """How far apart each two methods lie, see :func:`graphon_lib.separation.separation`.

    Parameters
    ----------
    pairs : DataFrame
        Of one width, see :func:`graphon_lib.sweeps.read_methods`.
    column : str
        The distance.

    Returns
    -------
    DataFrame
        ``depth``, ``density``, ``layer``, ``method``, ``other``, ``ratio``, ``p_value``, and the ratio's interval,
        ``low`` and ``high`` (NaN for fewer than three networks); without those settings that have fewer than two
        networks of a method in each half.
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
            halves = range(len(first)), range(len(first), len(matrix))
            ratio, p_value = separation(matrix, *halves)
            spread = separation_interval(matrix, *halves) if min(map(len, halves)) > 2 else None
            rows.append(
                (*setting, method, other, ratio, p_value, *((spread.low, spread.high) if spread else (np.nan, np.nan)))
            )
    names = ["depth", "density", "layer", "method", "other", "ratio", "p_value", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def pattern_differences(masks: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """By how much each two methods differ in how often their masks hold small patterns: unlike distances of estimates,
    these are numbers of the graphon, whatever the order of its points.

    Parameters
    ----------
    masks : DataFrame
        Of one width, one row a mask: ``depth``, ``density``, ``layer``, ``method`` and the columns.
    columns : sequence of str
        Frequencies of patterns. Rows in which one is NaN are left out.

    Returns
    -------
    DataFrame
        ``depth``, ``density``, ``layer``, ``method``, ``other``; the ``column`` in which the two differ most, and the
        size of the ``difference`` with Welch's interval, ``low`` to ``high``. Methods with one mask are left out.
    """
    rows = []
    for setting, group in masks.dropna(subset=list(columns)).groupby(["depth", "density", "layer"], sort=True):
        methods = [(method, part) for method, part in group.groupby("method", sort=False) if len(part) > 1]
        for (method, a), (other, b) in itertools.combinations(methods, 2):
            gaps = {name: abs(difference_interval(a[name], b[name])) for name in columns}
            name = max(gaps, key=lambda one: gaps[one].estimate)
            rows.append((*setting, method, other, name, gaps[name].estimate, gaps[name].low, gaps[name].high))
    names = ["depth", "density", "layer", "method", "other", "column", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=names)


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


def cut_distances(histograms: Sequence[Array]) -> Array:
    """Cut distances, from above, between all pairs of histograms as they are sorted, each over its mean; (n, n)."""
    stacked = [relative(histogram) for histogram in histograms]
    pairs = list(itertools.combinations(range(len(stacked)), 2))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda pair: cut_norm(stacked[pair[0]], stacked[pair[1]]).upper, pairs, chunksize=64))
    distances = np.zeros((len(stacked),) * 2)
    distances[tuple(np.array(pairs).T)] = found
    return distances + distances.T
