"""The neural tangent kernel of one finite masked network, over its kept weights only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from tqdm import tqdm

from graphon_lib.networks import check_masks, forward, prunable_layers, to_tensor

# Elements of one working array for a group of neurons handled at once: bounds the memory, and spares a call a neuron.
GROUP_ELEMENTS = 2**20


def empirical_ntk(
    model: nn.Module,
    masks: Mapping[str, torch.Tensor] | None,
    inputs: ArrayLike | torch.Tensor,
    *,
    other: ArrayLike | torch.Tensor | None = None,
    outputs: Sequence[int] | None = None,
    weight_variance: float = 2.0,
) -> NDArray[np.float64]:
    """The NTK of a masked network in NTK parametrisation, averaged over outputs.

    A weight w = sigma_w / sqrt(n_in) omega of the model is a scaled standard Gaussian omega of the theory, so

    .. math:: \\Theta(x, x') = \\frac1{|O|} \\sum_{o \\in O} \\sum_l \\frac{\\sigma_w^2}{n_{l-1}}
              \\sum_{ij} M^{(l)}_{ij}\\, \\delta^o_i(x)\\, \\delta^o_i(x')\\, h_j(x)\\, h_j(x'),

    with h the layer's inputs and delta^o the gradient of output o with respect to the layer's outputs. The sum runs
    neuron by neuron: the (N, number of weights) Jacobian is never built, and a neuron costs its kept weights only.

    Parameters
    ----------
    model : nn.Module
        Each ``nn.Linear`` acts once, on a matrix (N, features); outputs are a matrix (N, C). Unchanged.
    masks : dict of masks or None
        A layer without one keeps all its weights; None: the dense network.
    inputs, other : (N, d), (M, d) arrays or tensors
        ``other`` defaults to ``inputs``.
    outputs : sequence of int, optional
        Which outputs to average over; default: all.
    weight_variance : float
        sigma_w^2 > 0 of the parametrisation: 2 for ``initialisation="he"``, 1/3 for ``"pytorch"``.

    Returns
    -------
    (N, M) float64 array

    Raises
    ------
    ValueError
        If inputs do not fit the model or are not finite, outputs are out of range, or the model has another structure.
    """
    if not (np.isfinite(weight_variance) and weight_variance > 0):
        raise ValueError(f"weight_variance is {weight_variance!r}, but must be a positive number, such as 2 (He)")
    layers, masks = prunable_layers(model), check_masks(model, masks)
    first = next(iter(layers.values()))
    x = _inputs("inputs", inputs, first.weight)
    backward_x, forward_x = _signals(model, layers, masks, x, outputs)
    if other is None:
        backward_y, forward_y = backward_x, forward_x
    else:
        backward_y, forward_y = _signals(model, layers, masks, _inputs("other", other, first.weight), outputs)

    kernel = torch.zeros(len(forward_x[0]), len(forward_y[0]), dtype=torch.float64, device=x.device)
    neurons = tqdm(
        total=sum(layer.out_features for layer in layers.values()),
        desc="empirical NTK", unit="neuron", disable=None, delay=2, leave=False,
    )  # fmt: skip
    for place, (name, layer) in enumerate(layers.items()):
        mask, scale = masks[name], weight_variance / layer.in_features
        delta_x, delta_y, h_x, h_y = backward_x[place], backward_y[place], forward_x[place], forward_y[place]
        if mask.all():
            # All neurons of an unpruned layer see the same inputs: one Gram matrix serves them all.
            deltas = sum((a @ b.T for a, b in zip(delta_x, delta_y, strict=True)), torch.zeros_like(kernel[:1, :1]))
            kernel += scale * deltas * (h_x @ h_y.T)
            neurons.update(layer.out_features)
            continue
        if not mask.any():
            neurons.update(layer.out_features)
            continue
        # Neurons of like degree go together, so that padding their kept inputs to one length costs little.
        degrees = mask.sum(dim=1)
        order = degrees.argsort()
        neurons.update(int((degrees == 0).sum()))
        # A neuron needs its products, and its kept inputs: these are the larger where one set of inputs is small.
        elements = max(kernel.numel(), int(degrees.max()) * sum(kernel.shape))
        for group in torch.split(order[degrees[order] > 0], max(1, GROUP_ELEMENTS // elements)):
            kept, columns = mask[group].to(torch.uint8).topk(int(degrees[group].max()), dim=1)
            # Per neuron: gradients summed over outputs, and products of its kept inputs; (group, N, M) each.
            deltas = delta_x[:, :, group].permute(2, 1, 0) @ delta_y[:, :, group].permute(2, 0, 1)
            products = (h_x.T[columns] * kept[:, :, None]).mT @ h_y.T[columns]
            kernel += scale * deltas.mul_(products).sum(dim=0)
            neurons.update(len(group))
    neurons.close()
    kernel /= len(backward_x[0])
    if other is None:
        kernel = (kernel + kernel.T) / 2  # float32 products may differ in the last digit across the diagonal
    return cast(NDArray[np.float64], kernel.cpu().numpy())


@torch.enable_grad()
def _signals(
    model: nn.Module,
    layers: dict[str, nn.Linear],
    masks: dict[str, torch.Tensor],
    inputs: torch.Tensor,
    outputs: Sequence[int] | None,
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """For each layer, delta (|O|, N, n_l): the outputs' gradients by its outputs; and its inputs h (N, n_{l-1})."""
    seen: dict[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]] = {layer: [] for layer in layers.values()}

    def note(layer: nn.Module, given: tuple[torch.Tensor, ...], result: torch.Tensor) -> torch.Tensor:
        seen[layer].append((given[0].detach(), result))
        return result.clone()  # what follows may act in place, as nn.ReLU(inplace=True) does

    hooks = [layer.register_forward_hook(note) for layer in layers.values()]
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        # Tracked even where the caller has frozen all weights: gradients are taken by the layers' outputs.
        result = forward(model, masks, inputs.detach().requires_grad_())
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    for name, layer in layers.items():
        calls = seen[layer]
        if len(calls) != 1 or calls[0][0].ndim != 2 or result.ndim != 2:
            raise ValueError(
                f"layer {name!r} acts {len(calls)} times in the forward pass, or model works on arrays that are not "
                "matrices (N, features); empirical_ntk needs each linear layer to act once, on a matrix"
            )
    chosen = range(result.shape[1]) if outputs is None else list(outputs)
    if not chosen or not all(0 <= o < result.shape[1] for o in chosen):
        raise ValueError(f"outputs is {outputs!r}, but must name at least one of the model's {result.shape[1]} outputs")
    z = [seen[layer][0][1] for layer in layers.values()]
    gradients = [torch.autograd.grad(result[:, o].sum(), z, retain_graph=True) for o in chosen]
    delta = [torch.stack(layer_gradients) for layer_gradients in zip(*gradients, strict=True)]
    return delta, [seen[layer][0][0] for layer in layers.values()]


def _inputs(name: str, values: ArrayLike | torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    tensor = to_tensor(values)
    if tensor.ndim < 2 or tensor.numel() == 0:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}, but must hold at least one input, as (N, d)")
    if tensor.ndim == 2 and tensor.shape[1] != weight.shape[1]:
        raise ValueError(
            f"{name} has {tensor.shape[1]} coordinates, but the model's first layer takes {weight.shape[1]}"
        )
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name} contains NaN or infinity; drop or repair these inputs first")
    return tensor.to(weight)
