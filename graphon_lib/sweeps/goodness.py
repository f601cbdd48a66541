"""The study of goodness of fit: do masks drawn from an estimate have the small patterns of the mask itself?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from graphon_lib.estimation import ESTIMATORS, estimate_graphon
from graphon_lib.graphons import Motif, StepGraphon, homomorphism_densities
from graphon_lib.sweeps.grid import pruned_mlp, trial_seed
from graphon_lib.sweeps.study import Study

MOTIFS: tuple[Motif, ...] = ("path3", "C4", "K23")

# Two-sided p-values come down to 2 / (replicates + 1). What takes a second at the published size is drawn less often.
REPLICATES = dict.fromkeys(ESTIMATORS, 39) | {"usvt": 19, "co_histogram": 19}

# Told apart from the streams of other modules: the masks that are drawn are independent of the network's.
_STREAM = 0x626F6F74


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
    r"""A parametric bootstrap of an estimate, by three motifs.

    The statistic is :math:`\log t(\text{mask}) - \log t(\text{estimate})`, with the mask's motifs counted on distinct
    vertices: not zero even for the true model, for an estimate has errors. So masks are drawn from the estimate and
    estimated again, and the mask's statistic is placed among theirs (Efron and Tibshirani 1993, chapter 16).

    Returns
    -------
    dict from str to float
        For path3, C4 and K23: ``..._error``, the statistic; ``..._z``, how many standard deviations of the replicates
        it lies above their mean; ``..._p``, two-sided, at least 2 / (replicates + 1). NaN if the mask, or a replicate,
        has none of the motif, and for z and p if all replicates are alike.
    """
    this = trial_seed(seed, width, trial)
    _, masks = pruned_mlp(method, density, depth=2, width=width, initialisation=initialisation, seed=this)
    mask = list(masks.values())[1].numpy()
    estimate = estimate_graphon(mask, estimator, blocks=blocks)
    observed = _statistics(mask, estimate)
    rows, columns = mask.shape
    drawn = []
    for number in range(replicates):
        own = int(np.random.SeedSequence((this, number, _STREAM)).generate_state(1)[0])
        replicate = estimate.sample(rows, columns, own).numpy()
        drawn.append(_statistics(replicate, estimate_graphon(replicate, estimator, blocks=blocks)))
    return {
        f"{motif}_{name}": value
        for motif in MOTIFS
        for name, value in _placed(observed[motif], [found[motif] for found in drawn]).items()
    }


def _statistics(mask: ArrayLike, estimate: StepGraphon) -> dict[Motif, float]:
    of_mask, of_estimate = homomorphism_densities(mask, unbiased=True), homomorphism_densities(estimate)
    return {motif: _log(of_mask[motif]) - _log(of_estimate[motif]) for motif in MOTIFS}


def _log(density: float) -> float:
    return math.log(density) if density > 0 else math.nan


def _placed(observed: float, drawn: Sequence[float]) -> dict[str, float]:
    mean = math.fsum(drawn) / len(drawn)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in drawn) / (len(drawn) - 1))
    if not math.isfinite(observed) or not deviation > 0:
        return {"error": observed, "z": math.nan, "p": math.nan}
    below = sum(value <= observed for value in drawn)
    above = sum(value >= observed for value in drawn)
    return {
        "error": observed,
        "z": (observed - mean) / deviation,
        "p": min(1.0, 2 * (1 + min(below, above)) / (len(drawn) + 1)),
    }
