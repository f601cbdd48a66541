"""What all sweeps share: seeds and data of trials, the pruned network of a trial, the grid, the progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, cast

import numpy as np
from torch import nn
from tqdm import tqdm

from graphon_lib.data import Dataset, load_indian_pines, load_mnist
from graphon_lib.networks import Masks, check_masks, mlp
from graphon_lib.pruning import prune

T = TypeVar("T")

# Real data by name: how to load it, its inputs, its classes.
DATA: dict[str, tuple[Callable[..., Dataset], int, int]] = {
    "mnist": (load_mnist, 784, 10),
    "indian_pines": (load_indian_pines, 200, 16),
}

# The paper's pruning batch.
PRUNING_IMAGES_A_CLASS = 10


def trial_seed(seed: int, width: int, trial: int) -> int:
    """The seed of one trial: independent for different (seed, width, trial), the same for all methods."""
    return int(np.random.SeedSequence((seed, width, trial)).generate_state(1)[0])


def pruned_mlp(
    method: str,
    density: float,
    *,
    depth: int,
    width: int,
    initialisation: str = "he",
    data: str = "mnist",
    seed: int,
) -> tuple[nn.Sequential, Masks]:
    """A fresh network for ``data`` and its masks by one method, the pruning batch being ten images a class.

    ``method="dense"`` keeps every weight, whatever the density.
    """
    load, inputs, classes = DATA[data]
    model = mlp(depth, width, inputs=inputs, outputs=classes, initialisation=initialisation, seed=seed)
    if method == "dense":
        return model, check_masks(model, None)
    batch = load(PRUNING_IMAGES_A_CLASS * classes, seed=seed)
    return model, prune(model, method, density, inputs=batch.inputs, targets=batch.labels, seed=seed)


def pairs(methods: Sequence[str], densities: Sequence[float]) -> list[tuple[str, float]]:
    """Every method at every density, but ``"dense"`` at density 1 alone, last."""
    pairs = [(method, density) for method in methods if method != "dense" for density in densities]
    if "dense" in methods:
        pairs.append(("dense", 1.0))
    return pairs


def progress(grid: Sequence[T], what: str) -> Iterable[T]:
    return cast(Iterable[T], tqdm(grid, desc=what, unit="trial", disable=None, delay=2, leave=False))
