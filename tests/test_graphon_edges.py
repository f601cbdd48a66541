"""Graphons and masks at the edges: of words of bits, of tolerances, of memory, and of sizes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from graphon_lib import arguments, degree_preserving_shuffle, uniform_shuffle
from graphon_lib.graphons import Chain, StepGraphon, homomorphism_density, path_density, two_layer_densities
from graphon_lib.graphons.masks import codegrees, packed, unpacked
from graphon_lib.graphons.step import MEASURE_TOLERANCE, block_labels

HALF = StepGraphon.constant(0.5)


@pytest.mark.parametrize("columns", [1, 7, 8, 9, 63, 64, 65, 1023, 1024, 1025, 1030, 1040, 2049])
def test_rows_are_packed_into_whole_groups_of_sixteen_words(columns: int) -> None:
    mask = np.random.default_rng(columns).random((3, columns)) < 0.5
    words = packed(mask)
    assert words.dtype == np.int64
    assert words.shape == (3, 16 * -(-columns // 1024))
    # The first column is the highest bit of the first byte.
    assert words.view(np.uint8)[:, 0].tolist() == np.packbits(mask[:, :8], axis=1)[:, 0].tolist()
    assert sum(int(word).bit_count() for word in words.view(np.uint64).ravel()) == mask.sum()
    np.testing.assert_array_equal(unpacked(words, columns), mask)


def test_codegrees_count_pairs_of_rows_in_every_tile() -> None:
    mask = np.random.default_rng(0).random((150, 9)) < 0.5
    common = (mask.astype(int) @ mask.T)[np.triu_indices(150, 1)]
    assert codegrees(mask) == np.bincount(common, minlength=10).tolist()


@pytest.mark.parametrize(
    ("call", "subject", "needed"),
    [
        # 16 nodes a block; a position, a chance and a draw for each entry.
        (lambda: StepGraphon.from_function(lambda u, v: 0.5, (3, 4)), r"blocks is \(3, 4\)", 3 * 4 * 16 * 8),
        (lambda: HALF.sample(50, 7), r"\(rows, columns\) is \(50, 7\)", 50 * 7 * 24),
        (lambda: Chain([None, None]).input_labels(70), "inputs is 70", 70 * 24),
        (lambda: Chain([None, None]).sample((5, 40, 30)), r"widths is \[5, 40, 30\]", 40 * 30 * 24),
    ],
)
def test_what_takes_more_than_half_of_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any], subject: str, needed: int
) -> None:
    monkeypatch.setattr(arguments, "memory", lambda: 2 * needed)
    call()
    monkeypatch.setattr(arguments, "memory", lambda: 2 * needed - 1)
    with pytest.raises(ValueError, match=f"{subject}, which takes .* GB of memory, but this machine has "):
        call()


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_measures_agree_up_to_rounding(factor: float) -> None:
    moved = np.array([0.5, 0.5]) + factor * MEASURE_TOLERANCE * np.array([1, -1])
    even, other = StepGraphon(np.full((2, 2), 0.5)), StepGraphon(np.full((2, 2), 0.25), moved, moved)
    calls: list[Callable[[], Any]] = [
        lambda: even.l2_distance(other),
        lambda: other.l2_distance(even),
        lambda: Chain([even, other]),
        lambda: Chain([even, None], [0, 1]) and Chain([other, None], [0, 1]),
        lambda: StepGraphon([[0.5], [0.5]], [0.5, 0.5 + factor * MEASURE_TOLERANCE]),
        lambda: StepGraphon([[0.5], [0.5]], [0.5, 0.5 - factor * MEASURE_TOLERANCE]),
    ]
    for call in calls:
        if factor < 1:
            call()
        else:
            with pytest.raises(ValueError, match=r"measure"):
                call()


def test_values_above_one_by_more_than_rounding_are_refused() -> None:
    assert StepGraphon([[1 + 0.9e-12]]).values == 1
    with pytest.raises(ValueError, match=r"values contains 1\.0000000000\d+, but a graphon is a probability"):
        StepGraphon([[0.5, 1 + 2e-12]])


def test_the_smallest_of_everything() -> None:
    chain = Chain([HALF, HALF], [0])
    assert chain.input_labels(1).tolist() == [0]
    assert [mask.shape for mask in chain.sample((1, 1, 1))] == [(1, 1), (1, 1)]
    assert path_density([np.ones((1, 1))]) == homomorphism_density([[1]], "K23") == 1
    assert set(two_layer_densities([[1]], [[1]]).values()) == {1.0}
    assert StepGraphon.from_function(lambda u, v: u, 1).values == pytest.approx(0.5)
    assert block_labels(np.ones(1), 1).tolist() == [0]
    one = degree_preserving_shuffle([[1, 0]], supersteps=0)
    assert one.dtype == torch.bool
    assert one.tolist() == [[True, False]]


@pytest.mark.parametrize("shape", [(2, 6), (6, 2), (2, 2), (3, 3)])
def test_full_and_empty_rows_keep_their_degrees_and_those_of_the_columns(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    mask = rng.random(shape) < 0.5
    mask[0, :], mask[-1, :] = [True] * shape[1], False
    mask[:, 0] = [index % 2 == 0 for index in range(shape[0])]
    found = [degree_preserving_shuffle(mask, seed=seed, supersteps=10).numpy() for seed in range(30)]
    for shuffled in found:
        np.testing.assert_array_equal(shuffled.sum(axis=0), mask.sum(axis=0))
        np.testing.assert_array_equal(shuffled.sum(axis=1), mask.sum(axis=1))


def test_the_number_of_supersteps_has_a_limit_that_is_allowed() -> None:
    mask = np.eye(3, dtype=bool)
    assert degree_preserving_shuffle(mask, supersteps=10_000).sum() == 3
    with pytest.raises(ValueError, match="supersteps is 10001, but must be at most 10000"):
        degree_preserving_shuffle(mask, supersteps=10_001)


def test_a_chain_takes_measures_from_the_side_that_has_them() -> None:
    inner = StepGraphon(np.full((2, 3), 0.5), [0.25, 0.75], [0.2, 0.3, 0.5])
    chain = Chain([None, inner, None])
    np.testing.assert_array_equal(chain.graphons[0].row_measure, [0.2, 0.3, 0.5])
    np.testing.assert_array_equal(chain.graphons[2].column_measure, [0.25, 0.75])
    assert chain.graphons[0].column_measure.tolist() == chain.graphons[2].row_measure.tolist() == [1.0]
    first = StepGraphon(np.full((1, 2), 0.5), None, [0.25, 0.75])
    np.testing.assert_array_equal(Chain([first, None]).graphons[0].column_measure, [0.25, 0.75])
    np.testing.assert_array_equal(Chain([None, inner]).graphons[1].row_measure, [0.25, 0.75])


def test_a_position_on_a_boundary_is_in_the_block_above() -> None:
    halves = np.array([0.5, 0.5])
    assert block_labels(halves, 1).tolist() == [1]
    assert block_labels(halves, 3).tolist() == [0, 1, 1]


def test_rows_of_one_entry_trade_as_well() -> None:
    """The masks of degrees one are the permutations: all six come up, about as often."""
    drawn = [tuple(degree_preserving_shuffle(np.eye(3), seed=seed).int().argmax(1).tolist()) for seed in range(600)]
    counts = [drawn.count(order) for order in itertools.permutations(range(3))]
    assert sum(counts) == 600
    assert (np.abs(np.array(counts) - 100) < 4 * np.sqrt(600 * 1 / 6 * 5 / 6)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: uniform_shuffle([1]), r"mask has shape \(1,\)"),
        (lambda: degree_preserving_shuffle([1]), r"mask has shape \(1,\)"),
        (lambda: uniform_shuffle([[1]], seed=-1), "seed is -1"),
        (lambda: degree_preserving_shuffle([[1]], seed=True), "seed is True"),
        (lambda: degree_preserving_shuffle([[1]], supersteps=-1), "supersteps is -1"),
        (lambda: two_layer_densities([1], [[1]]), r"lower has shape \(1,\)"),
        (lambda: two_layer_densities([[1]], [1]), r"upper has shape \(1,\)"),
        (lambda: StepGraphon([["a"]]), "values has dtype <U1"),
        (lambda: StepGraphon([[1]], ["a"]), "row_measure has dtype <U1"),
        (lambda: StepGraphon([[1]], None, ["a"]), "column_measure has dtype <U1"),
        (lambda: StepGraphon.constant("a"), "c is 'a', but must be a number in"),
        (
            lambda: StepGraphon.from_function(lambda u, v: "a", 1),
            r"of which no graphon can be made: f\(u, v\) has dtype",
        ),
        (lambda: Chain([None, None], ["a"]), "input_blocks has dtype <U1"),
        (lambda: Chain([None, None]).sample(["a"]), "widths has dtype <U1"),
        (lambda: Chain([None, None]).input_labels(0), "inputs is 0"),
        (lambda: HALF.sample(0, 1), "rows is 0"),
        (lambda: HALF.sample(1, 0), "columns is 0"),
        (lambda: path_density([[["a"]]]), r"masks\[0\] has dtype <U1"),
        (lambda: homomorphism_density([["a"]], "edge"), "graphon_or_mask has dtype <U1"),
    ],
)
def test_what_is_wrong_has_its_name(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        call()
