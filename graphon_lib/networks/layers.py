"""The layers of a model that can be pruned, masks in and out of them, and the forward pass under masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.func import functional_call
from torch.nn.modules.conv import _ConvNd

from graphon_lib.arguments import module as check_module
from graphon_lib.arguments import tensor

Masks = dict[str, torch.Tensor]
Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)
PrunableLayer = nn.Linear | nn.Conv2d


def prunable_layers(model: nn.Module) -> dict[str, PrunableLayer]:
    """The linear and convolutional layers of a model by the name of their weight, input to output.

    Raises
    ------
    ValueError
        If there is none, if a convolution is not an ``nn.Conv2d`` between all channels, if a layer carries a mask of
        ``torch.nn.utils.prune`` already, if its weight is computed (``weight_norm``) or tied to another's, or if
        weights are not finite.
    """
    layers = _graph_layers(model)
    if not layers:
        raise ValueError(
            f"model is a {type(model).__name__} without nn.Linear layers or nn.Conv2d ones, so there is nothing to "
            "prune; pass a module that contains at least one"
        )
    parameters = {name for name, _ in model.named_parameters()}
    for name, layer in layers.items():
        if hasattr(layer, "weight_mask"):
            raise ValueError(
                f"model carries a torch.nn.utils.prune mask on {name!r}; read it with masks_of(model), then call "
                "torch.nn.utils.prune.remove(layer, 'weight') on each layer"
            )
        if name not in parameters:
            raise ValueError(
                f"weight {name!r} is not a parameter of its own: it is tied to another layer's, or computed by a "
                "parametrization; untie it, or remove the parametrization, so that it can have a mask"
            )
        # The extremes carry NaN and infinity along; isfinite() would take as much memory as the weight.
        if layer.weight.numel() and not all(torch.isfinite(x) for x in torch.aminmax(layer.weight.detach())):
            raise ValueError(f"weights of {name!r} are not all finite; prune needs a model without NaN or infinity")
    return layers


def _graph_layers(model: nn.Module) -> dict[str, PrunableLayer]:
    """The layers whose masks are graphs between their inputs, or input channels, and their outputs."""
    check_module("model", model)
    layers = {}
    for name, module in model.named_modules():
        # Transposed and 1-d convolutions have other shapes of weights, and groups leave channels without an edge to be.
        if isinstance(module, _ConvNd) and (not isinstance(module, nn.Conv2d) or module.groups != 1):
            raise ValueError(
                f"layer {name!r} of the model is {module}, whose mask is no graph between all its input and output "
                "channels; only nn.Linear and nn.Conv2d with groups=1 are understood: pass a model without this layer"
            )
        if isinstance(module, PrunableLayer):
            layers[f"{name}.weight".lstrip(".")] = module
    return layers


def linear_layers(model: nn.Module, function: str) -> dict[str, nn.Linear]:
    """:func:`prunable_layers` for a ``function`` whose theory is that of linear layers only.

    Raises
    ------
    ValueError
        If a layer is a convolution, or as :func:`prunable_layers`.
    """
    layers = {}
    for name, layer in prunable_layers(model).items():
        if isinstance(layer, nn.Conv2d):
            raise ValueError(
                f"model has the nn.Conv2d layer {name!r}, but {function} is for linear layers only: a convolution uses "
                "each weight at many positions, which is another theory; pass a model of nn.Linear layers"
            )
        layers[name] = layer
    return layers


def masks_of(model: nn.Module) -> Masks:
    """The masks a pruned model carries: ``weight_mask`` of ``torch.nn.utils.prune`` where there is one, else the
    entries of the weight that are not exactly zero.

    Returns
    -------
    dict from parameter name to bool tensor (outputs, inputs) of the layer, of a convolution (out, in, height, width)
        To go the other way: ``torch.nn.utils.prune.custom_from_mask(layer, "weight", mask)``.

    Raises
    ------
    ValueError
        If there is no such layer, or a convolution is not an ``nn.Conv2d`` between all channels.
    """
    layers = _graph_layers(model)
    if not layers:
        raise ValueError(
            f"model is a {type(model).__name__} without nn.Linear layers or nn.Conv2d ones, so it carries no masks"
        )
    return {
        name: torch.as_tensor(getattr(layer, "weight_mask", layer.weight)).detach() != 0
        for name, layer in layers.items()
    }


def check_masks(model: nn.Module, masks: Mapping[str, ArrayLike | torch.Tensor] | None) -> Masks:
    """Masks as bool tensors for every prunable layer of the model; a layer that is not named keeps all its weights.

    Raises
    ------
    ValueError
        If a name is not a prunable layer's, a shape is not its weight's, or an entry is neither 0 nor 1.
    """
    layers = prunable_layers(model)
    if not isinstance(masks, Mapping | None):
        raise TypeError(f"masks is a {type(masks).__name__}, but must be a dict from parameter name to mask, or None")
    masks = {} if masks is None else dict(masks)
    unknown = [name for name in masks if name not in layers]
    if unknown:
        raise ValueError(f"masks names {unknown[0]!r}, but the model's prunable layers are {list(layers)}")
    checked = {}
    for name, layer in layers.items():
        mask = (
            tensor(f"masks[{name!r}]", masks[name])
            if name in masks
            else torch.ones_like(layer.weight, dtype=torch.bool)
        )
        if mask.shape != layer.weight.shape:
            raise ValueError(
                f"masks[{name!r}] has shape {tuple(mask.shape)}, but the layer's weight has "
                f"{tuple(layer.weight.shape)} (outputs, inputs{', height, width' * isinstance(layer, nn.Conv2d)}); "
                "pass the mask of this model"
            )
        if mask.dtype != torch.bool and not ((mask == 0) | (mask == 1)).all():
            raise ValueError(f"masks[{name!r}] has entries other than 0 and 1; a mask says keep (True) or not (False)")
        checked[name] = mask.to(device=layer.weight.device, dtype=torch.bool)
    return checked


def forward(
    model: nn.Module, masks: Mapping[str, ArrayLike | torch.Tensor] | None, inputs: ArrayLike | torch.Tensor
) -> torch.Tensor:
    """The model's outputs for ``inputs`` (N, ...) with the weights outside ``masks`` set to zero; it stays unchanged.

    Inputs are cast to the precision of the model.

    Raises
    ------
    ValueError
        As :func:`check_masks`.
    """
    masked = {name: model.get_parameter(name) * mask for name, mask in check_masks(model, masks).items()}
    batch = tensor("inputs", inputs).to(next(iter(masked.values())))
    return torch.as_tensor(functional_call(model, masked, (batch,)))
