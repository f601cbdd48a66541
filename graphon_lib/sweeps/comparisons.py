"""Which histograms are compared, and how far they are apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphon_lib.convergence import relative
from graphon_lib.cut import cut_norm

Array = NDArray[np.float64]

# Distances are known to no more than this many binary digits: the rest could not be compressed.
DIGITS = 14

MEASURED = tuple(f"{of}{name}" for of in ("", "relative_") for name in ("euclidean", "cut_lower", "cut_upper"))

# Networks a group: ten and ten can be dealt into two groups in 184,756 ways.
HALF = 10


def distance(first: Array, second: Array) -> dict[str, float]:
    """``euclidean``, ``cut_lower`` and ``cut_upper`` of two histograms (blocks, blocks), and ``relative_...`` of the
    histograms over their means."""
    found: dict[str, float] = {}
    for prefix, a, b in (("", first, second), ("relative_", relative(first), relative(second))):
        bound = cut_norm(a, b)
        found |= {
            f"{prefix}euclidean": _to_digits(float(np.sqrt(np.mean((a - b) ** 2))), np.round),
            f"{prefix}cut_lower": _to_digits(bound.lower, np.floor),
            f"{prefix}cut_upper": _to_digits(bound.upper, np.ceil),
        }
    return found


def _to_digits(value: float, rounded: Callable[[float], float]) -> float:
    fraction, exponent = math.frexp(value)
    return math.ldexp(rounded(math.ldexp(fraction, DIGITS)), exponent - DIGITS)


def of_one_method(cells: dict[int, dict[str, Array]], kind: str, width: int) -> Iterator[tuple[str, int, Array, Array]]:
    """What is compared with what, at one width: (pair, place of the trial, its histograms, the others)."""
    mine, widest = cells[width][kind], cells[max(cells)][kind]
    for i in range(len(mine) - 1):
        yield "trials", i, mine[i], mine[i + 1]
    for i in range(len(mine)):
        if width < max(cells):
            yield "widest", i, mine[i], widest.mean(axis=0)
        elif len(mine) > 1:
            yield "widest", i, mine[i], np.delete(mine, i, axis=0).mean(axis=0)
    if 2 * width in cells:
        for i, (narrow, wide) in enumerate(zip(mine, cells[2 * width][kind], strict=False)):
            yield "doubling", i, narrow, wide


class Pair(NamedTuple):
    """Two masks to compare: of which methods, and of which trials."""

    method: str
    other: str
    trial: int
    other_trial: int


def between_methods(methods: Sequence[str], trials: int) -> Iterator[Pair]:
    """What is compared of networks that are pruned by each method, ``trials`` of them or more.

    Within each method those of the first half, and those of the second; between two methods, in alphabetical order,
    the first half of the one and the second of the other. A trial's number decides its network, whatever the method,
    so no two masks of one network are compared.
    """
    half = min(HALF, trials // 2)
    first, second = range(half), range(half, 2 * half)
    for method in sorted(methods):
        for members in (first, second):
            yield from (Pair(method, method, i, j) for i, j in itertools.combinations(members, 2))
    for one, other in itertools.combinations(sorted(methods), 2):
        yield from (Pair(one, other, i, j) for i, j in itertools.product(first, second))
