"""From masks to graphons: ``estimate_graphon`` for one mask, ``estimate_chain`` for all masks of a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphon_lib.arguments import room
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
from graphon_lib.graphons import StepGraphon
from graphon_lib.graphons.channels import as_graph, kept_positions

Estimator = Callable[[NDArray[np.float64], int], StepGraphon | ArrayLike]

ESTIMATORS: dict[str, Callable[..., StepGraphon]] = {
    "sorted_histogram": sorted_histogram,
    "sas": sas,
    "cross_fit": cross_fit,
    "usvt": usvt,
    "co_histogram": co_histogram,
    "constant": constant,
}

# Those that average entries in groups made by degree: they take entries that are kept more than once.
AVERAGING = ("sorted_histogram", "sas", "cross_fit", "constant")


def estimate_graphon(mask: ArrayLike, method: str | Estimator = "sorted_histogram", *, blocks: int = 64) -> StepGraphon:
    """The step graphon that one mask is estimated to come from.

    Parameters
    ----------
    mask : (R, C) matrix of zeros and ones
        Or the mask of a convolution, (out, in, height, width): a graph between channels, averaged over kernel positions
        by the methods of :data:`AVERAGING`. The graph of one position is ``mask[:, :, i, j]``, which all methods take.
    method : str or function
        ======================  =================================================================================
        ``"sorted_histogram"``  rows and columns sorted by degree, averaged: what the paper calls SAS
        ``"sas"``               the same in small boxes, then smoothed by total variation: SAS proper
        ``"cross_fit"``         sorted by one half of the entries, averaged over the other: noise in the degrees
                                is not taken for structure
        ``"usvt"``              singular directions stronger than noise
        ``"co_histogram"``      groups of rows and columns by likelihood; needs no monotone degrees
        ``"constant"``          the density
        ======================  =================================================================================

        What each assumes is told by the function of that name in ``graphon_lib.estimation``. A function of yours gets
        the mask, a float64 array (R, C) of zeros and ones, or of the shares of kernel positions that are kept, and
        ``blocks``; it returns the values of a step graphon, or a :class:`~graphon_lib.StepGraphon`.
    blocks : int
        Blocks along each axis, at least 1; the paper has 64. Every named method returns (blocks, blocks) equal blocks,
        so estimates can be compared; each but ``"usvt"`` has the mask's density, up to rounding.

    Raises
    ------
    ValueError
        If the mask is not a matrix of zeros and ones, the method is unknown or does not take the mask of a convolution,
        blocks is below 1, or what a function returns is no graphon.

    Notes
    -----
    A mask at a time: gluing such estimates into a network's chain is wrong, see :func:`estimate_chain`.
    """
    if method not in ESTIMATORS if isinstance(method, str) else not callable(method):
        raise ValueError(
            f"method is {method!r}, but must be one of {sorted(ESTIMATORS)}, or a function (mask, blocks) that returns "
            "the graphon's values"
        )
    if isinstance(blocks, bool) or not isinstance(blocks, int | np.integer) or blocks < 1:
        raise ValueError(f"blocks is {blocks!r}, but must be a whole number of at least 1")
    room("blocks", blocks, 32 * int(blocks) ** 2)
    graph = as_graph(mask, "mask")
    counts, positions = kept_positions(graph), graph.shape[2]
    if not isinstance(method, str):
        found = method(counts / positions, int(blocks))
        return found if isinstance(found, StepGraphon) else StepGraphon(np.asarray(found))
    if positions == 1:
        return ESTIMATORS[method](np.ascontiguousarray(counts), int(blocks))
    if method not in AVERAGING:
        raise ValueError(
            f"method is {method!r}, but the mask has {positions} kernel positions, which only {list(AVERAGING)} "
            "average over; pass one of these, or one position at a time, such as mask[:, :, 0, 0]"
        )
    return ESTIMATORS[method](counts, int(blocks), positions)
