"""The study of sharpness: is a hidden mask one sharp block or a smooth slope, judged on another network's mask."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from graphon_lib.estimation import estimate_graphon
from graphon_lib.estimation.sharpness import log_likelihood, smooth_fit, two_block_fit
from graphon_lib.graphons import as_bool_mask, degrees
from graphon_lib.graphons.masks import BoolArray, Counts
from graphon_lib.sweeps.grid import pruned_mlp, trial_seed
from graphon_lib.sweeps.study import Study


def sharpness_study(
    methods: Sequence[str],
    densities: Sequence[float],
    depths: Sequence[int] = (2, 3),
    *,
    width: int = 1000,
    blocks: int = 64,
    initialisation: str = "pytorch",
    trials: int = 10,
    seed: int = 0,
) -> Study:
    """Fits to all hidden masks of pruned MNIST networks; a row's measures: :func:`sharpness`."""
    return Study(
        "sharpness",
        sharpness,
        [
            {
                "method": method,
                "density": density,
                "depth": depth,
                "layer": layer,
                "width": width,
                "blocks": blocks,
                "initialisation": initialisation,
                "trial": trial,
                "seed": seed,
            }
            for depth, trial, method, density in itertools.product(depths, range(trials), methods, densities)
            for layer in range(1, depth)
        ],
    )


def sharpness(
    *,
    method: str,
    density: float,
    depth: int,
    layer: int,
    width: int,
    blocks: int,
    initialisation: str,
    trial: int,
    seed: int,
) -> dict[str, float]:
    """What fits to the mask of one network foretell of another's, each mask sorted by its own degrees.

    Networks 2 ``trial`` and 2 ``trial`` + 1 make a pair that no other trial shares. ``layer`` counts hidden masks from
    1, the one between the first two hidden layers.

    Returns
    -------
    dict from str to float
        ``two_block``, ``smooth`` and ``flexible``: the log-likelihood of the second network's mask under
        :func:`graphon_lib.estimation.sharpness.two_block_fit` to the first, ``smooth_fit`` with as many coefficients,
        and with 21, over that under the first one's density, in nats an entry. Of the first mask, ``removed_rows`` and
        ``removed_columns``: shares of neurons without a kept weight; ``fading_rows`` and ``fading_columns``: of the
        others, the share that keep less than half of their mean: a quarter for a steady slope down to nothing, none
        for a block.
    """
    pair = []
    for number in (2 * trial, 2 * trial + 1):
        this = trial_seed(seed, width, number)
        _, masks = pruned_mlp(method, density, depth=depth, width=width, initialisation=initialisation, seed=this)
        pair.append(as_bool_mask(list(masks.values())[layer], "mask"))
    first, second = pair
    histogram, other = (estimate_graphon(mask, blocks=blocks) for mask in (first, second))
    fits = {
        "two_block": two_block_fit(histogram, first.size),
        "smooth": smooth_fit(histogram, first.size),
        "flexible": smooth_fit(histogram, first.size, order=5),
    }
    constant = smooth_fit(histogram, first.size, order=0)
    gains = {
        name: float(np.mean(log_likelihood(fit.values, other.values) - log_likelihood(constant.values, other.values)))
        for name, fit in fits.items()
    }
    return gains | _degree_shares(first)


def _degree_shares(mask: BoolArray) -> dict[str, float]:
    rows, columns = degrees(mask)
    return {
        "removed_rows": _removed(rows),
        "removed_columns": _removed(columns),
        "fading_rows": _fading(rows),
        "fading_columns": _fading(columns),
    }


def _removed(degree: Counts) -> float:
    return int((degree == 0).sum()) / degree.size


def _fading(degree: Counts) -> float:
    alive = degree[degree > 0]
    return int((2 * alive * alive.size < alive.sum()).sum()) / alive.size if alive.size else 0.0
