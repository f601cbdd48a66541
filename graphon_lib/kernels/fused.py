"""Compiled: one tile of a kernel through all layers, without a return to Python in between.

Each layer holds two arrays (blocks, rows, columns). Into a hidden layer come the gap of the pre-activations (see
:mod:`graphon_lib.activations`) and the tangent from the layers below, nothing at the first layer; a pass over both
turns them into the gap of the outputs and D' times the tangent, and a matrix product each averages them for
the next layer. The cogap is q + q' minus the gap, and where that cancels, it is repaired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphon_lib.activations import GELU, DualActivation, Erf, Hermite, LeakyReLU
from graphon_lib.kernels.arithmetic import Array, compiled
from graphon_lib.kernels.piecewise_linear import piecewise_linear
from graphon_lib.kernels.smooth import smooth_erf, smooth_gelu, smooth_hermite


@compiled
def input_gaps(x: Array, y: Array, row: int, column: int, starts: NDArray[np.int64], gaps: Array) -> None:
    """Half the squared differences of inputs over each group of coordinates: subtracted first, they cannot cancel.

    x, y: (coordinates, inputs), sorted by group; gaps: (groups, rows, columns), overwritten.
    """
    f = x.dtype.type
    groups, rows, columns = gaps.shape
    # Four coordinates at a time, copied: half as many loads and stores of the tile, and rows that begin at 0.
    a, b = np.empty((4, rows), x.dtype), np.empty((4, columns), x.dtype)
    for g in range(groups):
        for i in range(rows):
            for j in range(columns):
                gaps[g, i, j] = f(0)
        for c in range(starts[g], starts[g + 1], 4):
            for n in range(4):
                there = c + n < starts[g + 1]
                for i in range(rows):
                    a[n, i] = x[c + n, row + i] if there else f(0)
                for j in range(columns):
                    b[n, j] = y[c + n, column + j] if there else f(0)
            for i in range(rows):
                a0, a1, a2, a3 = a[0, i], a[1, i], a[2, i], a[3, i]
                for j in range(columns):
                    d0, d1, d2, d3 = a0 - b[0, j], a1 - b[1, j], a2 - b[2, j], a3 - b[3, j]
                    gaps[g, i, j] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
        for i in range(rows):
            for j in range(columns):
                gaps[g, i, j] *= f(0.5)


def _recursion(stamp: str) -> Callable[..., None]:
    """:func:`through_layers`, kept on disk under a stamp of all sources: numba heeds the function's own file only."""

    def through_layers(
        kernel: Array, row: int, column: int, height: int, width: int, lower: bool, tangent: bool, kind: int,
        slopes: Array, shares: Array, starts: NDArray[np.int64], x: Array, y: Array, blocks: NDArray[np.int64],
        operators: Array, features_x: Array, features_y: Array, output_x: Array, output_y: Array,
    ) -> None:  # fmt: skip
        """The recursion for the pairs of inputs from row and column on, ``height`` x ``width`` of them at a time.

        kernel: (rows, columns), overwritten, with ``lower`` on and below the diagonal at least. blocks: groups of
        inputs, then blocks of all hidden layers, then 1. operators: A_1 ... A_{L+1}, one after the other. features: of
        all hidden layers' blocks, as :func:`features` makes them. output: the outputs' variances.
        """
        _ = stamp
        depth = blocks.size - 2
        rows, columns = kernel.shape
        most = blocks[0]
        for size in blocks:
            most = max(most, size)
        room = most * height * width
        labels, numbers = np.empty(starts[-1], np.int64), np.empty(most, np.int64)
        for group in range(starts.size - 1):
            for coordinate in range(starts[group], starts[group + 1]):
                labels[coordinate] = group
        for number in range(numbers.size):
            numbers[number] = number
        memory, kept = np.empty((4, room), kernel.dtype), np.empty((2, room if kind == 0 else 0), kernel.dtype)
        for top in range(0, rows, height):
            for left in range(0, columns, width):
                high, wide, r, c = min(height, rows - top), min(width, columns - left), row + top, column + left
                if lower and left >= top + high:
                    continue
                pairs, at, entry = high * wide, starts[0], starts[0]  # 0, typed as what they become
                # Products go from the second half of memory to the first, passes from the first to the second.
                gaps_out = memory[2, : blocks[0] * pairs].reshape(blocks[0], high, wide)
                tangents_out = gaps_out
                input_gaps(x, y, r, c, starts, gaps_out)
                for layer in range(depth + 1):
                    size, below = blocks[layer + 1], blocks[layer]
                    operator = operators[entry : entry + size * below].reshape(size, below)
                    entry += size * below
                    averaged, carried = memory[0, : size * pairs], memory[1, : size * pairs]
                    # Every integral of the recursion is one of these two products.
                    np.dot(operator, gaps_out.reshape(below, pairs), averaged.reshape(size, pairs))
                    if layer > 0:
                        np.dot(operator, tangents_out.reshape(below, pairs), carried.reshape(size, pairs))
                    gaps, tangents = averaged.reshape(size, high, wide), carried.reshape(size, high, wide)
                    if layer == depth:
                        continue
                    gaps_out = memory[2, : size * pairs].reshape(size, high, wide)
                    tangents_out = memory[3, : size * pairs].reshape(size, high, wide)
                    first, share = layer == 0, shares[layer]
                    if kind == 0:
                        defects = kept[layer % 2, : size * pairs].reshape(size, high, wide)
                        defects_below = kept[(layer + 1) % 2, : below * pairs].reshape(below, high, wide)
                        label, signals_x, signals_y = labels, x, y
                        if not first:
                            label = numbers[:below]
                            signals_x, signals_y = features_x[0, at - below : at], features_y[0, at - below : at]
                        piecewise_linear(
                            gaps, tangents, r, c, first, share, features_x, features_y, at, slopes, operator, label,
                            signals_x, signals_y, defects_below, defects, gaps_out, tangents_out,
                        )  # fmt: skip
                    elif kind == 1:
                        smooth_erf(
                            gaps, tangents, r, c, first, share, features_x, features_y, at, gaps_out, tangents_out
                        )
                    elif kind == 2:
                        smooth_gelu(
                            gaps, tangents, r, c, first, share, features_x, features_y, at, gaps_out, tangents_out
                        )
                    else:
                        smooth_hermite(
                            gaps, tangents, r, c, first, share, features_x, features_y, at, gaps_out, tangents_out
                        )
                    at += size
                for i in range(high):
                    for j in range(wide):
                        covariance = (
                            kernel.dtype.type(0.5) * (output_x[r + i] + output_y[c + j]) - gaps[0, i, j]
                        )  # S_{L+1}
                        ntk = shares[depth] * covariance + memory[1, i * wide + j]
                        kernel[top + i, left + j] = ntk if tangent else covariance

    return compiled(through_layers)


_SOURCES = sorted(Path(__file__).parent.glob("*.py"))
through_layers = _recursion(hashlib.sha256(b"".join(source.read_bytes() for source in _SOURCES)).hexdigest())

KINDS: dict[type, int] = {LeakyReLU: 0, Erf: 1, GELU: 2, Hermite: 3}


def features(phi: DualActivation, q: Array) -> Array:
    """What the compiled pass of an activation needs to know of each block and input, (features, blocks, inputs)."""
    deviation = np.sqrt(q)
    if isinstance(phi, LeakyReLU):
        with np.errstate(divide="ignore"):
            return np.stack([deviation, np.where(q > 0, np.sqrt(0.5) / deviation, 0)])
    if isinstance(phi, Hermite):
        a, b = phi.coefficients(q)
        return np.concatenate([deviation[None], phi.second_moment(q)[None], a, b])
    return np.stack([deviation, np.sqrt(1 + (2 if isinstance(phi, Erf) else 1) * q), phi.second_moment(q)])
