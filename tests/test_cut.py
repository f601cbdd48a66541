"""Cut norm and cut distance, against enumeration of all sets and of all relabellings of small graphons."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphon_lib.cut import CutBound, cut_distance, cut_norm
from graphon_lib.estimation import estimate_graphon
from graphon_lib.graphons import StepGraphon

measures = st.lists(st.integers(1, 6), min_size=1, max_size=7).map(lambda shares: np.array(shares) / sum(shares))


def matrix_of(seed: int, rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, columns))


def enumerated(difference: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    """The definition: every set of rows, with the columns that are best for it."""
    mass = difference * np.outer(p, q)
    sets = np.array(list(itertools.product((0, 1), repeat=p.size)))
    sums = sets @ mass
    return float(max(np.maximum(sums, 0).sum(axis=1).max(), np.maximum(-sums, 0).sum(axis=1).max()))


def evenly(shape: tuple[int, ...]) -> list[np.ndarray]:
    return [np.full(count, 1 / count) for count in shape]


# The cut norm


@settings(max_examples=100)
@given(p=measures, q=measures, seed=st.integers(0, 999))
def test_bounds_hold_the_cut_norm_and_the_lower_one_is_it(p: np.ndarray, q: np.ndarray, seed: int) -> None:
    a, b = (StepGraphon(matrix_of(seed + n, p.size, q.size), p, q) for n in (0, 1000))
    exact = enumerated(a.values - b.values, p, q)
    bound = cut_norm(a, b)
    assert bound.lower == pytest.approx(exact, rel=1e-12, abs=1e-15)
    assert bound.lower <= bound.upper
    assert bound.upper >= exact * (1 - 1e-14)
    turned = cut_norm(b, a)
    assert (turned.lower, turned.upper) == pytest.approx((bound.lower, bound.upper), rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(14, 14), (14, 40), (12, 3)])
def test_alternation_finds_the_best_sets_of_noise(shape: tuple[int, int], seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=shape)
    bound = cut_norm(noise)
    exact = enumerated(noise, *evenly(shape))
    assert bound.lower == pytest.approx(exact, rel=1e-12)
    assert exact < bound.upper < 1.6 * exact
    # Turned over, the rows are more than can be enumerated, and the answer the same.
    assert cut_norm(noise.T).lower == pytest.approx(exact, rel=1e-12)


def test_more_starts_find_no_more_at_the_size_of_histograms() -> None:
    found = 0
    for seed in range(10):
        difference = matrix_of(seed, 64, 64) - matrix_of(seed + 100, 64, 64)
        few, many = cut_norm(difference), cut_norm(difference, starts=300, seed=1)
        assert few.lower > 0.99 * many.lower
        assert few.upper == many.upper
        found += few.lower >= many.lower
    assert found >= 8


def test_bounds_meet_where_the_answer_is_known() -> None:
    # One sign: everything. A constant: itself. Signs in a checkerboard: a quarter, by the bound on the operator norm.
    graphon = StepGraphon(matrix_of(0, 5, 4), None, [0.1, 0.2, 0.3, 0.4])
    bound = cut_norm(graphon)
    assert bound.lower == bound.upper == pytest.approx(graphon.density(), rel=1e-14)
    assert cut_norm(StepGraphon.constant(0.3), StepGraphon.constant(0.8)) == CutBound(0.5, 0.5)
    checkerboard = cut_norm([[1, -1], [-1, 1]])
    assert checkerboard.lower == 0.25
    assert checkerboard.upper == pytest.approx(0.25, rel=1e-11)
    assert cut_norm(graphon, graphon) == CutBound(0, 0)
    # A rectangle of one sign in a sea of the other: the rectangle, or the sea, if they differ.
    rectangle = np.full((10, 10), -0.1)
    rectangle[:4, :5] = 0.9
    assert cut_norm(rectangle).lower == pytest.approx(0.2 * 0.9, rel=1e-12)


@settings(max_examples=40)
@given(seed=st.integers(0, 999), shape=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_cut_norm_sees_neither_the_order_nor_the_refinement_of_blocks(seed: int, shape: tuple[int, int]) -> None:
    values, rng = matrix_of(seed, *shape) - 0.5, np.random.default_rng(seed)
    bound = cut_norm(values)
    for other in (
        values[rng.permutation(shape[0])][:, rng.permutation(shape[1])],
        np.repeat(np.repeat(values, 2, axis=0), 3, axis=1),
        values.T,
        -values,
    ):
        changed = cut_norm(other)
        assert changed.lower == pytest.approx(bound.lower, rel=1e-11)
        assert changed.upper == pytest.approx(bound.upper, rel=1e-11)


def test_the_upper_bound_is_at_most_the_operator_norm() -> None:
    for seed in range(20):
        values = matrix_of(seed, 20, 30) - 0.3
        assert cut_norm(values).upper <= np.linalg.norm(values, 2) / np.sqrt(600) * (1 + 1e-11)
    # And far below it for masks of one kind, whose degrees are alike.
    pair = [estimate_graphon(torch.from_numpy(matrix_of(seed, 600, 600) < 0.2), blocks=32) for seed in (0, 1)]
    bound = cut_norm(*pair)
    assert bound.upper < 0.5 * np.linalg.norm(pair[0].values - pair[1].values, 2) / 32
    assert bound.upper < 2 * bound.lower


def test_cut_norm_repeats_itself_and_leaves_global_state() -> None:
    values = np.random.default_rng(0).normal(size=(40, 40))
    before = np.random.get_state()[1].copy()  # type: ignore[index] # noqa: NPY002
    assert cut_norm(values, seed=3) == cut_norm(values, seed=3)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # type: ignore[index] # noqa: NPY002
    assert cut_norm(values, starts=0).lower <= cut_norm(values, starts=50).lower


# The cut distance


@settings(max_examples=40)
@given(seed=st.integers(0, 999), rows=st.integers(1, 4), columns=st.integers(1, 4))
def test_bounds_hold_the_best_relabelling_of_blocks(seed: int, rows: int, columns: int) -> None:
    a, b = (StepGraphon(matrix_of(seed + n, rows, columns) ** 2) for n in (0, 1000))
    best = min(
        enumerated(a.values - b.values[np.ix_(above, below)], *evenly(a.values.shape))
        for above in itertools.permutations(range(rows))
        for below in itertools.permutations(range(columns))
    )
    bound = cut_distance(a, b)
    assert 0 <= bound.lower <= bound.upper
    assert bound.lower <= best * (1 + 1e-12)
    # No order of whole blocks is better than the best of them, and cut norms are never below their bound.
    assert bound.upper >= best * (1 - 1e-12)


@settings(max_examples=30)
@given(seed=st.integers(0, 999), rows=st.integers(1, 30), columns=st.integers(1, 30))
def test_relabelled_graphons_are_at_distance_zero(seed: int, rows: int, columns: int) -> None:
    a, rng = StepGraphon(matrix_of(seed, rows, columns)), np.random.default_rng(seed)
    b = StepGraphon(a.values[rng.permutation(rows)][:, rng.permutation(columns)])
    assert cut_distance(a, b) == CutBound(0, 0)
    other = StepGraphon(matrix_of(seed + 1, rows, columns))
    assert cut_distance(b, other).lower == pytest.approx(cut_distance(a, other).lower, rel=1e-12)


def test_relabelling_is_found_under_noise() -> None:
    rng = np.random.default_rng(0)
    a = StepGraphon.from_function(lambda u, v: 0.1 + 0.8 * np.exp(-8 * (u - v) ** 2), 32)
    noisy = np.clip(a.values + rng.normal(scale=0.02, size=(32, 32)), 0, 1)
    as_it_was = cut_norm(a, StepGraphon(noisy))
    relabelled = StepGraphon(noisy[rng.permutation(32)][:, rng.permutation(32)])
    assert cut_norm(a, relabelled).lower > 20 * as_it_was.upper
    assert cut_distance(a, relabelled).upper < 4 * as_it_was.upper


def test_invariants_hold_graphons_apart() -> None:
    # Densities; equal densities, degrees of another spread; equal degrees, another number of four-cycles.
    assert cut_distance(StepGraphon.constant(0.3), StepGraphon.constant(0.8)) == CutBound(0.5, 0.5)
    flat, graded = StepGraphon(np.full((2, 2), 0.5)), StepGraphon([[0.8, 0.8], [0.2, 0.2]])
    # A quarter of 0.6, by the row degrees, although no S x T with all columns or rows is better known to be best.
    assert cut_distance(flat, graded).lower == pytest.approx(0.15, rel=1e-12)
    assert cut_distance(flat, graded).upper == pytest.approx(0.15, rel=1e-11)
    crossed = StepGraphon([[1, 0], [0, 1]])
    bound = cut_distance(flat, crossed)
    assert bound.lower == pytest.approx((1 / 8 - 1 / 16) / 4, rel=1e-9)
    assert bound.upper == pytest.approx(1 / 8, rel=1e-11)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: cut_norm([0.5]), ValueError, r"a has shape \(1,\), and must be a StepGraphon or a non-empty matrix"),
        (lambda: cut_norm(np.ones((0, 2))), ValueError, r"a has shape \(0, 2\), and must be a StepGraphon or a non-em"),
        (
            lambda: cut_norm([[np.nan]]),
            ValueError,
            r"a has shape \(1, 1\), and must be .* matrix of finite numbers; re",
        ),
        (lambda: cut_norm([[1]], [[np.inf]]), ValueError, r"b has shape \(1, 1\), and must be .* of finite numbers"),
        (
            lambda: cut_norm([[1]], [[1, 2]]),
            ValueError,
            r"b has blocks \(1, 2\), but a \(1, 1\), or their measures dif",
        ),
        (
            lambda: cut_norm(StepGraphon(np.ones((2, 1))), StepGraphon(np.ones((2, 1)), [0.4, 0.6])),
            ValueError,
            r"b has blocks \(2, 1\), but a \(2, 1\), or their measures differ; estimate both with the same number",
        ),
        (lambda: cut_norm([[1]], starts=-1), ValueError, r"starts is -1, but must be a whole number of at least 0"),
        (lambda: cut_norm([[1]], starts=2.0), TypeError, r"starts is 2\.0, but must be a whole number of at least 0"),  # type: ignore[arg-type]
        (lambda: cut_norm([[1]], seed=-1), ValueError, r"seed is -1, but must be a whole number of at least 0"),
        (
            lambda: cut_distance(StepGraphon.constant(0.5), np.ones((1, 1))),  # type: ignore[arg-type]
            TypeError,
            r"b is a ndarray, but must be a StepGraphon; wrap an array as one",
        ),
        (
            lambda: cut_distance(StepGraphon.constant(0.5), StepGraphon(np.ones((2, 1)))),
            ValueError,
            r"b has \(2, 1\) blocks, but must have those of a, \(1, 1\), all equal along each axis",
        ),
        (
            lambda: cut_distance(StepGraphon(np.ones((2, 1)), [0.4, 0.6]), StepGraphon(np.ones((2, 1)))),
            ValueError,
            r"a has \(2, 1\) blocks, but must have those of a, \(2, 1\), all equal along each axis",
        ),
    ],
)
def test_cut_bounds_say_what_is_wrong(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
