"""The sweep over masks: their sorted histograms."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd

from graphon_lib.estimation import estimate_graphon
from graphon_lib.graphons import StepGraphon
from graphon_lib.sweeps.grid import progress, pruned_mlp, trial_seed


def mask_sweep(
    methods: Sequence[str],
    widths: Sequence[int],
    densities: Sequence[float],
    *,
    depth: int = 2,
    trials: int = 3,
    blocks: int = 64,
    initialisation: str = "he",
    seed: int = 0,
) -> pd.DataFrame:
    """Hidden-to-hidden masks of pruned MNIST networks, each as its degree-sorted histogram (the paper's Figs. 1, 4-10).

    Returns
    -------
    DataFrame
        One row a hidden mask: ``method``, ``width``, ``density`` (asked of the whole network), ``trial``, ``layer`` (1
        for the mask between hidden layers 1 and 2), ``mask_density`` (of this mask), ``removed_rows`` and
        ``removed_columns`` (shares of its upper and lower neurons without any kept weight in it), ``histogram``
        (blocks, blocks), and ``null_histogram``: the same estimate of an Erdős-Rényi mask of equal size and density,
        for what sorting makes of no structure at all.

    Raises
    ------
    ValueError
        If depth is below 2: a network with one hidden layer has no hidden-to-hidden mask.
    """
    if depth < 2:
        raise ValueError(f"depth is {depth}, but hidden-to-hidden masks need at least 2 hidden layers")
    rows = []
    grid = list(itertools.product(widths, range(trials), methods, densities))
    for width, trial, method, density in progress(grid, "pruning"):
        this = trial_seed(seed, width, trial)
        _, masks = pruned_mlp(method, density, depth=depth, width=width, initialisation=initialisation, seed=this)
        for layer, mask in enumerate(list(masks.values())[1:-1], start=1):
            mask_density = mask.double().mean().item()
            null = StepGraphon.constant(mask_density).sample(mask.shape[0], mask.shape[1], this)
            rows.append(
                {
                    "method": method,
                    "width": width,
                    "density": density,
                    "trial": trial,
                    "layer": layer,
                    "mask_density": mask_density,
                    "removed_rows": (~mask.any(dim=1)).double().mean().item(),
                    "removed_columns": (~mask.any(dim=0)).double().mean().item(),
                    "histogram": estimate_graphon(mask, blocks=blocks).values,
                    "null_histogram": estimate_graphon(null, blocks=blocks).values,
                }
            )
    return pd.DataFrame(rows)
