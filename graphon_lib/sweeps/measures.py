"""What a trial keeps of one hidden mask: numbers, and sorted histograms, beside those of its null models."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphon_lib.estimation import estimate_graphon
from graphon_lib.graphons import (
    as_bool_mask,
    degree_preserving_shuffle,
    degrees,
    homomorphism_densities,
    uniform_shuffle,
)

Array = NDArray[np.float64]

PERCENTILES = (0, 5, 25, 50, 75, 95, 100)

# What a kind of mask has in common with the mask by its definition is not measured again; "edge" is the density.
_SAME = {"mask": {"edge"}, "erdos_renyi": {"edge"}, "equal_degrees": {"edge", "row_cherry", "column_cherry"}}

_SKETCHES = 0x736B6574


def measure_mask(
    mask: ArrayLike, *, seed: int, blocks: int = 64, motifs: bool = True, nulls: bool = True
) -> tuple[dict[str, float], dict[str, Array]]:
    """One mask in numbers, with those of its null models.

    Parameters
    ----------
    mask : (R, C) bool tensor, or matrix of zeros and ones
    seed : int
        Of the null models.
    blocks : int
        Blocks along each axis of the histograms.
    motifs, nulls : bool
        Whether to measure homomorphism densities, and the null models.

    Returns
    -------
    scalars : dict from str to float
        All finite; for a mask that keeps nothing, dead shares are 1 and everything else is 0.

        ============================================ =================================================================
        ``density``                                  share of entries kept
        ``dead_rows``, ``dead_columns``              share of rows and columns that keep nothing
        ``row_degree_q05``, ``column_degree_q05``    the least degree that at least 5 % of the rows (columns) do not
                                                     exceed, over their length; also 00, 25, 50, 75, 95 and 100
        ``C4``, ...                                  homomorphism densities, see :func:`homomorphism_density`
        ``histogram_C4``, ...                        of the histogram
        ``sketch_1``, ``sketch_2``                   the mean of the histogram's values, each with one of two fixed
                                                     patterns of signs: a mean of histograms has the mean sketch
        ``square_sketch_1``, ``square_sketch_2``     of the values squared, likewise
        ``erdos_renyi_...``, ``equal_degrees_...``   the same of a null model, less what it shares with the mask by
                                                     definition, and without squares
        ============================================ =================================================================

    histograms : dict from str to (blocks, blocks) array
        The degree-sorted histograms of ``"mask"`` and, of its null models, ``"erdos_renyi"`` (the same number of kept
        entries, :func:`uniform_shuffle`) and ``"equal_degrees"`` (:func:`degree_preserving_shuffle`).

    Raises
    ------
    ValueError, TypeError
        If mask is not a matrix of zeros and ones, or seed or blocks is not a whole number in its range.
    """
    array = as_bool_mask(mask, "mask")
    kinds: dict[str, ArrayLike] = {"mask": array}
    if nulls:
        kinds["erdos_renyi"] = uniform_shuffle(array, seed=seed)
        kinds["equal_degrees"] = degree_preserving_shuffle(array, seed=seed)
    scalars = _degree_scalars(array)
    histograms: dict[str, Array] = {}
    for kind, entries in kinds.items():
        prefix = "" if kind == "mask" else f"{kind}_"
        histogram = estimate_graphon(entries, blocks=blocks)
        histograms[kind] = histogram.values
        if motifs:
            for name, measured in (("", entries), ("histogram_", histogram)):
                densities = homomorphism_densities(measured)
                scalars |= {f"{prefix}{name}{m}": d for m, d in densities.items() if m not in _SAME[kind]}
        scalars |= sketches(f"{prefix}sketch", histogram.values)
    return scalars | sketches("square_sketch", histograms["mask"] * histograms["mask"]), histograms


def _degree_scalars(mask: NDArray[np.bool_]) -> dict[str, float]:
    rows, columns = degrees(mask)
    scalars = {
        "density": int(rows.sum()) / mask.size,
        "dead_rows": int((rows == 0).sum()) / rows.size,
        "dead_columns": int((columns == 0).sum()) / columns.size,
    }
    for name, counts, length in (("row", rows, columns.size), ("column", columns, rows.size)):
        ordered = np.sort(counts)
        for percent in PERCENTILES:
            place = max(-(-percent * counts.size // 100), 1) - 1
            scalars[f"{name}_degree_q{percent:02}"] = int(ordered[place]) / length
    return scalars


def sketches(name: str, histogram: Array) -> dict[str, float]:
    """The means of a histogram's values under two fixed patterns of signs, as ``name_1`` and ``name_2``."""
    signed = (pattern * histogram for pattern in _patterns(len(histogram)))
    return {
        f"{name}_{number}": math.fsum(values.ravel().tolist()) / values.size for number, values in enumerate(signed, 1)
    }


@functools.cache
def _patterns(blocks: int) -> Array:
    """Two matrices of random signs, (2, blocks, blocks), the same for ever: of a hash, not of a generator's stream."""
    words = np.random.SeedSequence(_SKETCHES).generate_state(-(-2 * blocks**2 // 32)).astype("<u4")
    bits = np.unpackbits(words.view(np.uint8), count=2 * blocks**2).reshape(2, blocks, blocks)
    return 1.0 - 2.0 * bits.astype(np.float64)
