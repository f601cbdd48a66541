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

from graphon_lib.intervals import (
    Interval,
    difference_interval,
    equivalence,
    fitted_rate,
    mean_interval,
    median_interval,
    rank_correlation,
    share_interval,
)
from graphon_lib.separation import separation, separation_interval

SIZES = np.repeat([100, 200, 400, 800], 3)


def test_an_interval_prints_as_a_reader_wants_it() -> None:
    assert str(Interval(0.4894, 0.441, 0.5349)) == "0.49 (0.44 to 0.53)"


@given(ends=st.tuples(*[st.floats(-9, 9)] * 3).map(sorted), inside=st.floats(0, 1))
def test_the_size_of_an_interval_holds_the_sizes_of_what_it_holds(ends: list[float], inside: float) -> None:
    low, estimate, high = ends
    size = abs(Interval(estimate, low, high))
    value = min(low + inside * (high - low), high)
    assert size.estimate == abs(estimate)
    assert size.low <= abs(value) <= size.high
    assert (size.low == 0) == (low <= 0 <= high)
    assert size.high == max(-low, high)


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
    with pytest.raises(
        ValueError, match=r"first and second have 1 and 2 members, but distances within them need at le"
    ):
        separation(np.ones((3, 3)), [0], [1, 2])
    with pytest.raises(ValueError, match=r"the groups first and second have 2 and 1 members"):
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


# Medians, shares and differences


@pytest.mark.parametrize("size", [2, 5, 6, 9, 20, 45, 101])
def test_a_median_lies_between_the_widest_ends_that_cover_it(size: int) -> None:
    values = np.random.default_rng(size).normal(size=size)
    found, in_order = median_interval(values), sorted(values)
    assert found.estimate == np.median(values)
    place = in_order.index(found.low)
    assert found.high == in_order[-1 - place]
    missed = [2 * stats.binom.cdf(k, size, 0.5) for k in (place, place + 1)]
    assert place == 0 or missed[0] <= 0.05
    assert missed[1] > 0.05 or size < 6 or missed[0] > 0.05
    assert median_interval(values + 1.0).low == pytest.approx(found.low + 1.0)


def test_intervals_of_medians_cover_the_truth() -> None:
    drawn = np.random.default_rng(0).exponential(size=(500, 15))
    intervals = [median_interval(row) for row in drawn]
    assert np.mean([i.low < math.log(2) < i.high for i in intervals]) > 0.95


@given(of=st.integers(1, 300), data=st.data())
def test_shares_are_scipys(of: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, of))
    found = share_interval(hits, of)
    peer = stats.binomtest(hits, of).proportion_ci(method="wilson")
    assert found.estimate == hits / of
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high), abs=1e-12)
    assert 0 <= found.low <= found.estimate <= found.high <= 1


@given(sizes=st.tuples(st.integers(2, 9), st.integers(2, 9)), shift=st.floats(-3, 3), seed=st.integers(0, 99))
def test_differences_are_scipys(sizes: tuple[int, int], shift: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = generator.normal(shift, 2, sizes[0]), generator.normal(0, 1, sizes[1])
    found = difference_interval(first, second)
    peer = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert found.estimate == pytest.approx(first.mean() - second.mean())
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high))


def test_equal_values_differ_exactly() -> None:
    assert difference_interval([2.0, 2.0], [0.5, 0.5, 0.5]) == Interval(1.5, 1.5, 1.5)


@pytest.mark.parametrize(("hits", "of"), [(-1, 3), (4, 3), (0, 0)])
def test_impossible_shares(hits: int, of: int) -> None:
    with pytest.raises(ValueError, match=f"hits is {hits} of {of}, but must be between 0 and the number of tries"):
        share_interval(hits, of)


@pytest.mark.parametrize("values", [[1.0], [1.0, math.nan], [[1.0, 2.0]]])
def test_medians_and_differences_need_two_finite_values(values: Any) -> None:
    with pytest.raises(ValueError, match="must hold at least 2 values, all of them finite"):
        median_interval(values)
    with pytest.raises(ValueError, match="must hold at least 2 values, all of them finite"):
        difference_interval([1.0, 2.0], values)


# How far groups lie apart, with an interval


def test_the_ratio_of_a_separation_is_that_of_the_test() -> None:
    points = np.random.default_rng(1).normal(size=12) + np.repeat([0.0, 1.5], 6)
    found = separation_interval(distances_of(points), range(6), range(6, 12))
    assert found.estimate == pytest.approx(separation(distances_of(points), range(6), range(6, 12))[0])
    assert found.low < found.estimate < found.high
    # The logarithm is what is symmetric, and doubling all distances changes no ratio.
    assert found.estimate**2 == pytest.approx(found.low * found.high)
    doubled = separation_interval(2 * distances_of(points), range(6), range(6, 12))
    assert (doubled.low, doubled.high) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_intervals_of_separations_cover_the_truth(shift: float) -> None:
    generator = np.random.default_rng(0)
    samples = generator.normal(size=(400, 20)) + np.repeat([0.0, shift], 10)
    # E|X - Y| of Gaussians whose means are the shift apart, over that of equal means.
    truth = (2 / math.sqrt(math.pi) * math.exp(-(shift**2) / 4) + shift * math.erf(shift / 2)) / (
        2 / math.sqrt(math.pi)
    )
    intervals = [separation_interval(distances_of(points), range(10), range(10, 20)) for points in samples]
    # Where groups overlap the ratio is skewed, and the upper end, on which no claim rests, comes out short.
    assert np.mean([i.low < truth for i in intervals]) > 0.94
    assert np.mean([i.low < truth < i.high for i in intervals]) > 0.85


def test_an_interval_of_a_separation_needs_three_members_each() -> None:
    with pytest.raises(ValueError, match="first and second have 2 and 3 members, but an interval that leaves one out"):
        separation_interval(np.ones((5, 5)), [0, 1], [2, 3, 4])
