"""Pruning as textbooks write it, by plain autograd: what linear layers and convolutions are both compared with."""

from __future__ import annotations

import copy

import torch
from torch import nn

from graphon_lib.networks import Masks, prunable_layers


def equal(first: Masks, second: Masks) -> bool:
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


def total(model: nn.Module) -> int:
    return sum(layer.weight.numel() for layer in prunable_layers(model).values())


def keep_highest(scores: dict[str, torch.Tensor], kept: int) -> Masks:
    every = torch.cat([score.flatten() for score in scores.values()])
    keep = torch.zeros(len(every), dtype=torch.bool)
    keep[torch.sort(every, descending=True).indices[:kept]] = True
    parts = keep.split([score.numel() for score in scores.values()])
    return {name: part.view(score.shape) for (name, score), part in zip(scores.items(), parts, strict=True)}


def synflow(model: nn.Module, density: float, rounds: int, inputs: torch.Tensor) -> Masks:
    """``inputs`` give the shape of what the network takes; their numbers do not matter."""
    twin = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        for value in twin.state_dict().values():
            value.abs_()
    layers = prunable_layers(twin)
    masks = {name: torch.ones_like(layer.weight, dtype=torch.bool) for name, layer in layers.items()}
    for step in range(1, rounds + 1):
        twin.zero_grad()
        twin(torch.ones_like(inputs, dtype=torch.float64)).sum().backward()
        flow = {n: torch.where(masks[n], (w.weight.grad * w.weight.detach()).abs(), -1.0) for n, w in layers.items()}
        removed = int((1.0 - density ** (step / rounds)) * total(model))
        kept = total(model) - removed if step < rounds else max(1, round(density * total(model)))
        masks = keep_highest(flow, kept)
        with torch.no_grad():
            for name, layer in layers.items():
                layer.weight *= masks[name]
    return masks
