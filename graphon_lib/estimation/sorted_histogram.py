"""The degree-sorted histogram: what the paper calls SAS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphon_lib.graphons import StepGraphon

Array = NDArray[np.float64]


def sorted_histogram(mask: Array, blocks: int) -> StepGraphon:
    """Sort rows and columns by degree, densest first, and average over ``blocks`` equal intervals along each axis.

    A block boundary that falls inside a row or column splits it by length, so every mask, whatever its size, is
    averaged over the same (blocks, blocks) grid and the density is kept exactly.

    It identifies a graphon only if its degrees are strictly monotone, and it invents structure: even a mask without
    any comes out graded, the more so the sparser, because sorting picks up the noise in the degrees.

    Parameters
    ----------
    mask : (R, C) array of zeros and ones
    blocks : int

    References
    ----------
    Pham et al. (NeurIPS 2025), section 4.2. Chan and Airoldi (2014), whose SAS goes on to smooth by total variation.
    """
    rows = np.argsort(-mask.sum(axis=1), kind="stable")
    columns = np.argsort(-mask.sum(axis=0), kind="stable")
    row_means, column_means = (interval_means(n, blocks) for n in mask.shape)
    return StepGraphon(row_means @ mask[np.ix_(rows, columns)] @ column_means.T)


def interval_means(vertices: int, blocks: int) -> Array:
    """The (blocks, vertices) matrix that averages ``vertices`` cells of [0, 1] over ``blocks`` equal intervals."""
    edges = np.arange(blocks + 1) * (vertices / blocks)
    cells = np.arange(vertices)
    overlap = np.minimum(cells + 1, edges[1:, None]) - np.maximum(cells, edges[:-1, None])
    return np.asarray(np.clip(overlap, 0, None) * (blocks / vertices), dtype=np.float64)
