"""What the original authors' programs do, for tests and benchmarks to compare with.

Single precision, masks as factors of the weights, .backward() on all of them, the threshold by torch.kthvalue, and kept
what is above it.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from graphon_lib.data import load_mnist
from graphon_lib.networks import Masks, prunable_layers


def original(
    model: nn.Module, method: str, density: float, rounds: int = 100, dtype: torch.dtype = torch.float32
) -> Masks:
    digits = load_mnist(100)
    inputs, targets = digits.inputs.to(dtype), digits.labels
    twin = copy.deepcopy(model).to(dtype)
    layers = prunable_layers(twin)
    weights = {name: layer.weight for name, layer in layers.items()}
    masks = {name: torch.ones_like(weight) for name, weight in weights.items()}
    if method == "synflow":
        with torch.no_grad():
            for weight in weights.values():
                weight.abs_()
    start = {name: weight.detach().clone() for name, weight in weights.items()}
    for step in range(1, (rounds if method == "synflow" else 1) + 1):
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(start[name] * masks[name])
        twin.zero_grad()
        if method == "magnitude":
            scores = {name: weight.detach().abs() for name, weight in weights.items()}
        elif method == "synflow":
            twin(torch.ones(1, inputs.shape[1], dtype=dtype)).sum().backward()
            scores = {name: (weight.grad * weight.detach()).abs() for name, weight in weights.items()}
        elif method == "snip":
            nn.functional.cross_entropy(twin(inputs), targets).backward()
            scores = {name: (weight.grad * weight.detach()).abs() for name, weight in weights.items()}
        else:
            loss = nn.functional.cross_entropy(twin(inputs) / 200, targets)
            first = torch.autograd.grad(loss, [*weights.values()])
            loss = nn.functional.cross_entropy(twin(inputs) / 200, targets)
            again = torch.autograd.grad(loss, [*weights.values()], create_graph=True)
            sum((g * h).sum() for g, h in zip(first, again, strict=True)).backward()
            scores = {name: weight.grad * weight.detach() for name, weight in weights.items()}
        every = torch.cat([score.flatten() for score in scores.values()])
        removed = int((1 - density ** (step / rounds if method == "synflow" else 1)) * every.numel())
        if removed:
            threshold = torch.kthvalue(every, removed).values
            masks = {name: (score > threshold).to(dtype) for name, score in scores.items()}
    return {name: mask.bool() for name, mask in masks.items()}
