"""A network whose pruned weights stay at zero while the others are trained, by sparse or dense arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import cast

import torch
from torch import nn

from graphon_lib.networks import ACTIVATION_LAYERS, prunable_layers
from graphon_lib.training.sparse import SparseLinear

# Measured on four layers of 1024, with Adam and batches of 128: below this density sparse layers are the faster. In
# layers of fewer weights than this, calls cost more than products do. A fixed rule and not a stop-watch, so that equal
# arguments give equal numbers.
DENSITY = 0.22
WEIGHTS = 2**14

# In a stack of these, the layout of arrays in memory does not show. It would in dropout, which draws in that order.
PLAIN = (nn.Sequential, nn.Linear, *ACTIVATION_LAYERS.values())


@contextmanager
def masked_layers(model: nn.Module, masks: Mapping[str, torch.Tensor]) -> Iterator[Callable[[], None]]:
    """Keeps pruned weights at zero inside a ``with`` block, in which an optimiser trains ``model.parameters()``.

    In a stack of linear layers and activations, layers that few weights are left of are sparse inside: see
    :class:`graphon_lib.training.sparse.SparseLinear`. After the block they are what they were before, with the trained
    weights and exact zeros.

    Parameters
    ----------
    model : nn.Module
        Changed in place.
    masks : dict from parameter name to bool tensor
        Of all prunable layers, as from :func:`graphon_lib.networks.check_masks`.

    Yields
    ------
    function without arguments
        To be called between the backward pass and the update: sets gradients of pruned weights to zero.
    """
    layers = prunable_layers(model)
    # Products with zeros and ones take a fifth of the time of filling by a bool mask.
    zeros = {name: mask.to(layers[name].weight) for name, mask in masks.items() if not mask.all()}
    # Weights are masked once and their gradients at every step, which keeps them at zero under both optimisers: no
    # product of weights and masks in each forward pass.
    with torch.no_grad():
        for name, mask in zeros.items():
            layers[name].weight.mul_(mask)
    plain = all(type(module) in PLAIN for module in model.modules())
    sparse = [name for name in zeros if plain and _pays(layers[name].weight, masks[name])]
    dense = {name: mask for name, mask in zeros.items() if name not in sparse}

    def mask_gradients() -> None:
        for name, mask in dense.items():
            gradient = layers[name].weight.grad
            if gradient is not None:  # None where the caller froze the layer
                gradient.mul_(mask)

    # Threads of its own, since each carries its own setting for denormal numbers.
    with ThreadPoolExecutor(initializer=torch.set_flush_denormal, initargs=(True,)) as pool:
        for name in sparse:
            SparseLinear.replace(cast(nn.Linear, layers[name]), masks[name], pool)
        try:
            yield mask_gradients
        finally:
            for name in sparse:
                cast(SparseLinear, layers[name]).restore()


def _pays(weight: torch.Tensor, mask: torch.Tensor) -> bool:
    return (
        weight.device.type == "cpu"
        and weight.dtype in (torch.float32, torch.float64)
        and mask.numel() >= WEIGHTS
        and int(mask.sum()) <= DENSITY * mask.numel()
    )
