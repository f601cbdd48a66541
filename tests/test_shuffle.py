"""Null models: what they keep, and that all masks which keep it come up alike."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from graphon_lib.graphons import degree_preserving_shuffle, homomorphism_densities, uniform_shuffle
from graphon_lib.graphons.shuffle import _STEP, _uniform

SHUFFLES = [uniform_shuffle, degree_preserving_shuffle]
Shuffle = Callable[..., torch.Tensor]


def random_mask(rows: int, columns: int, density: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, columns)) < density


@settings(max_examples=80)
@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    density=st.floats(0, 1),
    seed=st.integers(0, 2**63),
    supersteps=st.integers(0, 4),
)
def test_degrees_are_kept(shape: tuple[int, int], density: float, seed: int, supersteps: int) -> None:
    mask = random_mask(*shape, density, seed)
    before = mask.copy()
    shuffled = degree_preserving_shuffle(mask, seed=seed, supersteps=supersteps)
    assert shuffled.dtype == torch.bool
    assert shuffled.is_contiguous()
    assert shuffled.shape == shape
    for axis in (0, 1):
        np.testing.assert_array_equal(shuffled.numpy().sum(axis=axis), mask.sum(axis=axis))
    np.testing.assert_array_equal(mask, before)
    if supersteps == 0:
        np.testing.assert_array_equal(shuffled.numpy(), mask)


@settings(max_examples=80)
@given(shape=st.tuples(st.integers(1, 90), st.integers(1, 90)), density=st.floats(0, 1), seed=st.integers(0, 2**63))
def test_the_number_of_kept_entries_is_kept(shape: tuple[int, int], density: float, seed: int) -> None:
    mask = random_mask(*shape, density, seed)
    shuffled = uniform_shuffle(torch.from_numpy(mask), seed=seed)
    assert shuffled.dtype == torch.bool
    assert shuffled.shape == shape
    assert int(shuffled.sum()) == mask.sum()


@pytest.mark.parametrize("kept", [1, 3, 4])
def test_all_masks_with_as_many_entries_come_up_alike(kept: int) -> None:
    mask = np.arange(6).reshape(2, 3) < kept
    draws = 4000
    found: dict[bytes, int] = {}
    for seed in range(draws):
        key = uniform_shuffle(mask, seed=seed).numpy().tobytes()
        found[key] = found.get(key, 0) + 1
    assert len(found) == math.comb(6, kept)
    assert chisquare(list(found.values())).pvalue > 0.01


# Even degrees; uneven ones; tall, with an odd number of columns that trade; full and empty rows beside others.
CLASSES = {
    "even": ([2, 2, 2, 2], [2, 2, 2, 2]),
    "uneven": ([3, 2, 1], [2, 2, 1, 1]),
    "tall": ([1, 1, 2, 1, 1], [3, 2, 1]),
    "full and empty": ([4, 0, 2, 1, 2], [3, 2, 2, 2]),
    "one": ([3, 2, 1], [3, 2, 1]),
}


def of_degrees(rows: list[int], columns: list[int]) -> list[np.ndarray]:
    """All masks with these row and column degrees."""
    lines = [
        [np.isin(np.arange(len(columns)), kept) for kept in itertools.combinations(range(len(columns)), degree)]
        for degree in rows
    ]
    masks = (np.array(choice) for choice in itertools.product(*lines))
    return [mask for mask in masks if (mask.sum(axis=0) == columns).all()]


@pytest.mark.parametrize("name", CLASSES)
def test_all_masks_of_the_same_degrees_come_up_alike(name: str) -> None:
    masks = of_degrees(*CLASSES[name])
    draws = 60 * len(masks)
    found = {mask.tobytes(): 0 for mask in masks}
    for seed in range(draws):
        found[degree_preserving_shuffle(masks[0], seed=seed).numpy().tobytes()] += 1
    if len(masks) > 1:
        assert chisquare(list(found.values())).pvalue > 0.01
        # A few trades are not enough: the test would see it.
        few = [degree_preserving_shuffle(masks[0], seed=seed, supersteps=1) for seed in range(draws)]
        same = sum((shuffled.numpy() == masks[0]).all() for shuffled in few)
        assert same > 2 * draws / len(masks)


def test_all_is_forgotten_but_the_degrees() -> None:
    chances = np.full((300, 300), 0.0)
    chances[:150, :150] = chances[150:, 150:] = 0.4
    mask = torch.from_numpy(np.random.default_rng(0).random((300, 300)) < chances)
    settled = [degree_preserving_shuffle(mask, seed=seed, supersteps=80) for seed in range(30)]
    C4 = [homomorphism_densities(shuffled)["C4"] for shuffled in settled]

    def overlap(shuffled: torch.Tensor) -> float:
        return float((shuffled & mask).sum() / mask.sum())

    independent = float(np.mean([overlap(shuffled) for shuffled in settled]))
    assert independent == pytest.approx(0.2, abs=0.01)
    # Each superstep mixes every row with another: half of what is left goes.
    for supersteps in range(1, 6):
        left = overlap(degree_preserving_shuffle(mask, seed=1, supersteps=supersteps)) - independent
        assert left == pytest.approx(0.8 * 0.5**supersteps, rel=0.25)
    draws = [degree_preserving_shuffle(mask, seed=seed) for seed in range(100, 130)]
    for values, expected in (
        ([overlap(shuffled) for shuffled in draws], independent),
        ([homomorphism_densities(shuffled)["C4"] for shuffled in draws], float(np.mean(C4))),
    ):
        assert abs(np.mean(values) - expected) < 3 * np.std(values) * math.sqrt(2 / 30)
    assert homomorphism_densities(mask)["C4"] > 1.5 * np.mean(C4)


def test_no_two_vertices_are_preferred() -> None:
    # With all degrees one, a random permutation: every entry has the same chance.
    counts = sum(degree_preserving_shuffle(np.eye(8), seed=seed).int().numpy() for seed in range(4000))
    assert chisquare(counts.ravel()).pvalue > 0.01
    counts = sum(uniform_shuffle(np.eye(8), seed=seed).int().numpy() for seed in range(4000))
    assert chisquare(counts.ravel()).pvalue > 0.01


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_shuffles_repeat_themselves_and_leave_global_state(shuffle: Shuffle) -> None:
    mask = random_mask(60, 90, 0.3, 0)
    before, of_numpy = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index] # noqa: NPY002
    first, again, other = (shuffle(mask, seed=seed) for seed in (2**60, 2**60, 1))
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(of_numpy, np.random.get_state()[1])  # type: ignore[index] # noqa: NPY002
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(first, shuffle(torch.from_numpy(mask), seed=2**60))
    # With no seed of one's own.
    assert torch.equal(shuffle(mask), shuffle(mask, seed=0))


def test_the_generator_is_splitmix64() -> None:
    # The published test values for seed 1234567.
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    with np.errstate(over="ignore"):
        states = [np.uint64(1234567) + np.uint64(n) * _STEP for n in range(1, 5)]
    assert [_uniform(state) for state in states] == [(number >> 11) * 2.0**-53 for number in expected]


@pytest.mark.parametrize("shuffle", SHUFFLES)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mask": np.ones(3)}, ValueError, r"mask has shape \(3,\), but a mask is a non-empty matrix"),
        ({"mask": np.full((2, 2), 0.5)}, ValueError, r"mask has entries other than 0 and 1; pass weights != 0"),
        ({"seed": -1}, ValueError, r"seed is -1, but must be a whole number of at least 0"),
        ({"seed": 1.0}, TypeError, r"seed is 1\.0, but must be a whole number of at least 0; pass an int"),
        ({"seed": True}, TypeError, r"seed is True, but must be a whole number of at least 0; pass an int"),
    ],
)
def test_shuffles_say_what_is_wrong(
    shuffle: Shuffle, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        shuffle(**{"mask": np.eye(3)} | arguments)


@pytest.mark.parametrize(
    ("supersteps", "error", "message"),
    [
        (-1, ValueError, r"supersteps is -1, but must be a whole number of at least 0"),
        (2.5, TypeError, r"supersteps is 2\.5, but must be a whole number of at least 0; pass an int"),
    ],
)
def test_supersteps_are_checked(supersteps: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        degree_preserving_shuffle(np.eye(3), supersteps=supersteps)
