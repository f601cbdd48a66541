"""Dual activations against two-dimensional quadrature, and against the textbook's formulas in fifty digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import erf

from graphon_lib.activations import ACTIVATIONS, DualActivation, Erf, ReLU

Function = Callable[[NDArray[Any]], NDArray[Any]]

PHI: dict[str, tuple[Function, Function]] = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "erf": (erf, lambda z: 2 / np.sqrt(np.pi) * np.exp(-(z**2))),
}
NAMES = st.sampled_from(sorted(PHI))
VARIANCE = st.floats(0.01, 20)


def gaps(q: float, q_other: float, s: float) -> tuple[NDArray[Any], ...]:
    return tuple(np.array(value) for value in (q, q_other, (q + q_other) / 2 - s, (q + q_other) / 2 + s))


def quadrature(f: Function, q: float, q_other: float, correlation: float) -> float:
    """E[f(a) f(b)] in polar coordinates, with the rays on which a or b is 0 (ReLU's kinks) between the panels."""
    theta = np.arccos(correlation)
    rays = np.sort(np.mod([np.pi / 2, 3 * np.pi / 2, theta + np.pi / 2, theta + 3 * np.pi / 2], 2 * np.pi))
    nodes, weights = np.polynomial.legendre.leggauss(40)

    def panels(edges: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
        return (middle[:, None] + half[:, None] * nodes).ravel(), (half[:, None] * weights).ravel()

    # Each sector in six panels: erf is steep beside its rays where the variance is large.
    edges = np.interp(np.arange(25) / 6, np.arange(5), np.append(rays, rays[0] + 2 * np.pi))
    angle, angle_weight = panels(edges)
    radius, radius_weight = panels(np.array([0, 0.25, 0.5, 1, 2, 3, 4, 6, 9, 12]))
    density = radius_weight * radius * np.exp(-(radius**2) / 2) / (2 * np.pi)
    a = np.sqrt(q) * np.outer(radius, np.cos(angle))
    b = np.sqrt(q_other) * np.outer(radius, np.cos(angle - theta))
    return float(density @ (f(a) * f(b)) @ angle_weight)


def textbook(name: str, q: Any, q_other: Any, s: Any) -> tuple[Any, Any]:
    """K and D' as printed, in plain covariances: Cho and Saul (2009), Williams (1997)."""
    if name == "erf":
        root = mp.sqrt((1 + 2 * q) * (1 + 2 * q_other))
        return 2 / mp.pi * mp.asin(2 * s / root), 4 / mp.pi / mp.sqrt(root**2 - 4 * s**2)
    theta = mp.acos(max(-1, min(1, s / mp.sqrt(q * q_other))))
    kernel = mp.sqrt(q * q_other) * (mp.sin(theta) + (mp.pi - theta) * mp.cos(theta)) / (2 * mp.pi)
    return kernel, (mp.pi - theta) / (2 * mp.pi)


@pytest.mark.parametrize("name", sorted(PHI))
def test_protocol_is_met(name: str) -> None:
    assert isinstance(ACTIVATIONS[name], DualActivation)
    assert ACTIVATIONS[name].homogeneous == (name == "relu")


@settings(max_examples=30, deadline=None)
@given(name=NAMES, q=VARIANCE, q_other=VARIANCE, correlation=st.floats(-1, 1))
def test_duals_are_the_expectations_they_claim(name: str, q: float, q_other: float, correlation: float) -> None:
    phi, derivative = PHI[name]
    s = correlation * np.sqrt(q * q_other)
    gap, dual_of_derivative = ACTIVATIONS[name].dual(*gaps(q, q_other, s))
    squares = quadrature(phi, q, q, 1.0), quadrature(phi, q_other, q_other, 1.0)
    assert ACTIVATIONS[name].second_moment(np.array(q)) == pytest.approx(squares[0], rel=1e-10)
    kernel = sum(squares) / 2 - gap
    # At correlation 1 - eps an angle of 1e-8 is lost in the correlation itself, before the library sees it.
    assert kernel == pytest.approx(quadrature(phi, q, q_other, correlation), rel=1e-9, abs=1e-10 * np.sqrt(q * q_other))
    assert dual_of_derivative == pytest.approx(quadrature(derivative, q, q_other, correlation), rel=1e-9, abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(
    name=NAMES,
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
    gap_out, found = ACTIVATIONS[name].dual(*(np.array(float(v)) for v in (q, q_other, gap, cogap)))
    # A gap enters the next layer as a squared angle: its error counts against the variances.
    assert gap_out == pytest.approx(expected[0], rel=1e-7, abs=4e-16 * (q + q_other))
    # Between two norms a gap is never nil, and ReLU's angle moves by the square root of its rounding.
    rounding = 1e-15 if ratio == 1.0 or name == "erf" else np.sqrt(2e-16 * (q + q_other) / np.sqrt(q * q_other))
    assert found == pytest.approx(expected[1], rel=1e-12, abs=rounding)


@pytest.mark.parametrize("q", [1e-12, 1e-3, 1.0, 1e4, 1e8, 1e12])
@pytest.mark.parametrize("name", sorted(PHI))
def test_second_moments_keep_their_digits_at_all_sizes(name: str, q: float) -> None:
    with mp.workdps(50):
        expected = mp.mpf(q) / 2 if name == "relu" else 2 / mp.pi * mp.asin(2 * mp.mpf(q) / (1 + 2 * mp.mpf(q)))
    assert ACTIVATIONS[name].second_moment(np.array(q)) == pytest.approx(float(expected), rel=1e-14)


@pytest.mark.parametrize("dual", [ReLU(), Erf()])
def test_neurons_without_input_are_finite_and_carry_no_covariance(dual: DualActivation) -> None:
    zero, one = np.zeros(1), np.ones(1)
    for q, q_other in ((zero, zero), (zero, one), (one, zero)):
        half = (q + q_other) / 2
        gap, derivative = dual.dual(q, q_other, half, half)
        kernel = (dual.second_moment(q) + dual.second_moment(q_other)) / 2 - gap
        np.testing.assert_allclose(kernel, 0, atol=1e-16)
        assert np.isfinite(derivative).all()
        assert (derivative > 0).all()


@pytest.mark.parametrize("dual", [ReLU(), Erf()])
def test_shapes_broadcast_and_precision_is_kept(dual: DualActivation) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 4, 3)).astype(np.float32), rng.normal(size=(2, 5, 3)).astype(np.float32)
    q, q_other = ((z**2).sum(axis=2) for z in (x, y))
    pairs = [((x[:, :, None] - sign * y[:, None]) ** 2).sum(axis=3) / 2 for sign in (1, -1)]
    gap, derivative = dual.dual(q[:, :, None], q_other[:, None, :], *pairs)
    assert gap.shape == derivative.shape == (2, 4, 5)
    assert gap.dtype == derivative.dtype == dual.second_moment(q).dtype == np.float32
