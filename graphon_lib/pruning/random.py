"""Random pruning: every weight has the same chance."""

from __future__ import annotations

import torch
from torch import nn

from graphon_lib.networks import prunable_layers
from graphon_lib.pruning.selection import Scores


def scores(model: nn.Module, generator: torch.Generator) -> Scores:
    """Independent standard Gaussian noise, a number a weight, drawn on the CPU so that every device gets the same."""
    return {
        name: torch.randn(layer.weight.shape, generator=generator, dtype=torch.float64).to(layer.weight.device)
        for name, layer in prunable_layers(model).items()
    }
