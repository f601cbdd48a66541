"""SynFlow: how much synaptic flow passes through the weight, without data (Tanaka et al., NeurIPS 2020)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from graphon_lib.networks import Masks, prunable_layers
from graphon_lib.pruning.scoring import double_copy, evaluation, gradients, outputs
from graphon_lib.pruning.selection import check_finite, kept_count, largest


def masks(
    model: nn.Module, density: float, inputs: torch.Tensor | None, rounds: int, generator: torch.Generator
) -> Masks:
    """Prune to density**(round / rounds) in each round, by \\|w dR/dw\\| among the weights that are left (Algorithm 1).

    R is the sum of the outputs for one all-ones input, all parameters and floating-point buffers being replaced by
    their absolute values. It grows with the product of the layers' norms, to 1e62 for 40 layers of width 1024: hence
    double precision.

    Parameters
    ----------
    inputs : tensor or None
        Gives the shape of one input; None stands for (1, in_features of the first linear layer).
    """
    layers = prunable_layers(model)
    first = next(iter(layers.values()))
    shape = (1, first.in_features) if inputs is None else (1, *inputs.shape[1:])
    ones = torch.ones(shape, dtype=torch.float64, device=first.weight.device)
    state = {name: value.abs_() if value.is_floating_point() else value for name, value in double_copy(model).items()}
    # All weights in one row, of which the layers' are views; the same for their scores. Removed weights become zero in
    # the row, and only those that are left, at the places in the row that left holds, are ranked again.
    row = torch.cat([state[name].flatten() for name in layers])
    scores = torch.empty_like(row)
    scores_by_layer = _views(scores, layers)
    left = np.arange(len(row))
    leaves = {name: weight.requires_grad_() for name, weight in _views(row, layers).items()}
    with evaluation(model):
        for step in range(1, rounds + 1):
            kept = kept_count(density ** (step / rounds), len(row))
            if kept == len(left):
                continue
            flow = outputs(model, state | leaves, ones).sum()
            for (name, leaf), gradient in zip(leaves.items(), gradients(flow, [*leaves.values()]), strict=True):
                torch.mul(gradient, leaf.detach(), out=scores_by_layer[name])
                check_finite("synflow", name, scores_by_layer[name])
            ranked = scores.index_select(0, torch.from_numpy(left).to(row.device)).abs_()
            # numpy takes a bool index in half the time of torch.
            chosen = largest(ranked, kept, generator).numpy(force=True)
            row[torch.from_numpy(left[~chosen]).to(row.device)] = 0.0
            left = left[chosen]
    mask = torch.zeros(len(row), dtype=torch.bool, device=row.device)
    mask[torch.from_numpy(left).to(row.device)] = True
    return {name: part.clone() for name, part in _views(mask, layers).items()}


def _views(row: torch.Tensor, layers: Mapping[str, nn.Linear]) -> dict[str, torch.Tensor]:
    """A row of numbers, one a weight, cut into views of the shapes of the layers' weights."""
    shapes = {name: layer.weight.shape for name, layer in layers.items()}
    pieces = row.split_with_sizes([shape.numel() for shape in shapes.values()])
    return {name: piece.view(shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}
