"""Fits of a block and of a slope, and the studies of chapter 2: against brute force and closed forms."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from graphon_lib.estimation import FIT_MOTIFS as MOTIFS
from graphon_lib.estimation import estimate_chain, estimate_graphon
from graphon_lib.estimation.sharpness import log_likelihood, smooth_fit, two_block_fit
from graphon_lib.graphons import StepGraphon, homomorphism_densities, path_density
from graphon_lib.pruning import METHODS
from graphon_lib.sweeps import (
    best_blocks,
    blocks_study,
    flatness_study,
    gallery,
    goodness_study,
    labels_study,
    recovery_study,
    sharpness_study,
    trial_seed,
)
from graphon_lib.sweeps.grid import pruned_mlp
from graphon_lib.sweeps.recovery import SHAPES
from graphon_lib.sweeps.relabelling import relabelled_distance

shapes = st.tuples(st.integers(2, 6), st.integers(2, 6))


def likelihood(fit: StepGraphon, graphon: StepGraphon) -> float:
    return float(log_likelihood(fit.values, graphon.values).mean())


def random_histogram(shape: tuple[int, int], entries: int, seed: int) -> StepGraphon:
    """Of a mask with ``entries`` entries a block."""
    generator = np.random.default_rng(seed)
    return StepGraphon(generator.binomial(entries, generator.random(shape)) / entries)


# The two fits


@settings(max_examples=50, deadline=None)
@given(shape=shapes, entries=st.integers(1, 30), seed=st.integers(0, 999))
def test_two_block_fit_is_the_likeliest_of_all_cuts(shape: tuple[int, int], entries: int, seed: int) -> None:
    graphon = random_histogram(shape, entries, seed)
    fit = two_block_fit(graphon, entries * graphon.values.size)
    best = -math.inf
    for row, column in itertools.product(range(1, shape[0]), range(1, shape[1])):
        tried = np.empty(shape)
        for r, c in itertools.product((slice(None, row), slice(row, None)), (slice(None, column), slice(column, None))):
            part = graphon.values[r, c]
            tried[r, c] = (part.sum() * entries + 0.5) / (part.size * entries + 1)
        best = max(best, likelihood(StepGraphon(tried), graphon))
    assert likelihood(fit, graphon) == pytest.approx(best, abs=1e-12)


def test_two_block_fit_finds_a_block() -> None:
    sharp = np.zeros((10, 8))
    sharp[:3, :5] = 0.7
    fit = two_block_fit(StepGraphon(sharp), 80 * 10**6)
    np.testing.assert_allclose(fit.values, sharp, atol=1e-6)
    assert ((fit.values > 0) & (fit.values < 1)).all()


@settings(max_examples=12, deadline=None)
@given(shape=shapes, entries=st.integers(1, 50), order=st.integers(0, 3), seed=st.integers(0, 999))
def test_smooth_fit_cannot_be_bettered(shape: tuple[int, int], entries: int, order: int, seed: int) -> None:
    graphon = random_histogram(shape, entries, seed)
    total = entries * graphon.values.size
    fit = smooth_fit(graphon, total, order=order)
    target = StepGraphon((graphon.values * total + 0.5) / (total + 1))
    u, v = np.meshgrid(*((np.arange(count) + 0.5) / count for count in shape), indexing="ij")
    basis = [u**i * v**j for i, j in itertools.product(range(order + 1), repeat=2) if i + j <= order]

    def loss(coefficients: np.ndarray) -> float:
        exponent = np.clip(sum(c * b for c, b in zip(coefficients, basis, strict=True)), -30, 30)
        return -likelihood(StepGraphon(1 / (1 + np.exp(-exponent))), target)

    textbook = minimize(loss, np.zeros(len(basis)), method="BFGS").fun
    assert -likelihood(fit, target) <= textbook + 1e-6
    # It is such a surface: its exponent is in the span of the monomials.
    exponent = np.log(fit.values / (1 - fit.values)).ravel()
    matrix = np.stack([b.ravel() for b in basis], axis=1)
    np.testing.assert_allclose(matrix @ np.linalg.lstsq(matrix, exponent, rcond=None)[0], exponent, atol=1e-6)


def test_smooth_fit_recovers_a_logistic_surface_and_holds_out_on_an_empty_corner() -> None:
    truth = StepGraphon.from_function(lambda u, v: 1 / (1 + np.exp(-(1 - 3 * u - 2 * v + 2 * u * v))), 32)
    np.testing.assert_allclose(smooth_fit(truth, 10**9).values, truth.values, atol=1e-3)
    corner = np.zeros((16, 16))
    corner[:8, :8] = 1
    fit = smooth_fit(StepGraphon(corner), 16**2 * 100, order=5)
    assert np.isfinite(fit.values).all()
    assert likelihood(fit, StepGraphon(corner)) > -0.1


def test_of_order_0_it_is_the_constant() -> None:
    fit = smooth_fit(StepGraphon([[0.2, 0.4], [0.6, 0.4]]), 10**6, order=0)
    np.testing.assert_allclose(fit.values, 0.4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (1, 1)])
def test_a_block_needs_two_parts(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"graphon has {shape[0]} x {shape[1]} blocks, but two parts along each axis"):
        two_block_fit(StepGraphon(np.ones(shape)), 100)


@pytest.mark.parametrize("fit", [two_block_fit, smooth_fit])
def test_a_mask_has_an_entry_for_each_block(fit: Any) -> None:
    with pytest.raises(ValueError, match="entries is 8, but a mask with a histogram of 9 blocks has at least as many"):
        fit(StepGraphon(np.ones((3, 3))), 8)


# Relabelling


@settings(max_examples=30, deadline=None)
@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 4)), seed=st.integers(0, 999))
def test_relabelling_lies_between_the_best_and_the_distance_as_labelled(shape: tuple[int, int], seed: int) -> None:
    a, b = np.random.default_rng(seed).random((2, *shape))
    best = min(
        np.sqrt(np.mean((a[list(p)][:, list(q)] - b) ** 2))
        for p, q in itertools.product(itertools.permutations(range(shape[0])), itertools.permutations(range(shape[1])))
    )
    found = relabelled_distance(StepGraphon(a), StepGraphon(b))
    assert best - 1e-12 <= found <= StepGraphon(a).l2_distance(StepGraphon(b)) + 1e-12


@pytest.mark.parametrize("shape", list(SHAPES))
def test_relabelling_undoes_a_shuffle(shape: str) -> None:
    truth = StepGraphon.from_function(lambda u, v: 0.2 * SHAPES[shape](u, v), 32)
    generator = np.random.default_rng(0)
    shuffled = StepGraphon(truth.values[generator.permutation(32)][:, generator.permutation(32)])
    assert relabelled_distance(shuffled, truth) < 0.02 * truth.l2_norm()


def test_relabelling_needs_one_grid() -> None:
    with pytest.raises(ValueError, match=r"other has blocks \(3, 3\), but this graphon \(2, 2\)"):
        relabelled_distance(StepGraphon(np.ones((2, 2))), StepGraphon(np.ones((3, 3))))


# What the studies measure


def only(study: Any) -> dict[str, float]:
    (configuration,) = study.configurations
    return dict(study.measure(**configuration))


@pytest.mark.parametrize("shape", list(SHAPES))
def test_shapes_have_mean_one_and_densities_that_carry_them_above_one_are_left_out(shape: str) -> None:
    truth = StepGraphon.from_function(lambda u, v: SHAPES[shape](u, v) / 5, 256)
    assert truth.density() == pytest.approx(0.2, rel=1e-4)
    highest = 5 * truth.values.max()
    assert len(recovery_study([shape], [0.99 / highest], [16], ["sas"], trials=1).configurations) == 1
    assert shape == "constant" or not recovery_study([shape], [1.05 / highest], [16], ["sas"], trials=1).configurations


def test_large_sizes_have_at_most_three_trials() -> None:
    study = recovery_study(["constant"], [0.1], [1999, 2000], ["sas"], trials=4)
    assert [(c["size"], c["trial"]) for c in study.configurations] == [
        *((1999, t) for t in range(4)), *((2000, t) for t in range(3)),
    ]  # fmt: skip


def test_recovery_errors() -> None:
    small, large = (only(recovery_study(["rank one"], [0.2], [n], ["sorted_histogram"], trials=1)) for n in (125, 1000))
    assert large["error"] < 0.3 * small["error"]
    assert large["relabelled_error"] <= large["error"]
    assert large["error"] == only(blocks_study(["rank one"], [1000], [64], trials=1))["error"]
    # As labelled, a shape of equal degrees is lost; what does not sort finds it up to the labels.
    wave = only(recovery_study(["equal degrees"], [0.2], [500], ["co_histogram"], trials=1))
    assert wave["relabelled_error"] < 0.25 < 0.5 < wave["error"]
    # No estimate with two blocks comes closer to |u - v| than its block means do.
    coarse = only(recovery_study(["distance"], [0.2], [500], ["sorted_histogram"], blocks=2, trials=1))
    assert coarse["relabelled_error"] > 0.5


def test_best_blocks_of_a_sum_and_of_a_product() -> None:
    for shape, blur, square in (("smooth", 2 / 12, 7 / 6), ("rank one", 32 / 36, 16 / 9)):
        theory = (0.04 * blur / (0.2 - 0.04 * square)) ** 0.25 * math.sqrt(1000)
        assert best_blocks(shape, 0.2, 1000) == pytest.approx(theory, rel=1e-3)
        assert best_blocks(shape, 0.2, 4000) == pytest.approx(2 * theory, rel=1e-3)


def test_flatness_tells_noise_from_what_is_invented() -> None:
    found = {m: only(flatness_study([0.05], [m], width=512, trials=1)) for m in ("sorted_histogram", "cross_fit")}
    # 64 entries a block.
    noise = math.sqrt(0.95 / 0.05 / 64)
    assert found["cross_fit"]["error"] == pytest.approx(noise, rel=0.1)
    assert abs(found["cross_fit"]["squared_bias"]) < 0.1 * found["sorted_histogram"]["squared_bias"]
    total = found["sorted_histogram"]
    assert total["error"] ** 2 == pytest.approx(noise**2 + total["squared_bias"], rel=0.1)


def test_goodness_takes_a_random_mask_for_constant_and_a_pruned_one_for_none() -> None:
    found = {
        method: only(goodness_study([method], [0.3], ["constant"], width=120, blocks=8, trials=1))
        for method in ("random", "snip")
    }
    assert set(found["snip"]) == {f"{motif}_{what}" for motif in MOTIFS for what in ("error", "z", "p")}
    for motif in MOTIFS:
        assert abs(found["random"][f"{motif}_z"]) < 4
        assert found["snip"][f"{motif}_z"] > 20
        assert found["snip"][f"{motif}_p"] == 2 / 40
        assert 2 / 40 <= found["random"][f"{motif}_p"] <= 1
    _, masks = pruned_mlp("snip", 0.3, depth=2, width=120, initialisation="pytorch", seed=trial_seed(0, 120, 0))
    mask = list(masks.values())[1]
    exact: dict[Any, float] = homomorphism_densities(mask, unbiased=True)  # type: ignore[assignment]
    assert found["snip"]["C4_error"] == pytest.approx(math.log(exact["C4"]) - 4 * math.log(exact["edge"]))


@pytest.mark.filterwarnings("ignore:.* keeps no weight of ")
def test_goodness_of_a_mask_without_the_motif_is_no_number() -> None:
    # At this size and density, Magnitude keeps nothing between the hidden layers.
    study = goodness_study(["magnitude"], [0.005], ["sorted_histogram"], width=1200, blocks=4, trials=1)
    (configuration,) = study.configurations
    found = study.measure(**{**configuration, "replicates": 2})
    assert len(found) == 9
    assert all(math.isnan(value) for value in found.values())


def test_labels_are_compared_on_one_network() -> None:
    found = only(labels_study(["snip"], [0.2], [2], width=40, blocks=9, trials=1))
    _, masks = pruned_mlp("snip", 0.2, depth=2, width=40, initialisation="pytorch", seed=trial_seed(0, 40, 0))
    assert found == {
        "exact": path_density(masks),
        "separate": path_density([estimate_graphon(mask, blocks=9) for mask in masks.values()]),
        "sums": path_density(estimate_chain(masks, blocks=9, labels="sums")),
        "pairs": path_density(estimate_chain(masks, blocks=9)),
    }
    assert found["separate"] > max(found["sums"], found["exact"])


def test_sharpness_of_one_pair_of_networks() -> None:
    study = sharpness_study(["synflow"], [0.2], [3], width=60, blocks=10, trials=2)
    assert [(c["trial"], c["layer"]) for c in study.configurations] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    found = dict(study.measure(**study.configurations[3]))
    masks = []
    for number in (2, 3):
        seed = trial_seed(0, 60, number)
        _, of_network = pruned_mlp("synflow", 0.2, depth=3, width=60, initialisation="pytorch", seed=seed)
        masks.append(list(of_network.values())[2].numpy())
    first, second = (estimate_graphon(mask, blocks=10) for mask in masks)
    flat = likelihood(smooth_fit(first, 3600, order=0), second)
    assert found["two_block"] == pytest.approx(likelihood(two_block_fit(first, 3600), second) - flat)
    assert found["smooth"] == pytest.approx(likelihood(smooth_fit(first, 3600), second) - flat)
    for side, axis in (("rows", 1), ("columns", 0)):
        degree = masks[0].sum(axis=axis)
        alive = degree[degree > 0]
        assert found[f"removed_{side}"] == (degree == 0).mean()
        assert found[f"fading_{side}"] == (alive < alive.mean() / 2).mean()


# The gallery


def test_a_gallery_has_what_is_stored_and_what_is_asked_for() -> None:
    cells = gallery(["snip"], [0.3, 0.1], [2], width=2000, trials=2)
    assert set(cells["method"]) >= {"random", "magnitude", "snip", "grasp", "synflow"}
    snip = cells[cells["method"] == "snip"]
    assert snip[["density", "depth", "layer", "trials"]].to_numpy().tolist() == [[0.3, 2, 1, 100], [0.1, 2, 1, 100]]
    for cell in snip.itertuples():
        assert cell.histogram.shape == (64, 64)
        assert len(cell.beyond_degrees) == 100
        assert 0 < cell.removed_rows < 0.2
    assert (cells.loc[cells["method"].isin(["random", "snip"]), "width"] == 2000).all()
    assert set(cells.loc[cells["method"] == "phew", "width"]) == {1000}
    assert cells["method"].drop_duplicates().tolist() == [m for m in METHODS if m in set(cells["method"])]
    empty = cells[(cells["method"] == "magnitude") & (cells["density"] == 0.1)].iloc[0]
    assert (empty["removed_rows"], len(empty["beyond_degrees"]), empty["histogram"].max()) == (1, 0, 0)


def test_a_gallery_computes_what_no_store_has(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notebooks" / "results").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    cells = gallery(["random"], [0.5], [2, 3], width=24, trials=2)
    assert cells[["depth", "layer"]].to_numpy().tolist() == [[2, 1], [3, 1], [3, 2]]
    assert set(cells["width"]) == {24}
    assert cells["histogram"].map(np.mean).to_numpy() == pytest.approx(0.5, abs=0.1)
