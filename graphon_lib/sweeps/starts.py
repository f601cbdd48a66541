"""The study of training: the loss curves of pruned networks and of their twins (the paper's Figs. 2 and 11)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from graphon_lib.sweeps.grid import DATA, pairs, pruned_mlp, trial_seed
from graphon_lib.sweeps.study import Measured, Study
from graphon_lib.sweeps.twins import twin as make_twin
from graphon_lib.training import train


def training_study(
    methods: Sequence[str],
    densities: Sequence[float],
    *,
    twins: Sequence[str] = ("own",),
    optimizer: str = "adam",
    learning_rates: Sequence[float] = (1e-3,),
    data: str = "mnist",
    depth: int = 4,
    width: int = 1024,
    initialisation: str = "he",
    steps: int = 200,
    trials: int | Sequence[int] = 10,
    seed: int = 0,
) -> Study:
    """Loss curves of pruned networks; the defaults are the paper's. A row's measures: :func:`start`.

    ``"dense"`` among the methods is run at density 1, and has no twins. ``trials`` is how many, or which.
    """
    which = range(trials) if isinstance(trials, int) else trials
    return Study(
        "training",
        start,
        [
            {
                "method": method,
                "density": density,
                "twin": kind,
                "optimizer": optimizer,
                "learning_rate": learning_rate,
                "data": data,
                "depth": depth,
                "width": width,
                "initialisation": initialisation,
                "steps": steps,
                "trial": trial,
                "seed": seed,
            }
            for trial, (method, density), kind, learning_rate in itertools.product(
                which, pairs(methods, densities), twins, learning_rates
            )
            if kind == "own" or method != "dense"
        ],
        group="training",
    )


def start(
    *,
    method: str,
    density: float,
    twin: str,
    optimizer: str,
    learning_rate: float,
    data: str,
    depth: int,
    width: int,
    initialisation: str,
    steps: int,
    trial: int,
    seed: int,
) -> dict[str, Measured]:
    """The first steps of one network.

    Returns
    -------
    dict
        ``losses`` (steps,), the cross-entropy of each mini-batch before its update, and ``early_loss``, their mean:
        infinite, and no losses, if training diverged.
    """
    this = trial_seed(seed, width, trial)
    model, masks = pruned_mlp(
        method, density, depth=depth, width=width, initialisation=initialisation, data=data, seed=this
    )
    model, masks = make_twin(twin, model, masks, initialisation=initialisation, seed=this)
    load, _, _ = DATA[data]
    try:
        curve = train(
            model, masks, load(), steps=steps, optimizer=optimizer, learning_rate=learning_rate, seed=this
        )  # fmt: skip
    except FloatingPointError:
        return {"losses": [], "early_loss": math.inf}
    return {"losses": curve.losses.astype(np.float32).tolist(), "early_loss": curve.mean()}
