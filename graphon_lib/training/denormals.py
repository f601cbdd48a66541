"""Numbers too small for all their digits, which processors compute with many times more slowly than with others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Results below the smallest normal number (1e-38 in single precision) are zero inside a ``with`` block.

    A network that is sure of its wrong answers, as many are after GraSP, has a softmax full of such numbers, and they
    spread to its gradients: training takes half as long without them. No optimiser sees a difference, since what it
    adds to a weight is many orders of magnitude larger, or nothing.
    """
    flushed = sys.float_info.min / 2 == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)
