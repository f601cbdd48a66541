"""Sweeps over masks: their sorted histograms, their path densities, and the estimator on known graphons."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pandas as pd
import torch

from graphon_lib.estimation import estimate_chain, estimate_graphon
from graphon_lib.graphons import StepGraphon, path_density
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


def path_density_sweep(
    methods: Sequence[str], *, width: int, depth: int, density: float, blocks: int = 64, trials: int = 1, seed: int = 0
) -> pd.DataFrame:
    """What a joint labelling is worth: path densities of masks, of their chain, and of masks sorted one by one.

    Returns
    -------
    DataFrame
        One row a method and trial: ``exact`` (of the masks), ``joint`` (of :func:`estimate_chain`) and ``separate`` (of
        each mask's own sorted histogram, glued), all path densities.
    """
    rows = []
    for trial, method in progress(list(itertools.product(range(trials), methods)), "path densities"):
        _, masks = pruned_mlp(method, density, depth=depth, width=width, seed=trial_seed(seed, width, trial))
        separate = [estimate_graphon(mask, blocks=blocks) for mask in masks.values()]
        rows.append(
            {
                "method": method,
                "trial": trial,
                "exact": path_density(masks),
                "joint": path_density(estimate_chain(masks, blocks=blocks)),
                "separate": path_density(separate),
            }
        )
    return pd.DataFrame(rows)


def recovery_sweep(
    graphons: Mapping[str, StepGraphon], sizes: Sequence[int], *, blocks: int = 64, trials: int = 3, seed: int = 0
) -> pd.DataFrame:
    """The error of the sorted histogram on graphons that are known, from masks in random order.

    Parameters
    ----------
    graphons : dict from name to StepGraphon
        Of (blocks, blocks) equal blocks, densest rows and columns first where sorting is to have a chance.

    Returns
    -------
    DataFrame
        One row a graphon, size and trial: ``error``, the L2 distance of estimate and truth over the norm of the truth.
    """
    rows = []
    for name, size, trial in progress(list(itertools.product(graphons, sizes, range(trials))), "recovery"):
        this = trial_seed(seed, size, trial)
        shuffle = torch.Generator().manual_seed(this)
        mask = graphons[name].sample(size, size, seed=this)
        mask = mask[torch.randperm(size, generator=shuffle)][:, torch.randperm(size, generator=shuffle)]
        estimate = estimate_graphon(mask, blocks=blocks)
        error = estimate.l2_distance(graphons[name]) / graphons[name].l2_norm()
        rows.append({"graphon": name, "size": size, "trial": trial, "error": error})
    return pd.DataFrame(rows)
