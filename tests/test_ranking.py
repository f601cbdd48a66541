"""Rank correlations: SciPy's where SciPy has them, a plain bootstrap, and what holding a third number fixed means."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from graphon_lib.ranking import ranking

few = st.integers(0, 5)


def networks(seed: int, trials: int = 6, groups: int = 3) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = [
        {"trial": trial, "density": density, "size": density + generator.normal(), "noise": generator.normal()}
        for trial in range(trials)
        for density in range(groups)
    ]
    return pd.DataFrame(rows).assign(loss=lambda f: f["size"] + generator.normal(size=len(f)))


@given(st.lists(st.tuples(few, few), min_size=5, max_size=30))
@settings(deadline=None)
def test_estimates_are_scipys_also_with_ties(pairs):
    x, y = np.array(pairs, dtype=float).T
    frame = pd.DataFrame({"x": x, "y": y, "trial": range(len(x))})
    found = ranking(frame, "x", "y")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert found.spearman.estimate == found.kendall.estimate == 0
    else:
        assert found.spearman.estimate == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
        assert found.kendall.estimate == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)


def test_intervals_are_those_of_drawing_whole_trials():
    frame = networks(0, trials=8)
    found = ranking(frame, "size", "loss", seed=1)
    generator = np.random.default_rng(2)
    by_trial = [part for _, part in frame.groupby("trial")]
    values = []
    for _ in range(2000):
        sample = pd.concat([by_trial[place] for place in generator.integers(8, size=8)])
        values.append(
            (stats.spearmanr(sample["size"], sample["loss"])[0], stats.kendalltau(sample["size"], sample["loss"])[0])
        )
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    # Two bootstraps of this size differ by a few percent of the width.
    for interval, bottom, top in zip((found.spearman, found.kendall), low, high, strict=True):
        assert interval.low == pytest.approx(bottom, abs=0.05)
        assert interval.high == pytest.approx(top, abs=0.05)


def test_within_groups_only_their_own_members_are_compared():
    """Two groups, one far above the other: pooled, number and outcome agree; within each they oppose each other."""
    frame = pd.DataFrame(
        {
            "trial": [0, 1, 2, 3] * 2,
            "density": [0.1] * 4 + [0.9] * 4,
            "x": [1, 2, 3, 4, 11, 12, 13, 14],
            "y": [4, 3, 2, 1, 14, 13, 12, 11],
        }
    )
    pooled, inside = ranking(frame, "x", "y"), ranking(frame, "x", "y", within="density")
    assert pooled.spearman.estimate > 0.4
    assert inside.spearman.estimate == pytest.approx(-1)
    assert inside.kendall.estimate == pytest.approx(-1)
    assert (inside.kendall.low, inside.kendall.high) == pytest.approx((-1, -1))


def test_given_what_causes_both_nothing_is_left():
    generator = np.random.default_rng(3)
    cause = generator.normal(size=400)
    frame = pd.DataFrame(
        {
            "trial": range(400),
            "cause": cause,
            "x": cause + 0.3 * generator.normal(size=400),
            "y": cause + 0.3 * generator.normal(size=400),
        }
    )
    assert ranking(frame, "x", "y").spearman.low > 0.85
    partial = ranking(frame, "x", "y", given="cause").spearman
    assert partial.low < 0 < partial.high
    # The textbook: correlate what is left of the ranks when those of the third are regressed out.
    rank = {name: stats.rankdata(frame[name]) for name in ("x", "y", "cause")}
    left = [rank[n] - np.polyval(np.polyfit(rank["cause"], rank[n], 1), rank["cause"]) for n in ("x", "y")]
    assert partial.estimate == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-9)
    assert ranking(frame, "x", "y", given="x").kendall.estimate == 0


def test_what_diverged_ranks_last_and_ties_with_its_like():
    frame = pd.DataFrame({"trial": range(6), "x": range(6), "y": [1, 2, 3, 4, np.inf, np.inf]})
    assert ranking(frame, "x", "y").kendall.estimate == pytest.approx(stats.kendalltau(range(6), [1, 2, 3, 4, 5, 5])[0])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_equal_seeds_give_equal_intervals_which_hold_the_estimate_of_all(seed):
    frame = networks(seed)
    found = ranking(frame, "size", "loss", within="density", given="noise", seed=seed)
    assert found == ranking(frame, "size", "loss", within="density", given="noise", seed=seed)
    for interval in (found.spearman, found.kendall):
        assert -1 <= interval.low <= interval.high <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.head(4), "frame has 4 rows, but to rank networks takes at least 5"),
        (lambda f: f.assign(size=np.nan), "column 'size' of frame has entries that are NaN; drop these rows"),
        (lambda f: f.drop(columns="loss"), "outcome is 'loss', but frame has no column of that name; it has"),
    ],
)
def test_bad_frames_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        ranking(change(networks(0)), "size", "loss")
