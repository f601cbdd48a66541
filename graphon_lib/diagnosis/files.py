"""Networks and data from files, read without running anything that a file may contain."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from graphon_lib.data import load_mnist
from graphon_lib.networks import ACTIVATION_LAYERS, Masks

# Where programs put the state dict in a larger dict, first choice first.
NESTED = ("state_dict", "model_state_dict", "model", "net", "network")
# What wrappers put before the names.
PREFIXES = ("module.", "_orig_mod.")


class Checkpoint(NamedTuple):
    """A stack of linear layers, as far as a state dict tells, and its masks."""

    model: nn.Module
    masks: Masks


class Stack(nn.Module):
    """Linear layers by the names that a checkpoint has for them, one after the other, an activation between.

    Parameters
    ----------
    layers : dict from the name of its weight to nn.Linear
    activation : nn.Module
    unknown : str
        Why the stack is not all of the network, so that it cannot be run; empty if it is.
    """

    def __init__(self, layers: Mapping[str, nn.Linear], activation: nn.Module, unknown: str) -> None:
        super().__init__()
        for name, layer in layers.items():
            *parents, last = (name.removesuffix("weight").rstrip(".") or "linear").split(".")
            place: nn.Module = self
            for parent in parents:
                if not isinstance(getattr(place, parent, None), nn.Module):
                    setattr(place, parent, nn.Module())
                place = getattr(place, parent)
            setattr(place, last, layer)
        self._order, self._activation, self._unknown = tuple(layers.values()), (activation,), unknown

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self._unknown:
            raise NotImplementedError(self._unknown)
        *hidden, last = self._order
        for layer in hidden:
            inputs = self._activation[0](layer(inputs))
        return last(inputs)  # type: ignore[no-any-return]


class Data(NamedTuple):
    """Inputs (N, features) and, where there are any, targets (N,)."""

    inputs: torch.Tensor
    targets: torch.Tensor | None


def load_checkpoint(path: str | Path, *, activation: str = "relu") -> Checkpoint:
    """The network of a state dict, with ``weights_only=True``: nothing in the file is run.

    Parameters
    ----------
    path : str or Path
        What ``torch.save(model.state_dict(), path)`` wrote, or a dict that has it under a name such as "state_dict".
        Its matrices named ``*.weight`` are the layers, in their order; masks are those of ``torch.nn.utils.prune``
        (``weight_orig`` and ``weight_mask``), or entries that are exactly zero. "module." before names is dropped.
    activation : str
        Between the layers, which a state dict does not tell: one of ``ACTIVATION_LAYERS``.

    Returns
    -------
    Checkpoint
        Of normalisation a state dict tells neither the kind nor the place: a network that has some keeps its masks, but
        cannot be run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no state dict of linear layers, each of which takes what the one before gives.
    """
    if activation not in ACTIVATION_LAYERS:
        raise ValueError(f"activation is {activation!r}, but must be one of {sorted(ACTIVATION_LAYERS)}")
    loaded = _loaded(Path(path), "checkpoint")
    tensors = _state_dict(path, loaded)
    layers: dict[str, nn.Linear] = {}
    masks: Masks = {}
    before: tuple[str, int] | None = None
    for name in (name for name in tensors if name.rpartition(".")[2] in ("weight", "weight_orig")):
        layer = name.removesuffix("_orig")
        stem = layer.removesuffix("weight")
        weight = _finite(path, name, tensors[name])
        if weight.ndim == 1:
            continue  # of normalisation
        if weight.ndim != 2 or not weight.numel():
            raise ValueError(
                f"checkpoint {path} has {name!r} of shape {tuple(weight.shape)}, but only linear layers, whose weights "
                "are matrices, can be put together from a state dict; in Python, pass the model itself to diagnose"
            )
        if before is not None and weight.shape[1] != before[1]:
            raise ValueError(
                f"checkpoint {path} has {name!r} that takes {weight.shape[1]} numbers, but {before[0]!r} before it "
                f"gives {before[1]}, so that they are no stack; in Python, pass the model itself to diagnose"
            )
        before = (name, weight.shape[0])
        mask = tensors.get(f"{stem}weight_mask")
        masks[layer] = _mask(path, f"{stem}weight_mask", mask, weight) if name.endswith("_orig") else weight != 0
        layers[layer] = _linear(path, weight, tensors, stem)
    if not layers:
        raise ValueError(
            f"checkpoint {path} has no matrix named '...weight' among {_few(tensors)}; save the model's state_dict()"
        )
    others = sorted(_stems(tensors) - {name.removesuffix("weight") for name in layers})
    unknown = (
        f"the checkpoint has more than linear layers ({', '.join(repr(stem.rstrip('.')) for stem in others[:4])}), and "
        "does not tell what they do and where; in Python, pass the model itself to diagnose"
    )
    stack = Stack(layers, ACTIVATION_LAYERS[activation](), unknown if others else "")
    return Checkpoint(stack, {"linear.weight" if name == "weight" else name: mask for name, mask in masks.items()})


def load_data(source: str | Path, *, seed: int = 0) -> Data:
    """Inputs and targets from a file, or the built-in digits.

    Parameters
    ----------
    source : str or Path
        "mnist"; or an .npz or .pt file with "inputs" and, if there are any, "targets"; or an .npy file, or a .pt file
        of one tensor, of inputs alone. Inputs with more than two axes are flattened.
    seed : int
        Of the order of the digits.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read so, or has no inputs.
    """
    if str(source) == "mnist":
        digits = load_mnist(seed=seed)
        return Data(digits.inputs, digits.labels)
    path = Path(source)
    if path.suffix not in (".npz", ".npy", ".pt", ".pth"):
        raise ValueError(f"data is {str(source)!r}, but must be 'mnist', or a file that ends in .npz, .npy or .pt")
    loaded = _loaded(path, "data") if path.suffix in (".pt", ".pth") else _arrays(path)
    found = dict(loaded) if isinstance(loaded, Mapping) else {"inputs": loaded}
    if "inputs" not in found:
        raise ValueError(
            f"data {path} has {_few(found)}, but must have 'inputs' and may have 'targets'; save them under these names"
        )
    for name in ("inputs", "targets"):
        if name in found and not isinstance(found[name], torch.Tensor | np.ndarray):
            raise ValueError(
                f"data {path} has {name!r} of the type {type(found[name]).__name__}, but it must be an array or tensor"
            )
    inputs, targets = (torch.as_tensor(found[name]) if name in found else None for name in ("inputs", "targets"))
    assert inputs is not None  # just checked
    if inputs.ndim < 2:
        raise ValueError(f"data {path} has inputs of shape {tuple(inputs.shape)}, but they must be (N, features)")
    return Data(inputs.flatten(1), targets)


def _loaded(path: Path, what: str) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"{what} {path} is not there; pass the path of a file")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{what} {path} holds more than tensors, or is no file of torch: it may be a whole pickled model, which "
            "could run any program when loaded, so it is not loaded; save tensors only: "
            "torch.save(model.state_dict(), path)"
        ) from None
    except Exception as error:  # whatever the reader stumbles on in bytes that are no such file
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{what} {path} cannot be read ({why}); save it again with torch.save") from None


def _arrays(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"data {path} is not there; pass the path of a file, or 'mnist'")
    try:
        loaded = np.load(path, allow_pickle=False)
        return {name: loaded[name] for name in loaded.files} if path.suffix == ".npz" else loaded
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"data {path} cannot be read ({str(error).splitlines()[0]}); save plain arrays with numpy.savez(path, "
            "inputs=..., targets=...)"
        ) from None


def _state_dict(path: str | Path, loaded: Any) -> dict[str, torch.Tensor]:
    if not isinstance(loaded, Mapping):
        raise ValueError(f"checkpoint {path} holds a {type(loaded).__name__}, but must hold a state dict")
    found = loaded
    if not _is_state_dict(loaded):
        nested = [name for name in NESTED if _is_state_dict(loaded.get(name))]
        if not nested:
            raise ValueError(
                f"checkpoint {path} holds {_few(loaded)}, and no state dict, neither by itself nor under one of "
                f"{list(NESTED)}; save torch.save(model.state_dict(), path)"
            )
        found = loaded[nested[0]]
    tensors = {str(name): tensor for name, tensor in found.items() if isinstance(tensor, torch.Tensor)}
    for prefix in PREFIXES * 2:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and any(
        isinstance(tensor, torch.Tensor) and str(name).rpartition(".")[2] in ("weight", "weight_orig")
        for name, tensor in value.items()
    )


def _finite(path: str | Path, name: str, tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point() or tensor.layout is not torch.strided:
        raise ValueError(
            f"checkpoint {path} has {name!r} of dtype {tensor.dtype} and layout {tensor.layout}, but weights are dense "
            "floating-point tensors; convert it"
        )
    weight = tensor.float() if tensor.dtype != torch.float64 else tensor
    if not torch.isfinite(weight).all():
        raise ValueError(f"checkpoint {path} has entries in {name!r} that are NaN or infinite; repair or retrain it")
    return weight


def _mask(path: str | Path, name: str, mask: torch.Tensor | None, weight: torch.Tensor) -> torch.Tensor:
    if mask is None or mask.shape != weight.shape or not ((mask == 0) | (mask == 1)).all():
        found = "is missing" if mask is None else f"has shape {tuple(mask.shape)}"
        raise ValueError(
            f"checkpoint {path}: {name!r} {found}, but must be {tuple(weight.shape)} zeros and ones, as "
            "torch.nn.utils.prune keeps it beside weight_orig"
        )
    return mask != 0


def _linear(path: str | Path, weight: torch.Tensor, tensors: Mapping[str, torch.Tensor], stem: str) -> nn.Linear:
    bias = tensors.get(f"{stem}bias")
    if f"{stem}bias_orig" in tensors:
        bias = tensors[f"{stem}bias_orig"] * tensors.get(f"{stem}bias_mask", torch.ones(()))
    if bias is not None:
        bias = _finite(path, f"{stem}bias", bias).to(weight.dtype)
        if bias.shape != weight.shape[:1]:
            raise ValueError(
                f"checkpoint {path} has {stem + 'bias'!r} of shape {tuple(bias.shape)}, but its layer gives "
                f"{weight.shape[0]} numbers; save the state dict again"
            )
    # Made on "meta", so that the global random state stays.
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta", dtype=weight.dtype)
    linear.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}), assign=True)
    return linear


def _stems(tensors: Mapping[str, torch.Tensor]) -> set[str]:
    return {name[: name.rfind(".") + 1] for name in tensors}


def _few(names: Mapping[Any, Any]) -> list[str]:
    return [str(name) for name in names][:6]
