"""What scores that need derivatives share: a pass through the model that forms no weight's gradient.

The gradient of a linear layer's weight is a sum of outer products, D^T H, of what came back to its outputs and what
went into it. A pass keeps these thin factors, in double precision, and a weight's score is made of them when needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import nn
from torch.func import functional_call

from graphon_lib.networks import prunable_layers
from graphon_lib.pruning.selection import Scores, check_finite
from graphon_lib.pruning.tape import LinearMap, Tape, Use, Weight

# Images that are differentiated at a time.
IMAGES = 128


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
    tape = Tape({id(weight): (name, maps[name]) for name, weight in weights.items()})
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
