"""From scores to masks: the exact global selection that all methods share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from graphon_lib.networks import Masks

Scores = dict[str, torch.Tensor]
Array = NDArray[np.float64]

# Relative distance within which two scores are one. Equal scores come out of a matrix product a few units in the last
# place (1e-16) apart, by an order of summation that depends on position, on the number of threads and on the processor;
# none may decide what is kept. Neighbouring scores of a million random weights are about 1e-6 apart.
TIE = 1e-11

# Scores are sorted into buckets by their sign, exponent and first four binary digits.
BUCKETS = 2**16


def kept_count(density: float, total: int) -> int:
    """How many of ``total`` weights are kept at a density: the nearest whole number, but at least one."""
    return max(1, round(density * total))


def check_finite(method: str, name: str, scores: torch.Tensor) -> None:
    """Raises ValueError if a score of the layer ``name`` is NaN or infinite."""
    # The extremes carry NaN and infinity along, at a sixth of the cost of isfinite().
    if scores.numel() and not all(torch.isfinite(extreme) for extreme in torch.aminmax(scores)):
        raise ValueError(
            f"{method} scores of {name!r} are not all finite, even in double precision, so they cannot be ranked; "
            "scale down the model's weights or the inputs"
        )


@numba.njit(cache=True, nogil=True)
def _bucket(bits: np.uint64) -> np.uint64:
    # Of the bits of doubles, those of positive ones rise with the number and those of negative ones fall.
    top = np.uint64(bits) >> np.uint64(48)
    return top ^ np.uint64(0xFFFF) if top & np.uint64(0x8000) else top | np.uint64(0x8000)


@numba.njit(cache=True, nogil=True)
def _count(bits: NDArray[np.uint64], counts: NDArray[np.int64]) -> None:
    for value in bits:
        counts[_bucket(value)] += 1


@numba.njit(cache=True, nogil=True)
def _gather(bits: NDArray[np.uint64], bucket: np.uint64, found: NDArray[np.uint64], start: int) -> int:
    for value in bits:
        if _bucket(value) == bucket:
            found[start] = value
            start += 1
    return start


def thresholds(pieces: Sequence[Array], kept: Sequence[int]) -> list[float]:
    """The smallest score that is kept, for each number of kept scores.

    Parameters
    ----------
    pieces : sequence of float64 arrays (n_l,)
        All scores, without NaN.
    kept : sequence of int from 1 to the sum of the n_l

    Notes
    -----
    Two passes and no sort: scores are counted by bucket, and ranked in the bucket of the threshold only.
    """
    bits = [piece.view(np.uint64) for piece in pieces]
    counts = np.zeros(BUCKETS, dtype=np.int64)
    for piece in bits:
        _count(piece, counts)
    below = np.concatenate([[0], np.cumsum(counts)])
    result = []
    for number in kept:
        rank = below[-1] - number
        bucket = int(np.searchsorted(below, rank, side="right")) - 1
        found = np.empty(counts[bucket], dtype=np.uint64)
        end = 0
        for piece in bits:
            end = _gather(piece, np.uint64(bucket), found, end)
        rank -= below[bucket]
        values = found.view(np.float64)
        values.partition(rank)
        result.append(float(values[rank]))
    return result


def choose(
    pieces: Sequence[torch.Tensor], threshold: float, kept: int, generator: torch.Generator
) -> list[torch.Tensor]:
    """Which scores are kept, as one bool tensor a piece: ``kept`` in all, at or above the threshold.

    Ties at the threshold are broken by lot: the first or last in order would write a pattern into the mask.
    """
    slack = TIE * abs(threshold)
    chosen = [piece >= threshold - slack for piece in pieces]
    surplus = sum(int(piece.count_nonzero()) for piece in chosen) - kept
    if surplus:
        tied = [
            (mine & (piece <= threshold + slack)).nonzero().squeeze(1)
            for mine, piece in zip(chosen, pieces, strict=True)
        ]
        out = torch.randperm(sum(map(len, tied)), generator=generator)[:surplus]
        for mine, places in zip(chosen, tied, strict=True):
            mine[places[out[(out >= 0) & (out < len(places))].to(places.device)]] = False
            out = out - len(places)
    return chosen


def select(scores: Mapping[str, torch.Tensor], kept: int, generator: torch.Generator) -> Masks:
    """Masks of the ``kept`` largest scores over all layers together: :func:`select_many` for one number."""
    return select_many(scores, [kept], generator)[0]


def select_many(scores: Mapping[str, torch.Tensor], kept: Sequence[int], generator: torch.Generator) -> list[Masks]:
    """For each number of kept weights, masks of the largest scores over all layers together.

    Parameters
    ----------
    scores : mapping from parameter name to tensor of the weight's shape
    kept : sequence of int from 1 to the number of weights
    generator : torch.Generator
        Breaks ties, from the same state for each number: what is asked beside a mask does not change it.
    """
    pieces = [score.flatten().double() for score in scores.values()]
    state = generator.get_state()
    result = []
    for number, threshold in zip(kept, thresholds([piece.numpy(force=True) for piece in pieces], kept), strict=True):
        generator.set_state(state)
        chosen = choose(pieces, threshold, number, generator)
        shapes = {name: score.shape for name, score in scores.items()}
        result.append({name: piece.view(shape) for (name, shape), piece in zip(shapes.items(), chosen, strict=True)})
    return result
