"""What is left of chance at finite width: the fourth moments of pre-activations, exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphon_lib.arguments import finite, room, whole
from graphon_lib.graphons import Chain
from graphon_lib.graphons.step import block_labels

Array = NDArray[np.float64]


def excess_kurtosis(chain: Chain, x: ArrayLike, width: int) -> list[Array]:
    r"""The excess kurtosis of pre-activations of a ReLU network at *finite* width, exactly.

    Given the layer below and the masks, a pre-activation is Gaussian with a variance s that is random. Its excess
    kurtosis is :math:`3 (E s^2 / (E s)^2 - 1)`. With :math:`s_i = \sigma_w^2 n^{-1} \sum_j M_{ij} h_j^2` and, for ReLU,
    :math:`E[h_j^2 | s_j] = s_j / 2`, :math:`E[h_j^4 | s_j] = 3 s_j^2 / 2`, the second moments of all s of a layer
    follow from those of the layer below: ``own``, E s_i^2 by block, and ``shared``, E s_i s_k of different neurons.

    Parameters
    ----------
    chain : Chain
    x : (d,) array
        One input.
    width : int
        Of all hidden layers; masks and weights are drawn anew, sigma_w^2 = 2.

    Returns
    -------
    list of (blocks,) arrays
        One for each hidden layer, by block; NaN where a position keeps nothing.
    """
    if not isinstance(chain, Chain):
        raise TypeError(f"chain is a {type(chain).__name__}, but must be a Chain; pass Chain(graphons)")
    squares = finite("x", x) ** 2
    if squares.ndim != 1 or not squares.any():
        raise ValueError(f"x has shape {squares.shape}, but must be one input (d,), not all zero")
    width = whole("width", width, 1)
    room("width", width, 24 * width)
    first = chain.graphons[0].values[:, chain.input_labels(squares.size)]
    scale = 2 / squares.size
    mean = scale * first @ squares
    shared = np.outer(mean, mean)
    own = mean**2 + scale**2 * (first * (1 - first)) @ squares**2
    found = [_excess(own, mean)]
    for graphon in chain.graphons[1:-1]:
        W, count = graphon.values, np.bincount(block_labels(graphon.column_measure, width), minlength=mean.size)
        scale = 2 / width
        pairs = scale**2 * W @ ((np.outer(count, count) - np.diag(count)) * shared / 4) @ W.T
        fourth = scale**2 * count * 1.5 * own
        mean = scale * W @ (count * mean / 2)
        own, shared = W @ fourth + np.diag(pairs), (W * fourth) @ W.T + pairs
        found.append(_excess(own, mean))
    return found


def _excess(own: Array, mean: Array) -> Array:
    return np.asarray(3 * (np.divide(own, mean**2, out=np.full(mean.size, np.nan), where=mean > 0) - 1))
