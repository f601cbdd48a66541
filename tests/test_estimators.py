"""Estimators beside the sorted histogram: what they keep, what they recover, and where each must fail."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphon_lib.cut import _assigned
from graphon_lib.estimation import ESTIMATORS, estimate_graphon
from graphon_lib.estimation.co_histogram import group_sums
from graphon_lib.estimation.cross_fit import _halves
from graphon_lib.estimation.sorted_histogram import interval_shares
from graphon_lib.estimation.usvt import directions
from graphon_lib.graphons import StepGraphon, homomorphism_density

METHODS = list(ESTIMATORS)

masks = st.builds(
    lambda shape, density, seed: np.random.default_rng(seed).random(shape) < density,
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.floats(0, 1),
    st.integers(0, 99),
)


def sample(graphon: StepGraphon, rows: int, columns: int, seed: int) -> np.ndarray:
    """A mask in random order."""
    order = np.random.default_rng(seed)
    return graphon.sample(rows, columns, seed).numpy()[order.permutation(rows)][:, order.permutation(columns)]


def constant_mask(n: int, density: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((n, n)) < density


def error(estimate: StepGraphon, truth: StepGraphon) -> float:
    return estimate.l2_distance(truth) / truth.l2_norm()


def aligned_error(estimate: StepGraphon, truth: StepGraphon) -> float:
    """The error up to relabelling, from above: blocks of the estimate, either way round, assigned to the truth's."""
    starts = [estimate.values[::down, ::across] for down in (1, -1) for across in (1, -1)]
    return min(error(StepGraphon(_assigned(truth.values, start)), truth) for start in starts)


RANK_ONE = StepGraphon.from_function(lambda u, v: 0.8 * (1 - u) * (1 - v), 16)
CIRCLE = StepGraphon.from_function(lambda u, v: 0.4 + 0.4 * np.cos(2 * np.pi * (u - v)), 16)
# Four groups of rows and of columns with degrees all alike, on a grid of 16.
GROUPS = StepGraphon(np.kron(np.where(np.eye(4) > 0, 0.5, 0.1), np.ones((4, 4))))


# What all of them keep


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40, deadline=None)
@given(mask=masks, blocks=st.integers(1, 20))
def test_estimates_are_graphons_on_equal_blocks_and_repeat(method: str, mask: np.ndarray, blocks: int) -> None:
    before = mask.copy()
    graphon = estimate_graphon(mask, method, blocks=blocks)
    assert graphon.values.shape == (blocks, blocks)
    assert np.ptp(graphon.row_measure) == np.ptp(graphon.column_measure) == 0
    assert ((graphon.values >= 0) & (graphon.values <= 1)).all()
    np.testing.assert_array_equal(mask, before)
    np.testing.assert_array_equal(estimate_graphon(mask, method, blocks=blocks).values, graphon.values)
    if method != "usvt":
        assert graphon.density() == pytest.approx(mask.mean(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (3, 5), (70, 20)])
def test_empty_and_full_masks_are_known_exactly(method: str, shape: tuple[int, int]) -> None:
    for value in (0, 1):
        graphon = estimate_graphon(np.full(shape, value), method, blocks=8)
        np.testing.assert_allclose(graphon.values, value, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["sorted_histogram", "sas", "cross_fit", "usvt", "constant"])
@settings(max_examples=25, deadline=None)
@given(mask=masks, blocks=st.integers(1, 12))
def test_rows_and_columns_are_treated_alike(method: str, mask: np.ndarray, blocks: int) -> None:
    if method == "usvt":
        # Where neurons differ along two directions alike, which one comes first is open: a mask without ties.
        mask = sample(RANK_ONE, 30 + blocks, 50, seed=blocks)
    turned = estimate_graphon(np.ascontiguousarray(mask.T), method, blocks=blocks)
    np.testing.assert_allclose(turned.values.T, estimate_graphon(mask, method, blocks=blocks).values, atol=1e-9)


@pytest.mark.parametrize("method", ["sorted_histogram", "sas", "usvt", "co_histogram", "constant"])
def test_the_order_of_rows_and_columns_does_not_matter_without_ties(method: str) -> None:
    # Row and column degrees 40, 39, ..., 1: nothing is tied.
    mask = np.add.outer(np.arange(40), np.arange(40)) < 40
    order = np.random.default_rng(3)
    shuffled = mask[order.permutation(40)][:, order.permutation(40)]
    expected = estimate_graphon(mask, method, blocks=7).values
    np.testing.assert_allclose(estimate_graphon(shuffled, method, blocks=7).values, expected, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(vertices=st.integers(1, 30), blocks=st.integers(1, 30))
def test_interval_shares_are_overlaps(vertices: int, blocks: int) -> None:
    shares = interval_shares(np.arange(vertices)[::-1], blocks)
    pieces = np.repeat(np.eye(vertices)[::-1], blocks, axis=0).reshape(blocks, vertices, vertices).mean(axis=1)
    np.testing.assert_allclose(shares, pieces, atol=1e-15)


# Sorting invents structure, cross-fitting does not


@pytest.mark.parametrize(("density", "expected"), [(0.01, 0.47), (0.05, 0.20), (0.2, 0.09)])
def test_sorting_grades_masks_without_structure(density: float, expected: float) -> None:
    truth = StepGraphon(np.full((64, 64), density))
    mean = {
        method: StepGraphon(
            np.mean([estimate_graphon(constant_mask(1024, density, s), method).values for s in range(12)], axis=0)
        )
        for method in ("sorted_histogram", "cross_fit")
    }
    # The mean over masks leaves the bias, and a twelfth of the variance of a cell with 256 entries.
    noise = math.sqrt((1 - density) / density / 256 / 12)
    assert error(mean["sorted_histogram"], truth) == pytest.approx(math.hypot(expected, noise), rel=0.06)
    assert error(mean["cross_fit"], truth) == pytest.approx(noise, rel=0.06)


def brute_cross_fit(mask: np.ndarray, blocks: int) -> np.ndarray:
    """Four plain histograms, averaged by their sizes."""
    total = np.zeros((blocks, blocks))
    split = [_halves(count) for count in mask.shape]
    for a, b in itertools.product((0, 1), repeat=2):
        mine, other = split[0][a], split[0][1 - a]
        yours, others = split[1][b], split[1][1 - b]
        rows = sorted(mine, key=lambda i: -int(mask[i, others].sum()))
        columns = sorted(yours, key=lambda j: -int(mask[other, j].sum()))
        quadrant = mask[np.ix_(rows, columns)]
        if quadrant.size:
            fine = np.repeat(np.repeat(quadrant, blocks, axis=0), blocks, axis=1)
            total += quadrant.size * fine.reshape(blocks, len(rows), blocks, len(columns)).mean(axis=(1, 3))
    return total / mask.size


@settings(max_examples=40, deadline=None)
@given(mask=masks, blocks=st.integers(1, 9))
def test_cross_fitting_is_four_histograms_by_the_labels_of_the_other_quadrants(mask: np.ndarray, blocks: int) -> None:
    np.testing.assert_allclose(
        estimate_graphon(mask, "cross_fit", blocks=blocks).values, brute_cross_fit(mask, blocks), atol=1e-14
    )
    for vertices in mask.shape:
        first, second = _halves(vertices)
        assert sorted([*first, *second]) == list(range(vertices))
        assert len(first) - len(second) in (0, 1)


# Total variation


def test_sas_finds_the_minimum_in_closed_form() -> None:
    # log 2 and log 4 are rounded to 1: boxes are entries. The two sides of a step of height 1 come 1 / 7.5 closer, over
    # the number of boxes on a side.
    shift = 1 / 7.5
    two = estimate_graphon(np.array([[0], [1]]), "sas", blocks=2).values
    np.testing.assert_allclose(two, [[1 - shift, 1 - shift], [shift, shift]], atol=1e-6)
    four = estimate_graphon(np.array([[0, 1, 0, 1]]), "sas", blocks=4).values
    np.testing.assert_allclose(four[0], [1 - shift / 2] * 2 + [shift / 2] * 2, atol=1e-4)


def test_sas_lowers_its_objective_below_any_other_estimate_on_its_grid() -> None:
    mask = sample(RANK_ONE, 150, 90, seed=2)
    boxes = 150 // 5, 90 // 4
    rows, columns = (np.argsort(-mask.sum(axis=axis), kind="stable") for axis in (1, 0))
    shares = interval_shares(rows, boxes[0]), interval_shares(columns, boxes[1])
    H = shares[0] @ mask @ shares[1].T

    def objective(f: np.ndarray) -> float:
        down, across = np.diff(f, axis=0, append=f[-1:]), np.diff(f, axis=1, append=f[:, -1:])
        return float(3.75 * ((f - H) ** 2).sum() + np.hypot(down, across).sum())

    # Asked for as many blocks as its boxes along both axes at once: a common refinement.
    fine = estimate_graphon(mask, "sas", blocks=math.lcm(*boxes)).values
    f = fine[:: fine.shape[0] // boxes[0], :: fine.shape[1] // boxes[1]]
    reached = objective(f)
    noise = np.random.default_rng(0)
    rivals = [H, np.full_like(H, H.mean()), 0.5 * (f + H), 0.9 * f + 0.1 * H.mean()]
    rivals += [f + size * noise.standard_normal(f.shape) for size in (1e-4, 1e-3, 1e-2)]
    assert reached < min(map(objective, rivals))


# Singular values


def test_the_universal_threshold_keeps_nothing_of_a_sparse_mask_and_ours_the_structure() -> None:
    truth = StepGraphon(GROUPS.values / 12.5)
    mask = sample(truth, 1000, 1000, seed=0)
    assert truth.density() == pytest.approx(0.016)
    # Chatterjee's, for values in [0, 1]: not one singular value comes near.
    assert np.linalg.norm(mask.astype(np.float64), 2) < 0.6 * 1.005 * math.sqrt(1000)
    found = directions(mask)
    assert found.rows.shape == found.columns.shape == (1000, 3)
    assert aligned_error(estimate_graphon(mask, "usvt", blocks=16), truth) < 0.4
    assert aligned_error(estimate_graphon(mask, "co_histogram", blocks=16), truth) < 0.05
    assert error(estimate_graphon(mask, "constant", blocks=16), truth) > 0.6


@pytest.mark.parametrize("density", [0.5, 0.1, 0.03])
@pytest.mark.parametrize("shape", [(500, 500), (150, 700)])
def test_masks_without_structure_have_no_direction_above_the_threshold(shape: tuple[int, int], density: float) -> None:
    for seed in range(5):
        mask = np.random.default_rng(seed).random(shape) < density
        assert directions(mask).rows.shape == (shape[0], 0)
        for method in ("usvt", "co_histogram"):
            np.testing.assert_allclose(estimate_graphon(mask, method, blocks=9).values, mask.mean(), atol=1e-12)


def test_noise_is_measured_where_it_is() -> None:
    # Pure noise on a tenth of the rows: the mean density would call it structure.
    chances = np.full((600, 600), 0.002)
    chances[:60] = 0.5
    found = directions(np.random.default_rng(0).random((600, 600)) < chances)
    assert found.rows.shape[1] == 1


@settings(max_examples=20, deadline=None)
@given(mask=masks)
def test_directions_are_the_leading_part_of_the_singular_value_decomposition(mask: np.ndarray) -> None:
    found = directions(mask)
    u, s, v = np.linalg.svd(mask - mask.mean(), full_matrices=False)
    kept = found.rows.shape[1]
    if 0 < kept < len(s) and s[kept - 1] - s[kept] < 1e-6:
        return  # The subspace is open.
    np.testing.assert_allclose(found.centred, u[:, :kept] * s[:kept] @ v[:kept], atol=1e-7)
    np.testing.assert_allclose((found.rows**2).sum(axis=0), np.sort(s[:kept] ** 2), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose((found.columns**2).sum(axis=0), np.sort(s[:kept] ** 2), rtol=1e-7, atol=1e-7)


# Groups


@settings(max_examples=40, deadline=None)
@given(mask=masks, k=st.integers(1, 6), seed=st.integers(0, 99))
def test_group_sums_add_up_rows_by_label(mask: np.ndarray, k: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(k, size=len(mask))
    expected = [mask[labels == group].sum(axis=0) for group in range(k)]
    np.testing.assert_array_equal(group_sums(mask, labels, k), expected)


def test_co_clustering_finds_unequal_groups_of_equal_degrees() -> None:
    # Groups of 5/8 and 3/8; the chances make all degrees alike, in expectation.
    measure = np.array([0.625, 0.375])
    chances = np.array([[0.3, 0.1], [0.1, (0.625 * 0.3 + 0.375 * 0.1 - 0.625 * 0.1) / 0.375]])
    np.testing.assert_allclose(chances @ measure, 0.225)
    truth = StepGraphon(chances, measure, measure)
    mask = sample(truth, 800, 800, seed=4)
    estimate = estimate_graphon(mask, "co_histogram", blocks=8)
    expected = StepGraphon(np.repeat(np.repeat(chances, [5, 3], axis=0), [5, 3], axis=1))
    assert aligned_error(estimate, expected) < 0.03


def test_where_degrees_are_equal_sorting_fails_and_groups_are_found() -> None:
    for truth in (GROUPS, CIRCLE):
        mask = sample(truth, 640, 480, seed=1)
        errors = {method: aligned_error(estimate_graphon(mask, method, blocks=16), truth) for method in METHODS}
        for method in ("sorted_histogram", "sas", "cross_fit", "constant"):
            assert errors[method] > 0.45
        assert errors["usvt"] < 0.12
        assert errors["co_histogram"] < 0.25
        # No labels are needed to see it: of the mask's squares beyond chance, sorting loses most. Thresholding finds
        # more than there are, because noise makes the singular values that it keeps larger.
        by_chance = mask.mean() ** 4
        squares = homomorphism_density(mask, "C4", unbiased=True) - by_chance
        for method, least, most in (("sorted_histogram", 0, 0.2), ("usvt", 0.75, 1.2), ("co_histogram", 0.85, 1.05)):
            estimate = homomorphism_density(estimate_graphon(mask, method, blocks=16), "C4") - by_chance
            assert least < estimate / squares < most, method


# Rates


@pytest.mark.parametrize(
    ("method", "last", "fall"),
    [
        ("sorted_histogram", 0.07, 1.6),
        ("sas", 0.05, 1.3),
        ("cross_fit", 0.08, 1.5),
        ("usvt", 0.06, 1.4),
        ("co_histogram", 0.1, 1.2),
    ],
)
def test_errors_fall_with_the_size_where_degrees_are_monotone(method: str, last: float, fall: float) -> None:
    def mean_error(n: int) -> float:
        trials = (error(estimate_graphon(sample(RANK_ONE, n, n, s), method, blocks=16), RANK_ONE) for s in range(3))
        return float(np.mean(list(trials)))

    errors = [mean_error(n) for n in (125, 250, 500)]
    assert all(after < before for before, after in itertools.pairwise(errors))
    assert errors[-1] < last
    assert (errors[0] / errors[-1]) ** (1 / 2) > fall


def test_the_constant_is_off_by_the_deviation_of_the_graphon() -> None:
    estimate = estimate_graphon(sample(RANK_ONE, 400, 400, 0), "constant", blocks=16)
    deviation = math.sqrt(1 - (RANK_ONE.density() / RANK_ONE.l2_norm()) ** 2)
    assert error(estimate, RANK_ONE) == pytest.approx(deviation, rel=0.01)
