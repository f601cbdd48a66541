"""Multi-layer perceptrons, their prunable layers, and their forward pass under masks.

A *mask* is a bool tensor of the shape of one layer's weight, rows being the layer's outputs; *masks* is a dict from
parameter name (``"0.weight"``) to mask, in the order in which the layers stand in the model. Everything here works on
any ``nn.Module`` whose ``nn.Linear`` layers are defined in the order in which they act.
"""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.func import functional_call

Masks = dict[str, torch.Tensor]

INITIALISATIONS = ("he", "pytorch")


class Erf(nn.Module):
    """The error function as a layer: smooth, odd, bounded, and with closed-form dual activations."""

    def forward(self, preactivations: torch.Tensor) -> torch.Tensor:
        return torch.erf(preactivations)


ACTIVATION_LAYERS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "linear": nn.Identity,
    "erf": Erf,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
}


def mlp(
    depth: int,
    width: int,
    *,
    inputs: int = 784,
    outputs: int = 10,
    activation: str = "relu",
    initialisation: str = "he",
    seed: int = 0,
) -> nn.Sequential:
    """A multi-layer perceptron of bias-free linear layers.

    Parameters
    ----------
    depth : int
        Number of hidden layers, at least 1. The paper's "4-layer" network counts layers of neurons: it has depth 2.
    width : int
        Neurons in each hidden layer, at least 1.
    inputs, outputs : int
        Input coordinates (784 for MNIST) and outputs (10 classes).
    activation : {"relu", "leaky_relu", "linear", "erf", "gelu", "tanh", "sigmoid", "silu"}
        What follows every hidden layer; the leak is 0.01, and GELU the exact one.
    initialisation : {"he", "pytorch"}
        ``"he"``: Gaussian of variance 2 / fan-in, which the kernels assume (weight variance 2).
        ``"pytorch"``: the default of ``nn.Linear``, uniform of variance 1 / (3 fan-in), which the paper's code uses.
    seed : int
        Equal seeds give equal weights; the global generator is neither read nor moved.

    Returns
    -------
    nn.Sequential
        Its parameters are named ``"0.weight"``, ``"2.weight"``, ...: one for each of the depth + 1 linear layers.

    Raises
    ------
    ValueError
        If a size is below 1, or a name is unknown.
    """
    for name, size in (("depth", depth), ("width", width), ("inputs", inputs), ("outputs", outputs)):
        if isinstance(size, bool) or not isinstance(size, numbers.Integral) or size < 1:
            raise ValueError(f"{name} is {size!r}, but must be a whole number of at least 1")
    if activation not in ACTIVATION_LAYERS:
        raise ValueError(f"activation is {activation!r}, but must be one of {sorted(ACTIVATION_LAYERS)}")
    if initialisation not in INITIALISATIONS:
        raise ValueError(f"initialisation is {initialisation!r}, but must be one of {list(INITIALISATIONS)}")
    generator = torch.Generator().manual_seed(seed)
    widths = [int(size) for size in (inputs, *[width] * depth, outputs)]
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        # Made on "meta", so that the global random state stays; the weights come from our own generator just below.
        linear = nn.Linear(fan_in, fan_out, bias=False, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            if initialisation == "he":
                linear.weight.normal_(0.0, math.sqrt(2.0 / fan_in), generator=generator)
            else:
                bound = 1.0 / math.sqrt(fan_in)
                linear.weight.uniform_(-bound, bound, generator=generator)
        layers += [linear, ACTIVATION_LAYERS[activation]()]
    return nn.Sequential(*layers[:-1])


def to_tensor(array: ArrayLike | torch.Tensor) -> torch.Tensor:
    """A tensor as it is; anything else as the tensor of a copy, since arrays may be read-only or run backwards."""
    return array if isinstance(array, torch.Tensor) else torch.from_numpy(np.array(array, order="C"))


def prunable_layers(model: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers of a model by the name of their weight, input to output.

    Raises
    ------
    ValueError
        If there is none, if a layer carries a mask of ``torch.nn.utils.prune`` already, if its weight is computed
        (``weight_norm``) or tied to another's, or if weights are not finite.
    """
    layers = {f"{name}.weight".lstrip("."): m for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    if not layers:
        raise ValueError(
            f"model is a {type(model).__name__} without nn.Linear layers, so there is nothing to prune; "
            "pass a module that contains at least one"
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


def masks_of(model: nn.Module) -> Masks:
    """The masks a pruned model carries: ``weight_mask`` of ``torch.nn.utils.prune`` where there is one, else the
    entries of the weight that are not exactly zero.

    Returns
    -------
    dict from parameter name to bool tensor (outputs, inputs) of the layer
        To go the other way: ``torch.nn.utils.prune.custom_from_mask(layer, "weight", mask)``.
    """
    masks = {}
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):
            kept = torch.as_tensor(getattr(layer, "weight_mask", layer.weight))
            masks[f"{name}.weight".lstrip(".")] = kept.detach() != 0
    if not masks:
        raise ValueError(f"model is a {type(model).__name__} without nn.Linear layers, so it carries no masks")
    return masks


def check_masks(model: nn.Module, masks: Mapping[str, ArrayLike | torch.Tensor] | None) -> Masks:
    """Masks as bool tensors for every prunable layer of the model; a layer that is not named keeps all its weights.

    Raises
    ------
    ValueError
        If a name is not a prunable layer's, a shape is not its weight's, or an entry is neither 0 nor 1.
    """
    layers = prunable_layers(model)
    masks = {} if masks is None else dict(masks)
    unknown = [name for name in masks if name not in layers]
    if unknown:
        raise ValueError(f"masks names {unknown[0]!r}, but the model's prunable layers are {list(layers)}")
    checked = {}
    for name, layer in layers.items():
        mask = to_tensor(masks[name]) if name in masks else torch.ones_like(layer.weight, dtype=torch.bool)
        if mask.shape != layer.weight.shape:
            raise ValueError(
                f"masks[{name!r}] has shape {tuple(mask.shape)}, but the layer's weight has "
                f"{tuple(layer.weight.shape)} (outputs, inputs); pass the mask of this model"
            )
        if mask.dtype != torch.bool and not ((mask == 0) | (mask == 1)).all():
            raise ValueError(f"masks[{name!r}] has entries other than 0 and 1; a mask says keep (True) or not (False)")
        checked[name] = mask.to(device=layer.weight.device, dtype=torch.bool)
    return checked


def forward(
    model: nn.Module, masks: Mapping[str, ArrayLike | torch.Tensor] | None, inputs: ArrayLike | torch.Tensor
) -> torch.Tensor:
    """The model's outputs for ``inputs`` (N, d) with the weights outside ``masks`` set to zero; the model is unchanged.

    Inputs are cast to the precision of the model.

    Raises
    ------
    ValueError
        As :func:`check_masks`.
    """
    masked = {name: model.get_parameter(name) * mask for name, mask in check_masks(model, masks).items()}
    batch = to_tensor(inputs).to(next(iter(masked.values())))
    return torch.as_tensor(functional_call(model, masked, (batch,)))
