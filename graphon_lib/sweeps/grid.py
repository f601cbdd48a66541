"""What all sweeps share: the seeds of trials, the pruned network of a trial, the grid, the progress bar."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

import numpy as np
from torch import nn
from tqdm import tqdm

from graphon_lib.data import load_mnist
from graphon_lib.networks import Masks, check_masks, mlp
from graphon_lib.pruning import prune

T = TypeVar("T")

# The paper's pruning batch: ten images a class.
PRUNING_IMAGES = 100


def trial_seed(seed: int, width: int, trial: int) -> int:
    """The seed of one trial: independent for different (seed, width, trial), the same for all methods."""
    return int(np.random.SeedSequence((seed, width, trial)).generate_state(1)[0])


def pruned_mlp(
    method: str, density: float, *, depth: int, width: int, initialisation: str = "he", seed: int
) -> tuple[nn.Sequential, Masks]:
    """A fresh MNIST network and its masks by one method, the pruning batch being ten images a class.

    ``method="dense"`` keeps every weight, whatever the density.
    """
    model = mlp(depth, width, initialisation=initialisation, seed=seed)
    if method == "dense":
        return model, check_masks(model, None)
    batch = load_mnist(PRUNING_IMAGES, seed=seed)
    return model, prune(model, method, density, inputs=batch.inputs, targets=batch.labels, seed=seed)


def pairs(methods: Sequence[str], densities: Sequence[float], trials: int) -> list[tuple[int, tuple[str, float]]]:
    pairs = [(method, density) for method in methods if method != "dense" for density in densities]
    if "dense" in methods:
        pairs.append(("dense", 1.0))
    return list(itertools.product(range(trials), pairs))


def progress(grid: Sequence[T], what: str) -> Iterable[T]:
    return cast(Iterable[T], tqdm(grid, desc=what, unit="trial", disable=None, delay=2, leave=False))
