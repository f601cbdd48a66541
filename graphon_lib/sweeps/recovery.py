"""The study of recovery: what estimators make of masks from graphons that are known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from graphon_lib.estimation import ESTIMATORS, estimate_graphon
from graphon_lib.graphons import StepGraphon
from graphon_lib.sweeps.grid import pruned_mlp, trial_seed
from graphon_lib.sweeps.relabelling import relabelled_distance
from graphon_lib.sweeps.study import Configuration, Study

Array = NDArray[np.float64]

# Of mean 1; the truth is one of them times the density. Densest rows and columns first, so that sorting has a chance.
SHAPES: dict[str, Callable[[Array, Array], Any]] = {
    "constant": lambda u, v: 1 + 0 * u * v,
    "rank one": lambda u, v: 4 * (1 - u) * (1 - v),
    "smooth": lambda u, v: 2 - u - v,
    "block": lambda u, v: 4 * (u < 0.5) * (v < 0.5),
    "distance": lambda u, v: 3 * np.abs(u - v),
    "equal degrees": lambda u, v: 1 + np.cos(2 * np.pi * (u - v)),
}
_HIGHEST = {"constant": 1, "rank one": 4, "smooth": 2, "block": 4, "distance": 3, "equal degrees": 2}

# Blocks that are fine enough for a shape to count as itself.
FINE = 256

SIZES = (125, 250, 500, 1000, 2000)
DENSITIES = (0.2, 0.05, 0.01)
BLOCKS = (4, 8, 16, 32, 64, 128)

# What takes seconds a mask is tried less often.
FEW_FROM, FEW_TRIALS = 2000, 3


def recovery_study(
    shapes: Sequence[str] = tuple(SHAPES),
    densities: Sequence[float] = DENSITIES,
    sizes: Sequence[int] = SIZES,
    methods: Sequence[str] = tuple(ESTIMATORS),
    *,
    blocks: int = 64,
    trials: int = 5,
    seed: int = 0,
) -> Study:
    """Errors of estimators on shapes scaled to densities; those that a density would carry above 1 are left out.

    A row's measures are those of :func:`recover`. From size 2000 on there are at most three trials.
    """
    grid = itertools.product(sizes, range(trials), shapes, densities, methods)
    return Study(
        "recovery",
        recover,
        [
            _configuration(shape, density, size, method, blocks, trial, seed)
            for size, trial, shape, density, method in grid
            if density * _HIGHEST[shape] <= 1 and (trial < FEW_TRIALS or size < FEW_FROM)
        ],
    )


def blocks_study(
    shapes: Sequence[str] = ("smooth", "rank one", "block"),
    sizes: Sequence[int] = SIZES,
    blocks: Sequence[int] = BLOCKS,
    *,
    density: float = 0.2,
    trials: int = 5,
    seed: int = 0,
) -> Study:
    """How many blocks the sorted histogram should have: its error by their number, at one density."""
    grid = itertools.product(sizes, range(trials), shapes, blocks)
    return Study(
        "blocks",
        labelled_error,
        [
            _configuration(shape, density, size, "sorted_histogram", count, trial, seed)
            for size, trial, shape, count in grid
        ],
    )


def _configuration(
    shape: str, density: float, size: int, method: str, blocks: int, trial: int, seed: int
) -> Configuration:
    return {
        "shape": shape,
        "density": density,
        "size": size,
        "method": method,
        "blocks": blocks,
        "trial": trial,
        "seed": seed,
    }


def recover(
    *, shape: str, density: float, size: int, method: str, blocks: int, trial: int, seed: int
) -> dict[str, float]:
    """The error of one estimate of a mask (size, size) whose rows and columns come in random order.

    Returns
    -------
    dict from str to float
        ``error``, the L2 distance to the truth over the truth's norm, as the estimate is labelled, and
        ``relabelled_error``, the same after relabelling blocks, see
        :func:`graphon_lib.sweeps.relabelling.relabelled_distance`. The truth is the shape itself, so that wide blocks
        count against an estimate.
    """
    estimate, truth = _estimated(shape, density, size, method, blocks, trial, seed)
    means = _scaled(shape, density, blocks)
    # Block means are a projection: what they leave of the truth is out of every relabelling's reach.
    left = _refined(means, truth).l2_distance(truth)
    return {
        "error": _refined(estimate, truth).l2_distance(truth) / truth.l2_norm(),
        "relabelled_error": math.hypot(relabelled_distance(estimate, means), left) / truth.l2_norm(),
    }


def labelled_error(
    *, shape: str, density: float, size: int, method: str, blocks: int, trial: int, seed: int
) -> dict[str, float]:
    """The ``error`` of :func:`recover` alone."""
    estimate, truth = _estimated(shape, density, size, method, blocks, trial, seed)
    return {"error": _refined(estimate, truth).l2_distance(truth) / truth.l2_norm()}


def _estimated(
    shape: str, density: float, size: int, method: str, blocks: int, trial: int, seed: int
) -> tuple[StepGraphon, StepGraphon]:
    truth = _scaled(shape, density, blocks * -(-FINE // blocks))
    this = trial_seed(seed, size, trial)
    shuffle = torch.Generator().manual_seed(this)
    mask = truth.sample(size, size, seed=this)
    mask = mask[torch.randperm(size, generator=shuffle)][:, torch.randperm(size, generator=shuffle)]
    return estimate_graphon(mask.numpy(), method, blocks=blocks), truth


def _scaled(shape: str, density: float, blocks: int) -> StepGraphon:
    return StepGraphon.from_function(lambda u, v: density * SHAPES[shape](u, v), blocks)


def _refined(graphon: StepGraphon, truth: StepGraphon) -> StepGraphon:
    """The same graphon on the truth's grid, whose number of blocks is a multiple."""
    repeats = truth.values.shape[0] // graphon.values.shape[0]
    return StepGraphon(graphon.values.repeat(repeats, axis=0).repeat(repeats, axis=1))


def best_blocks(shape: str, density: float, size: int) -> float:
    r"""The number of blocks along an axis, K, with which a histogram in the right order has the least error.

    For a graphon f with slopes, blocks of side 1/K miss :math:`B / K^2` of the squared error, with :math:`B = \int
    (|\partial_u f|^2 + |\partial_v f|^2) / 12`, and the chance in their :math:`(n / K)^2` entries adds
    :math:`V K^2 / n^2`, with :math:`V = \int f (1 - f)`. The sum is least at :math:`K = (B / V)^{1/4} \sqrt{n}`, where
    it is :math:`2 \sqrt{B V} / n`. Edges are not slopes: of a shape with an edge this says nothing.
    """
    f = _scaled(shape, density, FINE).values
    slopes = sum(float(np.mean(slope**2)) for slope in np.gradient(f, 1 / FINE))
    return float((slopes / 12 / np.mean(f * (1 - f))) ** 0.25 * math.sqrt(size))


def flatness_study(
    densities: Sequence[float] = (0.2, 0.05, 0.01),
    methods: Sequence[str] = tuple(ESTIMATORS),
    *,
    width: int = 1024,
    blocks: int = 64,
    trials: int = 5,
    seed: int = 0,
) -> Study:
    """What estimators make of masks without structure: those between the hidden layers of randomly pruned networks."""
    return Study(
        "flatness",
        flatness,
        [
            {"density": density, "width": width, "method": method, "blocks": blocks, "trial": trial, "seed": seed}
            for trial, density, method in itertools.product(range(trials), densities, methods)
        ],
    )


def flatness(*, density: float, width: int, method: str, blocks: int, trial: int, seed: int) -> dict[str, float]:
    """How far estimates of two independent masks are from the constants that the masks' densities are.

    Returns
    -------
    dict from str to float
        ``error``: the L2 distance of the first to its constant, over the constant. ``squared_bias``: the mean over
        blocks of the product of the two relative deviations, whose expectation is the square of what is left of the
        error without the noise of single blocks: the structure that the estimator invents.
    """
    deviations = []
    for number in (2 * trial, 2 * trial + 1):
        _, masks = pruned_mlp("random", density, depth=2, width=width, seed=trial_seed(seed, width, number))
        mask = list(masks.values())[1]
        estimate = estimate_graphon(mask.numpy(), method, blocks=blocks)
        deviations.append(estimate.values / mask.double().mean().item() - 1)
    first, second = deviations
    return {"error": float(np.sqrt(np.mean(first**2))), "squared_bias": float(np.mean(first * second))}
