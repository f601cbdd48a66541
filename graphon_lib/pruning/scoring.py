"""What scores that need derivatives share: a pass through the model that forms no weight's gradient.

The gradient of a linear layer's weight is a sum of outer products, D^T H, of what came back to its outputs and what
went into it. A pass keeps these thin factors, in double precision, and a weight's score is made of them when needed.
A convolution is a linear layer that acts on every patch of an image: each patch is a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from graphon_lib.networks import prunable_layers
from graphon_lib.pruning.selection import Scores, check_finite

# Entries of a weight that are held in double precision at a time.
PANEL = 2**18

# Images that are differentiated at a time.
IMAGES = 128

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


class _Tape(TorchFunctionMode):
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


@contextmanager
def evaluation(model: nn.Module) -> Iterator[None]:
    """Evaluation mode with gradients on; every submodule's own mode is restored after."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in modes:
            module.training = False
        with torch.enable_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def run(
    model: nn.Module,
    maps: dict[str, LinearMap],
    inputs: torch.Tensor,
    *,
    absolute: bool = False,
) -> tuple[torch.Tensor, list[Use]]:
    """The model's outputs for ``inputs``, in double precision, and the uses it made of its linear layers.

    Parameters
    ----------
    maps : dict from parameter name to LinearMap
        In the place of the weights of the model's linear layers.
    absolute : bool
        Take the absolute values of all other parameters and floating-point buffers.

    Raises
    ------
    ValueError
        If the inputs do not pass through the model, or it uses a weight in another way than its layer does.
    """
    state = {}
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if name not in maps and value.is_floating_point():
            # Copies: a forward pass may write into buffers.
            double = value.detach().to(torch.float64, copy=True)
            state[name] = double.abs_() if absolute else double
        elif name not in maps:
            state[name] = value.detach().clone()
    weights = {name: model.get_parameter(name) for name in maps}
    device = next(iter(weights.values())).device
    tape = _Tape({id(weight): (name, maps[name]) for name, weight in weights.items()})
    try:
        with evaluation(model), tape:
            outputs = functional_call(model, state, (inputs.to(device, torch.float64),))
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"inputs of shape {tuple(inputs.shape)} do not pass through the model ({error}); "
            "pass inputs=(N, d), or (N, channels, height, width), of the size its first layer takes"
        ) from error
    return cast(torch.Tensor, outputs), tape.uses


def losses(
    model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, *, temperature: float = 1.0
) -> Iterator[tuple[torch.Tensor, list[Use]]]:
    """Mean cross-entropy of softmax(outputs / temperature) against labels ``targets`` (N,), in summands.

    Each is of a few images, with the uses of the layers: what autograd remembers of all would outgrow the weights.
    """
    maps: dict[str, LinearMap] = {name: Weight(layer.weight) for name, layer in prunable_layers(model).items()}
    for first in range(0, len(inputs), IMAGES):
        images, labels = inputs[first : first + IMAGES], targets[first : first + IMAGES]
        logits, uses = run(model, maps, images)
        if logits.ndim != 2 or len(logits) != len(images):
            raise ValueError(
                f"model turns inputs of shape {tuple(images.shape)} into outputs of shape {tuple(logits.shape)}, "
                "but cross-entropy needs one row of class scores an input"
            )
        classes = logits.shape[1]
        if targets.min() < 0 or targets.max() >= classes:
            raise ValueError(
                f"targets has labels from {targets.min()} to {targets.max()}, but the model has {classes} outputs; "
                f"labels must be from 0 to {classes - 1}"
            )
        total = nn.functional.cross_entropy(logits / temperature, labels.to(logits.device), reduction="sum")
        yield total / len(inputs), uses


# For each layer that is used, pairs (D, H) for uses of it: its weight's gradient is the sum of their D^T H.
Factors = dict[str, list[tuple[torch.Tensor, torch.Tensor]]]


def thin(back: torch.Tensor, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A pair with the same D^T H and no more rows than the layer has outputs, if it has many: one a patch."""
    if len(back) <= max(IMAGES, back.shape[1]):
        return back, inputs
    return torch.eye(back.shape[1], dtype=back.dtype, device=back.device), back.T @ inputs


def joined(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """One pair (D, H) for several, whose D^T H is the sum of theirs."""
    return torch.cat([back for back, _ in pairs]), torch.cat([inputs for _, inputs in pairs])


@torch.enable_grad()
def gradient(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, *, temperature: float = 1.0) -> Factors:
    """The factors of the gradient of the mean cross-entropy."""
    factors: Factors = {}
    for value, uses in losses(model, inputs, targets, temperature=temperature):
        for use, back in zip(uses, derivatives(value, [use.offset for use in uses]), strict=True):
            factors.setdefault(use.name, []).append(thin(back, use.inputs.detach()))
    return factors


def derivatives(
    value: torch.Tensor, places: Sequence[torch.Tensor], *, again: bool = False
) -> tuple[torch.Tensor, ...]:
    """Derivatives of a scalar at each of the places, zero where it does not depend on one.

    With ``again`` they can be differentiated once more.
    """
    return torch.autograd.grad(value, places, create_graph=again, allow_unused=True, materialize_grads=True)


def weighted(method: str, model: nn.Module, factors: Factors, *, absolute: bool) -> Scores:
    """The scores w * (sum of D^T H), or their absolute values; zero for a layer without factors.

    The factors are used up, so that they do not lie in memory beside all scores.

    Raises
    ------
    ValueError
        If a score is not finite.
    """
    scores = {}
    for name, layer in prunable_layers(model).items():
        if name in factors:
            score = Weight(layer.weight).times_gradient(*joined(factors.pop(name)))
            scores[name] = score.view(layer.weight.shape)
            if absolute:
                scores[name].abs_()
            check_finite(method, name, scores[name])
        else:
            scores[name] = torch.zeros(layer.weight.shape, dtype=torch.float64, device=layer.weight.device)
    return scores
