"""The compiled loops' own parts; what they add up to is in test_kernels.py."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphon_lib.activations import LeakyReLU
from graphon_lib.kernels import fused
from graphon_lib.kernels.arithmetic import arctangent
from graphon_lib.kernels.piecewise_linear import piecewise_linear


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_arctangent_is_right_to_rounding(dtype: Any) -> None:
    t = np.linspace(-np.tan(np.pi / 8), np.tan(np.pi / 8), 10001).astype(dtype)
    found = np.array([arctangent(value, dtype) for value in t])
    np.testing.assert_allclose(found, np.arctan(t.astype(np.longdouble)), rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [[1], [4], [0, 3, 5], [1, 1, 1, 0]])
def test_gaps_of_inputs(sizes: list[int], dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(sum(sizes), 9)).astype(dtype)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    gaps = np.full((len(sizes), 3, 5), np.nan, dtype)
    fused.input_gaps(x, x, 2, 4, starts, gaps)
    for group, (a, b) in enumerate(itertools.pairwise(starts)):
        expected = ((x[a:b, 2:5, None] - x[a:b, None, 4:9]) ** 2).sum(axis=0) / 2
        np.testing.assert_allclose(gaps[group], expected, rtol=10 * np.finfo(dtype).eps)
    assert (gaps[:, 2, 0] == 0).all()  # row 2 + 2 is column 4 + 0


def one_block(x: NDArray[np.float64], y: NDArray[np.float64], dtype: Any) -> tuple[float, float]:
    """The gap of the outputs and D' of a ReLU neuron that sees all coordinates of two inputs."""
    gaps, tangents = np.zeros((2, 1, 1, 1), dtype)
    a, b = x[:, None].astype(dtype), y[:, None].astype(dtype)
    weights = np.full((1, len(x)), 1, dtype)
    gaps[:] = ((a - b) ** 2).sum() / 2
    signals = [fused.features(LeakyReLU(0.0), (z.astype(float) ** 2).sum(axis=0)[None]).astype(dtype) for z in (a, b)]
    slopes = np.array([0.5, 0.5 / np.pi, 0], dtype)
    out = [np.empty((1, 1, 1), dtype) for _ in range(3)]
    none, labels = np.empty((1, 1, 1), dtype), np.arange(len(x))
    piecewise_linear(gaps, tangents, 0, 0, True, dtype(1), *signals, 0, slopes, weights, labels, a, b, none, *out)
    s = float(signals[0][0, 0, 0]) * float(signals[1][0, 0, 0])
    return float(out[1][0, 0, 0]), float(out[2][0, 0, 0]) / s


@pytest.mark.parametrize(("dtype", "digits"), [(np.float32, 3e-7), (np.float64, 1e-15)])
@pytest.mark.parametrize("ratio", [1.0, 1.5, 3.0, 1 / 7, 1 + 1e-6])
@pytest.mark.parametrize(("sign", "expected"), [(1, 0.5), (-1, 0.0)])
def test_parallel_and_opposite_inputs_of_two_norms_have_no_angle_between_them(
    dtype: Any, digits: float, ratio: float, sign: int, expected: float
) -> None:
    x = np.array([0.3, -1.1, 0.7, 2.3, 0.2])
    _, tangent = one_block(x, sign * ratio * x, dtype)
    assert tangent == pytest.approx(sign * expected, abs=digits)
