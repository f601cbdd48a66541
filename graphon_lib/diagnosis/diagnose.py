"""Any pruned network in, a report out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from graphon_lib.arguments import array, finite, whole
from graphon_lib.diagnosis.book import shipped_ledger
from graphon_lib.diagnosis.kernels import METRICS, kernel_numbers
from graphon_lib.diagnosis.layers import layer_reports, neuron_reports
from graphon_lib.diagnosis.network import Network, read_network
from graphon_lib.diagnosis.number import Number
from graphon_lib.diagnosis.report import Diagnosis
from graphon_lib.diagnosis.standing import early_loss, obstacles_to, standing_of
from graphon_lib.diagnosis.weights import weight_distribution
from graphon_lib.empirical import empirical_ntk
from graphon_lib.estimation import estimate_chain
from graphon_lib.graphons import path_density
from graphon_lib.kernels import graphon_ntk, second_moment_ntk
from graphon_lib.networks import ACTIVATION_LAYERS, forward

Array = NDArray[np.float64]

# Of He's initialisation, which is the unit unless the weights are PyTorch's.
WEIGHT_VARIANCES = {None: 2.0, "he": 2.0, "pytorch": 1 / 3}

NO_HIDDEN_LAYER = "it has no hidden layer"
HOMOGENEOUS = ("relu", "leaky_relu", "linear")

# As numpy and torch both take it.
SEED = 2**32 - 1

# Each output costs a backward pass, and memory for all its gradients.
MOST_OUTPUTS = 16


def diagnose(
    model: nn.Module,
    inputs: ArrayLike | torch.Tensor,
    targets: ArrayLike | torch.Tensor | None = None,
    masks: Mapping[str, ArrayLike | torch.Tensor] | None = None,
    *,
    images: int = 256,
    blocks: int = 64,
    seed: int = 0,
) -> Diagnosis:
    """What can be said about a pruned network before it is trained, and what cannot.

    Parameters
    ----------
    model : nn.Module
        Anything whose layers of weights are ``nn.Linear``, in nested modules, with biases, dropout, normalisation or
        any activation between. It is left as it was: weights, gradients, hooks, mode and device.
    inputs : (N, ...) array or tensor, N at least 2
        What the model takes, finite.
    targets : (N,) array or tensor of whole numbers, optional
        Classes, counted from 0.
    masks : dict from parameter name to mask, optional
        Default: what the model carries, by ``torch.nn.utils.prune`` or as exact zeros (``masks_of``).
    images : int
        On how many of the inputs, chosen by ``seed``, kernels are computed: from 2 to 10,000.
    blocks : int
        Of the estimated graphons, from 1 to 512.
    seed : int
        Of the choice of images, of the halves behind the intervals, and of the masks that test the fit.

    Returns
    -------
    Diagnosis
        With ``to_json()``, ``to_html(path)``, and a view in notebooks. What does not apply to this model (kernels of
        the limit behind batch normalisation, say) is not known there, and says why.

    Raises
    ------
    TypeError
        If model is no nn.Module, or targets are not whole numbers.
    ValueError
        If inputs, targets or masks do not fit the model or are not finite, or an option is out of its range.
    """
    images, blocks, seed = (
        whole("images", images, 2, 10_000),
        whole("blocks", blocks, 1, 512),
        whole("seed", seed, 0, SEED),
    )
    x, labels = _checked(inputs, targets)
    chosen = torch.from_numpy(np.sort(np.random.default_rng(seed).permutation(len(x))[:images]))
    # A forward pass may draw from the global generator, even at rest.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return _diagnosed(model, x[chosen], None if labels is None else labels[chosen], masks, len(x), blocks, seed)


def _diagnosed(
    model: nn.Module,
    x: torch.Tensor,
    labels: torch.Tensor | None,
    masks: Mapping[str, ArrayLike | torch.Tensor] | None,
    available: int,
    blocks: int,
    seed: int,
) -> Diagnosis:
    network = read_network(model, x, masks)
    if not network.departures:
        x = x.flatten(1)
    weights_of = weight_distribution(network.weights(), network.masks)
    variance = WEIGHT_VARIANCES[weights_of]
    graphs = network.graphs()
    totals: dict[str, Number] = {"density": Number(sum(map(np.sum, graphs)) / sum(map(np.size, graphs)))}
    totals |= _paths(network, blocks)
    outputs = _outputs(network, x)
    if labels is not None and outputs is not None:
        _check_range(labels, outputs.shape[1])
    totals["initial_loss"] = _initial_loss(outputs, labels)
    classes = None if labels is None else labels.numpy()
    dense, kernels = _kernels(network, x, outputs, blocks, variance)
    numbers = {
        which: dict.fromkeys(METRICS, kernel)
        if isinstance(kernel, Number)
        else kernel_numbers(kernel, dense, classes, seed=seed)
        for which, kernel in kernels.items()
    }
    totals["second_moment_scale"] = _or_reason(lambda: _second_moment_scale(network, x, variance))
    totals["kernel_over_second_moment"] = _quotient(numbers["finite"]["scale"], totals["second_moment_scale"])
    standing = standing_of(network, totals["density"], weights_of)
    obstacles = obstacles_to(network, weights_of, totals, numbers["finite"]["scale"], _classes(outputs))
    return Diagnosis(
        model=_described(model, network),
        images=len(x),
        available=available,
        blocks=blocks,
        seed=seed,
        activation=network.activation.name if network.activation and len(graphs) > 1 else None,
        weights_of=weights_of,
        departures=network.departures,
        beside=network.beside,
        layers=tuple(layer_reports(network.names, graphs, blocks=blocks, seed=seed)),
        neurons=tuple(neuron_reports(graphs) if network.widths else ()),
        totals=totals,
        kernels=numbers,
        standing=standing,
        early_loss=early_loss(standing, totals["second_moment_scale"], obstacles),
        obstacles=obstacles,
        ledger=shipped_ledger(),
    )


def _checked(
    inputs: ArrayLike | torch.Tensor, targets: ArrayLike | torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    x = finite("inputs", inputs)
    if x.ndim < 2 or len(x) < 2 or x.size == 0:
        raise ValueError(
            f"inputs has shape {x.shape}, but a kernel compares inputs: pass at least two, as (N, features)"
        )
    if targets is None:
        return torch.from_numpy(x.copy()), None
    labels = array("targets", targets)
    if labels.shape != x.shape[:1]:
        one_hot = "; of one-hot rows, pass targets.argmax(1)" if labels.ndim == 2 else ""
        raise ValueError(
            f"targets has shape {labels.shape}, but must be ({len(x)},): one class for each input{one_hot}"
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"targets has dtype {labels.dtype}, but classes are whole numbers; convert them, or leave targets out "
            "if they are no classes"
        )
    if labels.min() < 0:
        raise ValueError(f"targets has the entry {labels.min()}, but classes are counted from 0; shift them")
    return torch.from_numpy(x.copy()), torch.from_numpy(labels.astype(np.int64))


def _check_range(labels: torch.Tensor, outputs: int) -> None:
    # A single output tells two classes apart.
    if labels.max() >= max(outputs, 2):
        raise ValueError(
            f"targets has the entry {int(labels.max())}, but the model has {outputs} output(s), so that classes go up "
            f"to {max(outputs, 2) - 1}; pass the targets of this model"
        )


def _outputs(network: Network, x: torch.Tensor) -> torch.Tensor | None:
    try:
        with torch.no_grad():
            found = forward(network.model, network.masks, x).cpu()
    except NotImplementedError:
        return None
    return found if found.ndim == 2 else None


def _classes(outputs: torch.Tensor | None) -> int:
    return 0 if outputs is None else outputs.shape[1]


def _initial_loss(outputs: torch.Tensor | None, labels: torch.Tensor | None) -> Number:
    if labels is None:
        return Number.unknown("no targets were given")
    if outputs is None or outputs.shape[1] < 2:
        return Number.unknown("the model does not give each input one number a class")
    return Number(float(nn.functional.cross_entropy(outputs, labels)), note="cross-entropy")


def _paths(network: Network, blocks: int) -> dict[str, Number]:
    if network.widths is None:
        reason = "its layers do not take what the one before gives, so that there is no path to follow"
        return dict.fromkeys(("path_density", "path_density_of_estimate"), Number.unknown(reason))
    masks = list(network.masks.values())
    estimate = Number.unknown(NO_HIDDEN_LAYER)
    if len(masks) > 1:
        estimate = Number(path_density(estimate_chain(masks, blocks=blocks)))
    return {"path_density": Number(path_density(masks)), "path_density_of_estimate": estimate}


def _kernels(
    network: Network, x: torch.Tensor, outputs: torch.Tensor | None, blocks: int, variance: float
) -> tuple[Array | None, dict[str, Array | Number]]:
    """The diagonal of the dense limit, and the kernels of the network and of its limit, or why they are not known."""
    classes = _classes(outputs)
    few = None if classes <= MOST_OUTPUTS else np.linspace(0, classes - 1, MOST_OUTPUTS).astype(int).tolist()
    finite = _or_reason(
        lambda: (
            empirical_ntk(network.model, network.masks, x, outputs=few, weight_variance=variance)
            if outputs is not None
            else Number.unknown("; ".join(network.departures))
        )
    )
    if network.departures or network.activation is None:
        return None, {"finite": finite, "limit": Number.unknown("; ".join(network.departures))}
    if len(network.masks) < 2:
        return None, {"finite": finite, "limit": Number.unknown(NO_HIDDEN_LAYER)}
    phi: Any = network.activation.name if network.activation.name in ACTIVATION_LAYERS else network.activation.phi
    flat = x.numpy()
    chain = estimate_chain(network.masks, blocks=blocks)

    def limit(layers: Any) -> Array:
        return graphon_ntk(flat, layers, activation=phi, weight_variance=variance).astype(np.float64, copy=False)

    dense = _or_reason(lambda: np.diag(limit([None] * len(network.masks))).copy())
    return (
        None if isinstance(dense, Number) else dense,
        {"finite": finite, "limit": _or_reason(lambda: limit(chain))},
    )


def _second_moment_scale(network: Network, x: torch.Tensor, variance: float) -> Number:
    if network.departures or network.activation is None:
        return Number.unknown("; ".join(network.departures))
    if len(network.masks) < 2:
        return Number.unknown(NO_HIDDEN_LAYER)
    if network.activation.name not in HOMOGENEOUS:
        return Number.unknown("weights enter by their second moment under ReLU, leaky ReLU and no activation only")
    found = second_moment_ntk(
        network.model, network.masks, x[:1], activation=network.activation.name, weight_variance=variance
    )
    return Number(found.scale)


def _quotient(scale: Number, prediction: Number) -> Number:
    if scale.value is None or prediction.value is None:
        return scale if scale.value is None else prediction
    if not prediction.value:
        return Number.unknown("no path of kept weights leads from its inputs to its outputs")
    low, high = (None if end is None else end / prediction.value for end in (scale.low, scale.high))
    return Number(scale.value / prediction.value, low, high, scale.note)


def _or_reason(compute: Callable[[], Any]) -> Any:
    """What is computed, or, where the library says that it cannot be, its sentence as the reason."""
    try:
        return compute()
    except (ValueError, TypeError) as error:
        return Number.unknown(str(error))


def _described(model: nn.Module, network: Network) -> str:
    if network.widths:
        return f"{type(model).__name__}, {'-'.join(map(str, network.widths))}"
    shapes = ", ".join("x".join(map(str, mask.shape)) for mask in itertools.islice(network.masks.values(), 8))
    return f"{type(model).__name__} with layers {shapes}{', …' if len(network.masks) > 8 else ''}"
