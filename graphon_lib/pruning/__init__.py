"""Pruning at initialisation: one score a weight, one global threshold, an exact number of kept weights.

Each method is a file of its own. The settings are those of the paper (section 4.3), which are those of the code of the
SynFlow authors (Tanaka et al. 2020): see the docstring of :func:`prune`.
"""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterable, Sequence
from typing import cast, overload

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from graphon_lib.networks import Masks, prunable_layers, to_tensor
from graphon_lib.pruning import grasp, magnitude, random, snip, synflow
from graphon_lib.pruning.selection import kept_count, select_many

__all__ = ["METHODS", "prune"]

METHODS = ("random", "magnitude", "snip", "grasp", "synflow")

# Networks, graphons and masks are often drawn with one and the same seed, and torch's generator reads only the low 32
# bits of it: without a word of our own in the hash, Random's noise would be the stream that made the weights.
_STREAM = 0x7072756E


@overload
def prune(
    model: nn.Module,
    method: str,
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
    method: str,
    density: Sequence[float],
    *,
    inputs: ArrayLike | torch.Tensor | None = None,
    targets: ArrayLike | torch.Tensor | None = None,
    seed: int = 0,
    rounds: int = 100,
) -> list[Masks]: ...


def prune(
    model: nn.Module,
    method: str,
    density: float | Sequence[float],
    *,
    inputs: ArrayLike | torch.Tensor | None = None,
    targets: ArrayLike | torch.Tensor | None = None,
    seed: int = 0,
    rounds: int = 100,
) -> Masks | list[Masks]:
    """Masks that keep the share ``density`` of a model's weights: those with the highest scores over all layers.

    ================ ==================================================================================================
    ``"random"``     Gaussian noise
    ``"magnitude"``  :math:`|w|`
    ``"snip"``       :math:`|g w|`, with g the gradient of the mean cross-entropy on (inputs, targets) [1]_
    ``"grasp"``      :math:`(Hg) w`, with the cross-entropy at temperature 200 [2]_
    ``"synflow"``    :math:`|w\\, \\partial R / \\partial w|`, with R the sum of the outputs for an all-ones input under
                     absolute weights, scored and pruned in rounds on an exponential schedule [3]_
    ================ ==================================================================================================

    Scores are computed in evaluation mode and in double precision. The model is left exactly as it was. Biases are
    never pruned.

    Parameters
    ----------
    model : nn.Module
        Any module with ``nn.Linear`` layers.
    method : str
        One of :data:`METHODS`.
    density : float in (0, 1], or a sequence of them
        Exactly ``max(1, round(density * number of weights))`` weights are kept. A sequence gives a list of masks, the
        same as one call for each, from one scoring (SynFlow's scores depend on the density).
    inputs : (N, d) array or tensor, optional
        The pruning batch, needed by SNIP and GraSP. SynFlow takes from it the shape of one input only (without it: the
        first linear layer's ``in_features``). Random and Magnitude ignore it.
    targets : (N,) whole numbers, optional
        Class labels of the batch, needed by SNIP and GraSP and ignored by the others.
    seed : int
        Decides Random's noise and, in every method, which of several weights tied at the threshold are kept.
    rounds : int
        Rounds of SynFlow, at least 1; the others prune at once.

    Returns
    -------
    dict from parameter name to bool tensor (outputs, inputs) of the layer, or a list of them

    Raises
    ------
    ValueError
        If an argument is outside its range, the model cannot take the inputs, or a score is not finite.
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
    """
    several = isinstance(density, Iterable) and not isinstance(density, str)
    densities = list(cast(Sequence[float], density)) if several else [cast(float, density)]
    _check_settings(method, densities, seed, rounds)
    layers = prunable_layers(model)
    kept = [kept_count(share, sum(layer.weight.numel() for layer in layers.values())) for share in densities]
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence([seed, _STREAM]).generate_state(1)[0]))
    if method == "random":
        found = select_many(random.scores(model, generator), kept, generator)
    elif method == "magnitude":
        found = select_many(magnitude.scores(model), kept, generator)
    elif method == "synflow":
        batch = None if inputs is None else _check_inputs(inputs)
        state = generator.get_state()
        found = [synflow.masks(model, share, batch, rounds, generator.set_state(state)) for share in densities]
    else:
        score = snip.scores if method == "snip" else grasp.scores
        if inputs is None or targets is None:
            missing = "inputs" if inputs is None else "targets"
            raise ValueError(
                f"{missing} is None, but {method} scores weights on data; "
                "pass inputs=(N, d) images and targets=(N,) labels"
            )
        batch = _check_inputs(inputs)
        found = select_many(score(model, batch, _check_targets(targets, len(batch))), kept, generator)
    for share, masks in zip(densities, found, strict=True):
        empty = [name for name, mask in masks.items() if not mask.any()]
        if empty:
            warnings.warn(
                f"{method} at density {share:g} keeps no weight of {', '.join(map(repr, empty))}: no signal passes, "
                "and the network's output is constant; raise density, or take another method (synflow is made to "
                "avoid this)",
                UserWarning,
                stacklevel=2,
            )
    return found if several else found[0]


def _check_settings(method: str, densities: list[float], seed: int, rounds: int) -> None:
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, but must be one of {list(METHODS)}")
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


def _check_inputs(inputs: ArrayLike | torch.Tensor) -> torch.Tensor:
    batch = to_tensor(inputs)
    if batch.ndim < 2 or len(batch) == 0:
        raise ValueError(
            f"inputs has shape {tuple(batch.shape)}, but must be (N, d) with N >= 1; pass one row an image"
        )
    if not torch.isfinite(batch).all():
        raise ValueError("inputs has entries that are NaN or infinite, but all must be finite; remove those rows")
    return batch


def _check_targets(targets: ArrayLike | torch.Tensor, rows: int) -> torch.Tensor:
    labels = to_tensor(targets)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"targets has dtype {labels.dtype}, but must hold class labels; pass whole numbers (int64)")
    if labels.shape != (rows,):
        raise ValueError(f"targets has shape {tuple(labels.shape)}, but must be ({rows},): one label a row of inputs")
    return labels.long()
