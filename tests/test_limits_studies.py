"""The studies of limits: pre-activations against exact moments and brute force, kernels against their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from graphon_lib.data import load_mnist
from graphon_lib.empirical import empirical_ntk
from graphon_lib.estimation import estimate_chain
from graphon_lib.graphons import Chain, StepGraphon
from graphon_lib.kernels import graphon_ntk
from graphon_lib.kernels.finite_width import excess_kurtosis
from graphon_lib.networks import mlp
from graphon_lib.sweeps.gaussian import (
    covariance,
    degrees_study,
    digits,
    gaussian_study,
    graded_chain,
    kurtosis_rate,
    moments,
    of_degree,
    preactivations,
)
from graphon_lib.sweeps.grid import pruned_mlp, trial_seed
from graphon_lib.sweeps.limits import finite_kernels, finite_kernels_study, limit_chain
from graphon_lib.sweeps.studies import STUDIES

PLACE = {"width": 16, "layer": 2, "block": 5}


def test_the_studies_are_the_books() -> None:
    for study in (gaussian_study(), degrees_study(), finite_kernels_study()):
        assert STUDIES[study.name]() == study
        assert study.group == "limits"
        assert len(set(study.keys())) == len(study.configurations)


# Finite width, exactly


def two_layers(first: np.ndarray, second: np.ndarray) -> Chain:
    blocks = [np.full(n, 1 / n) for n in (*first.shape[::-1], second.shape[0])]
    return Chain(
        [StepGraphon(first, blocks[1], blocks[0]), StepGraphon(second, blocks[2], blocks[1]), StepGraphon([[1.0]])]
    )


def test_excess_kurtosis_against_all_masks() -> None:
    """Two neurons on two inputs: a sum over all 2^8 masks of both layers, and over the signs that ReLU lets through."""
    x = np.array([1.0, -2.0])
    first, second = np.array([[0.9, 0.4], [0.3, 0.7]]), np.array([[0.8, 0.2], [0.5, 0.6]])
    moments = np.zeros((2, 2, 2))  # layer, neuron, first and second moment of the variance s
    for bits in itertools.product((0, 1), repeat=8):
        M1, M2 = np.array(bits[:4]).reshape(2, 2), np.array(bits[4:]).reshape(2, 2)
        chance = math.prod(np.where(M1, first, 1 - first).ravel()) * math.prod(np.where(M2, second, 1 - second).ravel())
        s = M1 @ x**2  # 2 / d = 1
        # Of h_j = relu(z_j), z_j ~ N(0, s_j): E h^2 = s / 2 and E h^4 = 3 s^2 / 2; again 2 / n = 1.
        h2 = s / 2
        pairs = np.outer(h2, h2)
        pairs[[0, 1], [0, 1]] = 1.5 * s**2
        moments[0] += chance * np.stack([s, s**2])
        moments[1] += chance * np.stack([M2 @ h2, np.einsum("ij,jk,ik->i", M2, pairs, M2)])
    expected = 3 * (moments[:, 1] / moments[:, 0] ** 2 - 1)
    np.testing.assert_allclose(excess_kurtosis(two_layers(first, second), x, 2), expected, rtol=1e-12)


@pytest.mark.parametrize("c", [1.0, 0.3])
def test_excess_kurtosis_of_constant_graphons(c: float) -> None:
    n = 50
    chain = Chain([None, StepGraphon.constant(c), StepGraphon.constant(c), None])
    first, second, third = excess_kurtosis(chain, np.ones(4), n)
    assert first == 0
    assert second == pytest.approx(3 * (6 / c - 1) / n)
    own, shared = 1 + (6 / c - 1) / n, 1 + 5 / n
    assert third == pytest.approx(3 * (6 * own / (c * n) + (1 - 1 / n) * shared - 1))


def test_a_position_that_keeps_nothing_has_no_kurtosis() -> None:
    chain = Chain([None, StepGraphon([[0.5, 0.5], [0.0, 0.0]]), None])
    _, second = excess_kurtosis(chain, np.ones(4), 10)
    assert second[0] > 0
    assert math.isnan(second[1])


# Pre-activations


def test_preactivations_repeat_and_differ_by_trial_and_seed() -> None:
    draw = {**PLACE, "networks": 2, "neurons": 3}
    x = digits()
    first = preactivations(x, **draw)
    assert first.shape == (2, 3, 2)
    np.testing.assert_array_equal(first, preactivations(x, **draw))
    for other in (preactivations(x, **draw, trial=1), preactivations(x, **draw, seed=1), first[::-1]):
        assert not np.isclose(first, other).all()


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_preactivations_have_the_variance_of_the_limit_at_every_width(layer: int) -> None:
    x = digits()
    z = preactivations(x, width=16, layer=layer, block=3, networks=1000, neurons=16)
    variances = (z**2).mean(axis=1)  # by network
    expected = np.diag(covariance(x, layer, 3))
    assert (np.abs(variances.mean(axis=0) - expected) < 4 * variances.std(axis=0) / math.sqrt(len(z))).all()


def test_covariance_is_the_recursions() -> None:
    x, chain = digits(), graded_chain()
    first = 2 * (0.9 - 0.6 * (2 + 0.5) / 8) * x @ x.T / 784
    np.testing.assert_allclose(covariance(x, 1, 2), first)
    # All positions of the first layer have one covariance up to a factor, and so has ReLU of them.
    row = (chain.graphons[1].values[4] * chain.graphons[0].values[:, 0]).mean()
    size, r = np.sqrt(np.diag(x @ x.T)), (x @ x.T)[0, 1] / np.sqrt((x[0] @ x[0]) * (x[1] @ x[1]))
    dual = (math.sqrt(1 - r**2) + r * (math.pi - math.acos(r))) / math.pi
    assert covariance(x, 2, 4)[0, 1] == pytest.approx(2 / 784 * row * size[0] * size[1] * dual)


def test_a_row_of_moments() -> None:
    row = moments(**PLACE, networks=4, neurons=10, trial=1, seed=0)
    x, chain = digits(), graded_chain()
    z, S = preactivations(x, **PLACE, networks=4, neurons=10, trial=1), covariance(x, 2, 5)
    t = z[..., 0].ravel() / math.sqrt(S[0, 0])
    assert row["kept"] == pytest.approx(16 * chain.graphons[1].values[5].mean())
    assert row["covariance"] == pytest.approx(np.mean(z[..., 0] * z[..., 1]) / S[0, 1])
    assert row["kurtosis"] == pytest.approx(np.mean(t**4) - 6 * np.mean(t**2) + 3)
    assert row["predicted"] == excess_kurtosis(chain, x[0], 16)[1][5]
    assert row["distance"] == stats.kstest(t, "norm").statistic


def test_kurtosis_is_as_predicted() -> None:
    rows = [moments(**PLACE, networks=150, neurons=40, trial=t, seed=0) for t in range(8)]
    found = np.array([row["kurtosis"] for row in rows])
    assert abs(found.mean() - rows[0]["predicted"]) < 4 * found.std() / math.sqrt(7)
    assert rows[0]["predicted"] > 5


def test_the_rate_of_a_power_is_its_exponent() -> None:
    widths, noise = np.array([10, 20, 40, 80]), np.random.default_rng(0).normal(size=(4, 12))
    exact = (9 / widths**0.8)[:, None] + 1e-6 * (noise - noise.mean(axis=1, keepdims=True))
    rate = kurtosis_rate(widths, exact)
    assert rate.estimate == pytest.approx(0.8, abs=1e-6)
    assert rate.low < 0.8 < rate.high
    loose = kurtosis_rate(widths, (9 / widths)[:, None] + 0.3 * noise)
    assert loose.low < 1 < loose.high
    assert loose.high - loose.low > 0.1


@pytest.mark.parametrize(("widths", "kurtosis"), [([10], [[1, 2]]), ([10, 20], [[1], [2]]), ([10, 20], [[1, 2]])])
def test_a_rate_needs_widths_and_trials(widths: list[int], kurtosis: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"widths and kurtosis have shapes .* must be \(w,\) and \(w, trials\)"):
        kurtosis_rate(widths, kurtosis)


# Degrees


@pytest.mark.parametrize("kept", [1, 3])
def test_neurons_of_few_weights_are_often_at_zero_and_have_heavy_tails(kept: int) -> None:
    rows = [of_degree(kept=kept, width=64, networks=100, neurons=50, trial=t, seed=0) for t in range(6)]
    zero, kurtosis = (np.array([row[name] for row in rows]) for name in ("zero", "kurtosis"))
    assert abs(zero.mean() - 2.0**-kept) < 4 * zero.std() / math.sqrt(5)
    assert abs(kurtosis.mean() - 15 / kept) < 4 * kurtosis.std() / math.sqrt(5)
    assert min(row["distance"] for row in rows) > 2.0**-kept / 2 - 0.02


def test_a_neuron_that_keeps_all_is_nearly_gaussian() -> None:
    row = of_degree(kept=2048, width=2048, networks=2, neurons=2000, trial=0, seed=0)
    assert row["zero"] == 0
    assert row["distance"] < 0.05


@pytest.mark.parametrize("kept", [0, 9])
def test_a_neuron_keeps_no_more_than_there_is(kept: int) -> None:
    with pytest.raises(ValueError, match=f"kept is {kept}, but a live neuron above 8 others keeps from 1 to 8 weights"):
        of_degree(kept=kept, width=8, networks=1, neurons=1, trial=0, seed=0)


# Kernels


def test_chains_of_shapes_have_their_density_in_every_layer() -> None:
    for shape in ("constant", "smooth", "block"):
        assert limit_chain(shape, 0.2).density() == pytest.approx([0.2] * 4)
    assert limit_chain("block", 0.2).graphons[1].values[[0, 7], [0, 7]] == pytest.approx([0.8, 0])


def test_other_names_are_methods_whose_masks_are_estimated() -> None:
    found = limit_chain("magnitude", 0.1, seed=3)
    _, masks = pruned_mlp("magnitude", 0.1, depth=3, width=1000, seed=trial_seed(3, 1000, 0))
    expected = estimate_chain(masks, blocks=64)
    for a, b in zip(found.graphons, expected.graphons, strict=True):
        np.testing.assert_array_equal(a.values, b.values)


def test_a_row_of_finite_kernels() -> None:
    row = finite_kernels(
        shape="smooth", density=0.4, activation="tanh", width=24, images=6, networks=3, trial=1, seed=0
    )
    inputs, chain = load_mnist(6).inputs, limit_chain("smooth", 0.4)
    limit, kernels = graphon_ntk(inputs, chain, activation="tanh"), []
    for number in (3, 4, 5):
        seed = trial_seed(0, 24, number)
        model = mlp(3, 24, activation="tanh", seed=seed)
        masks = chain.sample([784, 24, 24, 24, 10], seed=seed)
        kernels.append(empirical_ntk(model, dict(zip(dict(model.named_parameters()), masks, strict=True)), inputs))
    off = [kernel - limit for kernel in kernels]
    assert row["frobenius"] == pytest.approx(np.mean([np.linalg.norm(e) for e in off]) / np.linalg.norm(limit))
    largest = [np.abs(np.linalg.eigvalsh(matrix)).max() for matrix in (*off, limit)]
    assert row["operator"] == pytest.approx(np.mean(largest[:3]) / largest[3])
    assert row["entry"] == pytest.approx(np.mean([np.abs(e).max() for e in off]) / limit.max())
    bias = np.mean([(a * b).sum() for a, b in itertools.combinations(off, 2)]) / (limit**2).sum()
    assert row["squared_bias"] == pytest.approx(bias)
    nearest = [np.linalg.norm(limit - (k * limit).sum() / (k**2).sum() * k) for k in kernels]
    assert row["shape_error"] == pytest.approx(np.mean(nearest) / np.linalg.norm(limit))


def test_networks_through_which_nothing_passes_are_as_wrong_as_can_be() -> None:
    row = finite_kernels(
        shape="constant", density=0.001, activation="relu", width=8, images=4, networks=2, trial=0, seed=0
    )
    assert row == pytest.approx(dict.fromkeys(("frobenius", "operator", "entry", "shape_error", "squared_bias"), 1.0))


def test_wider_networks_have_kernels_nearer_to_the_limit() -> None:
    settings = {"shape": "block", "density": 0.2, "images": 8, "networks": 6, "trial": 0, "seed": 0}
    for activation in ("relu", "tanh"):
        narrow, wide = (finite_kernels(**settings, activation=activation, width=width) for width in (32, 512))
        for norm in ("frobenius", "operator", "entry", "shape_error"):
            assert wide[norm] < 0.5 * narrow[norm]


def test_kernels_of_the_study() -> None:
    study = finite_kernels_study([("block", 0.2)], widths=[64, 128], constants=[0.5], images=8, trials=2)
    cases = [("block", 0.2, "relu"), ("block", 0.2, "tanh"), ("constant", 0.5, "relu")]
    assert [
        tuple(c[name] for name in ("width", "shape", "density", "activation", "trial")) for c in study.configurations
    ] == [(width, *case, trial) for width, case, trial in itertools.product([64, 128], cases, [0, 1])]
