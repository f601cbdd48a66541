"""How far the kernels are from references that share nothing with them; rows of the report, beside the times."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import mpmath as mp
import numpy as np
import torch
from numpy.typing import NDArray
from random_chains import random_case
from references import backward_form, dense_kernels
from scipy.special import erf

from benchmarks.harness import Row
from graphon_lib import Chain, StepGraphon, empirical_ntk, graphon_ntk, mlp
from graphon_lib.networks import prunable_layers

Array = NDArray[np.float64]

DIGITS, DEPTH = 50, 4
ASKED = {"float64": 1e-9, "float32": 1e-5}
CLOSED_FORMS = ("relu", "leaky_relu", "linear", "erf", "gelu")


def pairs() -> dict[str, tuple[Array, Array]]:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 32))
    return {
        "in general position": (x, y),
        "that differ by 1e-7": (x, x + 1e-7 * y),
        "parallel": (x, 3 * x),
        "opposite": (x, -2 * x),
        "equal": (x, x),
    }


def row(case: str, dtype: Any, error: float, asked: float | None = None) -> Row:
    name = np.dtype(dtype).name
    return Row(f"{case}: {name}", "relative error", error, error, error, asked or ASKED[name])


def dense() -> Iterator[Row]:
    """Errors relative to sqrt(Theta(x, x) Theta(x', x'))."""
    for (name, (x, y)), dtype in itertools.product(pairs().items(), (np.float64, np.float32)):
        worst = 0.0
        for activation in CLOSED_FORMS:
            found = graphon_ntk(np.array([x, y]), [None] * (DEPTH + 1), activation=activation, dtype=dtype)
            with mp.workdps(DIGITS):
                expected = [dense_kernels(a, b, DEPTH, activation, 2.0)[1] for a, b in ((x, y), (x, x), (y, y))]
            worst = max(worst, abs(float(found[0, 1]) - expected[0]) / np.sqrt(expected[1] * expected[2]))
        yield row(f"dense, two inputs {name}", dtype, worst)


def chains(count: int) -> Iterator[Row]:
    """Random chains of 1 to 3 blocks a layer, half of them with inputs full of zeros, duplicates and opposites."""
    worst = {np.float64: 0.0, np.float32: 0.0}
    for seed in range(count):
        rng = np.random.default_rng(seed)
        activation = CLOSED_FORMS[seed % len(CLOSED_FORMS)]
        chain, x = random_case(rng, 1 + seed % 4, 5, 3)
        labels = chain.input_labels(5)
        with mp.workdps(DIGITS):
            expected = np.array([
                [backward_form(a, b, chain.graphons, labels, activation, 2.0)[1] for a in x] for b in x
            ])  # fmt: skip
        for dtype in worst:
            error = np.abs(graphon_ntk(x, chain, activation=activation, dtype=dtype) - expected).max()
            worst[dtype] = max(worst[dtype], error / max(np.abs(expected).max(), 1e-300))
    for dtype, error in worst.items():
        yield row(f"{count} random chains, against the backward form", dtype, error)


def series() -> Iterator[Row]:
    """Hermite series where a closed form is known, and against quadrature in two dimensions where none is."""
    rng = np.random.default_rng(1)
    chain = Chain([StepGraphon(rng.random(blocks)) for blocks in ((8, 4), (8, 8), (1, 8))])
    x = rng.normal(size=(50, 20))
    for name, function in (("erf", erf), ("gelu", torch.nn.functional.gelu)):
        exact, found = (graphon_ntk(x, chain, activation=phi) for phi in (name, function))
        error = float(np.abs(found - exact).max() / exact.max())
        yield row(f"Hermite series of {name}, against its closed form", np.float64, error, 1e-6)
    x = x[:6]
    found = graphon_ntk(x, [None, None, None], activation="tanh")
    expected = np.array([[quadrature_ntk(a, b) for a in x] for b in x])
    error = np.abs(found - expected).max() / np.abs(expected).max()
    yield row("tanh, dense, against two-dimensional quadrature", np.float64, float(error), 1e-6)


def quadrature_ntk(x: Array, y: Array) -> float:
    """The NTK of a dense tanh network of two hidden layers, each expectation over 300 x 300 Gauss-Hermite nodes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(300)
    weights = weights / weights.sum()

    def mean(f: Any, q: float, p: float, s: float) -> float:
        r = s / np.sqrt(q * p)
        b = np.sqrt(p) * (r * nodes[:, None] + np.sqrt(max(1 - r * r, 0)) * nodes)
        return float((weights * f(np.sqrt(q) * nodes)) @ f(b) @ weights)

    q, p, s = (2 * float(a @ b) / len(x) for a, b in ((x, x), (y, y), (x, y)))
    tangent = s
    for _ in range(2):
        slope = mean(lambda z: 1 / np.cosh(z) ** 2, q, p, s)
        q, p, s = (2 * mean(np.tanh, *moments) for moments in ((q, q, q), (p, p, p), (q, p, s)))
        tangent = s + 2 * slope * tangent
    return tangent


def networks(count: int, width: int) -> Iterator[Row]:
    """The mean kernel of finite networks of fresh masks and weights, in standard errors from the limit."""
    rng = np.random.default_rng(2)
    chain = Chain([None, StepGraphon(rng.random((3, 1))), StepGraphon(rng.random((1, 3)))])
    x = rng.normal(size=(4, 10))
    kernels = []
    for seed in range(count):
        model = mlp(2, width, inputs=10, seed=seed)
        masks = dict(zip(prunable_layers(model), chain.sample([10, width, width, 10], seed=seed), strict=True))
        kernels.append(empirical_ntk(model, masks, x))
    deviation = np.mean(kernels, axis=0) - graphon_ntk(x, chain)
    errors = np.std(kernels, axis=0, ddof=1) / np.sqrt(count)
    worst = float(np.abs(deviation / errors).max())
    yield Row(f"mean of {count} networks of width {width}, worst entry", "standard errors", worst, worst, worst, 4)


def accuracy(chain_count: int = 100, network_count: int = 200, width: int = 512) -> list[Row]:
    return [*dense(), *chains(chain_count), *series(), *networks(network_count, width)]
