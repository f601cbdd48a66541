"""The study of curves: what a kernel at rest predicts of a network's training (THEORY: section 7)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from graphon_lib.empirical import empirical_ntk
from graphon_lib.estimation import estimate_chain
from graphon_lib.kernels import graphon_ntk, second_moment_ntk
from graphon_lib.networks import forward
from graphon_lib.spectra import predicted_loss
from graphon_lib.sweeps.grid import DATA, pairs, pruned_mlp, trial_seed
from graphon_lib.sweeps.ladder import RUNGS
from graphon_lib.sweeps.study import Measured, Study
from graphon_lib.sweeps.twins import twin
from graphon_lib.training import descend

# The step as a share of N / lambda_1. Descent diverges beyond 2, so kernels of ten times the scale still predict.
STEP = 0.2


def curves_study(
    methods: Sequence[str],
    densities: Sequence[float],
    *,
    networks: Sequence[str] = ("own", "fresh"),
    depth: int = 4,
    widths: Sequence[int] = (256, 512, 1024),
    images: int = 256,
    steps: int = 100,
    trials: int = 3,
    seed: int = 0,
) -> Study:
    """Full-batch gradient descent on squared loss, predicted and measured. A row's measures: :func:`curve`."""
    return Study(
        "curves",
        curve,
        [
            {
                "method": method,
                "density": density,
                "network": network,
                "depth": depth,
                "width": width,
                "images": images,
                "steps": steps,
                "trial": trial,
                "seed": seed,
            }
            for trial, width, (method, density), network in itertools.product(
                range(trials), widths, pairs(methods, densities), networks
            )
        ],
        group="training",
    )


def curve(
    *,
    method: str,
    density: float,
    network: str,
    depth: int,
    width: int,
    images: int,
    steps: int,
    trial: int,
    seed: int,
) -> dict[str, Measured]:
    """One network of He's initialisation, trained in NTK parametrisation on MNIST with one-hot, centred targets.

    Returns
    -------
    dict
        ``losses`` (steps + 1,), measured; for each rung r of the ladder ``r_losses``, predicted from its kernel and the
        network's own residual, and ``r_error``, the root mean square distance of the two curves, in units of the
        initial loss. Rung a stands for the trained network itself, pruned or fresh. ``movement``: by how much its
        kernel changed, relative, in Frobenius norm. Where descent diverged, or would under the kernel, there are no
        losses, and errors are infinite.
    """
    this = trial_seed(seed, width, trial)
    pruned = pruned_mlp(method, density, depth=depth, width=width, seed=this)
    chain = estimate_chain(pruned[1])
    sample = DATA["mnist"][0](images, seed=seed)
    model, masks = twin(network, *pruned, chain=chain, seed=this)
    kernels = {"a": empirical_ntk(model, masks, sample.inputs), "d": graphon_ntk(sample.inputs, chain)}
    if network == "own":
        kernels["e"] = second_moment_ntk(model, masks, sample.inputs).kernel
        for rung in "bcfg":
            kernels[rung] = empirical_ntk(*twin(RUNGS[rung], *pruned, chain=chain, seed=this), sample.inputs)
    classes = DATA["mnist"][2]
    targets = torch.nn.functional.one_hot(sample.labels, classes).double() - 1 / classes
    with torch.no_grad():
        residual = (forward(model, masks, sample.inputs).double() - targets).numpy()
    rate = STEP * images / float(np.linalg.eigvalsh(kernels["a"])[-1])
    try:
        trained = descend(model, masks, sample.inputs, targets, steps=steps, learning_rate=rate)
    except FloatingPointError:
        none: dict[str, Measured] = {
            name: value for rung in kernels for name, value in ((f"{rung}_losses", []), (f"{rung}_error", np.inf))
        }
        return {"losses": [], "movement": np.inf, **none}
    after = empirical_ntk(trained.model, masks, sample.inputs)
    found: dict[str, Measured] = {
        "losses": _shown(trained.losses),
        "movement": float(np.linalg.norm(after - kernels["a"]) / np.linalg.norm(kernels["a"])),
    }
    for rung, kernel in sorted(kernels.items()):
        try:
            predicted = predicted_loss(kernel, residual, steps=steps, learning_rate=rate)
        except ValueError:
            found |= {f"{rung}_losses": [], f"{rung}_error": np.inf}
            continue
        error = float(np.sqrt(np.mean((predicted - trained.losses) ** 2)) / trained.losses[0])
        found |= {f"{rung}_losses": _shown(predicted), f"{rung}_error": error}
    return found


def _shown(losses: NDArray[np.float64]) -> list[float]:
    shown: list[float] = losses.astype(np.float32).tolist()
    return shown
