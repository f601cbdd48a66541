"""Arguments as people get them wrong, or right in another form: what a public function may be handed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import nn

import graphon_lib as gl


class _Same:
    """Of a corrupted argument that means what the valid one does."""


SAME = _Same()


@dataclass(frozen=True)
class Wrong:
    """One corrupted argument.

    Attributes
    ----------
    what : str
        How it is corrupted.
    value : object
    means : object
        The clean argument that it must be taken for, if it is taken: SAME for the valid one. None if there is none, so
        that it must be refused, or whatever comes out must be finite.
    refused : bool
        Whether nothing but an error is right.
    """

    what: str
    value: Any
    means: Any = None
    refused: bool = False


def corrupted(value: Any) -> Iterator[Wrong]:
    """Corrupted forms of a valid argument, by its type."""
    yield from (Wrong(f"an object: {thing!r}", thing, refused=True) for thing in (object(), 1j, b"x", ...))
    match value:
        case bool():
            yield from ()
        case int():
            yield from _of_whole(value)
        case float():
            yield from _of_number(value)
        case str():
            yield from _of_name(value)
        case np.ndarray() | torch.Tensor():
            yield from _of_array(np.asarray(value))
        case nn.Module():
            yield from _of_model(value)
        case gl.Chain():
            yield from _of_chain(list(value.graphons))
        case gl.StepGraphon():
            yield from (Wrong(f"{wrong!r}", wrong, refused=True) for wrong in (None, "x", 3, [], gl.StepGraphon))
        case gl.Dataset():
            yield from (Wrong(f"{wrong!r}", wrong, refused=True) for wrong in (None, "x", (1, 2), [], gl.Dataset))
        case dict():
            yield from _of_mapping(value)
        case list():
            yield from _of_chain(value) if isinstance(value[0], gl.StepGraphon) else _of_wholes(value)
        case _ if callable(value) and not isinstance(value, type):
            yield from _of_function()


_NO_NUMBERS = (None, "x", "", [], [1, 2], {}, np.zeros((2, 2)), float("nan"), float("inf"), -float("inf"), 1 + 0j)


def _of_whole(value: int) -> Iterator[Wrong]:
    yield Wrong("a numpy integer", np.int64(value), SAME)
    yield Wrong("an unsigned one", np.uint8(value), SAME)
    yield Wrong("a tensor", torch.tensor(value), SAME)
    yield Wrong("a whole float", float(value), SAME)
    yield from (Wrong(f"{wrong!r}", wrong, refused=True) for wrong in _NO_NUMBERS)
    yield Wrong("a fraction", value + 0.5, refused=True)
    yield Wrong("its name", str(value), refused=True)
    yield from (Wrong(f"{size}", size) for size in (True, 0, 1, -1, -(10**30), 2**31, 2**63, 10**9, 10**12, 10**30))


def _of_number(value: float) -> Iterator[Wrong]:
    yield from (Wrong(f"a {kind.__name__}", kind(value), SAME) for kind in (np.float64, Decimal, Fraction))
    yield Wrong("single precision", np.float32(value), float(np.float32(value)))
    yield Wrong("a tensor", torch.tensor(value, dtype=torch.float64), SAME)
    yield from (Wrong(f"{wrong!r}", wrong, refused=True) for wrong in _NO_NUMBERS)
    yield Wrong("its name", str(value), refused=True)
    yield from (Wrong(f"{size}", size) for size in (True, 0, -1, -0.5, 1e300, 5e-324, 1e-200, 10**400))


def _of_name(value: str) -> Iterator[Wrong]:
    names = (None, "", "nonsense", value.upper(), 3, 1.5, [], {}, [value], value.encode(), np.zeros(2))
    yield from (Wrong(f"{wrong!r}", wrong, refused=value.upper() != value or wrong != value) for wrong in names)


def _of_array(clean: np.ndarray) -> Iterator[Wrong]:
    strided = np.repeat(clean, 2, axis=-1)[..., ::2]
    frozen = clean.copy()
    frozen.flags.writeable = False
    yield Wrong("a list", clean.tolist(), SAME)
    yield Wrong("read-only", frozen, SAME)
    yield Wrong("every other column of an array", strided, SAME)
    yield Wrong("in the other order", np.asfortranarray(clean), SAME)
    yield Wrong("backwards in memory", np.flip(np.flip(clean).copy()), SAME)
    yield Wrong("of other bytes", clean.astype(clean.dtype.newbyteorder()), SAME)
    yield Wrong("objects", clean.astype(object), SAME)
    yield Wrong("a tensor", torch.from_numpy(clean.copy()), SAME)
    yield Wrong("a strided tensor", torch.from_numpy(np.repeat(clean, 2, axis=-1).copy())[..., ::2], SAME)
    if clean.dtype.kind == "f":
        yield Wrong("a tensor with gradient", torch.from_numpy(clean.copy()).requires_grad_(), SAME)
        yield Wrong("a list of tensors", list(torch.from_numpy(clean.copy()).requires_grad_()), SAME)
        yield Wrong("a wide array", clean.astype(np.longdouble), SAME)
        for kind in (np.float16, np.float32, np.int64, np.int8, np.uint16, bool):
            yield Wrong(f"{np.dtype(kind)}", clean.astype(kind), clean.astype(kind).astype(np.float64))
        for kind in (torch.bfloat16, torch.float16, torch.float32, torch.int32, torch.bool):
            tensor = torch.from_numpy(clean.copy()).to(kind)
            yield Wrong(f"{kind}", tensor, tensor.double().numpy())
        yield Wrong("a sparse tensor", torch.from_numpy(clean.copy()).to_sparse(), SAME)
    else:
        yield Wrong("unsigned", clean.astype(np.uint16), SAME)
        yield Wrong("a small tensor", torch.from_numpy(clean.astype(np.int8)), SAME)
        yield Wrong("fractions", clean + 0.5, refused=True)
        yield Wrong("negative", clean - 10)
        yield Wrong("beyond all", clean + 10**12)
    yield Wrong("complex", clean + 1j, refused=True)
    yield Wrong("a complex tensor", torch.from_numpy(clean + 1j), refused=True)
    yield Wrong("text", np.full(clean.shape, "x"), refused=True)
    yield Wrong("numbers as text", clean.astype(str), refused=True)
    yield Wrong("dates", np.full(clean.shape, np.datetime64("2020-01-01")), refused=True)
    yield Wrong("without data", torch.empty(clean.shape, dtype=torch.float64, device="meta"), refused=True)
    yield Wrong("a ragged list", [*clean.tolist()[:-1], [[1.0], 2.0]], refused=True)
    yield Wrong("nothing", np.empty(0), refused=True)
    yield Wrong("no rows", clean[:0], refused=True)
    if clean.ndim > 1:
        yield Wrong("no columns", clean[:, :0], refused=True)
        yield Wrong("one column less", clean[:, :-1])
        yield Wrong("a row", clean[0])
    yield Wrong("one row less", clean[:-1])
    yield Wrong("a number", float(clean.flat[0]), refused=True)
    yield Wrong("an axis more", clean[None])
    yield Wrong("an axis behind", clean[..., None])
    yield Wrong("a name", "x", refused=True)
    yield Wrong("a mapping", {"a": clean}, refused=True)
    # 800 terabytes, if it were copied.
    yield Wrong("huge", np.broadcast_to(clean.flat[0], (10**7,) * clean.ndim if clean.ndim > 1 else (10**14,)))
    yield Wrong("a huge tensor", torch.zeros(1).expand((10**7,) * clean.ndim if clean.ndim > 1 else (10**14,)))
    for number in (np.nan, np.inf, -np.inf, 1e300, -1e300, 5e-324, 1e-200):
        for place in (0, -1):
            spoilt = clean.astype(np.float64)
            spoilt.flat[place] = number
            yield Wrong(f"{number} at {place}", spoilt, refused=not np.isfinite(number))
        yield Wrong(f"all {number}", np.full(clean.shape, number), refused=not np.isfinite(number))
    yield Wrong("None within", np.where(np.arange(clean.size).reshape(clean.shape) == 1, None, clean), refused=True)


def _of_model(model: nn.Module) -> Iterator[Wrong]:
    def with_weights(change: Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
        other = gl.mlp(2, 6, inputs=5, outputs=3, seed=1)
        for layer in other:
            if isinstance(layer, nn.Linear):
                layer.weight = nn.Parameter(change(layer.weight.detach()), requires_grad=False)
        return other

    for wrong in (None, "x", [], nn.ReLU(), nn.Sequential(), nn.Sequential, torch.zeros(2), lambda z: z, nn.Bilinear):
        yield Wrong(f"{wrong!r}"[:40], wrong, refused=True)
    yield Wrong("NaN", with_weights(lambda w: w * float("nan")))
    yield Wrong("infinite", with_weights(lambda w: w / 0))
    yield Wrong("huge", with_weights(lambda w: w * 1e37))
    yield Wrong("subnormal", with_weights(lambda w: w * 1e-40))
    yield Wrong("zero", with_weights(lambda w: w * 0))
    yield Wrong("half", model.half())
    yield Wrong("bfloat16", gl.mlp(2, 6, inputs=5, outputs=3, seed=1).bfloat16())
    yield Wrong("complex", with_weights(lambda w: w + 1j))
    yield Wrong("without data", gl.mlp(2, 6, inputs=5, outputs=3).to("meta"), refused=True)
    yield Wrong("lazy", nn.Sequential(nn.LazyLinear(3)), refused=True)
    empty = gl.mlp(1, 1, inputs=5, outputs=3)
    empty[0].weight, empty[2].weight = (nn.Parameter(torch.empty(shape)) for shape in ((0, 5), (3, 0)))
    yield Wrong("empty", empty)
    yield Wrong("of other sizes", gl.mlp(2, 6, inputs=4, outputs=2))
    yield Wrong("of another depth", gl.mlp(1, 6, inputs=5, outputs=3))


def _of_mapping(masks: Mapping[Any, Any]) -> Iterator[Wrong]:
    """Masks, or trials by width."""
    clean = {name: np.asarray(mask) for name, mask in masks.items()}
    first, *rest = clean

    def each(change: Callable[[np.ndarray], Any]) -> dict[Any, Any]:
        return {name: change(mask) for name, mask in clean.items()}

    yield Wrong("arrays", clean, SAME)
    yield Wrong("lists", each(lambda m: m.tolist()), SAME)
    yield Wrong("backwards in memory", each(lambda m: np.flip(np.flip(m).copy())), SAME)
    yield Wrong("floats", each(lambda m: m.astype(np.float64)), SAME)
    yield Wrong("float tensors", each(lambda m: torch.from_numpy(m.astype(np.float64)).requires_grad_()), SAME)
    yield Wrong("objects", each(lambda m: m.astype(object)), SAME)
    yield Wrong("of other bytes", each(lambda m: m.astype(">f8")), SAME)
    yield Wrong("empty", {})
    yield Wrong("short", {first: clean[first]})
    yield Wrong("one more", {**clean, "other": clean[first]})
    yield Wrong("a number for a key", {**clean, 3: clean[first]})
    yield Wrong("transposed", each(lambda m: m.T))
    yield Wrong("nothing kept", each(lambda m: m * False))
    yield Wrong("a list", list(clean.values()))
    yield Wrong("one mask", clean[first], refused=True)
    for name in (first, rest[-1]):
        for wrong in (
            None, "x", 3, [], object(), np.empty(0), clean[name][:0], clean[name][:-1], clean[name][None],
            clean[name] + 1j, clean[name] * np.nan, clean[name].astype(str),
            torch.empty(clean[name].shape, device="meta"),
            np.full(clean[name].shape, np.inf), np.full(clean[name].shape, "x"), [[1, 0], [1]],
        ):  # fmt: skip
            # A kernel of a convolution has more axes, and the outputs' layer may be of any height.
            other = isinstance(wrong, np.ndarray) and wrong.shape in ((1, *clean[name].shape), clean[name][:-1].shape)
            refused = wrong is not None and not other
            yield Wrong(f"{name!s} is {wrong!r}"[:60], {**clean, name: wrong}, refused=refused)


def _of_chain(graphons: list[gl.StepGraphon | None]) -> Iterator[Wrong]:
    constant = gl.StepGraphon.constant(0.5)
    for wrong in (None, "x", 3, [], {}, [None], [constant], constant, np.ones((2, 2)), [np.ones((2, 2))] * 3, [1, 2],
                  "xy", [constant, "x"], gl.Chain, [[constant]] * 2):  # fmt: skip
        yield Wrong(f"{wrong!r}"[:60], wrong)
    yield Wrong("backwards", graphons[::-1])
    yield Wrong("a tuple", tuple(graphons), SAME)
    yield Wrong("an iterator", iter(graphons), SAME)
    yield Wrong("nothing kept", [gl.StepGraphon.constant(0.0)] * 3)
    yield Wrong("next to nothing kept", [gl.StepGraphon.constant(1e-300)] * 3)
    yield Wrong("all kept", [None] * 3)


def _of_wholes(values: list[int]) -> Iterator[Wrong]:
    yield Wrong("a tuple", tuple(values), SAME)
    yield Wrong("an array", np.array(values), SAME)
    yield Wrong("numpy integers", [np.int64(value) for value in values], SAME)
    yield Wrong("whole floats", [float(value) for value in values], SAME)
    for wrong in (1.5, None, "x", -5, 10**30, float("nan"), 1 + 0j):
        yield Wrong(f"all {wrong!r}", [wrong] * len(values), refused=True)
    for wrong in ([], "x", 3, [values]):
        yield Wrong(f"{wrong!r}", wrong, refused=True)
    yield Wrong("huge", [10**9] * len(values))
    yield Wrong("tensor", torch.tensor(values), SAME)
    yield Wrong("bools", [True] * len(values))


def _of_function() -> Iterator[Wrong]:
    yield from (Wrong(f"{wrong!r}", wrong, refused=True) for wrong in (None, "x", 3, [], nn.ReLU))

    def fails(*_: Any) -> Any:
        raise KeyError("inside")

    yield Wrong("a function that fails", fails, refused=True)
    yield Wrong("NaN", lambda u, v=0: u * v * np.nan, refused=True)
    yield Wrong("infinite", lambda u, v=0: u * v + np.inf, refused=True)
    yield Wrong("complex", lambda u, v=0: u * v + 1j, refused=True)
    yield Wrong("text", lambda u, v=0: "x", refused=True)
    yield Wrong("None", lambda u, v=0: None, refused=True)
    yield Wrong("of another shape", lambda u, v=0: np.ones(7), refused=True)
