"""A pruned network as a diagnosis sees it: a copy of its own, its masks, and what stands between its linear layers."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from torch.nn.utils import prune as torch_prune
from torch.nn.utils.parametrize import is_parametrized

from graphon_lib.graphons.channels import as_graph, joined_graphs
from graphon_lib.networks import (
    ACTIVATION_LAYERS,
    Masks,
    PrunableLayer,
    check_masks,
    forward,
    masks_of,
    prunable_layers,
)

# What neither computes nor mixes anything while the network is at rest.
_DROPOUT = (nn.Dropout, nn.AlphaDropout)
_SILENT = (nn.Flatten, nn.Identity, *_DROPOUT)

Calls = list[tuple[str, torch.Tensor, torch.Tensor]]


class Activation(NamedTuple):
    """What stands between the layers: a name in ``ACTIVATION_LAYERS`` or the module in words, and the module."""

    name: str
    phi: nn.Module


@dataclass(frozen=True, eq=False)
class Network:
    """What is left of a model when its layers are laid out in the order in which they act.

    Attributes
    ----------
    model : nn.Module
        A copy in float64, without masks of ``torch.nn.utils.prune`` but with the weights from before they were applied:
        the layers and the activation alone where ``departures`` is empty, else all of the model.
    masks : dict
        By the names of the layers in ``model``, in the order in which they act.
    names : list of str
        The names of the same layers in the user's model.
    activation : Activation or None
        Found by running the model; None if it is not the same function of one number between all layers.
    departures : tuple of str
        In what the model is no stack of linear layers with one activation between them; empty if it is one.
    beside : tuple of str
        What a stack may have, but no network of the book has: biases, dropout, a softmax behind the last layer.
    """

    model: nn.Module
    masks: Masks
    names: list[str]
    activation: Activation | None
    departures: tuple[str, ...]
    beside: tuple[str, ...]

    @property
    def widths(self) -> list[int] | None:
        """Inputs, hidden layers and outputs, of convolutions their channels, if each layer takes what the one before
        gives; else None."""
        graphs = self.graphs()
        if any(below.shape[0] != above.shape[1] for below, above in itertools.pairwise(graphs)):
            return None
        return [graphs[0].shape[1], *(len(graph) for graph in graphs)]

    def graphs(self) -> list[NDArray[np.bool_]]:
        """The masks as arrays (outputs, inputs, positions): see :mod:`graphon_lib.graphons.channels`."""
        try:
            return joined_graphs(list(self.masks.values()))
        except ValueError:  # they do not fit together
            return [as_graph(mask, name) for name, mask in self.masks.items()]

    def weights(self) -> list[torch.Tensor]:
        """The weights of the layers, in the order of ``masks``; what was pruned may be zero or still there."""
        return [self.model.get_parameter(name).detach() for name in self.masks]


def read_network(
    model: nn.Module, inputs: torch.Tensor, masks: Mapping[str, ArrayLike | torch.Tensor] | None
) -> Network:
    """Lay a model out; it is left as it was.

    Parameters
    ----------
    model : nn.Module
    inputs : tensor (N, ...)
        A few, to run it on.
    masks : dict or None
        None, or a layer left out: what the model carries (``masks_of``).

    Raises
    ------
    TypeError
        If model is no nn.Module.
    ValueError
        If it has no linear layer, cannot be copied or run on the inputs, its weights are not finite, or masks do not
        fit it or keep what its own masks remove.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model is a {type(model).__name__}, but must be an nn.Module; a state dict goes into one with "
            "load_state_dict, and a file with graphon_lib.diagnosis.load_checkpoint"
        )
    carried = masks_of(model)
    carried = {name: carried[name] for name in dict.fromkeys([*(masks or {}), *carried]) if name in carried}
    own = _unmasked_copy(model)
    layers = prunable_layers(own)
    given = check_masks(own, masks) if masks is not None else {}
    for name in masks or {}:
        lost = int((given[name] & ~carried[name].to(given[name].device)).sum())
        if lost and hasattr(model.get_submodule(name.rpartition(".")[0]), "weight_mask"):
            raise ValueError(
                f"masks[{name!r}] keeps {lost} weights that the model's own torch.nn.utils.prune mask removes; "
                "pass masks=None to read the model's own, or remove them with torch.nn.utils.prune.remove"
            )
        carried[name] = given[name]
    try:
        calls, returned = _calls(own, carried, inputs)
    except NotImplementedError as error:
        why = str(error).splitlines()[0]
        return Network(own, carried, list(carried), None, (why,), _beside(own, layers))
    except (RuntimeError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(
            f"inputs of shape {tuple(inputs.shape)} cannot be run through the model ({str(error).splitlines()[0]}); "
            f"its first layer is {next(iter(layers.values()))}"
        ) from None
    order = list(dict.fromkeys([name for name, _, _ in calls] + list(carried)))
    ordered = {name: carried[name] for name in order}
    activation, departures = _structure(own, layers, calls, inputs)
    beside = _beside(own, layers)
    if not departures and not _same(calls[-1][2], returned):
        beside = (*beside, "something that acts on what its last layer gives")
    if departures:
        return Network(own, ordered, order, activation, departures, beside)
    stack: list[nn.Module] = []
    for name in order:
        stack += [layers[name], *([activation.phi] if activation else [])]
    plain = nn.Sequential(*stack[:-1])
    renamed = {f"{2 * place}.weight": mask for place, mask in enumerate(ordered.values())}
    return Network(plain, renamed, order, activation, (), beside)


def _pruned_tensors(model: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """The modules and names that ``torch.nn.utils.prune`` has masked."""
    for module in model.modules():
        parameters = dict(module.named_parameters(recurse=False))
        for name, _ in module.named_buffers(recurse=False):
            if name.endswith("_mask") and f"{name.removesuffix('_mask')}_orig" in parameters:
                yield module, name.removesuffix("_mask")


def _unmasked_copy(model: nn.Module) -> nn.Module:
    for name, module in model.named_modules():
        if is_parametrized(module, "weight"):
            raise ValueError(
                f"the weight of {name!r} is computed by a parametrization, so that masks have nothing to act on; call "
                "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')"
            )
    # A masked weight is computed, and torch copies no computed tensors: its place is taken by a plain one.
    computed = [getattr(module, name) for module, name in _pruned_tensors(model)]
    memo = {id(tensor): tensor.detach().clone() for tensor in computed}
    try:
        own = copy.deepcopy(model, memo)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(
            f"model cannot be copied ({str(error).splitlines()[0]}); pass a plain nn.Module with these weights"
        ) from None
    for module, name in list(_pruned_tensors(own)):
        original = module.get_parameter(f"{name}_orig").detach().clone()
        torch_prune.remove(module, name)  # type: ignore[no-untyped-call]
        # Of weights we keep what was before; of biases and the like, what acts.
        if isinstance(module, PrunableLayer) and name == "weight":
            with torch.no_grad():
                module.weight.copy_(original)
    return own.double().eval()


def _calls(model: nn.Module, masks: Masks, inputs: torch.Tensor) -> tuple[Calls, torch.Tensor]:
    """What each layer takes and gives, in the order in which they act, and what the model returns."""
    layers = prunable_layers(model)
    calls: Calls = []

    def noted(name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        return layer.register_forward_hook(lambda _, taken, given: calls.append((name, taken[0], given)))

    hooks = [noted(name, layer) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            returned = forward(model, masks, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return calls, returned


def _structure(
    model: nn.Module, layers: Mapping[str, PrunableLayer], calls: Calls, inputs: torch.Tensor
) -> tuple[Activation | None, tuple[str, ...]]:
    """The activation between the layers, and in what the model is no stack of them."""
    found = []
    convolutions = [name for name, layer in layers.items() if isinstance(layer, nn.Conv2d)]
    if convolutions:
        found.append(f"layer {convolutions[0]!r} is a convolution, and the theory of the limit is on linear layers")
    named = [name for name, _, _ in calls]
    idle = [name for name in layers if name not in named]
    if idle:
        found.append(f"layer {idle[0]!r} takes no part in the forward pass")
    repeated = [name for name in layers if named.count(name) > 1]
    if repeated:
        found.append(f"layer {repeated[0]!r} acts {named.count(repeated[0])} times")
    elif any(taken.ndim != 2 for _, taken, _ in calls):
        found.append("its layers act on arrays that are not matrices (N, features)")
    between = list(itertools.pairwise(calls))
    silent = (nn.Linear, nn.Conv2d, *_SILENT, *ACTIVATION_LAYERS.values())
    leaves = [module for module in model.modules() if not list(module.children()) and not isinstance(module, silent)]
    parts = f" (it contains {', '.join(sorted({type(leaf).__name__ for leaf in leaves}))})" if leaves else ""
    candidates: dict[str, nn.Module] = {name: kind() for name, kind in ACTIVATION_LAYERS.items()}
    candidates |= {str(leaf): leaf for leaf in leaves if not list(leaf.parameters())}
    fitting = [
        Activation(name, phi)
        for name, phi in candidates.items()
        if all(_acts_between(phi, below[2], above[1]) for below, above in between)
    ]
    if not fitting:
        found.append(f"what stands between its layers is not one activation, the same everywhere{parts}")
    if calls and not _same(inputs.to(calls[0][1]).flatten(1), calls[0][1]):
        found.append(f"the inputs are changed before its first linear layer{parts}")
    return (fitting[0] if fitting else None), tuple(found)


def _acts_between(phi: nn.Module, below: torch.Tensor, above: torch.Tensor) -> bool:
    """Whether phi is what makes ``above`` (N, n) of ``below`` (N, n), entry by entry."""
    if below.shape != above.shape:
        return False
    try:
        alone = phi(below.reshape(-1, 1)).reshape(below.shape)
        return _same(alone, above) and _same(phi(below), above)
    except (RuntimeError, TypeError, ValueError, IndexError):
        return False  # no function of one array


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-9, atol=1e-12)


def _beside(model: nn.Module, layers: Mapping[str, PrunableLayer]) -> tuple[str, ...]:
    found = []
    if any(layer.bias is not None for layer in layers.values()):
        found.append("biases")
    if any(isinstance(module, _DROPOUT) and module.p > 0 for module in model.modules()):
        found.append("dropout while it trains")
    return tuple(found)
