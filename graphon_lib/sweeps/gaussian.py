"""The studies of pre-activations: are they Gaussian, with the recursion's covariance (Proposition 1), and where not?

Networks are ReLU networks in NTK parametrisation with fresh masks and weights. A neuron of layer 2 or above adds the
outputs of those neurons below that it keeps, k of them: its variance, given these, is a mean of k random numbers, and
so the neuron is a mixture of Gaussians, whose fourth moment exceeds a Gaussian's by a multiple of 1 / k.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from graphon_lib.data import load_mnist
from graphon_lib.graphons import Chain, StepGraphon
from graphon_lib.graphons.step import block_labels
from graphon_lib.intervals import CONFIDENCE, Interval
from graphon_lib.kernels import graphon_nngp
from graphon_lib.kernels.finite_width import excess_kurtosis
from graphon_lib.sweeps.study import Study

Array = NDArray[np.float64]

BLOCKS = 8
WIDTHS = (64, 128, 256, 512, 1024, 2048)
KEPT = (1, 2, 4, 8, 16, 32, 64, 128)

# Two digits: the variance at the first, the covariance of both.
DIGITS = 2

# Words in the hash of seeds: networks here are none of those drawn elsewhere.
_STREAM, _DEGREES_STREAM = 0x67617573, 0x64656772


def graded_chain() -> Chain:
    """Three hidden layers whose first positions keep nearly all of their weights, and whose last a few per cent."""
    hidden = StepGraphon.from_function(lambda u, v: 0.02 + 0.9 * (1 - u) ** 2 * (1.5 - v) / 1.5, BLOCKS)
    return Chain([StepGraphon.from_function(lambda u, v: 0.9 - 0.6 * u + 0 * v, (BLOCKS, 1)), hidden, hidden, None])


def gaussian_study(
    widths: Sequence[int] = WIDTHS,
    layers: Sequence[int] = (1, 2, 3),
    blocks: Sequence[int] = (0, 3, 5, 7),
    *,
    networks: int = 20,
    neurons: int = 256,
    trials: int = 10,
    seed: int = 0,
) -> Study:
    """Pre-activations of the :func:`graded_chain` at several positions; a row's measures: :func:`moments`."""
    return Study(
        "gaussian",
        moments,
        [
            {
                "width": width,
                "layer": layer,
                "block": block,
                "networks": networks,
                "neurons": neurons,
                "trial": trial,
                "seed": seed,
            }
            for width, layer, block, trial in itertools.product(widths, layers, blocks, range(trials))
        ],
        group="limits",
    )


def moments(
    *, width: int, layer: int, block: int, networks: int, neurons: int, trial: int, seed: int
) -> dict[str, float]:
    """How the pre-activations at one position compare with the limit's Gaussian.

    Returns
    -------
    dict from str to float
        ``kept``, the expected number of weights into a neuron there. ``covariance``, of two digits, over the limit's.
        ``kurtosis``, the mean of the fourth Hermite polynomial of z over the limit's standard deviation: it is 0 for
        that Gaussian, and in expectation the excess kurtosis, since the variance of ReLU networks has the limit's mean
        at every width. ``predicted``, what :func:`excess_kurtosis` says of it. ``distance``, that of Kolmogorov and
        Smirnov from the sample to the Gaussian.
    """
    x, chain = digits(seed), graded_chain()
    place = {"width": width, "layer": layer, "block": block}
    z = preactivations(x, **place, networks=networks, neurons=neurons, trial=trial, seed=seed)
    limit = covariance(x, layer, block)
    scaled = z[..., 0].ravel() / math.sqrt(limit[0, 0])
    chances = chain.graphons[layer - 1].values[block]
    fan_in = chain.input_labels(x.shape[1]) if layer == 1 else _labels(width)
    return {
        "kept": float(chances[fan_in].sum()),
        "covariance": float((z[..., 0] * z[..., 1]).mean() / limit[0, 1]),
        **_normality(scaled),
        "predicted": float(excess_kurtosis(chain, x[0], width)[layer - 1][block]),
    }


def _normality(scaled: Array) -> dict[str, float]:
    return {
        "kurtosis": float((scaled**4 - 6 * scaled**2 + 3).mean()),
        "distance": float(stats.kstest(scaled, "norm").statistic),
    }


def digits(seed: int = 0) -> Array:
    """The two MNIST digits of the studies, (2, 784)."""
    return np.asarray(load_mnist(DIGITS, seed=seed).inputs, dtype=np.float64)


def covariance(inputs: ArrayLike, layer: int, block: int) -> Array:
    """The limit's covariance S_l(u) of inputs (N, d) at a position of the :func:`graded_chain`: an (N, N) array."""
    chain, x = graded_chain(), np.asarray(inputs, dtype=np.float64)
    if layer == 1:
        kept = chain.graphons[0].values[block, chain.input_labels(x.shape[1])]
        return np.asarray(2 * (x * kept) @ x.T / x.shape[1])
    # The output covariance of a shorter chain, which ends at this position.
    end = StepGraphon(chain.graphons[layer - 1].values[block : block + 1])
    return np.asarray(graphon_nngp(x, [*chain.graphons[: layer - 1], end]), dtype=np.float64)


def preactivations(
    inputs: ArrayLike,
    *,
    width: int,
    layer: int,
    block: int,
    networks: int,
    neurons: int,
    trial: int = 0,
    seed: int = 0,
) -> Array:
    """Pre-activations of neurons at one position of a layer of the :func:`graded_chain`.

    Parameters
    ----------
    inputs : (N, d) array
    layer : int
        From 1 to 3.
    neurons : int
        Of each network, all at this position: what the layer has there and more, for given the layer below they are
        independent of each other.

    Returns
    -------
    (networks, neurons, N) array
    """
    chain, found = graded_chain(), []
    for network in range(networks):
        rng = np.random.default_rng((seed, _STREAM, width, trial, network))
        signals = np.asarray(inputs, dtype=np.float64).T
        below = chain.input_labels(len(signals))
        for graphon in chain.graphons[: layer - 1]:
            signals = np.maximum(_next(rng, graphon.values[np.ix_(_labels(width), below)], signals), 0)
            below = _labels(width)
        chances = np.broadcast_to(chain.graphons[layer - 1].values[block][below], (neurons, below.size))
        found.append(_next(rng, chances, signals))
    return np.stack(found)


def _labels(width: int) -> NDArray[np.int64]:
    return block_labels(np.full(BLOCKS, 1 / BLOCKS), width)


def _next(rng: np.random.Generator, chances: Array, signals: Array) -> Array:
    """z = sigma_w / sqrt(n) (M * omega) h for a fresh mask and fresh weights: He's sigma_w^2 = 2."""
    kept = rng.random(chances.shape) < chances
    return math.sqrt(2 / len(signals)) * (kept * rng.standard_normal(chances.shape)) @ signals


def degrees_study(
    kept: Sequence[int] = KEPT,
    *,
    width: int = 512,
    networks: int = 20,
    neurons: int = 512,
    trials: int = 10,
    seed: int = 0,
) -> Study:
    """Neurons of the second layer that keep exactly so many weights; a row's measures: :func:`of_degree`."""
    return Study(
        "degrees",
        of_degree,
        [
            {
                "kept": count,
                "width": width,
                "networks": networks,
                "neurons": neurons,
                "trial": trial,
                "seed": seed,
            }
            for count, trial in itertools.product(kept, range(trials))
        ],
        group="limits",
    )


def of_degree(*, kept: int, width: int, networks: int, neurons: int, trial: int, seed: int) -> dict[str, float]:
    """Pre-activations of neurons with ``kept`` weights, on one digit, above a dense first layer.

    Returns
    -------
    dict from str to float
        ``kurtosis`` and ``distance`` as in :func:`moments`, against the Gaussian whose variance is the limit's at
        density ``kept / width``, and ``zero``, the share of neurons at exactly zero.

    Raises
    ------
    ValueError
        If a neuron cannot keep so many weights.
    """
    if not 1 <= kept <= width:
        raise ValueError(f"kept is {kept}, but a live neuron above {width} others keeps from 1 to {width} weights")
    x = digits(seed)[0]
    drawn = []
    for network in range(networks):
        rng = np.random.default_rng((seed, _DEGREES_STREAM, width, trial, network))
        below = np.maximum(_next(rng, np.ones((width, x.size)), x), 0)
        chosen = rng.permuted(np.tile(np.arange(width), (neurons, 1)), axis=1)[:, :kept]
        drawn.append(math.sqrt(2 / width) * (rng.standard_normal(chosen.shape) * below[chosen]).sum(axis=1))
    z = np.concatenate(drawn)
    # Half of the first layer's variance 2 |x|^2 / d reaches the next through ReLU, which He's factor 2 makes up for.
    variance = 2 * float((x**2).mean()) * kept / width
    return {**_normality(z / math.sqrt(variance)), "zero": float((z == 0).mean())}


def kurtosis_rate(widths: ArrayLike, kurtosis: ArrayLike) -> Interval:
    """The exponent a of excess kurtosis ~ width^-a, with a 95 % interval.

    By least squares with weights from the spread of the trials, not of logarithms: where little is left of the excess
    some trials are below zero.

    Parameters
    ----------
    widths : (w,) array
    kurtosis : (w, trials) array

    Raises
    ------
    ValueError
        If there are fewer than two widths or trials, or shapes do not fit.
    """
    n, values = np.asarray(widths, dtype=np.float64), np.asarray(kurtosis, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2 or n.shape != values.shape[:1] or n.size < 2:
        raise ValueError(
            f"widths and kurtosis have shapes {n.shape} and {values.shape}, but must be (w,) and (w, trials) with at "
            "least two widths and two trials"
        )
    trials = values.shape[1]
    errors = values.std(axis=1, ddof=1) / math.sqrt(trials)
    (_, a), spread = optimize.curve_fit(
        lambda x, c, a: c * x**-a, n / n[0], values.mean(axis=1), (values[0].mean(), 1.0), errors, absolute_sigma=True
    )
    half = stats.t.ppf((1 + CONFIDENCE) / 2, trials - 1) * math.sqrt(spread[1, 1])
    return Interval(float(a), float(a - half), float(a + half))
