"""What every dual activation offers, on numpy arrays and on torch tensors alike."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

# float64, or float32 where a kernel is asked for in it.
Array = NDArray[np.floating[Any]]
# What goes in comes out: arrays give arrays, tensors give tensors of the same precision on the same device.
Numbers = TypeVar("Numbers", Array, torch.Tensor)


@runtime_checkable
class DualActivation(Protocol):
    """The expectations of one activation function under Gaussian pre-activations.

    Attributes
    ----------
    homogeneous : bool
        Whether phi(t z) = t phi(z) for t > 0. Kernels of such activations are computed on unit inputs.
    """

    homogeneous: bool

    def second_moment(self, q: Numbers) -> Numbers:
        """E[phi(a)^2] for a of variance q >= 0; any shape."""

    def dual(self, q: Numbers, q_other: Numbers, gap: Numbers, cogap: Numbers) -> tuple[Numbers, Numbers]:
        """The gap of the outputs, and D' = E[phi'(a) phi'(b)]; all arguments broadcast together."""


def namespace(array: Array | torch.Tensor) -> Any:
    """The library an array belongs to, for the functions whose name and meaning numpy and torch share."""
    return torch if isinstance(array, torch.Tensor) else np


def defects(q: Numbers, q_other: Numbers, gap: Numbers, cogap: Numbers) -> tuple[Numbers, Numbers]:
    """sqrt(q q') - s and sqrt(q q') + s, zero at parallel and at opposite; rounding below zero is cut off."""
    xp = namespace(gap)
    spread = 0.5 * (xp.sqrt(q) - xp.sqrt(q_other)) ** 2
    return xp.clip(gap - spread, 0, None), xp.clip(cogap - spread, 0, None)
