"""What scores that need derivatives share: a double-precision copy of the model, and the loss on the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.func import functional_call

State = dict[str, torch.Tensor]


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


def double_copy(model: nn.Module) -> State:
    """Copies of all parameters and buffers by name, floating-point ones in double precision and row-major.

    Double precision makes rankings repeatable: the rounding of a float32 product depends on the number of threads, and
    is as large as the gap between neighbouring scores.
    """
    state = {}
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        dtype = torch.float64 if value.is_floating_point() else value.dtype
        state[name] = value.detach().to(dtype, copy=True, memory_format=torch.contiguous_format)
    return state


def outputs(model: nn.Module, state: State, inputs: torch.Tensor) -> torch.Tensor:
    """The model's outputs for ``inputs`` with its parameters and buffers replaced by ``state``."""
    try:
        result: torch.Tensor = functional_call(model, state, (inputs,))
    except RuntimeError as error:
        raise ValueError(
            f"inputs of shape {tuple(inputs.shape)} do not pass through the model ({error}); "
            "pass inputs=(N, d) of the size its first layer takes"
        ) from error
    return result


def mean_cross_entropy(
    model: nn.Module, state: State, inputs: torch.Tensor, targets: torch.Tensor, *, temperature: float = 1.0
) -> torch.Tensor:
    """Mean cross-entropy of softmax(outputs / temperature) against labels ``targets`` (N,)."""
    device = next(iter(state.values())).device
    logits = outputs(model, state, inputs.to(device, torch.float64))
    if logits.ndim != 2 or len(logits) != len(inputs):
        raise ValueError(
            f"model turns inputs of shape {tuple(inputs.shape)} into outputs of shape {tuple(logits.shape)}, "
            "but cross-entropy needs one row of class scores an input"
        )
    classes = logits.shape[1]
    if targets.min() < 0 or targets.max() >= classes:
        raise ValueError(
            f"targets has labels from {targets.min()} to {targets.max()}, but the model has {classes} outputs; "
            f"labels must be from 0 to {classes - 1}"
        )
    return nn.functional.cross_entropy(logits / temperature, targets.to(device))


def gradients(value: torch.Tensor, weights: Sequence[torch.Tensor], *, again: bool = False) -> tuple[torch.Tensor, ...]:
    """Gradient of a scalar with respect to each weight, zero for a layer that the forward pass does not use.

    With ``again`` the gradients can be differentiated once more.
    """
    return torch.autograd.grad(value, weights, create_graph=again, allow_unused=True, materialize_grads=True)
