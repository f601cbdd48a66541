"""Null models of a mask: what is left of it when only its density, or only its degrees, are kept."""

from __future__ import annotations

import numbers

import numpy as np
import torch
from numpy.typing import ArrayLike

from graphon_lib.graphons.masks import BoolArray, Counts, as_bool_mask, compiled, ones, packed, unpacked

# Told apart from the streams of other modules, which hash theirs likewise, and from each other.
_UNIFORM, _TRADES = 0x756E6966, 0x74726164

# Hours, for a wide mask, that could not be interrupted.
_SUPERSTEPS = 10_000

_STEP = np.uint64(0x9E3779B97F4A7C15)


def uniform_shuffle(mask: ArrayLike, *, seed: int = 0) -> torch.Tensor:
    """A random mask (rows, columns), bool, of as many kept entries: every such mask has the same chance.

    The Erdős–Rényi null model of equal density, conditioned on the number of kept entries.

    Raises
    ------
    ValueError, TypeError
        If mask is not a matrix of zeros and ones, or seed is not a whole number of at least 0.
    """
    array = as_bool_mask(mask, "mask")
    drawn = np.empty(array.shape, np.bool_)
    _place(drawn.reshape(-1), int(np.count_nonzero(array)), _state(seed, _UNIFORM))
    return torch.from_numpy(drawn)


def degree_preserving_shuffle(mask: ArrayLike, *, seed: int = 0, supersteps: int = 24) -> torch.Tensor:
    """A random mask (rows, columns), bool, with the same number of kept entries in every row and in every column.

    By trades [1]_: two rows put the columns that only one of them keeps into a pool, and draw as many back as they had.
    In a global superstep [2]_ all rows, paired at random, trade once; with an odd number of them one sits out. The
    chain's only stationary distribution is uniform over all masks of these degrees. Trades are between rows or between
    columns, whichever are fewer; those without, or with all, of their entries take no part.

    Parameters
    ----------
    mask : (R, C) matrix of zeros and ones
    seed : int
    supersteps : int
        From 0 to 10,000. What is left of the mask beyond its degrees falls by half in each where degrees are alike, and
        by a third or a quarter where they differ much (measured: 0.5 for SynFlow and 0.65 for SNIP at density 0.1, 0.75
        for SNIP at 0.02). The 24 of the default leave, at 0.1, less than one draw varies by at width 4000.

    Raises
    ------
    ValueError, TypeError
        If mask is not a matrix of zeros and ones, or seed or supersteps is not a whole number in its range.

    References
    ----------
    .. [1] Strona et al. (2014), Nature Communications 5:4114: the Curveball algorithm.
    .. [2] Carstens, Hamann, Meyer, Penschuck, Tran, Wagner (2018), ESA: global Curveball trades.
    """
    array = as_bool_mask(mask, "mask")
    check_whole("supersteps", supersteps)
    if supersteps > _SUPERSTEPS:
        raise ValueError(f"supersteps is {supersteps}, but must be at most {_SUPERSTEPS}; 24 leave nothing to be seen")
    state = _state(seed, _TRADES)
    turned = array.T if array.shape[0] > array.shape[1] else array
    kept = np.count_nonzero(turned, axis=1)
    words = packed(turned)
    _trade(words, np.flatnonzero((kept > 0) & (kept < turned.shape[1])), state, supersteps)
    shuffled = unpacked(words, turned.shape[1])
    return torch.from_numpy(np.ascontiguousarray(shuffled.T if turned is not array else shuffled))


def _state(seed: int, stream: int) -> np.uint64:
    check_whole("seed", seed)
    return np.uint64(np.random.SeedSequence((seed, stream)).generate_state(1, np.uint64)[0])


def check_whole(name: str, value: int) -> None:
    """Raises TypeError or ValueError unless ``value`` is a whole number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} is {value!r}, but must be a whole number of at least 0; pass an int")
    if value < 0:
        raise ValueError(f"{name} is {value}, but must be a whole number of at least 0")


@compiled
def _uniform(state: np.uint64) -> float:
    """A multiple of 2^-53 in [0, 1): SplitMix64 (Steele, Lea, Flood 2014), whose state moves by _STEP from each to the
    next."""
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@compiled
def _place(mask: BoolArray, wanted: float, state: np.uint64) -> None:
    """Keeps ``wanted`` entries of a flat mask at random and no other (Knuth, volume 2, 3.4.2, algorithm S)."""
    for place in range(mask.size):
        state += _STEP
        kept = _uniform(state) * (mask.size - place) < wanted
        mask[place] = kept
        wanted -= kept


@compiled
def _trade(words: Counts, order: Counts, state: np.uint64, supersteps: int) -> None:
    """Global supersteps on the packed rows of a mask, in place; draws from the pools as :func:`_place` does."""
    for _ in range(supersteps):
        for i in range(len(order) - 1, 0, -1):
            state += _STEP
            j = int(_uniform(state) * (i + 1))
            order[i], order[j] = order[j], order[i]
        for pair in range(len(order) // 2):
            a, b = words[order[2 * pair]], words[order[2 * pair + 1]]
            size, had = 0, 0
            for k in range(a.size):
                size += ones(a[k] ^ b[k])
                had += ones(a[k] & ~b[k])
            left, wanted = float(size), float(had)
            for k in range(a.size):
                common, pool, drawn = a[k] & b[k], a[k] ^ b[k], a[k] ^ a[k]
                rest = pool
                while rest != 0:
                    column = rest & -rest  # its lowest bit
                    state += _STEP
                    if _uniform(state) * left < wanted:
                        drawn |= column
                        wanted -= 1.0
                    left -= 1.0
                    rest ^= column
                a[k] = common | drawn
                b[k] = common | (pool ^ drawn)
