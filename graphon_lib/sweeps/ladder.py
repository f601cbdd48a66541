"""The study of the ladder: a pruned network's kernel, and how it changes as features are drawn anew (THEORY: 6)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from graphon_lib.data import Dataset
from graphon_lib.empirical import empirical_ntk
from graphon_lib.estimation import estimate_chain
from graphon_lib.graphons import path_density
from graphon_lib.kernels import graphon_ntk, second_moment_ntk
from graphon_lib.networks import Masks, forward
from graphon_lib.spectra import alignment, spectrum
from graphon_lib.sweeps.grid import DATA, pairs, pruned_mlp, trial_seed
from graphon_lib.sweeps.study import Measured, Study
from graphon_lib.sweeps.twins import twin

# Rung by rung: whose kernel it is.
RUNGS = {
    "a": "own",  # the pruned network
    "b": "fresh",  # its masks, fresh weights
    "c": "sampled",  # masks drawn from the estimated chain, fresh weights: the paper's Fig. 3
    "d": "limit",  # the Graphon NTK of that chain
    "e": "second moment",  # predicted from the squares of the kept weights
    "f": "layers",  # uniformly random masks of the same layer densities, fresh weights
    "g": "degrees",  # masks of the same degrees, fresh weights
}
METRICS = ("scale", "lambda_1", "decay", "effective_rank", "gap", "concentration", "alignment")
WEIGHT_VARIANCES = {"he": 2.0, "pytorch": 1 / 3}

# Of 256 or 1024 eigenvalues, those of about these ranks are kept: evenly spaced on the logarithmic axis of a figure.
RANKS = 32


def ladder_study(
    methods: Sequence[str],
    densities: Sequence[float],
    *,
    rungs: str = "abcdefg",
    data: str = "mnist",
    depth: int = 4,
    width: int = 1024,
    initialisation: str = "he",
    images: int = 256,
    blocks: int = 64,
    trials: int | Sequence[int] = 10,
    seed: int = 0,
) -> Study:
    """The kernels of the networks of ``training_study``, rung by rung. A row's measures: :func:`climb`."""
    which = range(trials) if isinstance(trials, int) else trials
    return Study(
        "ladder",
        climb,
        [
            {
                "method": method,
                "density": density,
                "rungs": rungs,
                "data": data,
                "depth": depth,
                "width": width,
                "initialisation": initialisation,
                "images": images,
                "blocks": blocks,
                "trial": trial,
                "seed": seed,
            }
            for trial, (method, density) in itertools.product(which, pairs(methods, densities))
        ],
        group="training",
    )


def climb(
    *,
    method: str,
    density: float,
    rungs: str,
    data: str,
    depth: int,
    width: int,
    initialisation: str,
    images: int,
    blocks: int,
    trial: int,
    seed: int,
) -> dict[str, Measured]:
    """The kernels of one network.

    Returns
    -------
    dict
        For each rung r in ``rungs``: ``r_scale``, the mean of the kernel's diagonal; ``r_lambda_1``, its top eigenvalue
        over the number of images; ``r_decay``, ``r_effective_rank``, ``r_gap``, ``r_concentration`` (top 5) and
        ``r_alignment`` (centred, with the labels); NaN where the kernel is zero or constant. ``r_eigenvalues``:
        over the trace, at the ranks of :func:`log_ranks`. Of the network itself what :func:`numbers_at_rest` tells.
    """
    this = trial_seed(seed, width, trial)
    model, masks = pruned_mlp(
        method, density, depth=depth, width=width, initialisation=initialisation, data=data, seed=this
    )
    sample = DATA[data][0](images, seed=seed)
    chain = estimate_chain(masks, blocks=blocks)
    variance = WEIGHT_VARIANCES[initialisation]
    found: dict[str, Measured] = {}
    for rung in rungs:
        if rung == "d":
            kernel = graphon_ntk(sample.inputs, chain, weight_variance=variance)
        elif rung == "e":
            kernel = second_moment_ntk(model, masks, sample.inputs, weight_variance=variance).kernel
        else:
            network = twin(RUNGS[rung], model, masks, initialisation=initialisation, chain=chain, seed=this)
            kernel = empirical_ntk(*network, sample.inputs, weight_variance=variance)
        if rung == "a":
            found |= numbers_at_rest(model, masks, sample, kernel, variance)
        found |= {f"{rung}_{metric}": value for metric, value in kernel_metrics(kernel, sample.labels).items()}
    return found


def kernel_metrics(kernel: NDArray[np.floating], labels: torch.Tensor) -> dict[str, Measured]:
    """The measures of one kernel, named as in ``METRICS``, and its ``eigenvalues`` at :func:`log_ranks`."""
    scale = float(np.mean(np.diag(kernel)))
    if scale == 0:
        return {**dict.fromkeys(METRICS, np.nan), "scale": 0.0, "lambda_1": 0.0, "eigenvalues": []}
    of = spectrum(kernel)
    # So few paths may be left that all inputs look alike to the outputs.
    flat = np.linalg.norm(kernel - kernel.mean()) <= 1e-9 * np.linalg.norm(kernel)
    shares = of.eigenvalues[log_ranks(len(kernel)) - 1] / of.eigenvalues.sum()
    return {
        "scale": scale,
        "lambda_1": of.eigenvalues[0] / len(kernel),
        "decay": of.decay,
        "effective_rank": of.effective_rank,
        "gap": of.gap,
        "concentration": of.concentration,
        "alignment": np.nan if flat else alignment(kernel, labels),
        "eigenvalues": shares.astype(np.float32).tolist(),
    }


def log_ranks(size: int) -> NDArray[np.int64]:
    """Ranks from 1 to ``size``, about ``RANKS`` of them, evenly spaced in their logarithm."""
    return np.unique(np.round(np.geomspace(1, size, RANKS)).astype(np.int64))


def numbers_at_rest(
    model: nn.Module, masks: Masks, sample: Dataset, kernel: NDArray[np.floating], weight_variance: float
) -> dict[str, float]:
    """Numbers of a network before training, beside the metrics of its kernel.

    Returns
    -------
    dict
        ``path_density`` of the masks; ``second_moment_scale``, the mean of its shares; ``weighted_paths``, path density
        with the sizes of the kept weights in place of ones (SynFlow's objective), in units of sigma_w / sqrt(n);
        ``initial_loss``, the cross-entropy; ``speed``, see :func:`initial_speed`; and ``relative_speed``, speed over
        initial loss.
    """
    with torch.no_grad():
        outputs = forward(model, masks, sample.inputs).double()
    one_hot = nn.functional.one_hot(sample.labels, outputs.shape[1]).double()
    residual = (outputs.softmax(dim=1) - one_hot).numpy()
    loss = float(nn.functional.cross_entropy(outputs, sample.labels))
    speed = initial_speed(kernel, residual)
    return {
        "path_density": path_density(masks),
        "second_moment_scale": second_moment_ntk(
            model, masks, sample.inputs[:1], weight_variance=weight_variance
        ).scale,
        "weighted_paths": _weighted_paths(model, masks, weight_variance),
        "initial_loss": loss,
        "speed": speed,
        "relative_speed": speed / loss,
    }


def initial_speed(kernel: NDArray[np.floating], residual: NDArray[np.floating]) -> float:
    """sum_c r_c^T Theta r_c / N^2: what gradient flow takes off the mean loss in unit time, if Theta is the kernel of
    each output and residual (N, outputs) the gradient of each image's loss by the outputs."""
    return float(np.vdot(residual, kernel @ residual)) / len(kernel) ** 2


def _weighted_paths(model: nn.Module, masks: Mapping[str, torch.Tensor], weight_variance: float) -> float:
    reached: torch.Tensor | None = None
    with torch.no_grad():
        for name, mask in masks.items():
            weight = model.get_parameter(name).double().abs() * mask * (mask.shape[1] / weight_variance) ** 0.5
            reached = weight.mean(dim=1) if reached is None else weight @ reached / mask.shape[1]
    assert reached is not None  # a network has layers
    return float(reached.mean())


def rung_by_rung(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`ladder_study` in long form: ``method``, ``density``, ``trial``, ``rung``, ``METRICS`` and
    ``eigenvalues``, for the rungs that were measured."""
    parts = []
    for rung in RUNGS:
        if f"{rung}_scale" in rows:
            names = {f"{rung}_{metric}": metric for metric in (*METRICS, "eigenvalues")}
            measured = rows[rows[f"{rung}_scale"].notna()]
            parts.append(measured[["method", "density", "trial", *names]].rename(columns=names).assign(rung=rung))
    return pd.concat(parts, ignore_index=True)
