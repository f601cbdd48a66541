"""What callers hand over: numbers, names, arrays and models in the forms people have them in, or a sentence that says
what is wrong.

Each function takes the name of the argument, for the sentence.
"""

from __future__ import annotations

import functools
import math
import numbers
import os
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

Array = NDArray[np.float64]

# Steps of a training: their losses take 80 MB.
STEPS = 10_000_000

# The largest that torch's generator takes.
SEED = 2**64 - 1


def whole(name: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """A whole number in a range, both ends included.

    Raises
    ------
    ValueError
        If it is none; True and 2.0 are not.
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        found = int(value)
        if found >= least and (most is None or found <= most):
            return found
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise ValueError(f"{name} is {value!r}, but must be a whole number {limits}")


def number(name: str, value: Any, allowed: str = "a finite number") -> float:
    """A finite real number; ``allowed`` says in the sentence what it must be.

    Raises
    ------
    ValueError
        If it is none, or neither finite nor a number.
    """
    if isinstance(value, numbers.Real | Decimal) and not isinstance(value, bool):
        try:
            finite = float(value)
        except OverflowError:
            finite = math.inf
        if math.isfinite(finite):
            return finite
    raise ValueError(f"{name} is {value!r}, but must be {allowed}")


def positive(name: str, value: Any, allowed: str = "positive and finite") -> float:
    """A positive finite number.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = number(name, value, allowed)
    if not found > 0:
        raise ValueError(f"{name} is {value!r}, but must be {allowed}")
    return found


def one_of(name: str, value: Any, names: Iterable[str]) -> None:
    """Nothing, if ``value`` is one of some names.

    Raises
    ------
    ValueError
        If it is not.
    """
    known = list(names)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} is {value!r}, but must be one of {known}")


def precision(name: str, value: Any) -> np.dtype[Any]:
    """float64 or float32, as a numpy type.

    Raises
    ------
    ValueError
        If it is another, or no type.
    """
    try:
        found = np.dtype(object if value is None else value)  # of None numpy makes float64
    except TypeError:
        found = np.dtype(object)
    if found not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f"{name} is {value!r}, but must be float64 or float32")
    return found


def room(name: str, value: Any, needed: float) -> None:
    """Nothing, if ``needed`` bytes are at most half of this machine's memory: beyond that it would come to a
    standstill, or the process to an end without a word.

    Raises
    ------
    ValueError
        If they are more.
    """
    if needed > memory() / 2:
        raise ValueError(
            f"{name} is {value!r}, which takes {needed / 2**30:.3g} GB of memory, but this machine has "
            f"{memory() / 2**30:.3g}; pass what takes at most half of that"
        )


@functools.cache
def memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def array(name: str, values: ArrayLike | torch.Tensor) -> NDArray[Any]:
    """Real numbers as an array of booleans, integers or floats, in this machine's order of bytes: of a tensor, wherever
    it is, or anything that numpy takes for an array. A view where there can be one, so not to write to.

    Raises
    ------
    TypeError
        If these are no real numbers.
    ValueError
        If their lengths do not fit together, or there are no data.
    """
    found = _of_tensor(name, values) if isinstance(values, torch.Tensor) else _of_anything(name, values)
    room(name, f"an array of shape {found.shape}", 8 * math.prod(found.shape))
    if found.dtype.kind == "O":
        if any(isinstance(entry, str | bytes) for entry in found.flat):
            raise TypeError(f"{name} holds text, but must hold real numbers; convert it")
        try:
            found = found.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise TypeError(f"{name} holds objects that are no real numbers ({error}); convert them") from error
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {found.dtype}, but must hold real numbers; convert them")
    if found.dtype.kind == "f" and found.dtype.itemsize > 8:
        with np.errstate(over="ignore"):  # what is too large for double precision becomes infinite, and is refused so
            found = found.astype(np.float64)
    return found.astype(found.dtype.newbyteorder("="), copy=False)


def floats(name: str, values: ArrayLike | torch.Tensor) -> Array:
    """As :func:`array`, in double precision."""
    return array(name, values).astype(np.float64, copy=False)


def finite(name: str, values: ArrayLike | torch.Tensor, least: float = 0.0) -> Array:
    """As :func:`floats`, all of them finite and small enough to be squared and summed.

    Raises
    ------
    ValueError
        If one is NaN, infinite or larger than 1e100.
    TypeError
        As :func:`array`.
    """
    found = floats(name, values)
    if not np.isfinite(found).all():
        raise ValueError(f"{name} contains NaN or infinity; drop or repair these entries first")
    if not (np.abs(found) <= LARGEST).all():
        raise ValueError(
            f"{name} contains {found.flat[np.abs(found).argmax()]:.3g}, whose powers overflow; scale it down to at "
            f"most {LARGEST:.0e}"
        )
    return found


# Products of three numbers up to this size, and sums of them, are finite.
LARGEST = 1e100


def tensor(name: str, values: ArrayLike | torch.Tensor) -> torch.Tensor:
    """Real numbers as a dense tensor: one as it is, anything else as the tensor of a copy, since arrays may be
    read-only or run backwards.

    Raises
    ------
    TypeError, ValueError
        As :func:`array`.
    """
    if isinstance(values, torch.Tensor):
        _check_tensor(name, values)
        room(name, f"a tensor of shape {tuple(values.shape)}", 8 * values.numel())
        return values if values.layout == torch.strided else values.to_dense()
    return torch.from_numpy(np.array(array(name, values), order="C"))


def module(name: str, model: Any) -> None:
    """Nothing, if this is a module whose parameters are there.

    Raises
    ------
    TypeError
        If it is no ``nn.Module``, or holds complex numbers.
    ValueError
        If a parameter is on the meta device, or waits for its shape.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"{name} is a {type(model).__name__}, but must be an nn.Module; pass a model, not its class")
    for part, parameter in model.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ValueError(f"{name} has a parameter {part!r} without a shape yet; pass a batch through it once")
        _check_tensor(f"{name}'s parameter {part!r}", parameter)


def _check_tensor(name: str, values: torch.Tensor) -> None:
    if values.device.type == "meta":
        raise ValueError(f"{name} is on the meta device, which holds no data; move it to one that does")
    if values.is_complex():
        raise TypeError(f"{name} has dtype {values.dtype}, but must hold real numbers; convert them")


def _of_tensor(name: str, values: torch.Tensor) -> NDArray[Any]:
    _check_tensor(name, values)
    dense = values.detach() if values.layout == torch.strided else values.detach().to_dense()
    # numpy has no bfloat16.
    found: NDArray[Any] = (dense.float() if dense.dtype == torch.bfloat16 else dense).numpy(force=True)
    return found


def _of_anything(name: str, values: Any) -> NDArray[Any]:
    if isinstance(values, list | tuple) and any(isinstance(value, torch.Tensor) for value in values):
        values = [array(name, value) for value in values]
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} is no array of numbers ({error}); pass one whose rows are equally long") from error
