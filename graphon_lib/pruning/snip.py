"""SNIP: how much the loss would change, to first order, were the weight removed (Lee, Ajanthan and Torr, ICLR 2019)."""

from __future__ import annotations

import torch
from torch import nn

from graphon_lib.networks import prunable_layers
from graphon_lib.pruning.scoring import double_copy, evaluation, gradients, mean_cross_entropy
from graphon_lib.pruning.selection import Scores, check_finite


def scores(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> Scores:
    """The connection sensitivity |g * w|, g being the gradient of the mean cross-entropy on the batch."""
    state = double_copy(model)
    weights = {name: state[name].requires_grad_() for name in prunable_layers(model)}
    with evaluation(model):
        gradient = gradients(mean_cross_entropy(model, state, inputs, targets), [*weights.values()])
    result = {}
    for (name, weight), g in zip(weights.items(), gradient, strict=True):
        result[name] = (g * weight.detach()).abs()
        check_finite("snip", name, result[name])
    return result
