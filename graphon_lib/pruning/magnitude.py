"""Magnitude pruning: the largest weights stay."""

from __future__ import annotations

from torch import nn

from graphon_lib.networks import prunable_layers
from graphon_lib.pruning.selection import Scores


def scores(model: nn.Module) -> Scores:
    """The absolute value of each weight."""
    return {name: layer.weight.detach().abs().double() for name, layer in prunable_layers(model).items()}
