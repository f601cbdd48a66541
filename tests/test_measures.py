"""What a trial keeps of a mask, against the definitions and the library's own functions."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphon_lib.estimation import estimate_graphon
from graphon_lib.graphons import (
    StepGraphon,
    degree_preserving_shuffle,
    homomorphism_densities,
    homomorphism_density,
    uniform_shuffle,
)
from graphon_lib.sweeps.measures import PERCENTILES, _patterns, measure_mask

NULLS = ("erdos_renyi", "equal_degrees")
BEYOND_EDGES = ("row_cherry", "column_cherry", "path3", "C4", "K23")
BEYOND_DEGREES = ("path3", "C4", "K23")


def random_mask(rows: int, columns: int, density: float, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((rows, columns)) < density)


@pytest.fixture(scope="module")
def mask() -> torch.Tensor:
    """With structure: uneven degrees, and dead rows and columns."""
    chances = np.outer(np.linspace(0, 1, 70), np.linspace(0.1, 0.9, 90))
    chances[60:], chances[:, 85:] = 0, 0
    return torch.from_numpy(np.random.default_rng(0).random((70, 90)) < chances)


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    density=st.floats(0, 1),
    seed=st.integers(0, 2**56),
    blocks=st.integers(1, 12),
)
def test_any_mask_has_finite_numbers(shape: tuple[int, int], density: float, seed: int, blocks: int) -> None:
    mask = random_mask(*shape, density, seed)
    scalars, histograms = measure_mask(mask, seed=seed, blocks=blocks)
    assert all(isinstance(value, float) and math.isfinite(value) for value in scalars.values())
    assert list(histograms) == ["mask", *NULLS]
    for values in histograms.values():
        assert values.shape == (blocks, blocks)
        assert values.mean() == pytest.approx(scalars["density"], rel=1e-12, abs=1e-15)
    assert scalars["density"] == int(mask.sum()) / mask.numel()
    for name, axis in (("row", 1), ("column", 0)):
        degrees = sorted(mask.sum(dim=axis).tolist())
        assert scalars[f"dead_{name}s"] == degrees.count(0) / len(degrees)
        for percent in PERCENTILES:
            # The definition of a quantile: the least degree whose distribution function reaches the share.
            share = Fraction(percent, 100)
            least = next(d for d in degrees if Fraction(sum(e <= d for e in degrees), len(degrees)) >= share)
            assert scalars[f"{name}_degree_q{percent:02}"] == least / mask.shape[axis]


def test_numbers_are_those_of_the_functions_of_these_names(mask: torch.Tensor) -> None:
    scalars, histograms = measure_mask(mask, seed=5, blocks=16)
    shown = {
        "mask": mask,
        "erdos_renyi": uniform_shuffle(mask, seed=5),
        "equal_degrees": degree_preserving_shuffle(mask, seed=5),
    }
    for kind, entries in shown.items():
        prefix = "" if kind == "mask" else f"{kind}_"
        graphon = estimate_graphon(entries, blocks=16)
        np.testing.assert_array_equal(histograms[kind], graphon.values)
        for motif in BEYOND_DEGREES if kind == "equal_degrees" else BEYOND_EDGES:
            assert scalars[f"{prefix}{motif}"] == homomorphism_density(entries, motif)  # type: ignore[arg-type]
            assert scalars[f"{prefix}histogram_{motif}"] == homomorphism_density(graphon, motif)  # type: ignore[arg-type]
        for number, pattern in enumerate(_patterns(16), 1):
            assert scalars[f"{prefix}sketch_{number}"] == pytest.approx((pattern * graphon.values).mean(), abs=1e-15)
    for number, pattern in enumerate(_patterns(16), 1):
        squares = histograms["mask"] ** 2
        assert scalars[f"square_sketch_{number}"] == pytest.approx((pattern * squares).mean(), abs=1e-15)


def test_names(mask: torch.Tensor) -> None:
    always = {"density", "dead_rows", "dead_columns"}
    always |= {f"{side}_degree_q{p:02}" for side, p in itertools.product(("row", "column"), PERCENTILES)}
    always |= {"sketch_1", "sketch_2", "square_sketch_1", "square_sketch_2"}
    motifs = {f"{name}{motif}" for name in ("", "histogram_") for motif in BEYOND_EDGES}
    nulls = {f"{null}_sketch_{number}" for null in NULLS for number in (1, 2)}
    both = {f"erdos_renyi_{motif}" for motif in motifs}
    both |= {f"equal_degrees_{name}{motif}" for name in ("", "histogram_") for motif in BEYOND_DEGREES}
    assert set(measure_mask(mask, seed=0)[0]) == always | motifs | nulls | both
    assert set(measure_mask(mask, seed=0, motifs=False)[0]) == always | nulls
    assert set(measure_mask(mask, seed=0, nulls=False)[0]) == always | motifs
    scalars, histograms = measure_mask(mask, seed=0, motifs=False, nulls=False)
    assert set(scalars) == always
    assert set(histograms) == {"mask"}


def test_what_is_left_out_is_the_same_by_definition(mask: torch.Tensor) -> None:
    _, histograms = measure_mask(mask, seed=3, blocks=9)
    of_mask = homomorphism_densities(StepGraphon(histograms["mask"]))
    equal_degrees = homomorphism_densities(StepGraphon(histograms["equal_degrees"]))
    for motif in ("edge", "row_cherry", "column_cherry"):
        assert equal_degrees[motif] == pytest.approx(of_mask[motif], rel=1e-13)  # type: ignore[index]
    assert equal_degrees["C4"] != pytest.approx(of_mask["C4"], rel=1e-3)


def test_means_of_sketches_are_sketches_of_means() -> None:
    measured = [measure_mask(random_mask(50, 60, 0.3, trial), seed=trial, blocks=8) for trial in range(5)]
    for kind, prefix in (("mask", ""), ("erdos_renyi", "erdos_renyi_")):
        mean = np.mean([histograms[kind] for _, histograms in measured], axis=0)
        for number, pattern in enumerate(_patterns(8), 1):
            of_trials = np.mean([scalars[f"{prefix}sketch_{number}"] for scalars, _ in measured])
            assert of_trials == pytest.approx((pattern * mean).mean(), abs=1e-15)


def test_patterns_of_signs_are_fixed_and_fair() -> None:
    patterns = _patterns(64)
    assert patterns.shape == (2, 64, 64)
    assert set(np.unique(patterns)) == {-1, 1}
    # Stored sketches are of these: they may never change.
    assert patterns[:, 0, :8].tolist() == [[-1, -1, 1, -1, -1, 1, -1, 1], [1, -1, 1, -1, 1, 1, 1, 1]]
    assert (np.abs(patterns.mean(axis=(1, 2))) < 4 / 64).all()
    assert abs((patterns[0] * patterns[1]).mean()) < 4 / 64


def test_a_mask_that_keeps_nothing(mask: torch.Tensor) -> None:
    scalars, histograms = measure_mask(torch.zeros_like(mask), seed=0, blocks=4)
    assert {name: value for name, value in scalars.items() if value != 0} == {"dead_rows": 1, "dead_columns": 1}
    assert set(scalars) == set(measure_mask(mask, seed=0)[0])
    assert all((values == 0).all() for values in histograms.values())


def test_measures_repeat_themselves_and_only_null_models_have_a_seed(mask: torch.Tensor) -> None:
    (first, _), (again, _), (other, _) = (measure_mask(mask, seed=seed) for seed in (1, 1, 2))
    assert first == again
    changed = {name for name in first if first[name] != other[name]}
    assert changed
    assert all(name.startswith(NULLS) for name in changed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask": np.ones(3)}, r"mask has shape \(3,\), but a mask is a non-empty matrix"),
        ({"seed": -1}, r"seed is -1, but must be a whole number of at least 0"),
        ({"blocks": 0}, r"blocks is 0, but must be a whole number of at least 1"),
    ],
)
def test_measure_mask_says_what_is_wrong(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure_mask(**{"mask": np.eye(3), "seed": 0} | arguments)
