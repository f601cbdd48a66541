"""The absolute weights of one layer while SynFlow thins them out: products with vectors, and the weights of low flow.

The flow through the weight w of row i and column j is b_i |w| a_j, with a what reaches the layer and b what the layers
above make of a unit in each of its outputs: two vectors a round, instead of a gradient as large as the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numba
import numpy as np
import torch
from llvmlite.ir import Constant, IntType
from numba.extending import intrinsic
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Rows that one thread works on at a time. Fixed, so that sums do not depend on how many threads there are.
CHUNK = 256

# Rows and columns without a weight are dropped from memory when so large a share of it is theirs.
DROP = 0.15


def _cttz(_: Any, word: Any) -> Any:
    # numba knows no instruction for it, the compiler beneath does.
    undefined_at_zero = Constant(IntType(1), 1)
    return numba.int64(word), lambda _, builder, __, arguments: builder.cttz(arguments[0], undefined_at_zero)


# Zero bits below the lowest set bit of a word that is not zero.
_zero_bits = cast(Callable[[Any], Any], intrinsic(_cttz))


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _product(values: NDArray[Any], vector: Array) -> Array:
    result = np.empty(values.shape[0])
    for i in range(values.shape[0]):
        total = 0.0
        for j in range(values.shape[1]):
            total += values[i, j] * vector[j]
        result[i] = total
    return result


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _back(values: NDArray[Any], a: Array, b: Array, limit: float, sums: Array, places: Index, flows: Array) -> int:
    """Adds b^T values to the sums, and lists the weights whose flow is below the limit, by their number in the array.

    In one pass, which memory and not arithmetic bounds. Returns how many there are, listed as far as there is room.
    """
    found, width = 0, values.shape[1]
    # A loop without a branch sets a byte for each; a second one steps from one byte that is set to the next.
    marks = np.zeros(width + -width % 8, dtype=np.uint8)
    words = marks.view(np.uint64)
    for i in range(values.shape[0]):
        row, factor = values[i], b[i]
        # 0 / 0 would be NaN, below which is nothing.
        bound = limit / factor if factor > 0 else math.inf
        for j in range(width):
            sums[j] += factor * row[j]
            marks[j] = (row[j] * a[j] < bound) & (row[j] > 0)
        for number, word in enumerate(words):
            while word:
                j = 8 * number + (_zero_bits(word) >> 3)
                if found < len(places):
                    places[found] = i * width + j
                    flows[found] = row[j] * a[j] * factor
                found += 1
                word &= word - np.uint64(1)
    return found


@numba.njit(cache=True, nogil=True)
def _remove(values: NDArray[Any], places: Index, row_counts: Index, column_counts: Index) -> None:
    for place in places:
        i = place // values.shape[1]
        j = place - i * values.shape[1]
        values[i, j] = 0.0
        row_counts[i] -= 1
        column_counts[j] -= 1


class Flow:
    """The absolute weights of one layer, of which more and more are removed.

    Parameters
    ----------
    weight : (outputs, inputs) tensor, or (outputs, channels, height, width)
        The inputs of a convolution are the entries of one patch. Kept in double precision if it is, and in single if
        not; sums are in double.
    pool : ThreadPoolExecutor
    """

    def __init__(self, weight: torch.Tensor, pool: ThreadPoolExecutor) -> None:
        precision = torch.float64 if weight.dtype == torch.float64 else torch.float32
        # A removed weight becomes a zero. Weights that are zero to begin with carry no flow, and stand in a list.
        self.values = np.array(weight.detach().flatten(1).to("cpu", precision).abs().numpy(), order="C")
        self.shape, self.device, self.pool = self.values.shape, weight.device, pool
        self.weight_shape = weight.shape
        self.zeros = np.flatnonzero(self.values == 0)
        self.rows, self.columns = (np.arange(size) for size in self.shape)
        # What the next backward() looks for on its way: flows below the limit, given these inputs.
        self.inputs, self.limit = np.zeros(self.shape[1]), 0.0
        self.found: tuple[object, Index, Array] = (None, np.empty(0, dtype=np.int64), np.empty(0))
        self.row_counts, self.column_counts = (np.count_nonzero(self.values, axis=axis) for axis in (1, 0))

    def forward(self, vector: Array) -> Array:
        """The weights that are left times a vector (inputs,): (outputs,)."""
        self.inputs = vector
        some, result = vector[self.columns], np.zeros(self.shape[0])
        result[self.rows] = np.concatenate(self._by_chunk(lambda chunk: _product(self.values[chunk], some)))
        return result

    def backward(self, vector: Array) -> Array:
        """A vector (outputs,) times the weights that are left: (inputs,). On its way, weights of low flow are noted."""
        result = np.zeros(self.shape[1])
        result[self.columns] = self._back(vector, self.inputs, self.limit)
        return result

    def product(self, rows: torch.Tensor) -> torch.Tensor:
        """rows (B, inputs) times the transpose of the weights that are left: (B, outputs)."""
        if len(rows) > 1:
            result = torch.zeros(len(rows), self.shape[0], dtype=torch.float64)
            result[:, self.rows] = rows.cpu()[:, self.columns] @ torch.from_numpy(self.values).double().T
            return result.to(self.device)
        return torch.from_numpy(np.stack([self.forward(row) for row in rows.numpy(force=True)])).to(self.device)

    def transposed(self, rows: torch.Tensor) -> torch.Tensor:
        """rows (B, outputs) times the weights that are left: (B, inputs)."""
        if len(rows) > 1:
            result = torch.zeros(len(rows), self.shape[1], dtype=torch.float64)
            result[:, self.columns] = rows.cpu()[:, self.rows] @ torch.from_numpy(self.values).double()
            return result.to(self.device)
        return torch.from_numpy(np.stack([self.backward(row) for row in rows.numpy(force=True)])).to(self.device)

    def low(self, back: Array, inputs: Array, limit: float) -> tuple[Index, Array]:
        """The weights that are left and whose flow is below the limit (and, if B > 1, the others too).

        Parameters
        ----------
        back : (B, outputs) array
        inputs : (B, inputs) array
            The flow through a weight is its absolute value times its entry in back^T inputs.

        Returns
        -------
        places : (n,) array
            What :meth:`remove` takes, as long as nothing else has been removed.
        flows : (n,) array
        """
        if len(back) == 1:
            asked = (back[0].tobytes(), inputs[0].tobytes(), limit)
            if self.found[0] != asked:
                self._back(back[0], inputs[0], limit)
            _, places, flows = self.found
        else:
            places = np.flatnonzero(self.values)
            flows = (self.values * (back[:, self.rows].T @ inputs[:, self.columns])).ravel()[places]
        # Weights that were zero are numbered after the array's entries.
        places = np.concatenate([places, self.values.size + np.arange(len(self.zeros))])
        return places, np.concatenate([flows, np.zeros(len(self.zeros))])

    def sample(self, back: Array, inputs: Array, step: int) -> Array:
        """The flows through the weights that are left in every ``step``-th row and column."""
        rows, columns = slice(None, None, step), slice(None, None, step)
        values = self.values[rows, columns]
        flows = values * (back[:, self.rows[rows]].T @ inputs[:, self.columns[columns]])
        return np.asarray(flows[values > 0], dtype=np.float64)

    def remove(self, places: Index) -> None:
        """Remove weights by the places at which :meth:`low` found them."""
        self.found = (None, *self.found[1:])
        zeros = places[places >= self.values.size] - self.values.size
        self.zeros = np.delete(self.zeros, zeros)
        places = places[places < self.values.size]
        _remove(self.values, places, self.row_counts, self.column_counts)
        alive = np.flatnonzero(self.row_counts), np.flatnonzero(self.column_counts)
        if len(alive[0]) * len(alive[1]) < (1 - DROP) * self.values.size:
            self.values = self.values[alive[0]].take(alive[1], axis=1)
            self.rows, self.columns = self.rows[alive[0]], self.columns[alive[1]]
            self.row_counts, self.column_counts = self.row_counts[alive[0]], self.column_counts[alive[1]]

    def mask(self) -> torch.Tensor:
        """Which weights are left."""
        mask = np.zeros(self.shape, dtype=np.bool_)
        mask[np.ix_(self.rows, self.columns)] = self.values > 0
        mask.ravel()[self.zeros] = True
        return torch.from_numpy(mask).view(self.weight_shape).to(self.device)

    def _back(self, back: Array, inputs: Array, limit: float) -> Array:
        """The product of back (outputs,) with the weights; those of low flow are left in ``found``."""
        b, a = back[self.rows], inputs[self.columns]

        def work(chunk: slice) -> tuple[Array, Index, Array]:
            values = self.values[chunk]
            room = values.size // 16 + 64
            while True:
                sums, places, flows = np.zeros(len(a)), np.empty(room, dtype=np.int64), np.empty(room)
                found = _back(values, a, b[chunk], limit, sums, places, flows)
                if found <= room:
                    return sums, places[:found] + chunk.start * len(a), flows[:found]
                room = found

        sums, places, flows = zip(*self._by_chunk(work), strict=True)
        self.found = (back.tobytes(), inputs.tobytes(), limit), np.concatenate(places), np.concatenate(flows)
        return np.asarray(np.sum(sums, axis=0))

    def _by_chunk(self, work: Callable[[slice], Any]) -> list[Any]:
        # One chunk at least: an empty array has products too.
        chunks = [slice(first, first + CHUNK) for first in range(0, max(1, len(self.rows)), CHUNK)]
        return [work(chunk) for chunk in chunks] if self.pool._max_workers == 1 else list(self.pool.map(work, chunks))
