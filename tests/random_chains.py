"""Chains and inputs for tests of kernels: small, and full of the cases in which digits are lost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graphon_lib.graphons import Chain, StepGraphon

Array = NDArray[np.float64]


def random_measure(rng: np.random.Generator, blocks: int) -> Array:
    shares = rng.integers(1, 10, size=blocks)
    return shares / shares.sum()


def random_case(rng: np.random.Generator, depth: int, coordinates: int, rows: int) -> tuple[Chain, Array]:
    """A chain and inputs for it.

    The chain has blocks and measures of its own in every layer, exact zeros and ones, dead rows, unpruned layers and,
    every other time, input coordinates in blocks of no order. Every other time inputs are Gaussian; else they are full
    of zero, equal, parallel and opposite ones, and blocks see inputs as parallel that are not, with two norms.
    """
    generic = rng.random() < 0.5
    measures = [random_measure(rng, blocks) for blocks in rng.integers(1, 4, size=depth + 2)]
    labels = rng.integers(measures[0].size, size=coordinates) if rng.random() < 0.5 else None
    if labels is not None:
        measures[0] = np.bincount(labels, minlength=measures[0].size) / coordinates
    graphons: list[StepGraphon | None] = []
    for place, (below, above) in enumerate(itertools.pairwise(measures)):
        low = 0.2 if generic and place == 0 else -0.3
        values = np.clip(rng.uniform(low, 1.3, size=(above.size, below.size)), 0, 1)
        values[rng.random(above.size) < 0.15] = 0
        dense = rng.random() < 0.15 and (place > 0 or labels is None)
        graphons.append(None if dense else StepGraphon(values, above, below))
    if generic:
        return Chain(graphons, labels), rng.normal(size=(rows, coordinates))
    x = rng.integers(-2, 3, size=(rows, coordinates)).astype(float)
    return Chain(graphons, labels), x


def assert_close(found: Array, expected: Array, scale: Array, tolerance: float = 1e-12) -> None:
    """Entries compared against the size that Cauchy and Schwarz allow them."""
    assert (np.abs(found - expected) <= tolerance * scale + 1e-15 * scale.max()).all()


def scale_of(diagonal: Array, other: Array | None = None) -> Array:
    return np.sqrt(np.outer(diagonal, diagonal if other is None else other)) + 1e-300


def path_integral(graphons: Sequence[StepGraphon]) -> float:
    reached = np.ones(graphons[0].values.shape[1])
    for graphon in graphons:
        reached = graphon.values @ (graphon.column_measure * reached)
    return float(graphons[-1].row_measure @ reached)
