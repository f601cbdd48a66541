"""The constant graphon of a mask's density: what is left when all structure is taken for noise."""

from __future__ import annotations

import numpy as np

from graphon_lib.graphons import StepGraphon
from graphon_lib.graphons.masks import BoolArray, Counts


def constant(mask: BoolArray | Counts, blocks: int, positions: int = 1) -> StepGraphon:
    """The mask's density on each of ``blocks`` by ``blocks`` equal blocks.

    Assumes that all entries are alike: the limit of pruning at random. Then no estimator is better, with a mean squared
    error of rho (1 - rho) / (R C); otherwise its error is the graphon's own deviation from its mean, at every size.

    Parameters
    ----------
    mask : (R, C) bool array, or the number of kernel positions at which each entry is kept
    blocks : int
    positions : int
        Of how many.
    """
    return StepGraphon(np.full((blocks, blocks), int(mask.sum()) / (mask.size * positions)))
