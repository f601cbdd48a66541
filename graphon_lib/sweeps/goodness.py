"""The study of goodness of fit: estimates of the masks of pruned networks, put to the test of their motifs."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

from graphon_lib.estimation import ESTIMATORS, estimate_graphon, goodness_of_fit
from graphon_lib.sweeps.grid import pruned_mlp, trial_seed
from graphon_lib.sweeps.study import Study

# Two-sided p-values come down to 2 / (replicates + 1). What takes a second at the published size is drawn less often.
REPLICATES = dict.fromkeys(ESTIMATORS, 39) | {"usvt": 19, "co_histogram": 19}


def goodness_study(
    methods: Sequence[str],
    densities: Sequence[float],
    estimators: Sequence[str] = tuple(ESTIMATORS),
    *,
    width: int = 1000,
    blocks: int = 64,
    initialisation: str = "pytorch",
    trials: int = 1,
    seed: int = 0,
) -> Study:
    """Estimates of the mask between the two hidden layers of pruned MNIST networks; a row's measures: :func:`fit`."""
    return Study(
        "goodness",
        fit,
        [
            {
                "method": method,
                "density": density,
                "estimator": estimator,
                "width": width,
                "blocks": blocks,
                "replicates": REPLICATES[estimator],
                "initialisation": initialisation,
                "trial": trial,
                "seed": seed,
            }
            for trial, density, method, estimator in itertools.product(range(trials), densities, methods, estimators)
        ],
    )


def fit(
    *,
    method: str,
    density: float,
    estimator: str,
    width: int,
    blocks: int,
    replicates: int,
    initialisation: str,
    trial: int,
    seed: int,
) -> dict[str, float]:
    """See :func:`graphon_lib.estimation.goodness_of_fit`.

    Returns
    -------
    dict from str to float
        For path3, C4 and K23: ``..._error``, ``..._z`` and ``..._p``, the numbers of its :class:`Fit`.
    """
    this = trial_seed(seed, width, trial)
    _, masks = pruned_mlp(method, density, depth=2, width=width, initialisation=initialisation, seed=this)
    mask = list(masks.values())[1].numpy()
    found = goodness_of_fit(
        mask, functools.partial(estimate_graphon, method=estimator, blocks=blocks), replicates=replicates, seed=this
    )
    return {
        f"{motif}_{name}": value
        for motif, fitted in found.items()
        for name, value in (("error", fitted.error), ("z", fitted.z), ("p", fitted.p_value))
    }
