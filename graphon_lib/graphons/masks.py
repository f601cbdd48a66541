"""Masks as arrays, and what is counted in them: whole numbers, and sums whose order is fixed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.extending import intrinsic
from numpy.typing import ArrayLike, NDArray

from graphon_lib.arguments import array
from graphon_lib.graphons.step import Array

BoolArray = NDArray[np.bool_]
Counts = NDArray[np.int64]
Loop = TypeVar("Loop", bound=Callable[..., Any])

# Packed rows side by side: 64 of a mask 4000 wide are 32 KB and stay in the fastest cache. The compiler counts 16 words
# at a time, and any left over one by one.
_TILE = 64
_WORDS = 16


def as_mask(mask: ArrayLike, name: str) -> Array:
    """A mask (rows, columns) as a float64 array of zeros and ones.

    Raises
    ------
    ValueError
        If it is not a non-empty matrix of zeros and ones.
    """
    return as_bool_mask(mask, name).astype(np.float64)


def as_bool_mask(mask: ArrayLike, name: str) -> BoolArray:
    """A mask (rows, columns) as a contiguous bool array: without a copy if it is one already, so not to write to.

    Raises
    ------
    ValueError, TypeError
        If it is not a non-empty matrix of zeros and ones.
    """
    entries = array(name, mask)
    if entries.ndim != 2 or entries.size == 0:
        raise ValueError(
            f"{name} has shape {entries.shape}, but a mask is a non-empty matrix (outputs, inputs) of a layer"
        )
    if entries.dtype != np.bool_ and not ((entries == 0) | (entries == 1)).all():
        raise ValueError(f"{name} has entries other than 0 and 1; pass weights != 0 if these are pruned weights")
    return np.ascontiguousarray(entries, dtype=np.bool_)


def degrees(mask: BoolArray | Counts) -> tuple[Counts, Counts]:
    """The kept entries of each row, (R,), and of each column, (C,), of a contiguous array (R, C), bool or counts."""
    rows, columns = np.zeros(mask.shape[0], np.int64), np.zeros(mask.shape[1], np.int64)
    _count_degrees(mask, rows, columns)
    return rows, columns


def packed(mask: BoolArray) -> Counts:
    """The rows of a mask (R, C) as bits of whole words, (R, words), the last of them filled up with zeros."""
    filled = np.zeros((len(mask), -(-mask.shape[1] // (64 * _WORDS)) * _WORDS * 8), np.uint8)
    filled[:, : -(-mask.shape[1] // 8)] = np.packbits(mask, axis=1)
    return filled.view(np.int64)


def unpacked(words: Counts, columns: int) -> BoolArray:
    """The mask (R, columns) of which ``words`` are the :func:`packed` rows."""
    return np.unpackbits(words.view(np.uint8), axis=1, count=columns).view(np.bool_)


def codegrees(mask: BoolArray) -> list[int]:
    """For 0, 1, ..., C: how many pairs of different rows keep that many columns in common."""
    counts = np.zeros(mask.shape[1] + 1, np.int64)
    _count_codegrees(packed(mask), counts)
    return cast(list[int], counts.tolist())


def compiled(function: Loop) -> Loop:
    """Without licence to re-order sums or to round a multiply-add once: the same numbers on every machine."""
    return cast(Loop, numba.njit(nogil=True, cache=True)(function))


def _ones(context: Any, word: Any) -> Any:
    # numba knows no instruction for it, the compiler beneath does.
    return word(word), lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


ones = cast(Callable[[Any], Any], intrinsic(_ones))


@compiled
def _count_codegrees(words: Counts, counts: Counts) -> None:
    """Adds to counts[c] the number of pairs of rows of ``words`` with c bits in common."""
    for start in range(0, words.shape[0], _TILE):
        for i in range(start + 1, words.shape[0]):
            a = words[i]
            for j in range(start, min(start + _TILE, i)):
                b = words[j]
                common = 0
                for k in range(a.size):
                    common += ones(a[k] & b[k])
                counts[common] += 1


@compiled
def _count_degrees(mask: BoolArray | Counts, rows: Counts, columns: Counts) -> None:
    for i in range(rows.size):
        kept = mask[i]
        degree = 0
        for j in range(columns.size):
            degree += kept[j]
            columns[j] += kept[j]
        rows[i] = degree


@compiled
def kept_sums(mask: BoolArray | Counts, weights: Array) -> Array:
    """For each column, the sum of the weights of the rows that keep it, as often as they do, first row first."""
    sums = np.zeros(mask.shape[1])
    for i in range(weights.size):
        kept, weight = mask[i], weights[i]
        for j in range(sums.size):
            sums[j] += weight * kept[j]
    return sums


@compiled
def ordered_product(a: Array, b: Array) -> Array:
    """The matrix product, its sums first term first: unlike that of a linear algebra library, equal everywhere."""
    product = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        row = product[i]
        for k in range(a.shape[1]):
            factor, other = a[i, k], b[k]
            for j in range(row.size):
                row[j] += factor * other[j]
    return product
