"""Sweeps over kernels: finite networks against their limit, and the spectra of pruned networks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from graphon_lib.data import load_mnist
from graphon_lib.empirical import empirical_ntk
from graphon_lib.estimation import estimate_chain
from graphon_lib.graphons import Chain, path_density
from graphon_lib.kernels import graphon_ntk
from graphon_lib.networks import forward, mlp, prunable_layers
from graphon_lib.spectra import alignment, spectrum
from graphon_lib.sweeps.grid import pairs, progress, pruned_mlp, trial_seed

Array = NDArray[np.floating[Any]]

METRICS = ("decay", "effective_rank", "gap", "concentration")


def kernel_sweep(
    chain: Chain,
    inputs: Array,
    widths: Sequence[int],
    *,
    activation: str = "relu",
    outputs: int = 10,
    trials: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """How the NTK of finite networks approaches the Graphon NTK (Theorem 1): masks and weights are fresh in each trial.

    Returns
    -------
    DataFrame
        One row a width and trial: ``error``, the Frobenius distance to the limit relative to its norm, and ``bias``,
        the same for the mean kernel of the width's trials, repeated in each of its rows.
    """
    limit = graphon_ntk(inputs, chain, activation=activation)
    rows = []
    for width in progress(widths, "kernels"):
        neurons = [inputs.shape[1], *[width] * chain.depth, outputs]
        kernels = []
        for trial in range(trials):
            this = trial_seed(seed, width, trial)
            model = mlp(chain.depth, width, inputs=neurons[0], outputs=outputs, activation=activation, seed=this)
            masks = dict(zip(prunable_layers(model), chain.sample(neurons, seed=this), strict=True))
            kernels.append(empirical_ntk(model, masks, inputs))
        errors = np.linalg.norm(np.array(kernels) - limit, axis=(1, 2)) / np.linalg.norm(limit)
        bias = np.linalg.norm(np.mean(kernels, axis=0) - limit) / np.linalg.norm(limit)
        rows += [{"width": width, "trial": t, "error": e, "bias": bias} for t, e in enumerate(errors)]
    return pd.DataFrame(rows)


def preactivation_sweep(
    chain: Chain, inputs: Array, *, layer: int, width: int, networks: int = 20, seed: int = 0
) -> Array:
    """Pre-activations of one hidden layer in networks of fresh masks and weights (Proposition 1).

    Parameters
    ----------
    inputs : (N, d) array
    layer : int
        From 1 to the chain's depth.

    Returns
    -------
    (networks, width, N) array
        Neurons in the chain's order: neuron i stands at position (i + 1/2) / width.
    """
    if not 1 <= layer <= chain.depth:
        raise ValueError(f"layer is {layer}, but the chain has hidden layers 1 to {chain.depth}")
    neurons = [inputs.shape[1], *[width] * chain.depth, 1]
    found = []
    for network in progress(range(networks), "pre-activations"):
        this = trial_seed(seed, width, network)
        model = mlp(chain.depth, width, inputs=neurons[0], outputs=1, seed=this)
        masks = dict(zip(prunable_layers(model), chain.sample(neurons, seed=this), strict=True))
        # Linear layers and activations alternate: the first 2 l - 1 modules end with the l-th pre-activation.
        below = model[: 2 * layer - 1]
        kept = {name: masks[name] for name in prunable_layers(below)}
        with torch.no_grad():
            found.append(forward(below, kept, torch.as_tensor(inputs, dtype=torch.float32)).T.double().numpy())
    return np.stack(found)


def spectrum_sweep(
    methods: Sequence[str],
    densities: Sequence[float],
    *,
    depth: int = 4,
    width: int = 1024,
    images: int = 1024,
    blocks: int = 64,
    trials: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """The kernel's spectrum for each network of :func:`training_sweep`, at three removes (THEORY.md, section 6).

    ``rung`` is ``"pruned"`` (a: the network's masks and its own weights), ``"sampled"`` (c: masks drawn from the
    estimated chain, fresh weights, as the paper computes Fig. 3) or ``"limit"`` (d: the analytic Graphon NTK of that
    chain).

    Returns
    -------
    DataFrame
        One row a network and rung: ``method``, ``density``, ``trial``, ``rung``, the four metrics of the paper,
        ``top_eigenvalue`` (of the kernel over the number of images), ``trace`` (mean of the diagonal), ``alignment``
        (centred, with the labels), ``path_density`` (of the masks, the same on all rungs) and ``eigenvalues``.
    """
    sample = load_mnist(images, seed=seed)
    rows = []
    for trial, (method, density) in progress(
        list(itertools.product(range(trials), pairs(methods, densities))), "spectra"
    ):
        this = trial_seed(seed, width, trial)
        model, masks = pruned_mlp(method, density, depth=depth, width=width, seed=this)
        chain = estimate_chain(masks, blocks=blocks)
        fresh = mlp(depth, width, seed=this + 1)
        neurons = [mask.shape[1] for mask in masks.values()] + [len(list(masks.values())[-1])]
        drawn = dict(zip(masks, chain.sample(neurons, seed=this), strict=True))
        kernels = {
            "pruned": empirical_ntk(model, masks, sample.inputs),
            "sampled": empirical_ntk(fresh, drawn, sample.inputs),
            "limit": graphon_ntk(sample.inputs, chain),
        }
        for rung, kernel in kernels.items():
            of_kernel = spectrum(kernel)
            rows.append(
                {
                    "method": method,
                    "density": density,
                    "trial": trial,
                    "rung": rung,
                    **{metric: getattr(of_kernel, metric) for metric in METRICS},
                    "top_eigenvalue": of_kernel.eigenvalues[0] / images,
                    "trace": float(np.mean(np.diag(kernel))),
                    "alignment": alignment(kernel, sample.labels),
                    "path_density": path_density(masks),
                    "eigenvalues": of_kernel.eigenvalues,
                }
            )
    return pd.DataFrame(rows)
