"""Sparse arithmetic of training against dense arithmetic, and where it must not show."""

from __future__ import annotations

import copy
import itertools
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from graphon_lib.data import Dataset
from graphon_lib.networks import Masks, check_masks, mlp
from graphon_lib.training import OPTIMIZERS, masked, train
from graphon_lib.training.denormals import flushed_denormals
from graphon_lib.training.masked import masked_layers
from graphon_lib.training.sparse import SparseLinear

POOL = ThreadPoolExecutor(2)


@contextmanager
def arithmetic(*, sparse: bool) -> Iterator[None]:
    """All layers with a pruned weight are sparse, or none is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masked, "DENSITY", 1.0 if sparse else -1.0)
        patch.setattr(masked, "WEIGHTS", 0)
        yield


def random_masks(model: nn.Module, density: float, seed: int = 0) -> Masks:
    generator = torch.Generator().manual_seed(seed + 1)  # not the stream that made the weights
    return {
        name: torch.rand(weight.shape, generator=generator) < density
        for name, weight in model.named_parameters()
        if weight.ndim == 2
    }


def gaussian(samples: int, coordinates: int, classes: int, seed: int = 0) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    return Dataset(torch.randn(samples, coordinates, generator=generator), torch.arange(samples) % classes)


@settings(max_examples=60)
@given(
    outputs=st.integers(1, 20),
    inputs=st.integers(1, 20),
    batch=st.integers(1, 40),
    density=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    bias=st.booleans(),
    contiguous=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_outputs_and_gradients_are_those_of_the_dense_layer(
    outputs: int, inputs: int, batch: int, density: float, dtype: torch.dtype, bias: bool, contiguous: bool, seed: int
) -> None:
    """With rows, columns or whole masks that keep nothing."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(outputs, inputs, generator=generator) < density
    mask[torch.rand(outputs, generator=generator) < 0.2] = False
    mask[:, torch.rand(inputs, generator=generator) < 0.2] = False
    layer = nn.Linear(inputs, outputs, bias=bias, dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(outputs, inputs, generator=generator) * mask)
    sparse = copy.deepcopy(layer)
    SparseLinear.replace(sparse, mask, POOL)
    signal = torch.randn(batch, inputs, generator=generator, dtype=dtype)
    if not contiguous:
        signal = signal.T.contiguous().T
    ours, theirs = signal.clone().requires_grad_(), signal.clone().requires_grad_()
    weighting = torch.randn(batch, outputs, generator=generator, dtype=dtype)
    (sparse(ours) * weighting).sum().backward()
    (layer(theirs) * weighting).sum().backward()
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(sparse(signal), layer(signal), **tolerance)
    torch.testing.assert_close(ours.grad, theirs.grad, **tolerance)
    torch.testing.assert_close(sparse.kept_weights.grad, layer.weight.grad[mask], **tolerance)
    assert torch.equal(sparse.weight, layer.weight)
    if bias:
        torch.testing.assert_close(sparse.bias.grad, layer.bias.grad, **tolerance)


@settings(max_examples=20)
@given(
    sizes=st.lists(st.integers(1, 24), min_size=2, max_size=4),
    density=st.floats(0, 1),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    batch_size=st.integers(1, 30),
    seed=st.integers(0, 1000),
)
def test_training_agrees_in_double_precision(
    sizes: list[int], density: float, optimizer: str, batch_size: int, seed: int
) -> None:
    layers = [
        part
        for fan_in, fan_out in itertools.pairwise([6, *sizes, 3])
        for part in (nn.Linear(fan_in, fan_out), nn.Tanh())
    ]
    model = nn.Sequential(*layers[:-1]).double()
    masks, dataset = random_masks(model, density, seed), gaussian(30, 6, 3)
    found = []
    for sparse in (True, False):
        with arithmetic(sparse=sparse):
            found.append(
                train(
                    model, masks, dataset, steps=50, batch_size=batch_size, optimizer=optimizer, learning_rate=0.01,
                    seed=seed,
                )
            )  # fmt: skip
    ours, theirs = found
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-9)
    for (name, weight), (other, expected) in zip(
        ours.model.named_parameters(), theirs.model.named_parameters(), strict=True
    ):
        assert name == other
        torch.testing.assert_close(weight, expected, rtol=1e-6, atol=1e-9)
        if name in masks:
            assert (weight[~masks[name]] == 0).all()


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize("density", [0.02, 0.1, 0.2])
def test_training_agrees_in_single_precision_and_by_the_rule(optimizer: str, density: float) -> None:
    model, dataset = mlp(2, 150, inputs=150, outputs=5), gaussian(64, 150, 5)
    masks = random_masks(model, density)
    with masked_layers(copied := copy.deepcopy(model), masks):
        assert [type(layer) for layer in copied[::2]] == [
            SparseLinear,
            SparseLinear,
            nn.Linear,
        ]
    ours = train(model, masks, dataset, steps=20, batch_size=32, optimizer=optimizer)
    with arithmetic(sparse=False):
        theirs = train(model, masks, dataset, steps=20, batch_size=32, optimizer=optimizer)
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-5)


def test_layers_are_sparse_by_density_and_size_only_while_trained() -> None:
    model = mlp(3, 128, inputs=128, outputs=10)
    masks = random_masks(model, 0.1) | {"2.weight": torch.rand(128, 128) < 0.5}
    before = copy.deepcopy(model)
    with masked_layers(model, check_masks(model, masks)):
        kinds = [type(layer) for layer in model if isinstance(layer, nn.Linear)]
        assert [name for name, _ in model.named_parameters() if "kept" in name] == ["0.kept_weights", "4.kept_weights"]
    assert kinds == [SparseLinear, nn.Linear, SparseLinear, nn.Linear]
    assert str(model) == str(before)
    assert all(type(layer) is nn.Linear for layer in model if isinstance(layer, nn.Linear))
    assert all(vars(layer).keys() == vars(other).keys() for layer, other in zip(model, before, strict=True))
    for (name, weight), (other, start) in zip(model.named_parameters(), before.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(weight, start * masks[name])


@pytest.mark.parametrize("sparse", [True, False])
def test_equal_arguments_give_equal_numbers_with_one_thread_and_two(sparse: bool) -> None:
    model, dataset = mlp(2, 100, inputs=20, outputs=3), gaussian(64, 20, 3)
    masks, threads, found = random_masks(model, 0.1), torch.get_num_threads(), []
    with arithmetic(sparse=sparse):
        try:
            for count in (1, 2, 5):
                torch.set_num_threads(count)
                found.append(train(model, masks, dataset, steps=10, batch_size=64))
        finally:
            torch.set_num_threads(threads)
    for other in found[1:]:
        assert np.array_equal(found[0].losses, other.losses)
        for weight, expected in zip(other.model.parameters(), found[0].model.parameters(), strict=True):
            assert torch.equal(weight, expected)


class Tied(nn.Module):
    """Decodes with the weights of its encoder."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        return (self.layer(signal).relu() @ self.layer.weight)[:, :3]


def stack(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), *layers, nn.Linear(8, 3))


def doubled(layer: nn.Module, _: Any, result: torch.Tensor) -> torch.Tensor:
    return result + layer.weight.sum()


def hooked() -> nn.Sequential:
    model = stack(nn.ReLU())
    model[0].register_forward_hook(doubled)
    return model


TWICE = nn.Linear(8, 8)


@pytest.mark.parametrize(
    ("model", "sparse"),
    [
        (nn.Linear(6, 3), True),
        (stack(nn.ReLU(inplace=True), nn.Linear(8, 8), nn.ReLU(inplace=True)), True),
        (stack(nn.Sequential(nn.GELU(), TWICE, nn.Tanh(), TWICE), nn.Sigmoid()), True),
        (hooked(), True),
        (stack(nn.Dropout(0.5)), False),
        (stack(nn.RReLU()), False),
        (stack(nn.LayerNorm(8)), False),
        (stack(nn.BatchNorm1d(8)), False),
        (Tied(nn.Linear(6, 8)), False),
        (nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), False),
    ],
    ids=["root", "in place", "twice", "hook", "dropout", "RReLU", "layer norm", "batch norm", "tied", "attention"],
)
def test_models_of_all_kinds_train_alike(model: nn.Module, sparse: bool) -> None:
    model, dataset = copy.deepcopy(model).double(), gaussian(24, 6, 3)
    layers = [f"{name}.weight".lstrip(".") for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    masks = {name: mask for name, mask in random_masks(model, 0.4).items() if name in layers}
    found = []
    for wanted in (True, False):
        with arithmetic(sparse=wanted):
            found.append(train(model, masks, dataset, steps=10, batch_size=8, learning_rate=0.01))
            with masked_layers(copied := copy.deepcopy(model), check_masks(model, masks)):
                assert any(isinstance(layer, SparseLinear) for layer in copied.modules()) == (sparse and wanted)
    ours, theirs = found
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-9)
    for (name, weight), (other, expected) in zip(
        ours.model.state_dict().items(), theirs.model.state_dict().items(), strict=True
    ):
        assert name == other
        torch.testing.assert_close(weight, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_other_precisions_stay_dense(dtype: torch.dtype) -> None:
    model = mlp(1, 8, inputs=6, outputs=3).to(dtype)
    with arithmetic(sparse=True), masked_layers(model, check_masks(model, random_masks(model, 0.3))):
        assert not any(isinstance(layer, SparseLinear) for layer in model)


def test_a_frozen_layer_stays_when_sparse() -> None:
    model, dataset = mlp(2, 8, inputs=6, outputs=3), gaussian(24, 6, 3)
    model[2].weight.requires_grad_(False)
    masks = random_masks(model, 0.5)
    with arithmetic(sparse=True):
        trained = train(model, masks, dataset, steps=3, batch_size=8).model
    assert torch.equal(trained[2].weight, model[2].weight * masks["2.weight"])
    assert not trained[2].weight.requires_grad
    assert not torch.equal(trained[0].weight, model[0].weight * masks["0.weight"])


def test_a_signal_that_does_not_fit_is_an_error_as_ever() -> None:
    layer = nn.Linear(6, 3)
    SparseLinear.replace(layer, torch.rand(3, 6) < 0.5, POOL)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        layer(torch.zeros(2, 7))
    with pytest.raises(RuntimeError, match="same dtype"):
        layer(torch.zeros(2, 6, dtype=torch.float64))
    assert layer(torch.zeros(2, 5, 6)).shape == (2, 5, 3)


@pytest.mark.parametrize("before", [True, False])
def test_denormals_are_flushed_for_a_while_only(before: bool) -> None:
    def halved() -> float:
        return float(torch.tensor(sys.float_info.min, dtype=torch.float64) / 2)

    try:
        torch.set_flush_denormal(before)
        kept = halved()
        assert (kept == 0) == before
        with flushed_denormals():
            assert halved() == 0
        assert halved() == kept
        with pytest.raises(FloatingPointError, match="diverged"):
            train(mlp(1, 4, inputs=6, outputs=3), None, gaussian(24, 6, 3), batch_size=8, learning_rate=1e30)
        assert halved() == kept
    finally:
        torch.set_flush_denormal(False)
