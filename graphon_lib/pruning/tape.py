"""Where a model applies a layer: a pass in which something else stands for its weight, and each use is noted.

A convolution is a linear layer that acts on every patch of an image: each patch is a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

# Entries of a weight that are held in double precision at a time.
PANEL = 2**18

# As nn.Conv2d has its stride, padding and dilation: of both axes, or of each.
Sizes = int | Sequence[int]


class LinearMap(Protocol):
    """What stands for a layer's weight W (outputs, inputs) in a pass: its products, in double precision.

    The inputs of a convolution are the entries of one patch: channels times kernel positions.
    """

    def product(self, rows: torch.Tensor) -> torch.Tensor:
        """rows (B, inputs) times the transpose of W: (B, outputs)."""

    def transposed(self, rows: torch.Tensor) -> torch.Tensor:
        """rows (B, outputs) times W: (B, inputs)."""


class Weight:
    """A layer's weight as it is; its products are in double precision, a panel of rows at a time.

    Double precision makes rankings repeatable: the rounding of a float32 product depends on the number of threads, and
    is as large as the gap between neighbouring scores.
    """

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight.detach().flatten(1)
        height = max(1, PANEL // max(1, weight.shape[1]))
        self.panels = [slice(first, first + height) for first in range(0, len(weight), height)]

    def product(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.cat([rows @ self.weight[panel].double().T for panel in self.panels], dim=1)

    def transposed(self, rows: torch.Tensor) -> torch.Tensor:
        result = rows.new_zeros(len(rows), self.weight.shape[1])
        for panel in self.panels:
            result.addmm_(rows[:, panel], self.weight[panel].double())
        return result

    def times_gradient(self, back: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """W * (back^T inputs), of factors back (B, outputs) and inputs (B, inputs): float64, of W's shape."""
        result = torch.empty(self.weight.shape, dtype=torch.float64, device=self.weight.device)
        for panel in self.panels:
            torch.mm(back[:, panel].T, inputs, out=result[panel]).mul_(self.weight[panel])
        return result


@dataclass
class Use:
    """One application of a layer in a pass.

    Attributes
    ----------
    name : str
        Of the layer's weight.
    inputs : (B, inputs) tensor
    offset : (B, outputs) tensor
        Zeros that were added to the outputs: the derivative with respect to them is D of the weight's gradient.
    back_offset : (B, inputs) tensor or None
        The same for what the layer passes back, once a gradient has been taken that can be differentiated again.
    """

    name: str
    map: LinearMap
    inputs: torch.Tensor
    offset: torch.Tensor
    back_offset: torch.Tensor | None = None


class _Product(torch.autograd.Function):
    """A linear map plus an offset that is zero, and its transpose: derivatives of each other, never in the weight."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, offset: torch.Tensor | None, use: Use, transposed: bool) -> torch.Tensor:
        ctx.use, ctx.transposed = use, transposed
        return use.map.transposed(rows) if transposed else use.map.product(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor, None, None]:
        (gradient,), back = gradients, None
        if ctx.needs_input_grad[0]:
            if not ctx.transposed and torch.is_grad_enabled():
                ctx.use.back_offset = _zeros(gradient, ctx.use.inputs.shape)
            offset = None if ctx.transposed else ctx.use.back_offset
            back = _Product.apply(gradient, offset, ctx.use, not ctx.transposed)  # type: ignore[no-untyped-call]
        return back, gradient, None, None


def _zeros(like: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Zeros to differentiate at; nobody reads them, so they are one number in memory."""
    return like.detach().new_zeros(()).expand(shape).requires_grad_()


class Tape(TorchFunctionMode):
    """Puts maps in the place of weights wherever a model applies a linear layer, and notes each use."""

    def __init__(self, maps: dict[int, tuple[str, LinearMap]]) -> None:
        super().__init__()
        self.maps = maps
        self.uses: list[Use] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is nn.functional.linear:
            return self._linear(*args, **(kwargs or {}))
        if func is nn.functional.conv2d:
            return self._convolution(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _linear(self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        if id(weight) not in self.maps:
            return nn.functional.linear(input, weight, bias)
        return self._apply(input, weight, bias)

    def _convolution(
        self,
        input: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
    ) -> torch.Tensor:
        if id(weight) not in self.maps:
            return nn.functional.conv2d(input, weight, bias, stride, padding, dilation, groups)
        kernel, stride, dilation = weight.shape[2:], _two(stride), _two(dilation)
        if padding == "same":
            # As torch does: what cannot be shared evenly goes to the right and to the bottom.
            sides = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
            input = nn.functional.pad(input, [n for s in reversed(sides) for n in (s // 2, s - s // 2)])
        zeros = (0, 0) if isinstance(padding, str) else _two(padding)
        height, width = (
            (size + 2 * p - d * (k - 1) - 1) // s + 1
            for size, p, d, k, s in zip(input.shape[-2:], zeros, dilation, kernel, stride, strict=True)
        )
        patches = nn.functional.unfold(input, kernel, dilation, zeros, stride)
        outputs = self._apply(patches.mT, weight, bias).mT
        return outputs.reshape(*outputs.shape[:-1], height, width)

    def _apply(self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """The weight (outputs, ...) applied to rows (..., inputs), and noted."""
        name, mapped = self.maps[id(weight)]
        features = weight[0].numel()
        if input.shape[-1] != features:
            raise ValueError(f"the layer {name!r} takes {features} numbers, but gets {input.shape[-1]}")
        rows = input.reshape(-1, features)
        use = Use(name, mapped, rows, _zeros(rows, torch.Size((len(rows), len(weight)))))
        self.uses.append(use)
        outputs: torch.Tensor = _Product.apply(rows, use.offset, use, False)  # type: ignore[no-untyped-call]
        outputs = outputs.reshape(*input.shape[:-1], len(weight))
        return outputs if bias is None else outputs + bias


def _two(sizes: Sizes) -> tuple[int, int]:
    height, width = (sizes, sizes) if isinstance(sizes, int) else sizes
    return height, width
