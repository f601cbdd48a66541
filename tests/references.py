"""Kernels in fifty digits, pair by pair and block by block: plain, slow, sharing nothing with the library."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

from graphon_lib.graphons import StepGraphon

Array = NDArray[np.float64]


def textbook(name: str, q: Any, q_other: Any, s: Any) -> tuple[Any, Any]:
    """K and D' in plain covariances: Cho and Saul (2009); Williams (1997); Gaussian integration by parts for GELU."""
    if name == "erf":
        root = mp.sqrt((1 + 2 * q) * (1 + 2 * q_other))
        return 2 / mp.pi * mp.asin(2 * s / root), 4 / mp.pi / mp.sqrt(root**2 - 4 * s**2)
    if name == "gelu":
        determinant = (1 + q) * (1 + q_other) - s**2
        quadrant = mp.mpf(1) / 4 + mp.asin(s / mp.sqrt((1 + q) * (1 + q_other))) / (2 * mp.pi)
        density = 1 / (2 * mp.pi * mp.sqrt(determinant))
        ratios = 1 / (1 + q) + 1 / (1 + q_other)
        kernel = s * quadrant + density * (q * q_other - s**2 + s**2 * ratios)
        return kernel, quadrant + s * density * (ratios + 1 / determinant)
    slope = {"relu": mp.mpf(0), "leaky_relu": mp.mpf(0.01), "linear": mp.mpf(1)}[name]
    theta = mp.acos(max(-1, min(1, s / mp.sqrt(q * q_other)))) if q * q_other else mp.mpf(0)
    kappa, c = (1 + slope**2) / 2, (1 - slope) ** 2 / (2 * mp.pi)
    kernel = kappa * s + c * (mp.sqrt(q * q_other) * mp.sin(theta) - theta * s)
    return kernel, kappa - c * theta


def exact(values: Array) -> list[Any]:
    return [mp.mpf(float(value)) for value in values]


def dense_kernels(x: Array, y: Array, depth: int, name: str, weight_variance: float) -> tuple[float, float]:
    """NNGP and NTK of the unpruned network on one pair, layer by layer (Lee et al. 2018, Jacot et al. 2018)."""
    sigma = mp.mpf(weight_variance)
    q, q_other, s = (sigma * mp.fdot(a, b) / len(a) for a, b in itertools.starmap(
        lambda a, b: (exact(a), exact(b)), ((x, x), (y, y), (x, y))))  # fmt: skip
    ntk = s
    for _ in range(depth):
        kernel, derivative = textbook(name, q, q_other, s)
        q, q_other, s = sigma * textbook(name, q, q, q)[0], sigma * textbook(name, q_other, q_other, q_other)[0], (
            sigma * kernel
        )  # fmt: skip
        ntk = s + sigma * derivative * ntk
    return float(s), float(ntk)


def backward_form(
    x: Array, y: Array, graphons: Sequence[StepGraphon], labels: Array, name: str, weight_variance: float
) -> tuple[float, float]:
    """S_{L+1} and S_{L+1} + sum over l of the integral of G_l S_l, by loops over blocks, for one pair of inputs."""
    sigma = mp.mpf(weight_variance)
    pairs = [(exact(a), exact(b)) for a, b in ((x, x), (y, y), (x, y))]
    first = graphons[0].values
    # Per position u: the variance of x, the variance of y, and the covariance.
    signals = [
        [
            [sigma * mp.fsum(first[u, labels[j]] * a[j] * b[j] for j in range(len(x))) / len(x) for a, b in pairs]
            for u in range(len(first))
        ]
    ]
    derivatives = []
    for graphon in graphons[1:]:
        duals, derivatives_here = [], []
        for q, q_other, s in signals[-1]:
            kernel, derivative = textbook(name, q, q_other, s)
            duals.append([textbook(name, q, q, q)[0], textbook(name, q_other, q_other, q_other)[0], kernel])
            derivatives_here.append(derivative)
        derivatives.append(derivatives_here)
        weights = graphon.values * graphon.column_measure
        signals.append([
            [sigma * mp.fsum(weights[u, v] * duals[v][k] for v in range(len(duals))) for k in range(3)]
            for u in range(len(weights))
        ])  # fmt: skip
    total = mp.fsum(m * s[2] for m, s in zip(graphons[-1].row_measure, signals[-1], strict=True))
    nngp = float(total)
    backward = [mp.mpf(1)] * len(graphons[-1].values)
    for level in range(len(graphons) - 1, 0, -1):
        above = graphons[level]
        backward = [
            derivatives[level - 1][u]
            * sigma
            * mp.fsum(above.values[w, u] * b * above.row_measure[w] for w, b in enumerate(backward))
            for u in range(above.values.shape[1])
        ]
        measure = above.column_measure
        total += mp.fsum(measure[u] * backward[u] * signals[level - 1][u][2] for u in range(len(measure)))
    return nngp, float(total)
