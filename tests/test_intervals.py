"""Rates, rank correlations and separations, against scipy, formulas by hand, and simulations of known truth."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from graphon_lib.intervals import Interval, equivalence, fitted_rate, mean_interval, rank_correlation, separation

SIZES = np.repeat([100, 200, 400, 800], 3)


def test_an_interval_prints_as_a_reader_wants_it() -> None:
    assert str(Interval(0.4894, 0.441, 0.5349)) == "0.49 (0.44 to 0.53)"


# Fitted rates


@given(rate=st.floats(-2, 2), scale=st.floats(0.01, 100))
def test_a_power_is_fitted_exactly(rate: float, scale: float) -> None:
    fit = fitted_rate(SIZES, scale * SIZES**-rate)
    assert fit.estimate == pytest.approx(rate, abs=1e-10)
    assert fit.low == pytest.approx(rate, abs=1e-6)
    assert fit.high == pytest.approx(rate, abs=1e-6)


def test_the_interval_is_the_textbooks() -> None:
    errors = SIZES**-0.5 * np.exp(np.random.default_rng(0).normal(0, 0.2, SIZES.size))
    x, y = np.log(SIZES), np.log(errors)
    spread = ((x - x.mean()) ** 2).sum()
    slope = ((x - x.mean()) * y).sum() / spread
    residual = y - y.mean() - slope * (x - x.mean())
    half = stats.t.ppf(0.975, SIZES.size - 2) * math.sqrt((residual**2).sum() / (SIZES.size - 2) / spread)
    fit = fitted_rate(list(SIZES), list(errors))
    assert fit.estimate == pytest.approx(-slope)
    assert (fit.low, fit.high) == pytest.approx((-slope - half, -slope + half))


def test_the_interval_covers_a_known_rate_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    fits = [fitted_rate(SIZES, SIZES**-0.5 * np.exp(rng.normal(0, 0.3, SIZES.size))) for _ in range(1000)]
    covered = np.mean([fit.low <= 0.5 <= fit.high for fit in fits])
    assert abs(covered - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 1000)
    estimates = [fit.estimate for fit in fits]
    assert abs(np.mean(estimates) - 0.5) < 4 * np.std(estimates) / math.sqrt(1000)


@pytest.mark.parametrize(
    ("sizes", "errors", "message"),
    [
        ([1, 2], [1, 2], r"sizes and errors have shapes \(2,\) and \(2,\) with 2 different sizes, but a rate"),
        ([1, 2, 3], [1, 2], r"sizes and errors have shapes \(3,\) and \(2,\) with 3 different sizes, but a rate needs"),
        ([4, 4, 4], [1, 2, 3], r"with 1 different sizes, but a rate needs .* at least 3, of at least 2 different"),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]], r"sizes and errors have shapes \(2, 2\) and \(2, 2\)"),
        ([1, 2, 3], [1, 0, 2], r"sizes and errors must be positive and finite to be fitted by a power; drop entries"),
        ([-1, 2, 3], [1, 1, 2], r"sizes and errors must be positive and finite"),
        ([1, 2, 3], [1, math.nan, 2], r"sizes and errors must be positive and finite"),
        ([1, 2, math.inf], [1, 1, 2], r"sizes and errors must be positive and finite"),
    ],
)
def test_fitted_rate_says_what_is_wrong(sizes: Any, errors: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fitted_rate(sizes, errors)


# Rank correlations


@settings(max_examples=6, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=5, max_size=20))
def test_rank_correlation_is_scipys_ties_included(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs).T
    found = rank_correlation(x, y)
    if np.ptp(x) and np.ptp(y):
        assert found.estimate == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    else:
        assert found.estimate == 0
    assert -1 - 1e-12 <= found.low <= found.high <= 1 + 1e-12


def test_the_interval_of_a_perfect_order_is_a_point() -> None:
    x = np.arange(12.0)
    for y, sign in ((np.exp(x), 1), (-(x**3), -1)):
        found = rank_correlation(x, y)
        assert (found.estimate, found.low, found.high) == pytest.approx((sign, sign, sign))


def test_the_interval_narrows_with_the_sample_and_covers_the_truth() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=300)
    y = 0.6 * x + 0.8 * rng.normal(size=300)
    # Spearman's correlation of Gaussian pairs with Pearson's 0.6 (Kruskal 1958).
    truth = 6 / math.pi * math.asin(0.6 / 2)
    few, many = rank_correlation(x[:30], y[:30]), rank_correlation(x, y)
    assert many.low < truth < many.high
    assert many.low < many.estimate < many.high
    assert many.high - many.low < (few.high - few.low) / 2
    # Fisher's approximation of the width, in Kendall and Fieller's form for ranks: 1.06 / (n - 3) of the variance.
    fisher = np.ptp(np.tanh(np.arctanh(many.estimate) + np.array([-1, 1]) * 1.96 * math.sqrt(1.06 / 297)))
    assert many.high - many.low == pytest.approx(fisher, rel=0.2)
    unrelated = rank_correlation(x, rng.normal(size=300))
    assert unrelated.low < 0 < unrelated.high


def test_rank_correlation_repeats_itself_and_leaves_the_global_generator() -> None:
    x, y = np.random.default_rng(3).normal(size=(2, 15))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (rank_correlation(x, y, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert first == again
    assert first.estimate == other.estimate
    assert first != other


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], r"x and y have shapes \(4,\) and \(4,\), but must hold the same number, at l"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4], r"x and y have shapes \(5,\) and \(4,\), but must hold the same number"),
        (np.ones((5, 2)), np.ones((5, 2)), r"x and y have shapes \(5, 2\) and \(5, 2\), but must hold"),
        ([1, 2, 3, 4, math.nan], [1, 2, 3, 4, 5], r"x and y must be finite to be ranked; drop the pairs that are not"),
        ([1, 2, 3, 4, 5], [1, 2, math.inf, 4, 5], r"x and y must be finite to be ranked; drop the pairs that are not"),
    ],
)
def test_rank_correlation_says_what_is_wrong(x: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rank_correlation(x, y)


# Separation of groups


def distances_of(points: np.ndarray) -> np.ndarray:
    return np.abs(points[:, None] - points[None, :])


def by_hand(distances: np.ndarray, first: tuple[int, ...], second: tuple[int, ...]) -> tuple[float, float]:
    """Mean distance between two groups, and the mean over the groups of that within."""
    between = np.mean([distances[i, j] for i in first for j in second])
    within = [np.mean([distances[i, j] for i, j in itertools.combinations(g, 2)]) for g in (first, second)]
    return float(between), float(np.mean(within))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 99), sizes=st.sampled_from([(2, 2), (3, 3), (3, 4)]), shift=st.floats(0, 3))
def test_separation_enumerates_all_ways_to_form_the_groups(seed: int, sizes: tuple[int, int], shift: float) -> None:
    n = sum(sizes)
    points = np.random.default_rng(seed).normal(size=n + 1)
    points[: sizes[0]] += shift
    distances = distances_of(points)  # of one more than the groups hold
    members = range(n)
    first, second = tuple(members[: sizes[0]]), tuple(members[sizes[0] :])
    between, within = by_hand(distances, first, second)
    excesses = []
    for chosen in itertools.combinations(members, sizes[0]):
        parts = by_hand(distances, chosen, tuple(i for i in members if i not in chosen))
        excesses.append(parts[0] - parts[1])
    ratio, p_value = separation(distances, list(first), np.array(second))
    assert ratio == pytest.approx(between / within)
    assert p_value == pytest.approx(np.mean(np.array(excesses) >= between - within - 1e-12))


def test_groups_that_lie_apart_are_told_from_those_that_do_not() -> None:
    # More than 9999 ways to form the groups: a sample of them, drawn by the seed.
    points = np.random.default_rng(4).normal(size=20)
    first, second = np.arange(10), np.arange(10, 20)
    ratio, p_value = separation(distances_of(points), first, second, seed=1)
    assert p_value > 0.05
    assert (ratio, p_value) == separation(distances_of(points), first, second, seed=1)
    points[10:] += 5
    ratio, p_value = separation(distances_of(points), first, second)
    assert ratio > 3
    assert p_value < 0.001


def test_separation_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"the groups have 1 and 2 members, but distances within them need at le"):
        separation(np.ones((3, 3)), [0], [1, 2])
    with pytest.raises(ValueError, match=r"the groups have 2 and 1 members"):
        separation(np.ones((3, 3)), [0, 1], [2])


def test_a_mean_has_students_interval() -> None:
    values = np.random.default_rng(0).normal(3, 2, 15)
    found = mean_interval(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.estimate, found.low, found.high) == pytest.approx((values.mean(), low, high))


@pytest.mark.parametrize("mean", [0.0, 0.3, -0.6, 2.0])
def test_equivalence_is_two_one_sided_tests(mean: float) -> None:
    values = mean + np.random.default_rng(1).normal(size=40)
    found = equivalence(values, 0.5)
    above = stats.ttest_1samp(values, -0.5, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.5, alternative="less").pvalue
    assert found.p_value == pytest.approx(max(above, below))
    assert equivalence(values, found.bound).p_value == pytest.approx(0.05), "the bound is the margin at the 5 % level"


def test_equivalence_errs_as_seldom_as_it_says() -> None:
    generator = np.random.default_rng(0)
    wrong = sum(equivalence(generator.normal(0.5, 1, 30), 0.5).p_value < 0.05 for _ in range(2000))
    assert 60 <= wrong <= 140  # 100 expected at the edge of the margin


def test_equal_values_are_decided_without_a_spread() -> None:
    assert (equivalence([0.1, 0.1, 0.1], 0.2).p_value, equivalence([0.3, 0.3], 0.2).p_value) == (0, 1)
    assert equivalence([0.1, 0.1], 0.2).bound == pytest.approx(0.1)


def test_means_and_equivalence_say_what_is_wrong() -> None:
    for wrong in ([1.0], [[1.0, 2.0]], [1.0, np.nan]):
        with pytest.raises(ValueError, match="must hold at least 2 values, all of them finite"):
            mean_interval(wrong)
        with pytest.raises(ValueError, match="must hold at least 2 values, all of them finite"):
            equivalence(wrong, 1.0)
    with pytest.raises(ValueError, match="margin is 0, but must be positive"):
        equivalence([1.0, 2.0], 0)
