"""How well numbers rank networks: rank correlations with intervals over seeds, within groups, and given a third number.

Resampling is by whole trials, since networks of one trial share their initial weights and pruning images. A bootstrap
sample is a vector of weights: how often each trial was drawn. Ranks and concordant pairs under weights are matrix
products, so that a thousand samples take milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from graphon_lib.arguments import whole
from graphon_lib.intervals import CONFIDENCE, Interval

Array = NDArray[np.float64]

RESAMPLES = 999


@dataclass(frozen=True)
class Ranking:
    """How a number goes with an outcome.

    Attributes
    ----------
    spearman, kendall : Interval
        rho and tau-b in [-1, 1], with percentile intervals over bootstrap samples of trials.
    """

    spearman: Interval
    kendall: Interval


def ranking(
    frame: pd.DataFrame,
    number: str,
    outcome: str,
    *,
    trial: str = "trial",
    within: str | Sequence[str] | None = None,
    given: str | None = None,
    seed: int = 0,
) -> Ranking:
    """Rank correlation of a number with an outcome over networks.

    Parameters
    ----------
    frame : DataFrame
        One row a network. Values may be infinite (training that diverged is worse than any that did not).
    number, outcome, trial : str
        Columns.
    within : str or list of str, optional
        Columns: only networks that agree in them are compared, ranks are taken and centred within such groups.
    given : str, optional
        A third column that is held fixed: the partial correlation of ranks.
    seed : int
        Of the bootstrap.

    Raises
    ------
    ValueError
        If there are fewer than five networks, a value is NaN, or a column is missing.
    """
    whole("seed", seed)
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"frame is a {type(frame).__name__}, but must be a DataFrame with one row a network")
    groups: list[Any] = list(within) if isinstance(within, list | tuple) else [] if within is None else [within]
    asked = {"number": [number], "outcome": [outcome], "trial": [trial], "within": groups}
    if given is not None:
        asked["given"] = [given]
    for name, names in asked.items():
        for column in names:
            if not isinstance(column, str) or column not in frame:
                raise ValueError(
                    f"{name} is {column!r}, but frame has no column of that name; it has "
                    f"{sorted(map(str, frame.columns))}"
                )
    columns = [column for names in asked.values() for column in names]
    used = frame[list(dict.fromkeys(columns))]
    if len(used) < 5:
        raise ValueError(f"frame has {len(used)} rows, but to rank networks takes at least 5")
    if used.isna().any().any():
        raise ValueError(
            f"column {used.columns[used.isna().any()][0]!r} of frame has entries that are NaN; drop these rows"
        )
    together = np.ones((len(used), len(used)), dtype=bool)
    if groups:
        label = used.groupby(groups).ngroup().to_numpy()
        together = label[:, None] == label
    weights = _draws(used[trial].to_numpy(), seed)
    signs = [_signs(used[column]) * together for column in [number, outcome, *([] if given is None else [given])]]
    found = []
    for correlate in (_spearman, _kendall):
        xy = correlate(signs[0], signs[1], together, weights)
        if given is not None:
            xz, yz = (correlate(signs[place], signs[2], together, weights) for place in (0, 1))
            rest = np.sqrt(np.maximum((1 - xz**2) * (1 - yz**2), 0))
            # Nothing is left to correlate where the third number fixes either rank.
            xy = np.where(rest > 1e-9, (xy - xz * yz) / np.where(rest > 1e-9, rest, 1), 0.0)
        low, high = np.quantile(xy[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        found.append(Interval(float(xy[0]), float(low), float(high)))
    return Ranking(*found)


def _draws(trials: NDArray[Any], seed: int) -> Array:
    """Weights (1 + RESAMPLES, networks): first the sample itself, then how often each network's trial was drawn."""
    names, label = np.unique(trials, return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    return np.vstack([np.ones(len(trials)), drawn[:, label]])


def _signs(values: pd.Series) -> Array:
    """sign(x_i - x_j), infinite values included."""
    ranks = rankdata(values.to_numpy())
    return np.asarray(np.sign(ranks[:, None] - ranks))


def _kendall(x: Array, y: Array, _together: NDArray[np.bool_], weights: Array) -> Array:
    """tau-b for each row of weights: signs that agree, over the geometric mean of the numbers of pairs without ties."""
    agree, of_x, of_y = (((weights @ pairs) * weights).sum(axis=1) for pairs in (x * y, np.abs(x), np.abs(y)))
    scale = np.sqrt(of_x * of_y)
    return np.asarray(np.divide(agree, scale, out=np.zeros_like(agree), where=scale > 0))


def _spearman(x: Array, y: Array, together: NDArray[np.bool_], weights: Array) -> Array:
    """Pearson's correlation, for each row of weights, of ranks centred within groups.

    A weighted mid-rank less the group's mean is half the sum of w_j sign(x_i - x_j): no ranks need be computed.
    """
    a, b = weights @ x.T / 2, weights @ y.T / 2
    # Ranks of a group are measured in shares of it, or large groups would drown the small.
    size = weights @ together.T
    a, b = a / np.maximum(size, 1), b / np.maximum(size, 1)
    covariance, of_a, of_b = ((weights * product).sum(axis=1) for product in (a * b, a * a, b * b))
    scale = np.sqrt(of_a * of_b)
    return np.asarray(np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0))
