"""From masks to graphons: ``estimate_graphon`` for one mask, ``estimate_chain`` for all masks of a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from graphon_lib.estimation.chain import estimate_chain as estimate_chain
from graphon_lib.estimation.co_histogram import co_histogram
from graphon_lib.estimation.constant import constant
from graphon_lib.estimation.cross_fit import cross_fit
from graphon_lib.estimation.goodness import FIT_MOTIFS as FIT_MOTIFS
from graphon_lib.estimation.goodness import Fit as Fit
from graphon_lib.estimation.goodness import goodness_of_fit as goodness_of_fit
from graphon_lib.estimation.sas import sas
from graphon_lib.estimation.sorted_histogram import sorted_histogram
from graphon_lib.estimation.usvt import usvt
from graphon_lib.graphons import StepGraphon, as_bool_mask
from graphon_lib.graphons.masks import BoolArray

ESTIMATORS: dict[str, Callable[[BoolArray, int], StepGraphon]] = {
    "sorted_histogram": sorted_histogram,
    "sas": sas,
    "cross_fit": cross_fit,
    "usvt": usvt,
    "co_histogram": co_histogram,
    "constant": constant,
}


def estimate_graphon(mask: ArrayLike, method: str = "sorted_histogram", *, blocks: int = 64) -> StepGraphon:
    """The step graphon that one mask is estimated to come from.

    Parameters
    ----------
    mask : (R, C) matrix of zeros and ones
    method : str
        ======================  =================================================================================
        ``"sorted_histogram"``  rows and columns sorted by degree, averaged: what the paper calls SAS
        ``"sas"``               the same in small boxes, then smoothed by total variation: SAS proper
        ``"cross_fit"``         sorted by one half of the entries, averaged over the other: noise in the degrees
                                is not taken for structure
        ``"usvt"``              singular directions stronger than noise
        ``"co_histogram"``      groups of rows and columns by likelihood; needs no monotone degrees
        ``"constant"``          the density
        ======================  =================================================================================

        What each assumes is told by the function of that name in ``graphon_lib.estimation``.
    blocks : int
        Blocks along each axis, at least 1; the paper has 64. Every method returns (blocks, blocks) equal blocks, so
        estimates can be compared; each but ``"usvt"`` has the mask's density, up to rounding.

    Raises
    ------
    ValueError
        If the mask is not a matrix of zeros and ones, the method is unknown, or blocks is below 1.

    Notes
    -----
    A mask at a time: gluing such estimates into a network's chain is wrong, see :func:`estimate_chain`.
    """
    if method not in ESTIMATORS:
        raise ValueError(f"method is {method!r}, but must be one of {sorted(ESTIMATORS)}")
    if isinstance(blocks, bool) or not isinstance(blocks, int | np.integer) or blocks < 1:
        raise ValueError(f"blocks is {blocks!r}, but must be a whole number of at least 1")
    return ESTIMATORS[method](as_bool_mask(mask, "mask"), int(blocks))
