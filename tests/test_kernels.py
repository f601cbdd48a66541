"""The Graphon NTK and NNGP: closed forms, the backward form, wide networks, and what must leave them unchanged."""

from __future__ import annotations

import itertools
import re
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_chains import assert_close, path_integral, random_case, scale_of
from references import backward_form, dense_kernels
from scipy.special import erf

from graphon_lib.activations import ACTIVATIONS, Hermite
from graphon_lib.data import Dataset, load_mnist
from graphon_lib.graphons import Chain, StepGraphon
from graphon_lib.kernels import graphon_nngp, graphon_ntk, recursion

Array = NDArray[np.float64]

CLOSED_FORMS = ["erf", "gelu", "leaky_relu", "linear", "relu"]
ACTIVATION = st.sampled_from(sorted(ACTIVATIONS))
HOMOGENEOUS = st.sampled_from(["leaky_relu", "linear", "relu"])
SEED = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_mnist(200)


@pytest.fixture(autouse=True)
def _fifty_digits() -> Any:
    with mp.workdps(50):
        yield


# --- Closed forms of the dense network ---


@pytest.mark.parametrize("weight_variance", [1.0, 2.0])
@pytest.mark.parametrize("depth", range(1, 7))
@pytest.mark.parametrize("activation", CLOSED_FORMS)
def test_all_ones_give_the_dense_kernels(activation: str, depth: int, weight_variance: float) -> None:
    base, other = np.random.default_rng(depth).normal(size=(2, 8))
    x = np.array(
        [base, base, 3 * base, -base, -0.5 * base, np.zeros(8), base + 1e-7 * other, other, base - 0.1 * other]
    )
    nngp, ntk = (
        kernel(x, [None] * (depth + 1), activation=activation, weight_variance=weight_variance)
        for kernel in (graphon_nngp, graphon_ntk)
    )
    for a, b in itertools.combinations_with_replacement(range(len(x)), 2):
        expected = dense_kernels(x[a], x[b], depth, activation, weight_variance)
        assert (nngp[a, b], ntk[a, b]) == pytest.approx(expected, rel=1e-12, abs=1e-15), (a, b)


@pytest.mark.parametrize("depth", [1, 3, 6])
@pytest.mark.parametrize("activation", ["relu", "erf"])
@pytest.mark.parametrize("distance", [1e-3, 1e-7, 1e-10, 1e-14])
def test_neighbouring_inputs_differ_by_what_they_should(activation: str, depth: int, distance: float) -> None:
    """The kernel's drop from the diagonal, of first order in the angle for ReLU, is itself right to many digits."""
    base = np.linspace(0.5, 2, 8)
    direction = np.array([1.0, -1, 1, -1, 1, -1, 1, -1])
    direction -= base * (direction @ base) / (base @ base)
    x, y = base, base + distance * direction
    found = graphon_ntk(x[None], [None] * (depth + 1), other=y[None], activation=activation)[0, 0]
    assert found == pytest.approx(dense_kernels(x, y, depth, activation, 2.0)[1], rel=2e-15 * (depth + 2))


def test_images_of_raw_pixel_size_keep_their_digits_under_erf() -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(0, 65536, size=(3, 20)).astype(float)
    ntk = graphon_ntk(x, [None] * 3, activation="erf")
    for a, b in itertools.combinations_with_replacement(range(3), 2):
        assert ntk[a, b] == pytest.approx(dense_kernels(x[a], x[b], 2, "erf", 2.0)[1], rel=1e-11)


# --- Step graphons, by brute force ---


@settings(max_examples=25, deadline=None)
@given(
    seed=SEED,
    depth=st.integers(1, 4),
    activation=st.sampled_from(CLOSED_FORMS),
    weight_variance=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_step_graphons_give_the_backward_form(seed: int, depth: int, activation: str, weight_variance: float) -> None:
    rng = np.random.default_rng(seed)
    coordinates = int(rng.integers(2, 7))
    chain, x = random_case(rng, depth, coordinates, 3)
    expected = np.zeros((2, 3, 3))
    for a, b in itertools.product(range(3), repeat=2):
        labels = chain.input_labels(coordinates)
        expected[:, a, b] = backward_form(x[a], x[b], chain.graphons, labels, activation, weight_variance)
    for kernel, wanted in zip((graphon_nngp, graphon_ntk), expected, strict=True):
        found = kernel(x, chain, activation=activation, weight_variance=weight_variance)
        assert_close(found, wanted, scale_of(np.diag(wanted)))


def test_blocks_without_coordinates_are_allowed() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3))
    chain = Chain([StepGraphon(rng.random((2, 8))), None])
    expected = backward_form(x[0], x[1], chain.graphons, chain.input_labels(3), "relu", 2.0)[1]
    assert graphon_ntk(x, chain)[0, 1] == pytest.approx(expected, rel=1e-13)


def test_a_network_without_paths_has_no_kernel() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    for place, activation in itertools.product(range(3), ACTIVATIONS):
        if activation == "sigmoid":
            continue  # sigmoid(0) = 1/2 is passed on by neurons without input
        graphons: list[StepGraphon | None] = [None] * 3
        graphons[place] = StepGraphon.constant(0.0)
        for kernel in (graphon_nngp, graphon_ntk):
            np.testing.assert_array_equal(kernel(x, graphons, activation=activation), np.zeros((3, 3)))


# --- Wide networks ---


MONTE_CARLO_CHAINS = {
    "dense": Chain([None, None, None]),
    "masked": Chain(
        [
            # Zeros and ones: at finite d, all neurons of a block must see the same inputs.
            StepGraphon([[1, 0, 1], [1, 1, 0]], [0.25, 0.75], [0.5, 0.25, 0.25]),
            StepGraphon([[0.9, 0.2], [0.1, 0.6], [0.0, 0.3]], [0.5, 0.25, 0.25], [0.25, 0.75]),
            StepGraphon([[0.3, 0.9, 1.0], [0.8, 0.5, 0.2]], [0.5, 0.5], [0.5, 0.25, 0.25]),
        ],
        input_blocks=[0, 2, 1, 0, 0, 1, 2, 0],
    ),
}


def trial(x: Array, masks: list[Array], activation: str, rng: np.random.Generator) -> tuple[Array, Array]:
    """The outputs' covariance given the hidden layers, and the NTK by back-propagation, of one random network."""
    phi = (lambda z: np.maximum(z, 0)) if activation == "relu" else erf
    slope = (lambda z: z > 0) if activation == "relu" else lambda z: 2 / np.sqrt(np.pi) * np.exp(-(z**2))
    weights = [mask * rng.normal(size=mask.shape) * np.sqrt(2 / mask.shape[1]) for mask in masks]
    signals, slopes = [x], []
    for weight in weights[:-1]:
        z = signals[-1] @ weight.T
        signals.append(phi(z))
        slopes.append(slope(z))
    nngp = 2 / masks[-1].shape[1] * (signals[-1] * masks[-1].mean(axis=0)) @ signals[-1].T
    outputs = len(masks[-1])
    ntk = np.zeros((len(x), len(x)))
    for o in range(outputs):
        delta = np.tile(np.eye(outputs)[o], (len(x), 1))
        for layer in range(len(weights) - 1, -1, -1):
            gradients = (delta[:, :, None] * signals[layer][:, None, :] * masks[layer]).reshape(len(x), -1)
            ntk += 2 / masks[layer].shape[1] * gradients @ gradients.T
            if layer:
                delta = (delta @ weights[layer]) * slopes[layer - 1]
    return nngp, ntk / outputs


@pytest.mark.parametrize("activation", ["relu", "erf"])
@pytest.mark.parametrize("name", sorted(MONTE_CARLO_CHAINS))
def test_wide_networks_approach_the_kernels(name: str, activation: str) -> None:
    rng = np.random.default_rng(2)
    chain, x, trials, width, outputs = MONTE_CARLO_CHAINS[name], rng.normal(size=(3, 8)), 200, 256, 2
    labels = [chain.input_labels(8)]
    for graphon, neurons in zip(chain.graphons, (width, width, outputs), strict=True):
        labels.append(np.repeat(np.arange(graphon.row_measure.size), (graphon.row_measure * neurons).astype(int)))
    samples = []
    for _ in range(trials):
        masks = [
            (rng.random((above.size, below.size)) < graphon.values[np.ix_(above, below)]).astype(float)
            for graphon, below, above in zip(chain.graphons, labels, labels[1:], strict=False)
        ]
        samples.append(trial(x, masks, activation, rng))
    for place, kernel in enumerate((graphon_nngp, graphon_ntk)):
        found = kernel(x, chain, activation=activation)
        measured = np.array([sample[place] for sample in samples])
        error = measured.std(axis=0, ddof=1) / np.sqrt(trials)
        assert (np.abs(measured.mean(axis=0) - found) < 4 * error).all()
        # Narrow enough to tell a wrong factor from a right one.
        assert (4 * error < 0.08 * scale_of(np.diag(found))).all()


# --- Identities ---


@settings(max_examples=25, deadline=None)
@given(seed=SEED, depth=st.integers(1, 4), activation=ACTIVATION)
def test_kernels_are_symmetric_positive_semi_definite_and_equal_for_equal_inputs(
    seed: int, depth: int, activation: str
) -> None:
    rng = np.random.default_rng(seed)
    coordinates = int(rng.integers(1, 6))
    chain, x = random_case(rng, depth, coordinates, 6)
    for kernel in (graphon_nngp, graphon_ntk):
        found = kernel(x, chain, activation=activation)
        np.testing.assert_array_equal(found, found.T)
        assert np.linalg.eigvalsh(found)[0] >= -1e-12 * np.trace(found)
        scale = scale_of(np.diag(found))
        assert_close(kernel(x, chain, other=x, activation=activation), found, scale)
        assert_close(kernel(x[:2], chain, other=x[2:], activation=activation), found[:2, 2:], scale[:2, 2:])
        np.testing.assert_array_equal(kernel(x, chain, activation=activation), found)


@settings(max_examples=25, deadline=None)
@given(seed=SEED, depth=st.integers(1, 4), activation=ACTIVATION)
def test_order_and_size_of_hidden_blocks_are_only_names(seed: int, depth: int, activation: str) -> None:
    rng = np.random.default_rng(seed)
    chain, x = random_case(rng, depth, 5, 4)
    expected = graphon_ntk(x, chain, activation=activation)
    relabelled, refined = list(chain.graphons), list(chain.graphons)
    for place in range(depth):
        below, above = relabelled[place], relabelled[place + 1]
        order = rng.permutation(below.row_measure.size)
        relabelled[place] = StepGraphon(below.values[order], below.row_measure[order], below.column_measure)
        relabelled[place + 1] = StepGraphon(above.values[:, order], above.row_measure, above.column_measure[order])
    for place in range(depth + 1):
        # Each row block in two unequal parts; the next graphon's columns follow.
        below = refined[place]
        share = rng.uniform(size=below.row_measure.size)
        parts = np.stack([share * below.row_measure, (1 - share) * below.row_measure], axis=1).ravel()
        refined[place] = StepGraphon(np.repeat(below.values, 2, axis=0), parts, below.column_measure)
        if place < depth:
            above = refined[place + 1]
            refined[place + 1] = StepGraphon(np.repeat(above.values, 2, axis=1), above.row_measure, parts)
    labels = chain.input_labels(5)
    halves = 2 * labels + rng.integers(2, size=5)
    columns = np.bincount(halves, minlength=2 * chain.graphons[0].values.shape[1])
    first = StepGraphon(np.repeat(chain.graphons[0].values, 2, axis=1), chain.graphons[0].row_measure, columns / 5)
    split_inputs = Chain([first, *chain.graphons[1:]], halves)
    for same in (Chain(relabelled, chain.input_blocks), Chain(refined, chain.input_blocks), split_inputs):
        found = graphon_ntk(x, same, activation=activation)
        assert_close(found, expected, scale_of(np.diag(expected)))


@settings(max_examples=25, deadline=None)
@given(seed=SEED, depth=st.integers(1, 6), c=st.floats(0.01, 1), masked=st.integers(0, 2**7 - 1))
def test_constants_on_m_layers_scale_the_dense_relu_kernel_by_their_power(
    seed: int, depth: int, c: float, masked: int
) -> None:
    x = np.random.default_rng(seed).normal(size=(4, 5))
    chain = [StepGraphon.constant(c) if masked >> place & 1 else None for place in range(depth + 1)]
    power = c ** sum(graphon is not None for graphon in chain)
    dense = graphon_ntk(x, [None] * (depth + 1))
    np.testing.assert_allclose(graphon_ntk(x, chain), power * dense, rtol=1e-12, atol=1e-14 * power * dense.max())


@settings(max_examples=25, deadline=None)
@given(seed=SEED, depth=st.integers(1, 4), activation=HOMOGENEOUS)
def test_collapse_of_the_kernel_for_a_first_layer_of_rank_one(seed: int, depth: int, activation: str) -> None:
    """THEORY.md section 4: W_1(u, j) = a(u) b(j) gives P_a times the dense kernel on inputs scaled by sqrt(b)."""
    rng = np.random.default_rng(seed)
    graphons, x = random_case(rng, depth, 6, 4)
    rest = graphons.graphons
    a, b = rng.random(rest[0].row_measure.size), rng.random(rest[0].column_measure.size)
    chain = Chain([StepGraphon(np.outer(a, b), rest[0].row_measure, rest[0].column_measure), *rest[1:]])
    column = StepGraphon(a[:, None], rest[0].row_measure)
    density = path_integral([column, *rest[1:]])
    rescaled = x * np.sqrt(b[chain.input_labels(6)])
    dense = density * graphon_ntk(rescaled, [None] * (depth + 1), activation=activation)
    assert_close(graphon_ntk(x, chain, activation=activation), dense, scale_of(np.diag(dense)), 1e-10)


@settings(max_examples=25, deadline=None)
@given(seed=SEED, depth=st.integers(1, 4))
def test_more_paths_mean_more_kernel_for_relu(seed: int, depth: int) -> None:
    """The NNGP of non-negative inputs grows with every entry of every graphon, and so does the NTK's diagonal.

    Off it the NTK need not: new connections may part two inputs, and D' falls with the angle.
    """
    rng = np.random.default_rng(seed)
    chain, x = random_case(rng, depth, 5, 4)
    grown = Chain(
        [
            StepGraphon(np.maximum(g.values, rng.random(g.values.shape)), g.row_measure, g.column_measure)
            for g in chain.graphons
        ],
        chain.input_blocks,
    )
    before, after = (graphon_nngp(np.abs(x), c) for c in (chain, grown))
    assert (after >= before * (1 - 1e-12)).all()
    before, after = (np.diag(graphon_ntk(x, c)) for c in (chain, grown))
    assert (after >= before * (1 - 1e-12)).all()


def test_a_new_connection_may_part_two_inputs() -> None:
    x = np.array([[1.0, 1.0], [0.0, 4.0]])
    parallel, parted = (graphon_ntk(x, [StepGraphon([[w, 0.75]]), None])[0, 1] for w in (0.0, 0.75))
    assert 0 < parted < 0.95 * parallel


@settings(max_examples=25, deadline=None)
@given(seed=SEED, depth=st.integers(1, 4), t=st.floats(1e-6, 1e6))
def test_relu_kernels_are_homogeneous(seed: int, depth: int, t: float) -> None:
    rng = np.random.default_rng(seed)
    chain, x = random_case(rng, depth, 5, 4)
    for kernel in (graphon_nngp, graphon_ntk):
        found = kernel(x, chain)
        assert_close(kernel(t * x, chain, other=x), t * found, t * scale_of(np.diag(found)))
        # Layers share sigma_w: a factor in it comes out once a layer.
        scaled = kernel(x, chain, weight_variance=2 * 1.7)
        assert_close(scaled, 1.7 ** (depth + 1) * found, scale_of(np.diag(scaled)))


class Identity:
    """phi(z) = z, whose tangent kernel is L + 1 times its covariance."""

    def __init__(self, homogeneous: bool) -> None:
        self.homogeneous = homogeneous

    def second_moment(self, q: Array) -> Array:
        return q

    def dual(self, q: Array, q_other: Array, gap: Array, cogap: Array) -> tuple[Array, Array]:
        return gap, np.ones(np.broadcast_shapes(q.shape, gap.shape))


@pytest.mark.parametrize("homogeneous", [True, False])
def test_an_activation_of_ones_own(homogeneous: bool) -> None:
    rng = np.random.default_rng(1)
    (chain, x), y = random_case(rng, 3, 5, 4), rng.normal(size=(2, 5))
    kept = np.ones((1, 1)) * chain.graphons[-1].row_measure
    for graphon in chain.graphons[:0:-1]:
        kept = kept @ graphon.values * graphon.column_measure
    kept = (kept @ chain.graphons[0].values).ravel()[chain.input_labels(5)]
    linear = 2**4 * (x * kept) @ y.T / 5
    dual = Identity(homogeneous)
    np.testing.assert_allclose(graphon_nngp(x, chain, other=y, activation=dual), linear, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(graphon_ntk(x, chain, other=y, activation=dual), 4 * linear, rtol=1e-12, atol=1e-14)


# --- Arithmetic ---


@pytest.mark.parametrize("elements", [1, 2**10, 2**20])
@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
def test_tiles_do_not_show(monkeypatch: pytest.MonkeyPatch, activation: str, elements: int) -> None:
    rng = np.random.default_rng(3)
    chain, _ = random_case(rng, 2, 5, 1)
    x = rng.normal(size=(300, 5))
    whole = [graphon_ntk(x, chain, other=other, activation=activation) for other in (None, x[:70])]
    monkeypatch.setattr(recursion, "WORKING_ELEMENTS", elements)
    monkeypatch.setattr(recursion, "PANEL", recursion.SIDE)
    monkeypatch.setattr(recursion, "PANELS", 1)
    for other, expected in zip((None, x[:70]), whole, strict=True):
        found = graphon_ntk(x, chain, other=other, activation=activation)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14 * expected.max())


@settings(max_examples=30, deadline=None)
@given(seed=SEED, depth=st.integers(1, 5), activation=ACTIVATION)
def test_float32_is_close_to_float64(seed: int, depth: int, activation: str) -> None:
    rng = np.random.default_rng(seed)
    chain, x = random_case(rng, depth, 5, 5)
    for kernel in (graphon_nngp, graphon_ntk):
        double = kernel(x, chain, activation=activation)
        single = kernel(x, chain, activation=activation, dtype=np.float32)
        assert (double.dtype, single.dtype) == (np.float64, np.float32)
        np.testing.assert_array_equal(single, single.T)
        assert np.abs(single - double).max() <= 1e-5 * np.abs(double).max()


def test_float32_entries_of_images_are_right_to_four_digits(digits: Dataset) -> None:
    """Also the smallest: what a sum of signed terms may lose is bounded by the sizes of the two inputs."""
    rng = np.random.default_rng(0)
    chain = Chain(
        [StepGraphon(rng.random((16, 28))), StepGraphon(rng.random((16, 16))), StepGraphon(rng.random((3, 16)))]
    )
    double, single = (graphon_ntk(digits.inputs, chain, dtype=dtype) for dtype in (np.float64, np.float32))
    np.testing.assert_allclose(single, double, rtol=1e-4)
    assert np.abs(single - double).max() <= 1e-5 * double.max()


@settings(max_examples=30, deadline=None)
@given(seed=SEED, depth=st.integers(1, 4), activation=ACTIVATION, dtype=st.sampled_from([np.float64, np.float32]))
def test_the_compiled_passes_agree_with_the_duals_they_stand_for(
    seed: int, depth: int, activation: str, dtype: Any
) -> None:
    """The path for other devices runs DualActivation.dual on whole tensors; here on this processor."""
    rng = np.random.default_rng(seed)
    chain, x = random_case(rng, depth, 5, 6)
    x = rng.normal(size=x.shape)  # general position: only the compiled pass repairs angles
    chain = Chain([None, *chain.graphons[1:]]) if ACTIVATIONS[activation].homogeneous else chain
    for kernel, other in itertools.product((graphon_nngp, graphon_ntk), (None, x[:2])):
        found = kernel(x, chain, other=other, activation=activation, dtype=dtype)
        elsewhere = kernel(x, chain, other=other, activation=activation, dtype=dtype, device="cpu")
        assert elsewhere.dtype == found.dtype
        np.testing.assert_allclose(
            elsewhere, found, rtol=0, atol=50 * np.finfo(dtype).eps * np.abs(found).max() + 1e-300
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_tensors_on_a_gpu_are_computed_there() -> None:
    x = torch.randn(300, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    chain = [StepGraphon.constant(0.3), None, StepGraphon([[0.2, 0.9]])]
    np.testing.assert_allclose(graphon_ntk(x.cuda(), chain), graphon_ntk(x, chain), rtol=1e-10)


@pytest.mark.parametrize("activation", ["erf", "gelu"])
def test_hermite_series_give_the_kernels_of_closed_forms(activation: str) -> None:
    rng = np.random.default_rng(6)
    chain, x = random_case(rng, 3, 6, 5)
    function = {"erf": erf, "gelu": torch.nn.functional.gelu}[activation]
    expected = graphon_ntk(x, chain, activation=activation)
    found = graphon_ntk(x, chain, activation=function)
    assert np.abs(found - expected).max() <= 1e-6 * expected.max()


def test_a_hermite_series_takes_the_terms_it_needs_and_says_how_exact_it_is(caplog: pytest.LogCaptureFixture) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    with caplog.at_level("INFO", logger="graphon_lib"):
        for scale in (0.1, 1, 2):
            graphon_ntk(scale * x, [None, None], activation="tanh")
    orders = re.findall(r"<ufunc 'tanh'> to order (\d+) has a relative error of at most (\S+)", caplog.text)
    assert [int(order) for order, _ in orders] == sorted({int(order) for order, _ in orders})
    assert all(float(error) <= 1e-6 for _, error in orders)
    with pytest.warns(
        UserWarning, match=r"to order 8 has a relative error .*, not 1e-06: variances reach .*; scale the"
    ):
        graphon_ntk(x, [None, None], activation=Hermite(np.tanh, terms=8))
    with pytest.warns(UserWarning, match=r"or the function has a kink"):
        graphon_ntk(x, [None, None], activation=np.abs)


def test_tensors_lists_and_other_precisions_are_taken_and_left_alone() -> None:
    x = np.random.default_rng(4).normal(size=(3, 4)).astype(np.float32)
    before = x.copy()
    expected = graphon_ntk(x.astype(np.float64), [None, None])
    for same in (x, torch.from_numpy(x), x.tolist(), np.asfortranarray(x), x[::-1][::-1]):
        np.testing.assert_array_equal(graphon_ntk(same, [None, None]), expected)
    np.testing.assert_array_equal(x, before)


# --- Errors ---


X = np.ones((2, 4))


@pytest.mark.parametrize("kernel", [graphon_ntk, graphon_nngp])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"inputs": np.ones(4)},
            r"inputs has shape \(4,\), but must be a non-empty matrix \(N inputs, d coordinates\)",
        ),
        ({"inputs": np.ones((0, 4))}, r"inputs has shape \(0, 4\), but must be a non-empty matrix"),
        ({"inputs": np.ones((2, 2, 2))}, r"inputs has shape \(2, 2, 2\)"),
        ({"other": np.ones(4)}, r"other has shape \(4,\), but must be a non-empty matrix"),
        ({"inputs": X * np.nan}, "inputs contains NaN or infinity; drop or repair these entries first"),
        ({"other": X * np.inf}, "other contains NaN or infinity"),
        ({"other": np.ones((2, 3))}, "other has 3 coordinates, but inputs have 4; both go through one network"),
        ({"weight_variance": 0.0}, r"weight_variance is 0.0, but must be a positive number, such as 2 \(He\)"),
        ({"weight_variance": -1.0}, "weight_variance is -1.0, but must be"),
        ({"weight_variance": np.nan}, "weight_variance is nan, but must be"),
        ({"weight_variance": np.inf}, "weight_variance is inf, but must be"),
        ({"dtype": np.float16}, "dtype is <class 'numpy.float16'>, but must be float64 or float32"),
        ({"dtype": int}, "dtype is <class 'int'>, but must be"),
        (
            {"activation": "swish"},
            r"activation is 'swish', but must be one of \['erf', .*\], or a DualActivation",
        ),
        ({"chain": Chain([None, None], [0, 0, 0])}, "inputs have 4 coordinates, but the chain's input_blocks label 3"),
        ({"chain": [None]}, "chain has 1 graphon"),
    ],
)
def test_bad_arguments(kernel: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kernel(**{"inputs": X, "chain": [None, None], **arguments})


@pytest.mark.parametrize("activation", [None, 3, torch.nn.ReLU])
def test_an_activation_that_is_no_dual(activation: Any) -> None:
    with pytest.raises(TypeError, match=r"activation is a \w+, but must be one of \['erf', .*\], or an object with"):
        graphon_ntk(X, [None, None], activation=activation)
