"""Dual activations against two-dimensional quadrature, and against the textbook's formulas in fifty digits."""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import erf, expit, ndtr

from graphon_lib.activations import (
    ACTIVATIONS,
    GELU,
    DualActivation,
    Erf,
    Hermite,
    LeakyReLU,
    Linear,
    ReLU,
    as_dual,
    hermite,
)
from graphon_lib.networks import ACTIVATION_LAYERS

Function = Callable[[NDArray[Any]], NDArray[Any]]


def normal_density(z: NDArray[Any]) -> NDArray[Any]:
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def leaky(slope: float) -> tuple[Function, Function]:
    return lambda z: np.where(z > 0, z, slope * z), lambda z: np.where(z > 0, 1.0, slope)


PHI: dict[str, tuple[Function, Function]] = {
    "relu": leaky(0.0),
    "leaky_relu": leaky(0.01),
    "linear": leaky(1.0),
    "leaky -2.5": leaky(-2.5),
    "absolute": leaky(-1.0),
    "erf": (erf, lambda z: 2 / np.sqrt(np.pi) * np.exp(-(z**2))),
    "gelu": (lambda z: z * ndtr(z), lambda z: ndtr(z) + z * normal_density(z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (expit, lambda z: expit(z) * expit(-z)),
    "silu": (lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
}
DUALS: dict[str, DualActivation] = {**ACTIVATIONS, "leaky -2.5": LeakyReLU(-2.5), "absolute": LeakyReLU(-1)}
SLOPES = {name: dual.negative_slope for name, dual in DUALS.items() if isinstance(dual, LeakyReLU)}
CLOSED = sorted(name for name, dual in DUALS.items() if not isinstance(dual, Hermite))
VARIANCE = st.floats(0.01, 20)


def gaps(q: float, q_other: float, s: float) -> tuple[NDArray[Any], ...]:
    return tuple(np.array(value) for value in (q, q_other, (q + q_other) / 2 - s, (q + q_other) / 2 + s))


def panels(edges: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Gauss-Legendre nodes and weights, forty between every two edges."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * nodes).ravel(), (half[:, None] * weights).ravel()


RADII = np.array([0, 0.25, 0.5, 1, 2, 3, 4, 6, 9, 12])


def quadrature(f: Function, q: float, q_other: float, correlation: float) -> float:
    """E[f(a) f(b)] in polar coordinates, with the rays on which a or b is 0 (ReLU's kinks) between the panels."""
    theta = np.arccos(correlation)
    rays = np.sort(np.mod([np.pi / 2, 3 * np.pi / 2, theta + np.pi / 2, theta + 3 * np.pi / 2], 2 * np.pi))
    # Each sector in six panels: erf is steep beside its rays where the variance is large.
    edges = np.interp(np.arange(25) / 6, np.arange(5), np.append(rays, rays[0] + 2 * np.pi))
    angle, angle_weight = panels(edges)
    radius, radius_weight = panels(RADII)
    density = radius_weight * radius * np.exp(-(radius**2) / 2) / (2 * np.pi)
    a = np.sqrt(q) * np.outer(radius, np.cos(angle))
    b = np.sqrt(q_other) * np.outer(radius, np.cos(angle - theta))
    return float(density @ (f(a) * f(b)) @ angle_weight)


def mean_square(f: Function, q: float) -> float:
    """E[f(a)^2], on a line."""
    z, weight = panels(np.concatenate([-RADII[:0:-1], RADII]))
    return float((weight * normal_density(z)) @ f(np.sqrt(q) * z) ** 2)


def textbook(name: str, q: Any, q_other: Any, s: Any) -> tuple[Any, Any]:
    """K and D' as printed, in plain covariances: Cho and Saul (2009), Williams (1997); GELU's is proved above."""
    if name == "erf":
        root = mp.sqrt((1 + 2 * q) * (1 + 2 * q_other))
        return 2 / mp.pi * mp.asin(2 * s / root), 4 / mp.pi / mp.sqrt(root**2 - 4 * s**2)
    if name == "gelu":
        delta = (1 + q) * (1 + q_other) - s**2
        both = mp.mpf(1) / 4 + mp.asin(s / mp.sqrt((1 + q) * (1 + q_other))) / (2 * mp.pi)
        density = 1 / (2 * mp.pi * mp.sqrt(delta))
        inverse = 1 / (1 + q) + 1 / (1 + q_other)
        return (
            s * both + density * (q * q_other - s**2 + s**2 * inverse),
            both + s * density * (inverse + 1 / delta),
        )
    # phi(z) = max(z, 0) - alpha max(-z, 0): ReLU's formulas at theta, and at pi - theta for opposite signs.
    alpha, length = mp.mpf(SLOPES[name]), mp.sqrt(q * q_other)
    same = mp.acos(max(-1, min(1, s / length)))
    value, slope = (
        [f(theta) for theta in (same, mp.pi - same)]
        for f in (
            lambda theta: length * (mp.sin(theta) + (mp.pi - theta) * mp.cos(theta)) / (2 * mp.pi),
            lambda theta: (mp.pi - theta) / (2 * mp.pi),
        )
    )
    return (1 + alpha**2) * value[0] - 2 * alpha * value[1], (1 + alpha**2) * slope[0] + 2 * alpha * slope[1]


@pytest.mark.parametrize("name", sorted(DUALS))
def test_protocol_is_met(name: str) -> None:
    assert isinstance(DUALS[name], DualActivation)
    assert DUALS[name].homogeneous == (name in SLOPES)


def test_every_name_has_a_layer_of_the_same_function() -> None:
    assert list(ACTIVATION_LAYERS) == list(ACTIVATIONS)
    assert set(PHI) == set(DUALS)
    z = np.linspace(-5, 5, 101)
    for name, layer in ACTIVATION_LAYERS.items():
        np.testing.assert_allclose(layer()(torch.from_numpy(z)).numpy(), PHI[name][0](z), rtol=1e-13, atol=1e-15)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(DUALS)), q=VARIANCE, q_other=VARIANCE, correlation=st.floats(-1, 1))
def test_duals_are_the_expectations_they_claim(name: str, q: float, q_other: float, correlation: float) -> None:
    phi, derivative = PHI[name]
    dual = DUALS[name]
    s = correlation * np.sqrt(q * q_other)
    gap, dual_of_derivative = dual.dual(*gaps(q, q_other, s))
    # What a series is cut by counts against the values for equal inputs.
    cut = dual.truncation_error(np.array([q, q_other])) if isinstance(dual, Hermite) else 0.0
    squares, slopes = ([mean_square(f, v) for v in (q, q_other)] for f in (phi, derivative))
    assert dual.second_moment(np.array(q)) == pytest.approx(squares[0], rel=1e-10 + cut)
    kernel = (dual.second_moment(np.array(q)) + dual.second_moment(np.array(q_other))) / 2 - gap
    # At correlation 1 - eps an angle of 1e-8 is lost in the correlation itself, before the library sees it.
    size = (1 + SLOPES.get(name, 0) ** 2) * np.sqrt(q * q_other)
    expected = quadrature(phi, q, q_other, correlation)
    assert kernel == pytest.approx(expected, rel=1e-9, abs=1e-10 * size + cut * math.sqrt(math.prod(squares)))
    expected = quadrature(derivative, q, q_other, correlation)
    rounding = 1e-8 * (1 - SLOPES.get(name, 0)) ** 2
    assert dual_of_derivative == pytest.approx(expected, rel=1e-9, abs=rounding + cut * math.sqrt(math.prod(slopes)))


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(CLOSED),
    q=VARIANCE,
    ratio=st.sampled_from([1.0, 1 + 1e-9, 1.5, 1e-3]),
    distance=st.sampled_from([0.0, 1e-16, 1e-12, 1e-7, 1e-3, 0.3]),
    sign=st.sampled_from([1, -1]),
)
def test_nothing_is_lost_where_two_inputs_are_nearly_parallel_or_opposite(
    name: str, q: float, ratio: float, distance: float, sign: int
) -> None:
    """Gaps made exactly, from the angle; the textbook's formulas then need fifty digits for fifteen."""
    with mp.workdps(50):
        q_other = q * ratio
        geometric = mp.sqrt(mp.mpf(q) * mp.mpf(q_other))
        spread = (mp.sqrt(q) - mp.sqrt(q_other)) ** 2 / 2
        near, far = spread + distance * geometric, spread + (2 - mp.mpf(distance)) * geometric
        gap, cogap = (near, far) if sign > 0 else (far, near)
        kernel, derivative = textbook(name, mp.mpf(q), mp.mpf(q_other), (cogap - gap) / 2)
        squares = [textbook(name, mp.mpf(v), mp.mpf(v), mp.mpf(v))[0] for v in (q, q_other)]
        expected = float(sum(squares) / 2 - kernel), float(derivative)
    gap_out, found = DUALS[name].dual(*(np.array(float(v)) for v in (q, q_other, gap, cogap)))
    # A gap enters the next layer as a squared angle: its error counts against the variances.
    slope = SLOPES.get(name, 0.0)
    assert gap_out == pytest.approx(expected[0], rel=1e-7, abs=4e-16 * (1 + slope**2) * (q + q_other))
    # Between two norms a gap is never nil, and the angle of a kink moves by the square root of its rounding.
    smooth = ratio == 1.0 or name not in SLOPES
    rounding = 1e-15 if smooth else np.sqrt(2e-16 * (q + q_other) / np.sqrt(q * q_other))
    assert found == pytest.approx(expected[1], rel=1e-12, abs=rounding * (1 - slope) ** 2)


@pytest.mark.parametrize("q", [1e-12, 1e-3, 1.0, 1e4, 1e8, 1e12])
@pytest.mark.parametrize("name", CLOSED)
def test_second_moments_keep_their_digits_at_all_sizes(name: str, q: float) -> None:
    with mp.workdps(50):
        expected = textbook(name, *[mp.mpf(q)] * 3)[0]
    assert DUALS[name].second_moment(np.array(q)) == pytest.approx(float(expected), rel=1e-14)


@pytest.mark.parametrize("name", sorted(DUALS))
def test_neurons_without_input_are_finite_and_carry_no_covariance(name: str) -> None:
    dual, (phi, slope) = DUALS[name], PHI[name]
    zero, one = np.zeros(1), np.ones(1)
    for q, q_other in ((zero, zero), (zero, one), (one, zero)):
        half = (q + q_other) / 2
        gap, derivative = dual.dual(q, q_other, half, half)
        kernel = (dual.second_moment(q) + dual.second_moment(q_other)) / 2 - gap
        np.testing.assert_allclose(kernel, quadrature(phi, q[0], q_other[0], 0.0), atol=1e-15)
        assert np.isfinite(derivative).all()
        if not dual.homogeneous:
            np.testing.assert_allclose(derivative, quadrature(slope, q[0], q_other[0], 0.0), rtol=1e-9)
        elif name in ACTIVATIONS:
            assert (derivative > 0).all()


def pairs_of_inputs(dtype: Any) -> tuple[NDArray[Any], ...]:
    """Variances and gaps of (2 blocks, 4 inputs, 5 inputs), among them equal, opposite and vanishing ones."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 4, 3)).astype(dtype), rng.normal(size=(2, 5, 3)).astype(dtype)
    y[:, 0], y[:, 1], y[:, 2] = x[:, 0], -x[:, 1], 0
    gap, cogap = (((x[:, :, None] - sign * y[:, None]) ** 2).sum(axis=3) / 2 for sign in (1, -1))
    return (x**2).sum(axis=2)[:, :, None], (y**2).sum(axis=2)[:, None, :], gap, cogap


@pytest.mark.parametrize("name", sorted(DUALS))
def test_shapes_broadcast_and_precision_is_kept(name: str) -> None:
    found = DUALS[name].dual(*pairs_of_inputs(np.float32))
    q = pairs_of_inputs(np.float32)[0]
    assert [part.shape for part in found] == [(2, 4, 5)] * 2
    assert [part.dtype for part in (*found, DUALS[name].second_moment(q))] == [np.float32] * 3


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", sorted(DUALS))
def test_tensors_give_what_arrays_give(name: str, dtype: Any) -> None:
    arrays = pairs_of_inputs(dtype)
    tensors = [torch.from_numpy(array) for array in arrays]
    expected = [*DUALS[name].dual(*arrays), DUALS[name].second_moment(arrays[0])]
    found = [*DUALS[name].dual(*tensors), DUALS[name].second_moment(tensors[0])]
    tolerance = 1e-14 if dtype == np.float64 else 1e-5
    for tensor, array in zip(found, expected, strict=True):
        assert isinstance(tensor, torch.Tensor)
        assert tensor.dtype == tensors[0].dtype
        np.testing.assert_allclose(tensor.numpy(), array, rtol=tolerance, atol=tolerance)


def test_the_identity_passes_gaps_unchanged() -> None:
    arrays = pairs_of_inputs(np.float64)
    gap, derivative = Linear().dual(*arrays)
    np.testing.assert_array_equal(gap, arrays[2])
    np.testing.assert_array_equal(derivative, 1.0)
    assert [dual.negative_slope for dual in (ReLU(), LeakyReLU(), Linear())] == [0.0, 0.01, 1.0]


@pytest.mark.parametrize("slope", [float("nan"), float("inf"), "0.1", None])
def test_slopes_that_are_no_numbers(slope: Any) -> None:
    with pytest.raises(
        ValueError, match=r"negative_slope is .*, but must be a finite number, at most 1e\+100 in size; 0 is ReLU"
    ):
        LeakyReLU(slope)


def on_a_grid(variances: list[float]) -> tuple[NDArray[Any], ...]:
    """All pairs of variances at 41 correlations, as arguments of a dual: (n, n, 41)."""
    root = np.sqrt(variances)
    product, spread = (f(root[:, None], root)[:, :, None] for f in (np.multiply, lambda a, b: (a - b) ** 2 / 2))
    r = np.linspace(-1, 1, 41)
    q = np.array(variances)[:, None, None]
    return q, q.transpose(1, 0, 2), spread + product * (1 - r), spread + product * (1 + r)


def error_of(series: Hermite, exact: DualActivation, variances: list[float]) -> tuple[float, float]:
    """The largest errors of K and D' on the grid, relative to their values for equal inputs."""
    q = np.array(variances)
    (gap, derivative), (gap_exact, derivative_exact) = (dual.dual(*on_a_grid(variances)) for dual in (series, exact))
    moments, moments_exact = (np.sqrt(dual.second_moment(q)) for dual in (series, exact))
    slopes = np.sqrt(exact.dual(q, q, 0 * q, 2 * q)[1])
    kernel, kernel_exact = (
        (m[:, None, None] ** 2 + m[None, :, None] ** 2) / 2 - g for m, g in ((moments, gap), (moments_exact, gap_exact))
    )
    return tuple(
        float((np.abs(a - b) / (size[:, None] * size)[:, :, None]).max())
        for a, b, size in ((kernel, kernel_exact, moments_exact), (derivative, derivative_exact, slopes))
    )


SERIES: dict[str, tuple[Function, DualActivation]] = {
    "erf": (erf, Erf()),
    "gelu": (PHI["gelu"][0], GELU()),
    "absolute": (np.abs, LeakyReLU(-1.0)),
    "leaky": (PHI["leaky_relu"][0], LeakyReLU(0.01)),
    "linear": (lambda z: z, Linear()),
}


@pytest.mark.parametrize(
    ("name", "largest", "of_kernel", "of_derivative"),
    [
        ("erf", 1.0, 1e-13, 1e-13),
        ("erf", 2.0, 1e-9, 1e-8),
        ("erf", 4.0, 1e-6, 1e-5),
        ("gelu", 1.0, 1e-13, 1e-13),
        ("gelu", 4.0, 1e-9, 1e-8),
        ("linear", 4.0, 1e-12, 1e-12),
    ],
)
def test_series_give_the_closed_forms(name: str, largest: float, of_kernel: float, of_derivative: float) -> None:
    function, exact = SERIES[name]
    kernel, derivative = error_of(Hermite(function), exact, [1e-3, 0.1, 0.5, 1.0, largest])
    assert kernel < of_kernel
    assert derivative < of_derivative


@pytest.mark.parametrize("terms", [8, 9, 64, 200])
@pytest.mark.parametrize("name", sorted(SERIES))
def test_the_bound_is_a_bound_and_falls_with_terms(name: str, terms: int) -> None:
    function, exact = SERIES[name]
    for variances in ([0.01, 0.3, 1.0], [2.0, 4.0, 20.0], [100.0, 1e4], [1e-12, 1e-10]):
        series = Hermite(function, terms)
        bound = series.truncation_error(np.array(variances))
        assert max(error_of(series, exact, variances)) <= bound + 1e-13
        assert bound <= 2 * Hermite(function, terms // 2).truncation_error(np.array(variances)) + 1e-9


def test_bounds_are_large_where_the_series_is_short() -> None:
    tanh = ACTIVATIONS["tanh"]
    assert isinstance(tanh, Hermite)
    errors = [tanh.truncation_error(np.array(q)) for q in (0.0, 0.1, 1.0, 4.0, 1e4)]
    assert errors[1] < 1e-12
    assert errors[2] < 1e-7
    assert 1e-5 < errors[3] < 1e-2
    assert errors[4] > 1
    # Steps have no derivative, kinks a slow series.
    assert Hermite(np.sign).truncation_error(np.ones(1)) > 1
    assert 0.05 < Hermite(np.abs).truncation_error(np.ones(1)) < 0.5
    # The largest of many, in any shape; of none, nothing.
    assert tanh.truncation_error(np.array([[0.1, 4.0], [1.0, 0.0]])) == pytest.approx(errors[3], rel=1e-9)
    assert tanh.truncation_error(np.zeros(0)) == 0.0


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "silu"])
def test_small_variances_keep_their_digits(name: str) -> None:
    """There K - phi(0)^2 is s phi'(0)^2, up to a share of the variance."""
    phi, slope = (float(f(np.zeros(1))[0]) for f in PHI[name])
    for q, q_other in itertools.product([1e-30, 1e-14, 1e-9, 1e-6], repeat=2):
        s = 0.5 * np.sqrt(q * q_other)
        gap, derivative = ACTIVATIONS[name].dual(*gaps(q, q_other, s))
        tolerance = 1e-8 + 10 * max(q, q_other)
        # Differences of a_0, which is near phi(0), are lost below its rounding.
        expected = slope**2 * gaps(q, q_other, s)[2]
        assert gap == pytest.approx(expected, rel=tolerance, abs=1e-31 * phi**2)
        assert derivative == pytest.approx(slope**2, rel=tolerance)


@pytest.mark.parametrize("function", [np.tanh, np.abs, lambda z: np.maximum(z, 0) + np.cos(3 * z)])
def test_series_are_positive_semi_definite_and_exact_at_equal_and_opposite_inputs(function: Function) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20, 3))
    x = np.concatenate([x, -x])
    series, q = Hermite(function, 16), (x**2).sum(axis=1)
    gap, cogap = (((x[:, None] - sign * x) ** 2).sum(axis=2) / 2 for sign in (1, -1))
    gap, derivative = series.dual(q[:, None], q, gap, cogap)
    np.testing.assert_array_equal(np.diagonal(gap), 0.0)
    moments = series.second_moment(q)
    kernel = (moments[:, None] + moments) / 2 - gap
    for matrix in (kernel, derivative):
        values = np.linalg.eigvalsh(matrix)
        assert values[0] > -1e-13 * values[-1]
    opposite = [(series.second_moment(v) - gap[i, (i + 20) % 40]) for i, v in enumerate(q)]
    nodes, weights = np.polynomial.hermite_e.hermegauss(256)
    z = np.sqrt(q)[:, None] * nodes
    # The even part's energy less the odd one's, by the same nodes.
    np.testing.assert_allclose(opposite, (function(z) * function(-z)) @ weights / np.sqrt(2 * np.pi), atol=1e-12)


def test_coefficients_have_the_shape_of_the_variances_and_know_polynomials() -> None:
    q = np.array([[0.0, 0.5], [1.0, 3.0]])
    a, b = Hermite(lambda z: z**3 - z + 2, terms=6).coefficients(q)
    assert a.shape == b.shape == (7, 2, 2)
    # z^3 = He_3 + 3 He_1, and the derivative is 3 q (He_2 + 1) - 1.
    root = np.sqrt(q)
    expected = np.zeros((2, 7, 2, 2))
    expected[0, :4] = 0 * q + 2, 3 * root**3 - root, 0 * q, root**3 * np.sqrt(6)
    expected[1, :3] = 3 * q - 1, 0 * q, 3 * q * np.sqrt(2)
    np.testing.assert_allclose([a, b], expected, atol=2e-9)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    q = np.linspace(0, 3, 50)
    tanh = Hermite(np.tanh, 8)
    whole = [*tanh.coefficients(q), tanh.second_moment(q), tanh.truncation_error(q)]
    monkeypatch.setattr(hermite, "_CHUNK_ELEMENTS", 1000)
    for found, expected in zip(
        [*tanh.coefficients(q), tanh.second_moment(q), tanh.truncation_error(q)], whole, strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


def test_tensor_functions_and_modules_are_functions_too() -> None:
    q = np.array([0.3, 2.0])
    cases = [
        (torch.tanh, np.tanh),
        (torch.nn.Softplus(), lambda z: np.logaddexp(0, z)),
        (torch.tanh_, np.tanh),
        (lambda z: np.expm1(z, out=z), np.expm1),
        (torch.nn.PReLU(init=0.2).double(), lambda z: np.where(z > 0, z, 0.2 * z)),
        (np.vectorize(math.tanh), np.tanh),
    ]
    for function, same in cases:
        for found, expected in zip(Hermite(function).coefficients(q), Hermite(same).coefficients(q), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-7)


def test_the_named_ones_travel_to_other_processes() -> None:
    arrays = pairs_of_inputs(np.float64)
    for dual in ACTIVATIONS.values():
        copy = pickle.loads(pickle.dumps(dual))
        np.testing.assert_array_equal(copy.dual(*arrays), dual.dual(*arrays))


@pytest.mark.parametrize("function", [math.tanh, "tanh", torch.nn.PReLU(), lambda z: z if z > 0 else 0.0, lambda: 1.0])
def test_functions_of_something_else(function: Any) -> None:
    with pytest.raises(
        TypeError, match=r"function is .*, which takes neither numpy arrays nor torch tensors of double"
    ):
        Hermite(function)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda z: z.sum(),
            r"function is .*, which turns shape \(33,\) into \(\); an activation gives one number for each",
        ),
        (lambda z: 1 / (1 + np.abs(z)) + z.mean(), r"depends on the numbers beside it or on chance; .* \(call .eval"),
        (torch.nn.Dropout(0.5), r"depends on the numbers beside it or on chance"),
        (
            lambda z: np.log(np.maximum(z, 1)) / (z > -1),
            r"which is not finite everywhere between -2 and 2, where pre-act",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*encountered in divide:RuntimeWarning")
def test_functions_that_are_no_activations(function: Any, message: str) -> None:
    with torch.random.fork_rng(), pytest.raises(ValueError, match=message):
        Hermite(function)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_overflow_is_not_passed_on() -> None:
    softplus = Hermite(lambda z: np.log1p(np.exp(z)))
    assert np.isfinite(softplus.second_moment(np.ones(1)))
    with pytest.raises(
        ValueError, match=r"not finite everywhere between -3.11e\+03 and 3.11e\+03, .* not overflow there"
    ):
        softplus.coefficients(np.array(1e4))


@pytest.mark.parametrize("terms", [3, 0, -1, 64.0, True, "64"])
def test_impossible_numbers_of_terms(terms: Any) -> None:
    with pytest.raises(
        ValueError, match=r"terms is .*, but must be a whole number of at least 4 and at most 2048, or None"
    ):
        Hermite(np.tanh, terms)


def test_as_dual_takes_names_duals_and_functions() -> None:
    for name, dual in ACTIVATIONS.items():
        assert as_dual(name) is dual
        assert as_dual(dual) is dual
    mish = as_dual(torch.nn.functional.mish)
    assert isinstance(mish, Hermite)
    assert mish.function is torch.nn.functional.mish


def test_as_dual_refuses_the_rest() -> None:
    with pytest.raises(
        ValueError, match=r"activation is 'swish', but must be one of \['erf', .*'tanh'\], or a DualAct"
    ):
        as_dual("swish")
    for activation in (None, 3, GELU, torch.nn.ReLU):
        with pytest.raises(
            TypeError, match=r"activation is a \w+, but must be one of \[.*\], or an object with the mem"
        ):
            as_dual(activation)
