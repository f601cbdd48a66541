"""Sweeps over kernels: finite networks against their limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from graphon_lib.empirical import empirical_ntk
from graphon_lib.graphons import Chain
from graphon_lib.kernels import graphon_ntk
from graphon_lib.networks import forward, mlp, prunable_layers
from graphon_lib.sweeps.grid import progress, trial_seed

Array = NDArray[np.floating[Any]]


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
