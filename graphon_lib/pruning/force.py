"""FORCE: SNIP in rounds, on the pruned network, with a way back (de Jorge et al., ICLR 2021)."""

from __future__ import annotations

import copy

import torch
from torch import nn

from graphon_lib.networks import Masks, prunable_layers
from graphon_lib.pruning.scoring import gradient, weighted
from graphon_lib.pruning.selection import Scores, kept_count, select


def scores(model: nn.Module, masks: Masks, inputs: torch.Tensor, targets: torch.Tensor) -> Scores:
    """\\|g * w\\|, with g the gradient of the mean cross-entropy at the weights under ``masks`` (the others zero).

    A pruned weight has its old w here: a large score says that the pruned network would miss it most.
    """
    pruned = copy.deepcopy(model)
    with torch.no_grad():
        for name, layer in prunable_layers(pruned).items():
            layer.weight.mul_(masks[name])
    factors = gradient(pruned, inputs, targets)
    del pruned
    return weighted("force", model, factors, absolute=True)


def masks(
    model: nn.Module,
    density: float,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    rounds: int,
    generator: torch.Generator,
) -> Masks:
    """The highest :func:`scores` of all weights, density**(round / rounds) of them in each round (Algorithm 1).

    The scores are those at the mask of the round before, and weights that it lacks compete with those that it has. One
    round is SNIP; the paper runs 60.
    """
    layers = prunable_layers(model)
    total = sum(layer.weight.numel() for layer in layers.values())
    kept = {name: torch.ones_like(layer.weight, dtype=torch.bool) for name, layer in layers.items()}
    for step in range(1, rounds + 1):
        count = kept_count(density ** (step / rounds), total)
        kept = select(scores(model, kept, inputs, targets), count, generator)
    return kept
