"""Goodness of fit: do masks drawn from an estimate have the small patterns of the mask itself?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from graphon_lib.graphons import Motif, StepGraphon, homomorphism_densities

FIT_MOTIFS: tuple[Motif, ...] = ("path3", "C4", "K23")

# Told apart from the streams of other modules: the masks that are drawn are independent of the network's.
_STREAM = 0x626F6F74


@dataclass(frozen=True)
class Fit:
    """How one motif of a mask lies among those of masks drawn from its estimate.

    Attributes
    ----------
    error : float
        log t(mask) - log t(estimate). NaN if the mask has none of the motif.
    z : float
        How many standard deviations of the replicates it lies above their mean. NaN if they are all alike, or one of
        them has none of the motif.
    p_value : float
        Two-sided, at least 2 / (replicates + 1); NaN where z is.
    """

    error: float
    z: float
    p_value: float


def goodness_of_fit(
    mask: ArrayLike, estimate: Callable[[ArrayLike], StepGraphon], *, replicates: int = 39, seed: int = 0
) -> dict[Motif, Fit]:
    r"""A parametric bootstrap of an estimate, by three motifs.

    The statistic is :math:`\log t(\text{mask}) - \log t(\text{estimate})`, with the mask's motifs counted on distinct
    vertices: not zero even for the true model, for an estimate has errors. So masks are drawn from the estimate and
    estimated again, and the mask's statistic is placed among theirs (Efron and Tibshirani 1993, chapter 16).

    Parameters
    ----------
    mask : (R, C) matrix of zeros and ones, at least 2 by 3
    estimate : callable
        From a mask to its estimated graphon.
    replicates : int
        Masks drawn, at least 2.
    seed : int
        Of these masks.

    Returns
    -------
    dict from "path3", "C4" and "K23" to Fit

    Raises
    ------
    ValueError
        If the mask is smaller than a motif, or replicates is below 2.
    """
    if replicates < 2:
        raise ValueError(f"replicates is {replicates}, but a spread takes at least 2; the book draws 39")
    fitted = estimate(mask)
    observed = _statistics(mask, fitted)
    rows, columns = np.shape(mask)
    drawn = []
    for number in tqdm(range(replicates), desc="goodness of fit", disable=None, delay=2, leave=False):
        own = int(np.random.SeedSequence((seed, number, _STREAM)).generate_state(1)[0])
        replicate = fitted.sample(rows, columns, own).numpy()
        drawn.append(_statistics(replicate, estimate(replicate)))
    return {motif: _placed(observed[motif], [found[motif] for found in drawn]) for motif in FIT_MOTIFS}


def _statistics(mask: ArrayLike, estimate: StepGraphon) -> dict[Motif, float]:
    of_mask, of_estimate = homomorphism_densities(mask, unbiased=True), homomorphism_densities(estimate)
    return {motif: _log(of_mask[motif]) - _log(of_estimate[motif]) for motif in FIT_MOTIFS}


def _log(density: float) -> float:
    return math.log(density) if density > 0 else math.nan


def _placed(observed: float, drawn: Sequence[float]) -> Fit:
    mean = math.fsum(drawn) / len(drawn)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in drawn) / (len(drawn) - 1))
    if not math.isfinite(observed) or not deviation > 0:
        return Fit(observed, math.nan, math.nan)
    below = sum(value <= observed for value in drawn)
    above = sum(value >= observed for value in drawn)
    p_value = min(1.0, 2 * (1 + min(below, above)) / (len(drawn) + 1))
    return Fit(observed, (observed - mean) / deviation, p_value)
