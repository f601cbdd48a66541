"""The public functions of the library, one small valid call of each, for tests that hold for all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

import graphon_lib as gl
from graphon_lib import activations, data, intervals, movement, ranking, separation, training
from graphon_lib.graphons import two_layer_densities
from graphon_lib.kernels.finite_width import excess_kurtosis


@dataclass(frozen=True)
class Call:
    """A function and arguments that it takes, made anew for each call: what one call changed must not reach the next.

    Attributes
    ----------
    unbounded : bool
        Whether what it gives may be infinite, as an interval without end.
    also : tuple of str
        By which names its errors may call an argument, besides its own.
    costly : bool
        Whether it takes more than a hundredth of a second.
    """

    name: str
    function: Callable[..., Any]
    arguments: Callable[[], dict[str, Any]]
    unbounded: bool = False
    also: tuple[str, ...] = ()
    costly: bool = False

    def __str__(self) -> str:
        return self.name


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def _model() -> nn.Sequential:
    return gl.mlp(2, 6, inputs=5, outputs=3, seed=1)


def _inputs(rows: int = 4) -> np.ndarray:
    return _rng().normal(size=(rows, 5))


def _masks() -> dict[str, torch.Tensor]:
    return gl.prune(_model(), "magnitude", 0.6)


def _chain() -> gl.Chain:
    rng = _rng()
    return gl.Chain([gl.StepGraphon(rng.random(shape)) for shape in ((2, 5), (3, 2), (1, 3))])


def _mask() -> np.ndarray:
    return (_rng().random((7, 6)) < 0.5).astype(float)


def _kernel() -> np.ndarray:
    x = _inputs()
    return x @ x.T + np.eye(4)


def _labels() -> np.ndarray:
    return np.array([0, 1, 2, 1])


def _dataset() -> gl.Dataset:
    return gl.Dataset(torch.from_numpy(_inputs()), torch.from_numpy(_labels()))


def _graphons() -> dict[str, gl.StepGraphon]:
    rng = _rng()
    return {name: gl.StepGraphon(rng.random((4, 4))) for name in "ab"}


def _distances() -> np.ndarray:
    points = _rng().random((8, 2))
    return np.linalg.norm(points[:, None] - points, axis=2)


def _frame() -> pd.DataFrame:
    rng = _rng()
    return pd.DataFrame({"x": rng.random(8), "y": rng.random(8), "trial": np.arange(8) // 2, "z": np.arange(8) % 3})


def _two_masks() -> dict[str, Any]:
    return {"lower": _mask(), "upper": _mask().T}


CALLS = [
    Call("mlp", gl.mlp, lambda: {
        "depth": 2, "width": 6, "inputs": 5, "outputs": 3, "activation": "relu", "initialisation": "he", "seed": 0}),
    Call("masks_of", gl.masks_of, lambda: {"model": _model()}),
    Call("Dataset", gl.Dataset, lambda: {"inputs": _inputs(), "labels": _labels()}),
    Call("load_mnist", gl.load_mnist, lambda: {"samples": 5, "seed": 1, "source": "embedded"}),
    Call("load_indian_pines", data.load_indian_pines, lambda: {"samples": 5, "seed": 1}),
    Call("gaussian_teacher", data.gaussian_teacher, lambda: {"samples": 5, "dimension": 4, "seed": 1}),
    *(
        Call(f"prune-{method}", gl.prune, lambda method=method: {
            "model": _model(), "method": method, "density": 0.5, "seed": 1, "rounds": 3})
        for method in ("random", "magnitude", "phew", "random_uniform", "random_erk")
    ),
    Call("prune-synflow", gl.prune, lambda: {
        "model": _model(), "method": "synflow", "density": 0.5, "inputs": _inputs(), "rounds": 3}),
    *(
        Call(f"prune-{method}", gl.prune, lambda method=method: {
            "model": _model(), "method": method, "density": 0.5, "inputs": _inputs(), "targets": _labels(), "seed": 1,
            "rounds": 3})
        for method in ("snip", "grasp", "force")
    ),
    *(  # of which each takes hundreds of steps of training: what they are handed goes to the others, too
        Call(f"prune-{method}", partial(gl.prune, inputs=_inputs(), targets=_labels()), lambda method=method: {
            "model": _model(), "method": method, "density": 0.5}, costly=True)
        for method in ("trained_magnitude", "lottery_ticket")
    ),
    Call("train", gl.train, lambda: {
        "model": _model(), "masks": _masks(), "dataset": _dataset(), "steps": 3, "batch_size": 2, "optimizer": "adam",
        "learning_rate": 1e-3, "seed": 0}),
    Call("descend", training.descend, lambda: {
        "model": _model(), "masks": _masks(), "inputs": _inputs(), "targets": _rng().normal(size=(4, 3)), "steps": 3,
        "learning_rate": 0.1, "weight_variance": 2.0}, also=("learning_rate",)),
    Call("StepGraphon", gl.StepGraphon, lambda: {
        "values": _rng().random((3, 2)), "row_measure": np.array([0.2, 0.3, 0.5]),
        "column_measure": np.array([0.25, 0.75])}, also=("row_measure", "column_measure")),
    Call("constant", gl.StepGraphon.constant, lambda: {"c": 0.5}),
    Call("from_function", gl.StepGraphon.from_function, lambda: {"f": lambda u, v: u * v, "blocks": 3}),
    Call("StepGraphon.sample", gl.StepGraphon(_rng().random((3, 2))).sample, lambda: {
        "rows": 5, "columns": 4, "seed": 1}),
    Call("l2_distance", gl.StepGraphon(_rng().random((3, 2))).l2_distance, lambda: {
        "other": gl.StepGraphon(np.full((3, 2), 0.5))}),
    Call("Chain", gl.Chain, lambda: {"graphons": list(_chain().graphons), "input_blocks": np.arange(5)},
        also=("chain",)),
    Call("Chain.sample", _chain().sample, lambda: {"widths": [5, 4, 6, 2], "seed": 1}),
    Call("input_labels", _chain().input_labels, lambda: {"inputs": 10}),
    Call("degree_preserving_shuffle", gl.degree_preserving_shuffle, lambda: {
        "mask": _mask(), "seed": 1, "supersteps": 3}),
    Call("uniform_shuffle", gl.uniform_shuffle, lambda: {"mask": _mask(), "seed": 1}),
    Call("homomorphism_density", gl.homomorphism_density, lambda: {
        "graphon_or_mask": _mask(), "motif": "C4", "unbiased": False}),
    Call("homomorphism_densities", gl.homomorphism_densities, lambda: {"graphon_or_mask": _mask(), "unbiased": True}),
    Call("two_layer_densities", two_layer_densities, _two_masks),
    Call("path_density-masks", gl.path_density, lambda: {"chain_or_masks": _masks()}, also=("masks", "chain")),
    Call("path_density-chain", gl.path_density, lambda: {"chain_or_masks": _chain()}, also=("masks", "chain")),
    Call("cut_norm", gl.cut_norm, lambda: {
        "a": _rng().random((3, 2)), "b": np.full((3, 2), 0.5), "starts": 2, "seed": 1}),
    Call("cut_distance", gl.cut_distance, _graphons),
    *(
        Call(f"estimate_graphon-{method}", gl.estimate_graphon, lambda method=method: {
            "mask": _mask(), "method": method, "blocks": 3})
        for method in ("sorted_histogram", "sas", "cross_fit", "usvt", "co_histogram", "constant")
    ),
    Call("estimate_chain", gl.estimate_chain, lambda: {"masks": _masks(), "blocks": 4, "labels": "pairs"}),
    *(
        Call(f"{function.__name__}-{getattr(activation, 'terms', activation)}", function, lambda activation=activation: {  # noqa: E501
            "inputs": _inputs(), "chain": _chain(), "other": _inputs(3), "activation": activation,
            "weight_variance": 2.0, "dtype": np.float64})
        for function in (gl.graphon_ntk, gl.graphon_nngp)
        for activation in ("relu", "erf", "gelu", activations.Hermite(np.tanh, terms=16))
    ),
    Call("second_moment_ntk", gl.second_moment_ntk, lambda: {
        "model": _model(), "masks": _masks(), "inputs": _inputs(), "other": _inputs(3), "activation": "relu",
        "weight_variance": 2.0, "dtype": np.float64}),
    Call("empirical_ntk", gl.empirical_ntk, lambda: {
        "model": _model(), "masks": _masks(), "inputs": _inputs(), "other": _inputs(3), "outputs": [0, 2],
        "weight_variance": 2.0}),
    Call("excess_kurtosis", excess_kurtosis, lambda: {"chain": _chain(), "x": _inputs(1)[0], "width": 8}),
    Call("Hermite", activations.Hermite, lambda: {"function": np.tanh, "terms": 8}),
    Call("LeakyReLU", activations.LeakyReLU, lambda: {"negative_slope": 0.1}),
    Call("spectrum", gl.spectrum, lambda: {"kernel": _kernel(), "top": 2}, unbounded=True),
    Call("alignment", gl.alignment, lambda: {"kernel": _kernel(), "labels": _labels()}),
    Call("predicted_loss", gl.predicted_loss, lambda: {
        "kernel": _kernel(), "residual": _rng().normal(size=(4, 2)), "steps": 3, "learning_rate": 0.1}),
    Call("fitted_rate", intervals.fitted_rate, lambda: {
        "sizes": np.array([1.0, 2.0, 4.0, 8.0]), "errors": np.array([1.0, 0.5, 0.2, 0.1])}),
    Call("mean_interval", intervals.mean_interval, lambda: {"values": _rng().random(6)}),
    Call("median_interval", intervals.median_interval, lambda: {"values": _rng().random(6)}),
    Call("share_interval", intervals.share_interval, lambda: {"hits": 3, "of": 7}),
    Call("difference_interval", intervals.difference_interval, lambda: {
        "first": _rng().random(6), "second": _rng().random(4)}),
    Call("equivalence", intervals.equivalence, lambda: {"values": _rng().random(6), "margin": 0.5}),
    Call("rank_correlation", intervals.rank_correlation, lambda: {
        "x": _rng().random(6), "y": _rng().random(12)[6:], "seed": 1}),
    Call("separation", separation.separation, lambda: {
        "distances": _distances(), "first": np.arange(4), "second": np.arange(4, 8), "seed": 1}),
    Call("separation_interval", separation.separation_interval, lambda: {
        "distances": _distances(), "first": np.arange(4), "second": np.arange(4, 8)}),
    Call("ranking", ranking.ranking, lambda: {
        "frame": _frame(), "number": "x", "outcome": "y", "trial": "trial", "within": None, "given": "z", "seed": 1}),
    Call("rate_of_means", movement.rate_of_means, lambda: {
        "values": {10: _rng().random(4), 20: _rng().random(4) / 2}, "seed": 1}),
    Call("movement", movement.movement, lambda: {
        "values": {10: _rng().random(4) + 1, 20: _rng().random(4) + 2, 40: _rng().random(4) + 2.5}, "seed": 1},
        unbounded=True),
]  # fmt: skip


def numbers_in(result: Any) -> Iterator[np.ndarray]:
    """All arrays of a result, however it holds them, in one order."""
    if isinstance(result, nn.Module):
        yield from (parameter.detach().double().numpy() for parameter in result.parameters())
    elif isinstance(result, torch.Tensor):
        yield result.detach().cpu().numpy()
    elif dataclasses.is_dataclass(result):
        for field in dataclasses.fields(result):
            yield from numbers_in(getattr(result, field.name))
    elif isinstance(result, Mapping):
        for value in result.values():
            yield from numbers_in(value)
    elif isinstance(result, list | tuple):
        for value in result:
            yield from numbers_in(value)
    elif isinstance(result, np.ndarray | int | float):
        yield np.asarray(result)
    elif isinstance(result, activations.DualActivation):
        yield np.asarray(result.second_moment(np.array([0.5, 2.0])))
