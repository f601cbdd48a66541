"""Pruning: which weights a network keeps, an exact number of them in all.

Each method is a file of its own. The settings of the paper's five are the paper's (section 4.3), which are those of the
code of the SynFlow authors (Tanaka et al. 2020): see the docstring of :func:`prune`.
"""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import cast, overload

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from graphon_lib.arguments import array, tensor
from graphon_lib.networks import Masks, prunable_layers
from graphon_lib.pruning import force, grasp, magnitude, own, phew, random, schemes, snip, synflow, trained
from graphon_lib.pruning.own import Scorer
from graphon_lib.pruning.selection import Scores, kept_count, select_many

__all__ = ["METHODS", "prune"]

METHODS = (
    "random",
    "magnitude",
    "snip",
    "grasp",
    "synflow",
    "phew",
    "force",
    "trained_magnitude",
    "lottery_ticket",
    "random_uniform",
    "random_erk",
)

# A hundred times as many as anybody has used.
ROUNDS = 10_000

# The methods that look at inputs and targets.
ON_DATA = ("snip", "grasp", "force", "trained_magnitude", "lottery_ticket")

# Networks, graphons and masks are often drawn with one and the same seed, and torch's generator reads only the low 32
# bits of it: without a word of our own in the hash, Random's noise would be the stream that made the weights.
_STREAM = 0x7072756E


@overload
def prune(
    model: nn.Module,
    method: str | Scorer,
    density: float,
    *,
    inputs: ArrayLike | torch.Tensor | None = None,
    targets: ArrayLike | torch.Tensor | None = None,
    seed: int = 0,
    rounds: int = 100,
) -> Masks: ...


@overload
def prune(
    model: nn.Module,
    method: str | Scorer,
    density: Sequence[float],
    *,
    inputs: ArrayLike | torch.Tensor | None = None,
    targets: ArrayLike | torch.Tensor | None = None,
    seed: int = 0,
    rounds: int = 100,
) -> list[Masks]: ...


def prune(
    model: nn.Module,
    method: str | Scorer,
    density: float | Sequence[float],
    *,
    inputs: ArrayLike | torch.Tensor | None = None,
    targets: ArrayLike | torch.Tensor | None = None,
    seed: int = 0,
    rounds: int = 100,
) -> Masks | list[Masks]:
    """Masks that keep the share ``density`` of a model's weights, chosen by one of many methods.

    By the highest scores over all layers together, in one scoring:

    ======================= ===========================================================================================
    ``"random"``            Gaussian noise
    ``"magnitude"``         :math:`|w|`
    ``"snip"``              :math:`|g w|`, with g the gradient of the mean cross-entropy on (inputs, targets) [1]_
    ``"grasp"``             :math:`(Hg) w`, with the cross-entropy at temperature 200 [2]_
    ======================= ===========================================================================================

    In rounds, or otherwise:

    ======================= ===========================================================================================
    ``"synflow"``           :math:`|w\\, \\partial R / \\partial w|`, with R the sum of outputs for an all-ones input
                            under absolute weights, in rounds on an exponential schedule [3]_
    ``"force"``             :math:`|g w|` in rounds on such a schedule, with g the gradient of the network as pruned so
                            far; pruned weights may come back [4]_
    ``"phew"``              the weights on random walks between inputs and outputs, each step with a chance
                            proportional to :math:`|w|`; for plain stacks of linear layers [5]_
    ``"trained_magnitude"`` :math:`|w|` after 200 steps of Adam on (inputs, targets)
    ``"lottery_ticket"``    the same in rounds that prune at most 20 %, each begun anew from the model's weights [6]_
    ``"random_uniform"``    chance, with the same density in each layer
    ``"random_erk"``        chance, with layer densities proportional to (inputs + outputs) / (inputs x outputs), none
                            above 1: the Erdős–Rényi kernel [7]_
    ======================= ===========================================================================================

    Or by scores of your own: a function that takes the model, inputs and targets, and returns a tensor of the weight's
    shape for each layer, the highest of which are kept. It gets a copy of the model in evaluation mode and in double
    precision, on which it may differentiate.

    Scores are computed in evaluation mode and in double precision. The model is left exactly as it was. Biases are
    never pruned.

    Parameters
    ----------
    model : nn.Module
        Any module with ``nn.Linear`` or ``nn.Conv2d`` layers. To a convolution, the inputs of the tables are those of
        one patch: input channels times kernel positions.
    method : str or function
        One of :data:`METHODS`, or a function (model, inputs, targets) -> dict from parameter name to scores.
    density : float in (0, 1], or a sequence of them
        Exactly ``max(1, round(density * number of weights))`` weights are kept. A sequence gives a list of masks, the
        same as one call for each, from one scoring by the methods of the first table and by a function.
    inputs : (N, d) or (N, channels, height, width) array or tensor, optional
        The pruning batch, or the training set, of the methods that look at data (:data:`ON_DATA`). SynFlow takes from
        it the shape of one input only (without it: the first linear layer's ``in_features``). A function gets it in
        double precision, or None. The others ignore it.
    targets : (N,) whole numbers, optional
        Class labels of the inputs, needed by the same methods, handed to a function, and ignored by the others.
    seed : int
        Decides what is left to chance and, in every method, which of several weights tied at the threshold are kept.
    rounds : int
        Rounds of SynFlow and FORCE, from 1 to 10,000.

    Returns
    -------
    dict from parameter name to bool tensor of the weight's shape, or a list of them

    Raises
    ------
    ValueError
        If an argument is outside its range, the model cannot take the inputs, a function's scores do not fit the
        weights, or a score is not finite.
    TypeError
        If density, seed, rounds or targets are not numbers of the right kind.

    Warns
    -----
    UserWarning
        If a layer is left with no kept weight.

    References
    ----------
    .. [1] Lee, Ajanthan, Torr: SNIP, ICLR 2019.
    .. [2] Wang, Zhang, Grosse: GraSP, ICLR 2020.
    .. [3] Tanaka, Kunin, Yamins, Ganguli: SynFlow, NeurIPS 2020, Algorithm 1.
    .. [4] de Jorge, Sanyal, Behl, Torr, Rogez, Dokania: FORCE, ICLR 2021, Algorithm 1.
    .. [5] Patil, Dovrolis: PHEW, ICML 2021.
    .. [6] Frankle, Carbin: the lottery ticket hypothesis, ICLR 2019.
    .. [7] Mocanu et al., Nature Communications 2018; Evci et al.: RigL, ICML 2020.
    """
    if isinstance(density, np.ndarray | torch.Tensor):
        density = array("density", density).tolist()
    several = isinstance(density, Iterable) and not isinstance(density, str)
    densities = list(cast(Sequence[float], density)) if several else [cast(float, density)]
    _check_settings(method, densities, seed, rounds)
    layers = prunable_layers(model)
    total = sum(layer.weight.numel() for layer in layers.values())
    if total == 0:
        raise ValueError("model has layers, but no weight in them, so there is nothing to prune; pass one with weights")
    # One weight is kept at least, so that a lesser share is that of one.
    densities = [max(share, 1 / total) for share in densities]
    kept = [kept_count(share, total) for share in densities]
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence([seed, _STREAM]).generate_state(1)[0]))
    batch = labels = torch.empty(0)
    if method in ON_DATA:
        if inputs is None or targets is None:
            missing = "inputs" if inputs is None else "targets"
            raise ValueError(
                f"{missing} is None, but {method} looks at data; pass inputs=(N, d) images and targets=(N,) labels"
            )
        batch = _check_inputs(inputs)
        labels = _check_targets(targets, len(batch))
    elif (method == "synflow" or callable(method)) and inputs is not None:
        batch = _check_inputs(inputs)
        if callable(method) and targets is not None:
            labels = _check_targets(targets, len(batch))
    elif callable(method) and targets is not None:
        raise ValueError("inputs is None, but targets has labels; pass inputs=(N, d), the images that they belong to")
    name = method if isinstance(method, str) else getattr(method, "__name__", type(method).__name__)
    scored: dict[str, Callable[[], Scores]] = {
        "random": lambda: random.scores(model, generator),
        "magnitude": lambda: magnitude.scores(model),
        "snip": lambda: snip.scores(model, batch, labels),
        "grasp": lambda: grasp.scores(model, batch, labels),
    }
    each: dict[str, Callable[[float], Masks]] = {
        "synflow": lambda share: synflow.masks(model, share, batch if len(batch) else None, rounds, generator),
        "force": lambda share: force.masks(model, share, batch, labels, rounds, generator),
        "phew": lambda share: phew.masks(model, share, generator),
        "trained_magnitude": lambda share: trained.one_shot(model, share, batch, labels, generator),
        "lottery_ticket": lambda share: trained.lottery_ticket(model, share, batch, labels, generator),
        "random_uniform": lambda share: schemes.random_masks(
            model, schemes.layer_counts(model, "uniform", share), seed
        ),
        "random_erk": lambda share: schemes.random_masks(model, schemes.layer_counts(model, "erk", share), seed),
    }
    if not isinstance(method, str):
        given = (None if inputs is None else batch, None if targets is None else labels)
        found = select_many(own.scores(method, name, model, *given), kept, generator)
    elif method in scored:
        found = select_many(scored[method](), kept, generator)
    else:
        state, found = generator.get_state(), []
        for share in densities:
            generator.set_state(state)
            found.append(each[method](share))
    for share, masks in zip(densities, found, strict=True):
        empty = [name for name, mask in masks.items() if not mask.any()]
        if empty:
            warnings.warn(
                f"{name} at density {share:g} keeps no weight of {', '.join(map(repr, empty))}: no signal passes, "
                "and the network's output is constant; raise density, or take another method (synflow is made to "
                "avoid this)",
                UserWarning,
                stacklevel=2,
            )
    return found if several else found[0]


def _check_settings(method: str | Scorer, densities: list[float], seed: int, rounds: int) -> None:
    if method not in METHODS if isinstance(method, str) else not callable(method):
        raise ValueError(
            f"method is {method!r}, but must be one of {list(METHODS)}, or a function (model, inputs, targets) that "
            "returns scores"
        )
    if not densities:
        raise ValueError("density is empty, but must be a number in (0, 1], or at least one of them; pass a float")
    for density in densities:
        if not isinstance(density, numbers.Real):
            raise TypeError(f"density is {density!r}, but must be a number in (0, 1]; pass a float")
        if not 0 < density <= 1:
            raise ValueError(f"density is {density!r}, but must be in (0, 1]; it is the kept share, 1 - sparsity")
    for name, value, least in (("seed", seed, 0), ("rounds", rounds, 1)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise TypeError(f"{name} is {value!r}, but must be a whole number of at least {least}; pass an int")
        if value < least:
            raise ValueError(f"{name} is {value!r}, but must be a whole number of at least {least}")
    if rounds > ROUNDS:
        raise ValueError(f"rounds is {rounds!r}, but must be at most {ROUNDS}; each is a pass through the network")


def _check_inputs(inputs: ArrayLike | torch.Tensor) -> torch.Tensor:
    batch = tensor("inputs", inputs)
    if batch.ndim < 2 or len(batch) == 0:
        raise ValueError(
            f"inputs has shape {tuple(batch.shape)}, but must be (N, d) with N >= 1, or (N, channels, height, "
            "width); pass one row an image"
        )
    if not torch.isfinite(batch).all():
        raise ValueError("inputs has entries that are NaN or infinite, but all must be finite; remove those rows")
    return batch


def _check_targets(targets: ArrayLike | torch.Tensor, rows: int) -> torch.Tensor:
    labels = tensor("targets", targets)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"targets has dtype {labels.dtype}, but must hold class labels; pass whole numbers (int64)")
    if labels.shape != (rows,):
        raise ValueError(f"targets has shape {tuple(labels.shape)}, but must be ({rows},): one label a row of inputs")
    labels = labels.long()
    if labels.min() < 0:
        raise ValueError(f"targets has the entry {int(labels.min())}, but classes are counted from 0; shift them")
    return labels
