"""Sweeps over training: loss curves of pruned networks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd

from graphon_lib.data import load_mnist
from graphon_lib.graphons import path_density
from graphon_lib.sweeps.grid import pairs, progress, pruned_mlp, trial_seed
from graphon_lib.training import train


def training_sweep(
    methods: Sequence[str],
    densities: Sequence[float],
    *,
    depth: int = 4,
    width: int = 1024,
    steps: int = 200,
    learning_rate: float = 1e-3,
    trials: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Loss curves of pruned networks on MNIST with Adam (the paper's Figs. 2 and 11); ``"dense"`` is run at density 1.

    Returns
    -------
    DataFrame
        One row a network: ``method``, ``density``, ``trial``, ``losses`` (steps,), ``early_loss`` (their mean) and
        ``path_density`` (of the masks).
    """
    dataset = load_mnist()
    rows = []
    for trial, (method, density) in progress(
        list(itertools.product(range(trials), pairs(methods, densities))), "training"
    ):
        this = trial_seed(seed, width, trial)
        model, masks = pruned_mlp(method, density, depth=depth, width=width, seed=this)
        curve = train(model, masks, dataset, steps=steps, learning_rate=learning_rate, seed=this)
        rows.append(
            {
                "method": method,
                "density": density,
                "trial": trial,
                "losses": curve.losses,
                "early_loss": curve.mean(),
                "path_density": path_density(masks),
            }
        )
    return pd.DataFrame(rows)
