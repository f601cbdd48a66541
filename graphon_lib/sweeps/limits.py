"""The study of finite networks' kernels: how near they are to the Graphon NTK (Theorem 1)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphon_lib.data import load_mnist
from graphon_lib.empirical import empirical_ntk
from graphon_lib.estimation import estimate_chain
from graphon_lib.graphons import Chain, StepGraphon
from graphon_lib.kernels import graphon_ntk
from graphon_lib.networks import mlp, prunable_layers
from graphon_lib.sweeps.grid import pruned_mlp, trial_seed
from graphon_lib.sweeps.recovery import SHAPES
from graphon_lib.sweeps.study import Study

Array = NDArray[np.floating[Any]]

WIDTHS = (64, 128, 256, 512, 1024)

# Shapes of hidden graphons, or the pruning method from whose masks the chain is estimated; and the kept share.
CHAINS = (("constant", 0.2), ("smooth", 0.2), ("block", 0.2), ("snip", 0.1), ("synflow", 0.1))
CONSTANTS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)

DEPTH, OUTPUTS, BLOCKS = 3, 10, 8

# Of the networks that are pruned to estimate their chains.
PRUNED_WIDTH, PRUNED_BLOCKS = 1000, 64


def finite_kernels_study(
    chains: Sequence[tuple[str, float]] = CHAINS,
    activations: Sequence[str] = ("relu", "tanh"),
    widths: Sequence[int] = WIDTHS,
    constants: Sequence[float] = CONSTANTS,
    *,
    images: int = 32,
    networks: int = 4,
    trials: int = 6,
    seed: int = 0,
) -> Study:
    """Kernels of finite networks beside their limit; a row's measures: :func:`finite_kernels`.

    Parameters
    ----------
    chains : sequence of (shape, density)
        For all activations; see :func:`limit_chain`.
    constants : sequence of float
        Densities of constant chains, with the first activation.
    networks : int
        In each trial, at least 2.
    """
    of_constants = [("constant", density, activations[0]) for density in constants]
    cases = dict.fromkeys([*((*chain, a) for chain, a in itertools.product(chains, activations)), *of_constants])
    return Study(
        "finite_kernels",
        finite_kernels,
        [
            {
                "shape": shape,
                "density": density,
                "activation": activation,
                "width": width,
                "images": images,
                "networks": networks,
                "trial": trial,
                "seed": seed,
            }
            for width, (shape, density, activation), trial in itertools.product(widths, cases, range(trials))
        ],
        group="limits",
    )


def limit_chain(shape: str, density: float, *, seed: int = 0) -> Chain:
    """The chain of three hidden layers from which networks are drawn.

    Parameters
    ----------
    shape : str
        One of :data:`graphon_lib.sweeps.recovery.SHAPES`, scaled to the density, between hidden layers, with a constant
        of the same density into and out of them; or else a pruning method: then the chain is estimated from the masks
        of an MNIST network.
    density : float
        Of each layer, or of the pruned network.
    """
    if shape not in SHAPES:
        this = trial_seed(seed, PRUNED_WIDTH, 0)
        return estimate_chain(
            pruned_mlp(shape, density, depth=DEPTH, width=PRUNED_WIDTH, seed=this)[1], blocks=PRUNED_BLOCKS
        )
    hidden = StepGraphon.from_function(lambda u, v: density * SHAPES[shape](u, v), BLOCKS)
    flat = StepGraphon.constant(density)
    return Chain([flat, *[hidden] * (DEPTH - 1), flat])


@functools.lru_cache(maxsize=4)
def _limit(shape: str, density: float, activation: str, images: int, seed: int) -> tuple[Chain, Array]:
    chain = limit_chain(shape, density, seed=seed)
    return chain, graphon_ntk(load_mnist(images, seed=seed).inputs, chain, activation=activation)


def finite_kernels(
    *, shape: str, density: float, activation: str, width: int, images: int, networks: int, trial: int, seed: int
) -> dict[str, float]:
    """Distances of the NTKs of some networks, of fresh masks and weights, to the Graphon NTK of their chain.

    Returns
    -------
    dict from str to float
        Means over the networks: ``frobenius``, the Frobenius norm of the deviation over that of the limit;
        ``operator``, the same in operator norm; ``entry``, the largest deviation over the limit's largest entry;
        ``shape_error``, the Frobenius distance from the limit to the nearest multiple of the kernel, over the limit's
        norm. And ``squared_bias``, the mean inner product of two networks' deviations over the limit's squared norm: in
        expectation the squared relative distance from the mean kernel to the limit.
    """
    chain, limit = _limit(shape, density, activation, images, seed)
    inputs = load_mnist(images, seed=seed).inputs
    neurons = [inputs.shape[1], *[width] * DEPTH, OUTPUTS]
    kernels = []
    for number in range(trial * networks, (trial + 1) * networks):
        this = trial_seed(seed, width, number)
        model = mlp(DEPTH, width, inputs=neurons[0], outputs=OUTPUTS, activation=activation, seed=this)
        masks = dict(zip(prunable_layers(model), chain.sample(neurons, seed=this), strict=True))
        kernels.append(empirical_ntk(model, masks, inputs))
    return _distances(np.stack(kernels), limit)


def _distances(kernels: Array, limit: Array) -> dict[str, float]:
    deviations, size = kernels - limit, float(np.linalg.norm(limit))
    norms = np.linalg.norm(deviations, axis=(1, 2))
    sizes = np.linalg.norm(kernels, axis=(1, 2)) * size
    # A network through which nothing passes has the kernel 0: no multiple of it is any nearer to the limit.
    cosines = (kernels * limit).sum(axis=(1, 2)) / np.where(sizes > 0, sizes, 1.0)
    products = np.linalg.norm(deviations.sum(axis=0)) ** 2 - (norms**2).sum()  # of all ordered pairs of two
    return {
        "frobenius": float(norms.mean() / size),
        "operator": float(np.linalg.norm(deviations, 2, axis=(1, 2)).mean() / np.linalg.norm(limit, 2)),
        "entry": float(np.abs(deviations).max(axis=(1, 2)).mean() / np.abs(limit).max()),
        "shape_error": float(np.sqrt(1 - np.minimum(cosines, 1) ** 2).mean()),
        "squared_bias": float(products / (len(kernels) * (len(kernels) - 1) * size**2)),
    }
