"""SNIP: how much the loss would change, to first order, were the weight removed (Lee, Ajanthan and Torr, ICLR 2019)."""

from __future__ import annotations

import torch
from torch import nn

from graphon_lib.pruning.scoring import gradient, weighted
from graphon_lib.pruning.selection import Scores


def scores(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> Scores:
    """The connection sensitivity |g * w|, g being the gradient of the mean cross-entropy on the batch."""
    return weighted("snip", model, gradient(model, inputs, targets), absolute=True)
