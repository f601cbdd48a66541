"""Step graphons, chains, and densities of patterns and paths, against brute force on tiny ones."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import Polynomial

from graphon_lib.graphons import (
    Chain,
    Motif,
    StepGraphon,
    as_bool_mask,
    as_mask,
    degrees,
    homomorphism_densities,
    homomorphism_density,
    ordered_product,
    path_density,
)
from graphon_lib.graphons.step import block_labels

# Rows, columns and edges (row, column) of each pattern, as drawn in the docstring's table.
MOTIFS = {
    "edge": (1, 1, [(0, 0)]),
    "row_cherry": (1, 2, [(0, 0), (0, 1)]),
    "column_cherry": (2, 1, [(0, 0), (1, 0)]),
    "path3": (2, 2, [(0, 0), (1, 0), (1, 1)]),
    "C4": (2, 2, [(0, 0), (1, 0), (1, 1), (0, 1)]),
    "K23": (2, 3, list(itertools.product(range(2), range(3)))),
}

measures = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(lambda shares: np.array(shares) / sum(shares))


def matrix_of(seed: int, rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, columns))


@st.composite
def step_graphons(draw: st.DrawFn) -> StepGraphon:
    rows, columns = draw(measures), draw(measures)
    return StepGraphon(matrix_of(draw(st.integers(0, 999)), rows.size, columns.size), rows, columns)


@st.composite
def tiny_masks(draw: st.DrawFn) -> np.ndarray:
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    return matrix_of(draw(st.integers(0, 999)), *shape) < draw(st.floats(0, 1))


def enumerated(motif: str, values: np.ndarray, p: np.ndarray, q: np.ndarray, distinct: bool) -> float:
    """The definition: all placements of the pattern's rows and columns, one by one, each with its chance."""
    rows, columns, edges = MOTIFS[motif]
    total = chance = 0.0
    for xs in itertools.product(range(p.size), repeat=rows):
        for ys in itertools.product(range(q.size), repeat=columns):
            if distinct and (len(set(xs)) < rows or len(set(ys)) < columns):
                continue
            weight = math.prod(p[x] for x in xs) * math.prod(q[y] for y in ys)
            chance += weight
            total += weight * math.prod(values[xs[i], ys[j]] for i, j in edges)
    return total / chance


# Step graphons


@settings(max_examples=40, deadline=None)
@given(step_graphons())
def test_density_and_norm_are_sums_over_blocks(graphon: StepGraphon) -> None:
    blocks = list(np.ndindex(graphon.values.shape))
    area = {(r, c): graphon.row_measure[r] * graphon.column_measure[c] for r, c in blocks}
    assert graphon.density() == pytest.approx(sum(area[b] * graphon.values[b] for b in blocks))
    assert graphon.l2_norm() == pytest.approx(math.sqrt(sum(area[b] * graphon.values[b] ** 2 for b in blocks)))
    other = StepGraphon(1 - graphon.values, graphon.row_measure, graphon.column_measure)
    squared = sum(area[b] * (2 * graphon.values[b] - 1) ** 2 for b in blocks)
    assert graphon.l2_distance(other) == pytest.approx(math.sqrt(squared))
    assert graphon.l2_distance(graphon) == 0


def test_constant_and_default_measures() -> None:
    constant = StepGraphon.constant(0.3)
    assert constant.values.shape == (1, 1)
    assert constant.density() == constant.l2_norm() == 0.3
    graphon = StepGraphon(np.zeros((4, 5)))
    np.testing.assert_array_equal(graphon.row_measure, np.full(4, 1 / 4))
    np.testing.assert_array_equal(graphon.column_measure, np.full(5, 1 / 5))


def test_a_graphon_owns_its_values_and_takes_lists() -> None:
    values = np.full((2, 2), 0.5)
    graphon = StepGraphon(values)
    values[:] = 0
    assert graphon.density() == 0.5
    np.testing.assert_array_equal(StepGraphon([[0.5, 0.5]] * 2).values, graphon.values)


def test_rounding_above_one_is_cut_off() -> None:
    assert StepGraphon([[1 + 1e-13]]).values == 1


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.floats(0, 1), min_size=1, max_size=8),
    columns=st.lists(st.floats(0, 1), min_size=1, max_size=8),
    blocks=st.tuples(st.integers(1, 6), st.integers(1, 6)),
)
def test_from_function_is_exact_for_polynomials_of_degree_seven(
    rows: list[float], columns: list[float], blocks: tuple[int, int]
) -> None:
    # Divided by the sum of the coefficients, a polynomial with non-negative ones is at most 1 on [0, 1].
    f, g = (Polynomial(c) / max(sum(c), 1.0) for c in (rows, columns))
    graphon = StepGraphon.from_function(lambda u, v: f(u) * g(v), blocks)
    means = [np.diff(h.integ()(np.linspace(0, 1, n + 1))) * n for h, n in zip((f, g), blocks, strict=True)]
    np.testing.assert_allclose(graphon.values, np.outer(*means), rtol=1e-12, atol=1e-14)


def test_from_function_broadcasts_and_takes_any_whole_number() -> None:
    np.testing.assert_allclose(StepGraphon.from_function(lambda u, v: 0.25, 3).values, np.full((3, 3), 0.25))
    by_row = StepGraphon.from_function(lambda u, v: u, (2, 1))
    np.testing.assert_allclose(by_row.values, [[0.25], [0.75]])
    assert StepGraphon.from_function(lambda u, v: u * v, np.int64(3)).values.shape == (3, 3)  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(measure=measures, vertices=st.integers(1, 60))
def test_block_labels_give_each_block_its_share(measure: np.ndarray, vertices: int) -> None:
    labels = block_labels(measure, vertices)
    assert labels.shape == (vertices,)
    assert (np.diff(labels) >= 0).all()
    # An interval of length s holds s or one more or fewer of the points of a grid of spacing one.
    assert (np.abs(np.bincount(labels, minlength=measure.size) - vertices * measure) < 1 + 1e-9).all()


@given(blocks=st.integers(1, 40), each=st.integers(1, 7))
def test_block_labels_are_exact_where_the_blocks_divide_the_vertices(blocks: int, each: int) -> None:
    expected = np.repeat(np.arange(blocks), each)
    np.testing.assert_array_equal(block_labels(np.full(blocks, 1 / blocks), blocks * each), expected)


def test_blocks_of_measure_zero_get_no_vertex() -> None:
    np.testing.assert_array_equal(block_labels(np.array([0.5, 0, 0.5, 0]), 6), [0, 0, 0, 2, 2, 2])


def test_sample_keeps_entries_with_their_chance_and_its_seed() -> None:
    graphon = StepGraphon(matrix_of(1, 3, 2), [0.5, 0.25, 0.25], [0.2, 0.8])
    chances = graphon.values[np.ix_([0, 0, 1, 2], [0, 1, 1, 1, 1])]
    draws = np.mean([graphon.sample(4, 5, seed).numpy() for seed in range(3000)], axis=0)
    assert (np.abs(draws - chances) < 4 * np.sqrt(chances * (1 - chances) / 3000)).all()
    mask = graphon.sample(4, 5, 7)
    assert mask.dtype == torch.bool
    before = torch.get_rng_state()
    assert torch.equal(mask, graphon.sample(4, 5, 7))
    assert torch.equal(before, torch.get_rng_state())
    large = [graphon.sample(40, 50, seed) for seed in (0, 1)]
    assert not torch.equal(*large)


def test_masks_are_not_drawn_from_the_stream_of_weights_of_the_same_seed() -> None:
    of_weights = torch.rand((30, 30), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    agreeing = (StepGraphon.constant(0.5).sample(30, 30, 5) == (of_weights < 0.5)).double().mean().item()
    assert abs(agreeing - 0.5) < 4 * 0.5 / 30


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StepGraphon([0.5]), r"values has shape \(1,\), but must be a non-empty matrix"),
        (lambda: StepGraphon(np.ones((0, 3))), r"values has shape \(0, 3\), but must be a non-empty matrix"),
        (lambda: StepGraphon([[0.5, 1.5]]), r"values contains 1\.5, but a graphon is a probability: clip or rescale"),
        (lambda: StepGraphon([[-0.1]]), r"values contains -0\.1, but a graphon is a probability"),
        (lambda: StepGraphon([[math.nan]]), r"values contains nan, but a graphon is a probability"),
        (lambda: StepGraphon.constant(2.0), r"c is 2\.0, but must be a number in \[0, 1\]"),
        (lambda: StepGraphon(np.ones((2, 1)), [0.5, 0.4]), r"row_measure has shape \(2,\) and sum 0\.9, but must be 2"),
        (lambda: StepGraphon(np.ones((2, 1)), [1.0]), r"row_measure has shape \(1,\) and sum 1, but must be 2 non-neg"),
        (lambda: StepGraphon(np.ones((2, 1)), [1.5, -0.5]), r"row_measure .*must be 2 non-negative shares that sum to"),
        (lambda: StepGraphon(np.ones((1, 2)), None, [math.nan, 1]), r"column_measure has shape \(2,\) and sum nan"),
        (lambda: StepGraphon.from_function(lambda u, v: u, 0), r"blocks is 0, but must be at least 1 along each axis"),
        (lambda: StepGraphon.from_function(lambda u, v: u, (2, 0)), r"blocks is \(2, 0\), but must be at least 1"),
        (lambda: StepGraphon.from_function(lambda u, v: 2 * u, 2), r"values contains 1\.5\d*, but a graphon is a p"),
        (lambda: StepGraphon.constant(0.5).sample(0, 3), r"rows is 0, but must be a whole number of at least 1"),
        (lambda: StepGraphon.constant(0.5).sample(3, 0), r"columns is 0, but must be a whole number of at least 1"),
        (lambda: StepGraphon.constant(0.5).sample(3, 3, -1), r"seed is -1, but must be a whole number of at least 0"),
        (lambda: Chain([None, None]).sample((3, 3, 3), -1), r"seed is -1, but must be a whole number of at least 0"),
        (
            lambda: StepGraphon.constant(0.5).l2_distance(StepGraphon(np.ones((2, 2)))),
            r"other has blocks \(2, 2\), but this graphon \(1, 1\), or their measures differ; estimate both",
        ),
        (
            lambda: StepGraphon(np.ones((2, 2))).l2_distance(StepGraphon(np.ones((2, 2)), [0.4, 0.6])),
            r"other has blocks \(2, 2\), but this graphon \(2, 2\), or their measures differ; estimate both",
        ),
    ],
)
def test_step_graphons_say_what_is_wrong(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# Homomorphism densities


def test_every_motif_is_enumerated_here() -> None:
    assert set(MOTIFS) == set(get_args(Motif))


@settings(max_examples=40, deadline=None)
@given(graphon=step_graphons(), motif=st.sampled_from(sorted(MOTIFS)))
def test_graphon_densities_by_enumeration(graphon: StepGraphon, motif: Motif) -> None:
    expected = enumerated(motif, graphon.values, graphon.row_measure, graphon.column_measure, distinct=False)
    assert homomorphism_density(graphon, motif) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=80, deadline=None)
@given(mask=tiny_masks(), motif=st.sampled_from(sorted(MOTIFS)))
def test_mask_densities_by_enumeration(mask: np.ndarray, motif: Motif) -> None:
    p, q = (np.full(n, 1 / n) for n in mask.shape)
    plain = enumerated(motif, mask, p, q, distinct=False)
    assert homomorphism_density(mask, motif) == pytest.approx(plain, rel=1e-12, abs=1e-15)
    assert homomorphism_density(torch.from_numpy(mask), motif) == homomorphism_density(mask.astype(int), motif)
    rows, columns, _ = MOTIFS[motif]
    if mask.shape[0] >= rows and mask.shape[1] >= columns:
        distinct = enumerated(motif, mask, p, q, distinct=True)
        assert homomorphism_density(mask, motif, unbiased=True) == pytest.approx(distinct, rel=1e-12, abs=1e-15)
    else:
        with pytest.raises(ValueError, match=re.escape(f"mask has shape {mask.shape}, but unbiased {motif!r} needs")):
            homomorphism_density(mask, motif, unbiased=True)


@pytest.mark.parametrize(
    ("rows", "columns", "density"), [(67, 1100, 0.3), (200, 150, 0.05), (130, 64, 0.9), (5, 70, 0)]
)
def test_densities_of_larger_masks_are_correctly_rounded(rows: int, columns: int, density: float) -> None:
    mask = matrix_of(3, rows, columns) < density
    mask[rows // 2] = False
    W = mask.astype(int)
    c, r, k = W @ W.T, W.sum(axis=1), W.sum(axis=0)
    off = c[~np.eye(rows, dtype=bool)]
    R, C = rows, columns
    plain = {
        "edge": Fraction(int(r.sum()), R * C),
        "row_cherry": Fraction(int((r**2).sum()), R * C**2),
        "column_cherry": Fraction(int((k**2).sum()), R**2 * C),
        "path3": Fraction(int(r @ W @ k), R**2 * C**2),
        "C4": Fraction(int((c**2).sum()), R**2 * C**2),
        "K23": Fraction(int((c**3).sum()), R**2 * C**3),
    }
    distinct = {
        "edge": plain["edge"],
        "row_cherry": Fraction(int((r * (r - 1)).sum()), R * C * (C - 1)),
        "column_cherry": Fraction(int((k * (k - 1)).sum()), R * (R - 1) * C),
        "path3": Fraction(int((r - 1) @ W @ (k - 1)), R * (R - 1) * C * (C - 1)),
        "C4": Fraction(int((off * (off - 1)).sum()), R * (R - 1) * C * (C - 1)),
        "K23": Fraction(int((off * (off - 1) * (off - 2)).sum()), R * (R - 1) * C * (C - 1) * (C - 2)),
    }
    assert homomorphism_densities(mask) == {motif: float(value) for motif, value in plain.items()}
    assert homomorphism_densities(torch.from_numpy(mask), unbiased=True) == {m: float(v) for m, v in distinct.items()}
    # In any order of the rows and columns, and however the array lies in memory.
    shuffled = np.asfortranarray(mask[::-1])
    assert homomorphism_densities(shuffled) == homomorphism_densities(mask)
    for motif in plain:
        assert homomorphism_density(mask, motif) == float(plain[motif])  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(graphon=step_graphons())
def test_all_densities_of_a_graphon_are_those_of_each_motif(graphon: StepGraphon) -> None:
    assert homomorphism_densities(graphon) == {motif: homomorphism_density(graphon, motif) for motif in get_args(Motif)}


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 9), terms=st.integers(1, 9), columns=st.integers(1, 9), seed=st.integers(0, 999))
def test_ordered_product_adds_first_term_first(rows: int, terms: int, columns: int, seed: int) -> None:
    a, b = matrix_of(seed, rows, terms), matrix_of(seed + 1, terms, columns)
    for i, j in np.ndindex(rows, columns):
        total = 0.0
        for k in range(terms):
            total += float(a[i, k]) * float(b[k, j])
        assert ordered_product(a, b)[i, j] == total


def test_unbiased_densities_average_to_the_graphons_over_masks_sampled_from_it() -> None:
    graphon = StepGraphon([[0.9, 0.2, 0.5], [0.1, 0.6, 0.8]], [0.3, 0.7], [0.2, 0.5, 0.3])
    rng = np.random.default_rng(0)
    draws: dict[Motif, list[float]] = {motif: [] for motif in get_args(Motif)}
    plain = []
    for seed in range(1500):
        rows, columns = rng.choice(2, 5, p=graphon.row_measure), rng.choice(3, 6, p=graphon.column_measure)
        mask = StepGraphon(graphon.values[np.ix_(rows, columns)]).sample(5, 6, seed)
        for motif, values in draws.items():
            values.append(homomorphism_density(mask, motif, unbiased=True))
        plain.append(homomorphism_density(mask, "C4"))
    for motif, values in draws.items():
        error = np.mean(values) - homomorphism_density(graphon, motif)
        assert abs(error) < 4 * np.std(values) / math.sqrt(len(values)), motif
    # The plain density is not: the test would see it.
    assert np.mean(plain) - homomorphism_density(graphon, "C4") > 10 * np.std(plain) / math.sqrt(len(plain))


@pytest.mark.parametrize(
    ("subject", "motif", "unbiased", "message"),
    [
        (np.eye(3), "K33", False, r"motif is 'K33', but must be one of \['edge', 'row_cherry', 'column_cherry', 'path"),
        (StepGraphon.constant(0.5), "C4", True, r"unbiased=True counts distinct vertices of a finite mask; a graphon"),
        (np.eye(2), "K23", True, r"mask has shape \(2, 2\), but unbiased 'K23' needs at least \(2, 3\) distinct vert"),
        (np.ones(3), "edge", False, r"graphon_or_mask has shape \(3,\), but a mask is a non-empty matrix"),
        (np.full((2, 2), 0.5), "edge", False, r"graphon_or_mask has entries other than 0 and 1; pass weights != 0"),
    ],
)
def test_homomorphism_density_says_what_is_wrong(subject: Any, motif: Any, unbiased: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        homomorphism_density(subject, motif, unbiased)


@pytest.mark.parametrize(
    "mask", [[[True, False]], [[1, 0]], np.array([[1.0, 0.0]]), torch.tensor([[1, 0]]), torch.tensor([[True, False]])]
)
def test_as_mask_takes_zeros_and_ones_of_any_type(mask: Any) -> None:
    array = as_mask(mask, "mask")
    assert array.dtype == np.float64
    assert array.tolist() == [[1.0, 0.0]]


def test_homomorphism_densities_say_what_is_wrong() -> None:
    with pytest.raises(
        ValueError, match=r"mask has shape \(2, 2\), but unbiased 'K23' needs at least \(2, 3\) distinct"
    ):
        homomorphism_densities(np.eye(2), unbiased=True)
    with pytest.raises(ValueError, match=r"unbiased=True counts distinct vertices of a finite mask; a graphon needs"):
        homomorphism_densities(StepGraphon.constant(0.5), unbiased=True)


def test_bool_masks_are_taken_without_a_copy() -> None:
    mask = torch.from_numpy(matrix_of(0, 5, 7) < 0.5)
    array = as_bool_mask(mask, "mask")
    assert array.dtype == np.bool_
    assert np.shares_memory(array, mask.numpy())
    turned = as_bool_mask(mask.T, "mask")
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, mask.numpy().T)
    np.testing.assert_array_equal(as_bool_mask(mask.double(), "mask"), array)


@given(mask=tiny_masks())
def test_degrees_count_along_rows_and_columns(mask: np.ndarray) -> None:
    rows, columns = degrees(mask)
    np.testing.assert_array_equal(rows, mask.sum(axis=1))
    np.testing.assert_array_equal(columns, mask.sum(axis=0))
    assert rows.dtype == columns.dtype == np.int64


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((2, 0)), r"weights has shape \(2, 0\), but a mask is a non-empty matrix \(outputs, inputs\)"),
        (np.ones((2, 2, 2)), r"weights has shape \(2, 2, 2\), but a mask is a non-empty matrix"),
        (torch.tensor([[0.3]]), r"weights has entries other than 0 and 1; pass weights != 0 if these are pruned"),
        (np.array([[math.nan]]), r"weights has entries other than 0 and 1"),
    ],
)
def test_as_mask_says_what_is_wrong(mask: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_mask(mask, "weights")


# Path density


@settings(max_examples=40, deadline=None)
@given(widths=st.lists(st.integers(1, 4), min_size=2, max_size=5), density=st.floats(0, 1), seed=st.integers(0, 99))
def test_path_density_of_masks_counts_paths(widths: list[int], density: float, seed: int) -> None:
    masks = [matrix_of(seed + i, b, a) < density for i, (a, b) in enumerate(itertools.pairwise(widths))]
    paths = itertools.product(*(range(n) for n in widths))
    hops = (zip(masks, itertools.pairwise(path), strict=True) for path in paths)
    kept = sum(all(mask[above, below] for mask, (below, above) in hop) for hop in hops)
    expected = pytest.approx(kept / math.prod(widths), rel=1e-12)
    assert path_density(masks) == expected
    assert path_density({str(i): torch.from_numpy(mask) for i, mask in enumerate(masks)}) == expected


@settings(max_examples=40, deadline=None)
@given(sides=st.lists(measures, min_size=3, max_size=5), seed=st.integers(0, 99))
def test_path_density_of_chains_sums_over_blocks(sides: list[np.ndarray], seed: int) -> None:
    graphons = [
        StepGraphon(matrix_of(seed + i, above.size, below.size), above, below)
        for i, (below, above) in enumerate(itertools.pairwise(sides))
    ]
    expected = 0.0
    for path in itertools.product(*(range(side.size) for side in sides)):
        chance = math.prod(side[block] for side, block in zip(sides, path, strict=True))
        hops = zip(graphons, itertools.pairwise(path), strict=True)
        expected += chance * math.prod(g.values[above, below] for g, (below, above) in hops)
    assert path_density(graphons) == pytest.approx(expected, rel=1e-12)
    assert path_density(Chain(graphons)) == path_density(graphons)


@given(layers=st.lists(st.sampled_from([None, 0.3]), min_size=2, max_size=6))
def test_path_density_of_constants_is_their_power(layers: list[float | None]) -> None:
    chain = [None if c is None else StepGraphon.constant(c) for c in layers]
    assert path_density(chain) == pytest.approx(0.3 ** layers.count(0.3), rel=1e-12)


def test_path_density_is_correctly_rounded() -> None:
    # Below 2^53 paths from a neuron to the outputs; and past that, where sums must round.
    for widths, error in (([30, 200, 100, 50], 0), ([40] * 14, 1e-15)):
        masks = [matrix_of(i, b, a) < 0.3 for i, (a, b) in enumerate(itertools.pairwise(widths))]
        reached = np.ones(widths[0], dtype=object)
        for mask in masks:
            reached = mask.astype(int).astype(object) @ reached
        exact = Fraction(int(reached.sum()), math.prod(widths))
        assert abs(Fraction(path_density(masks)) / exact - 1) <= max(error, 2**-53)


def test_path_density_stays_in_range_where_path_counts_do_not() -> None:
    masks = [np.ones((40, 40), dtype=bool)] * 300
    assert path_density(masks) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([], ValueError, r"masks is empty; pass at least one layer's mask"),
        ([np.eye(3), np.eye(2)], ValueError, r"masks\[1\] has 2 columns, but masks\[0\] has 3 rows; pass the masks of"),
        ([np.eye(3), np.ones(3)], ValueError, r"masks\[1\] has shape \(3,\), but a mask is a non-empty matrix"),
        ([np.full((2, 2), 0.5)], ValueError, r"masks\[0\] has entries other than 0 and 1"),
        ([StepGraphon.constant(0.5), np.eye(2)], TypeError, r"chain\[1\] is a ndarray, but each layer is a StepG"),
    ],
)
def test_path_density_says_what_is_wrong(layers: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        path_density(layers)


# Chains


def test_one_block_sides_fit_any_partition() -> None:
    inner = StepGraphon(matrix_of(0, 3, 2), [0.2, 0.3, 0.5], [0.6, 0.4])
    chain = Chain([StepGraphon.constant(0.5), inner, None, StepGraphon(matrix_of(1, 1, 4))])
    assert chain.depth == 3
    assert [g.values.shape for g in chain.graphons] == [(2, 1), (3, 2), (4, 3), (1, 4)]
    for below, above in itertools.pairwise(chain.graphons):
        np.testing.assert_array_equal(below.row_measure, above.column_measure)
    assert (chain.graphons[0].values == 0.5).all()
    assert (chain.graphons[2].values == 1).all()
    np.testing.assert_allclose(chain.density(), [0.5, inner.density(), 1, chain.graphons[3].density()])
    assert chain.density()[3] == pytest.approx(matrix_of(1, 1, 4).mean())


def test_chain_of_a_chain_is_itself() -> None:
    chain = Chain([None, None])
    assert Chain.of(chain) is chain
    assert Chain.of([None, StepGraphon.constant(0.4)]).density() == [1.0, 0.4]


def test_inputs_are_split_in_order_or_as_labelled() -> None:
    first = StepGraphon([[0.1, 0.9]], None, [0.25, 0.75])
    np.testing.assert_array_equal(Chain([first, None]).input_labels(8), [0, 0, 1, 1, 1, 1, 1, 1])
    labels = [1, 0, 1, 1]
    labelled = Chain([first, None], labels)
    np.testing.assert_array_equal(labelled.input_labels(4), labels)
    masks = [labelled.sample((4, 1, 1), seed)[0].double().numpy() for seed in range(1500)]
    assert (np.abs(np.mean(masks, axis=0) - first.values[:, labels]) < 4 * np.sqrt(0.09 / 1500)).all()


def test_labels_may_split_inputs_that_the_first_graphon_does_not() -> None:
    chain = Chain([StepGraphon.constant(0.5), None], [0, 2, 2, 1])
    assert chain.graphons[0].values.tolist() == [[0.5] * 3]
    np.testing.assert_array_equal(chain.graphons[0].column_measure, [0.25, 0.25, 0.5])


def test_sample_keeps_entries_with_their_chance() -> None:
    sides = [np.array(side) for side in ([0.5, 0.5], [0.4, 0.6], [0.2, 0.2, 0.6], [1.0])]
    pairs = list(itertools.pairwise(sides))
    chain = Chain([StepGraphon(matrix_of(i, b.size, a.size), b, a) for i, (a, b) in enumerate(pairs)])
    labels = [[0, 0, 1, 1], [0, 0, 1, 1, 1], [0, 1, 2, 2, 2], [0, 0]]
    draws = [chain.sample((4, 5, 5, 2), seed) for seed in range(2000)]
    for layer, graphon in enumerate(chain.graphons):
        chances = graphon.values[np.ix_(labels[layer + 1], labels[layer])]
        kept = np.mean([draw[layer].numpy() for draw in draws], axis=0)
        assert (np.abs(kept - chances) < 4 * np.sqrt(chances * (1 - chances) / 2000)).all()


def test_sampled_masks_share_one_order_of_the_hidden_neurons() -> None:
    hidden = [0.25, 0.5, 0.25]
    chain = Chain([StepGraphon([[1], [0], [1]], hidden), StepGraphon([[1, 0, 1]], None, hidden)])
    first, second = chain.sample((7, 8, 3), seed=1)
    assert first.dtype == torch.bool
    assert first.any(dim=1).tolist() == second.any(dim=0).tolist() == [True] * 2 + [False] * 4 + [True] * 2
    assert path_density([first, second]) == path_density(chain) == 0.5


def test_sample_repeats_itself_and_leaves_the_global_generator() -> None:
    chain = Chain([StepGraphon.constant(0.5)] * 2)
    before = torch.get_rng_state()
    first, again, other = (chain.sample((20, 20, 20), seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert not torch.equal(first[0], first[1])


HALVES = StepGraphon(np.full((2, 2), 0.5))
UNEQUAL = StepGraphon(np.full((2, 2), 0.5), [0.4, 0.6], [0.4, 0.6])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Chain([None]), ValueError, r"chain has 1 graphon\(s\), but a network with a hidden layer has at"),
        (lambda: Chain([None, np.eye(2)]), TypeError, r"chain\[1\] is a ndarray, but each layer is a StepGraphon, or"),
        (
            lambda: Chain([StepGraphon(np.ones((3, 1))), HALVES]),
            ValueError,
            r"chain\[0\] has 3 row blocks and chain\[1\] has 2 column blocks, but both label the same hidden layer",
        ),
        (
            lambda: Chain([None, HALVES, UNEQUAL]),
            ValueError,
            r"chain\[1\] has 2 row blocks and chain\[2\] has 2 column blocks.*number and measures must agree",
        ),
        (lambda: Chain([HALVES, None], [[0, 1]]), ValueError, r"input_blocks has shape \(1, 2\) and type int64, but"),
        (lambda: Chain([HALVES, None], [0.0, 1.0]), ValueError, r"input_blocks has shape \(2,\) and type float64, but"),
        (lambda: Chain([HALVES, None], [-1, 0]), ValueError, r"must be one non-negative whole number for each input"),
        (
            lambda: Chain([HALVES, None], np.zeros(0, dtype=int)),
            ValueError,
            r"input_blocks has shape \(0,\) and type int64, but must be one non-negative whole number",
        ),
        (
            lambda: Chain([HALVES, None], [0, 0, 1]),
            ValueError,
            r"input_blocks puts the input coordinates into 2 blocks with largest share 0\.6667, but the first graphon "
            r"has 2 column blocks with largest measure 0\.5; give it column_measure = np\.bincount",
        ),
        (lambda: Chain([HALVES, None], [0, 1, 2]), ValueError, r"into 3 blocks .* the first graphon has 2 column bl"),
        (
            lambda: Chain([HALVES, None], [0, 1]).input_labels(3),
            ValueError,
            r"inputs have 3 coordinates, but the chain's input_blocks label 2; pass inputs of the network",
        ),
        (
            lambda: Chain([HALVES, None]).sample((4, 4)),
            ValueError,
            r"widths is \[4, 4\], but this chain has 2 layers: pass 3 whole numbers of at least 1, "
            "from inputs to outputs",
        ),
        (lambda: Chain([HALVES, None]).sample((4, 0, 4)), ValueError, r"widths is \[4, 0, 4\], but this chain has"),
    ],
)
def test_chains_say_what_is_wrong(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
