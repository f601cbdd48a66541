"""The study of labels: what path density makes of several ways to glue a network's masks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from graphon_lib.estimation import estimate_chain, estimate_graphon
from graphon_lib.graphons import path_density
from graphon_lib.sweeps.grid import pruned_mlp, trial_seed
from graphon_lib.sweeps.study import Study


def labels_study(
    methods: Sequence[str],
    densities: Sequence[float],
    depths: Sequence[int] = (3, 4),
    *,
    width: int = 1000,
    blocks: int = 64,
    initialisation: str = "pytorch",
    trials: int = 5,
    seed: int = 0,
) -> Study:
    """Path densities of pruned MNIST networks, exact and by three labellings; a row's measures: :func:`glued`."""
    return Study(
        "labels",
        glued,
        [
            {
                "method": method,
                "density": density,
                "depth": depth,
                "width": width,
                "blocks": blocks,
                "initialisation": initialisation,
                "trial": trial,
                "seed": seed,
            }
            for depth, trial, method, density in itertools.product(depths, range(trials), methods, densities)
        ],
    )


def glued(
    *,
    method: str,
    density: float,
    depth: int,
    width: int,
    blocks: int,
    initialisation: str,
    trial: int,
    seed: int,
) -> dict[str, float]:
    """Path densities of one network.

    Returns
    -------
    dict from str to float
        ``exact``, of the masks; ``separate``, of each mask's own sorted histogram, glued as they come (the paper's
        way); ``sums`` and ``pairs``, of :func:`graphon_lib.estimation.estimate_chain` with these labels.
    """
    this = trial_seed(seed, width, trial)
    _, masks = pruned_mlp(method, density, depth=depth, width=width, initialisation=initialisation, seed=this)
    return {
        "exact": path_density(masks),
        "separate": path_density([estimate_graphon(mask, blocks=blocks) for mask in masks.values()]),
        "sums": path_density(estimate_chain(masks, blocks=blocks, labels="sums")),
        "pairs": path_density(estimate_chain(masks, blocks=blocks)),
    }
