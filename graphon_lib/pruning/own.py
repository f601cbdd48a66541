"""A method of the caller's own: the weights of the highest scores, by whatever function."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import nn

from graphon_lib.networks import prunable_layers
from graphon_lib.pruning.scoring import evaluation
from graphon_lib.pruning.selection import Scores, check_finite

Scorer = Callable[[nn.Module, torch.Tensor | None, torch.Tensor | None], Mapping[str, torch.Tensor]]


def scores(
    scorer: Scorer, name: str, model: nn.Module, inputs: torch.Tensor | None, targets: torch.Tensor | None
) -> Scores:
    """The scores that a function gives to a copy of the model in evaluation mode and in double precision.

    Parameters
    ----------
    scorer : function (model, inputs, targets) -> dict from parameter name to tensor of the weight's shape
    name : str
        What messages call it.
    model : nn.Module
    inputs, targets : tensors or None

    Raises
    ------
    ValueError
        If there is not a finite score for every weight of every prunable layer.
    """
    layers, twin = prunable_layers(model), copy.deepcopy(model).double()
    device = next(iter(layers.values())).weight.device
    batch = None if inputs is None else inputs.to(device, torch.float64)
    labels = None if targets is None else targets.to(device)
    for parameter in twin.parameters():
        parameter.requires_grad_()
    with evaluation(twin):
        found = scorer(twin, batch, labels)
    if not isinstance(found, Mapping) or set(found) != set(layers):
        given = sorted(found) if isinstance(found, Mapping) else f"a {type(found).__name__}"
        raise ValueError(
            f"method {name!r} returned {given}, but must return a dict with scores for each of the model's prunable "
            f"layers, {list(layers)}"
        )
    checked = {}
    for layer, module in layers.items():
        score, shape = found[layer], tuple(module.weight.shape)
        if not isinstance(score, torch.Tensor) or tuple(score.shape) != shape:
            raise ValueError(
                f"method {name!r} returned a {type(score).__name__} of shape {tuple(getattr(score, 'shape', ()))} for "
                f"{layer!r}, but must return a tensor of the weight's shape, {shape}: one score a weight"
            )
        checked[layer] = score.detach().double()
        check_finite(name, layer, checked[layer])
    return checked
