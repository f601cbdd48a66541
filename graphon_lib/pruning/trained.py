"""Magnitude after training: at once, or in rounds that each begin anew (Frankle and Carbin, ICLR 2019)."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from graphon_lib.data import Dataset
from graphon_lib.networks import Masks, prunable_layers
from graphon_lib.pruning import magnitude
from graphon_lib.pruning.selection import kept_count, select
from graphon_lib.training import train

# What a round of the lottery ticket prunes of the weights that are left, at most.
SHARE = 0.2

# Updates of a training: the horizon of the paper's loss curves (Fig. 2).
STEPS = 200

BATCH_SIZE = 128


def one_shot(
    model: nn.Module,
    density: float,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    generator: torch.Generator,
    *,
    steps: int = STEPS,
) -> Masks:
    """The largest \\|w\\| once the dense network is trained on the set of inputs (N, d) and classes (N,).

    Training is :func:`graphon_lib.training.train`'s, with Adam and its other defaults, on a copy in double precision:
    what single precision rounds, on other processors or numbers of threads, would grow from step to step into other
    masks.

    Raises
    ------
    ValueError
        If inputs or targets do not fit the model, or steps is below 1.
    FloatingPointError
        If training diverges.
    """
    return _in_rounds(model, density, 1, inputs, targets, generator, steps)


def lottery_ticket(
    model: nn.Module,
    density: float,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    generator: torch.Generator,
    *,
    steps: int = STEPS,
) -> Masks:
    """:func:`one_shot` in rounds: train what is left from the model's weights, drop the smallest, rewind, and so on.

    There are as few rounds as drop at most :data:`SHARE` of the weights each, and all drop the same share. Every round
    sees the images in the same order.

    The masks belong to the weights of the model that is passed. To rewind to step k (Frankle et al., ICML 2020) pass
    the model as it is after k steps: ``train(model, None, dataset, steps=k).model``.

    Raises
    ------
    ValueError, FloatingPointError
        As :func:`one_shot`.
    """
    # A density that is a power of 1 - SHARE must not get a round more by rounding.
    rounds = math.ceil(math.log(density) / math.log1p(-SHARE) - 1e-9)
    return _in_rounds(model, density, rounds, inputs, targets, generator, steps)


@torch.enable_grad()
def _in_rounds(
    model: nn.Module,
    density: float,
    rounds: int,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    generator: torch.Generator,
    steps: int,
) -> Masks:
    layers = prunable_layers(model)
    total = sum(layer.weight.numel() for layer in layers.values())
    masks = {name: torch.ones_like(layer.weight, dtype=torch.bool) for name, layer in layers.items()}
    double, dataset = copy.deepcopy(model).double(), Dataset(inputs, targets)
    # Not the seed of the network, of which the same numbers could have made the weights.
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    for step in range(1, rounds + 1):
        batch_size = min(BATCH_SIZE, len(dataset))
        trained = train(double, masks, dataset, steps=steps, batch_size=batch_size, seed=seed).model
        # Below zero, since a weight that is left may be zero too, and none that is gone may come back.
        scores = {name: score.where(masks[name], -1.0) for name, score in magnitude.scores(trained).items()}
        masks = select(scores, kept_count(density ** (step / rounds), total), generator)
    return masks
