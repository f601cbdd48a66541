"""The public functions without numba: compiled loops run as the Python that they are written in."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from public_calls import CALLS, numbers_in

from graphon_lib.graphons import masks, shuffle
from graphon_lib.pruning import flow


def ones(word: Any) -> int:
    """The bits of a word, for which compiled code has an instruction."""
    return (int(word) & (2**64 - 1)).bit_count()


def zero_bits(word: Any) -> int:
    """Below the lowest set bit."""
    return (int(word) & -int(word)).bit_length() - 1


if __name__ == "__main__":
    flow._zero_bits = zero_bits
    masks.ones = shuffle.ones = ones  # type: ignore[assignment]
    found = {}
    for call in CALLS:
        if not call.costly:
            for place, array in enumerate(numbers_in(call.function(**call.arguments()))):
                found[f"{call.name} {place}"] = array
    np.savez(sys.argv[1], **found)
