"""Densities of patterns through two layers, against counting every one of them on tiny masks."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphon_lib.graphons import StepGraphon, homomorphism_density, path_density, two_layer_densities
from graphon_lib.graphons import two_layers as module

NAMES = ("two_layer_paths", "two_layer_C4")


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    inputs, middle, outputs = (draw(st.integers(1, 4)) for _ in range(3))
    generator, density = np.random.default_rng(draw(st.integers(0, 999))), draw(st.floats(0, 1))
    return generator.random((middle, inputs)) < density, generator.random((outputs, middle)) < density


def counted(lower: np.ndarray, upper: np.ndarray) -> dict[str, Fraction]:
    """Both densities by looking at every choice of vertices."""
    inputs, middle, outputs = range(lower.shape[1]), range(len(lower)), range(len(upper))
    paths = [upper[i, v] and lower[v, j] for i in outputs for v in middle for j in inputs]
    cycles = [
        upper[i, v] and lower[v, j] and upper[i, w] and lower[w, j]
        for i in outputs for v in middle for w in middle for j in inputs
    ]  # fmt: skip
    return {
        name: Fraction(sum(map(int, found)), len(found)) for name, found in zip(NAMES, (paths, cycles), strict=True)
    }


@settings(max_examples=150)
@given(neighbours())
def test_every_choice_of_vertices_counts_once(masks: tuple[np.ndarray, np.ndarray]) -> None:
    lower, upper = masks
    found = two_layer_densities(lower, upper)
    expected = counted(lower, upper)
    assert {name: found[name] for name in NAMES} == {name: float(value) for name, value in expected.items()}


@settings(max_examples=60)
@given(neighbours())
def test_shuffled_is_the_mean_over_all_orders_of_the_shared_neurons(masks: tuple[np.ndarray, np.ndarray]) -> None:
    lower, upper = masks
    orders = [counted(lower, upper[:, list(order)]) for order in itertools.permutations(range(len(lower)))]
    found = two_layer_densities(lower, upper)
    for name in NAMES:
        assert found[f"{name}_shuffled"] == float(sum(of_order[name] for of_order in orders) / len(orders))


@settings(max_examples=50)
@given(neighbours(), st.integers(0, 999))
def test_neurons_have_no_order_of_their_own(masks: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    lower, upper = masks
    generator = np.random.default_rng(seed)
    below, between, above = (generator.permutation(n) for n in (lower.shape[1], len(lower), len(upper)))
    moved = lower[between][:, below], upper[above][:, between]
    assert two_layer_densities(*moved) == two_layer_densities(lower, upper)
    # Nor has the direction: from outputs to inputs there are the same paths.
    assert two_layer_densities(upper.T, lower.T) == two_layer_densities(lower, upper)


def test_masks_wider_than_a_panel_are_counted_exactly() -> None:
    generator = np.random.default_rng(0)
    lower, upper = generator.random((300, 70)) < 0.4, generator.random((2 * module._PANEL + 1, 300)) < 0.7
    paths = upper.astype(int) @ lower.astype(int)
    found = two_layer_densities(torch.from_numpy(lower), torch.from_numpy(upper))
    assert found["two_layer_paths"] == path_density([torch.from_numpy(lower), torch.from_numpy(upper)])
    assert found["two_layer_C4"] == float(Fraction(int((paths**2).sum()), 70 * 300**2 * len(upper)))


def test_what_keeps_all_or_nothing() -> None:
    full, empty = np.ones((5, 3), bool), np.zeros((2, 5), bool)
    assert set(two_layer_densities(full, np.ones((2, 5), bool)).values()) == {1.0}
    assert set(two_layer_densities(full, empty).values()) == {0.0}


def test_limits_are_those_of_the_graphons() -> None:
    # Half of the shared neurons are favoured by both masks, then by one each; either mask by itself stays what it is.
    W, U, n = StepGraphon([[0.9, 0.5], [0.3, 0.1]]), StepGraphon([[0.8, 0.2], [0.4, 0.2]]), 1500
    lower, upper = W.sample(n, n, seed=1), U.sample(n, n, seed=2)
    joint, crossed = two_layer_densities(lower, upper), two_layer_densities(lower, upper.flip(1))
    cherries = homomorphism_density(W, "column_cherry") * homomorphism_density(U, "row_cherry")
    for found, above in ((joint, U.values), (crossed, U.values[:, ::-1])):
        # Sampling and coincident vertices move each by a few thousandths; joint and crossed are a third apart.
        product = above @ W.values / 2  # the chance that a random path is kept, by its ends
        assert found["two_layer_paths"] == pytest.approx(product.mean(), rel=0.02)
        assert found["two_layer_C4"] == pytest.approx((product**2).mean(), rel=0.02)
        assert found["two_layer_paths_shuffled"] == pytest.approx(W.density() * U.density(), rel=0.02)
        assert found["two_layer_C4_shuffled"] == pytest.approx(cherries, rel=0.02)


@pytest.mark.parametrize(
    ("lower", "upper", "sentence"),
    [
        (np.ones((3, 2)), np.ones((2, 4)), "upper has 4 columns, but lower has 3 rows; pass the masks of neighbouring"),
        (np.ones(3), np.ones((2, 3)), "lower has shape (3,), but a mask is a non-empty matrix (outputs, inputs)"),
        (np.ones((3, 2)), np.full((2, 3), 0.5), "upper has entries other than 0 and 1; pass weights != 0 if these"),
    ],
)
def test_what_does_not_fit_is_told(lower: Any, upper: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        two_layer_densities(lower, upper)
