"""The empirical NTK against Jacobians of torch.func, its independence of how it is computed, its memory, its errors."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn
from torch.func import functional_call, jacrev

from graphon_lib import empirical
from graphon_lib.empirical import empirical_ntk
from graphon_lib.networks import Erf, mlp, prunable_layers

Masks = dict[str, torch.Tensor]


def brute_force(
    model: nn.Module,
    masks: Masks,
    x: torch.Tensor,
    y: torch.Tensor,
    outputs: Sequence[int],
    weight_variance: float = 2.0,
) -> NDArray[np.float64]:
    """Sum over layers of sigma_w^2 / n_in times the products of Jacobians by the masked weights, mean over outputs."""
    model = copy.deepcopy(model).double().eval()
    weights = {name: layer.weight.detach() for name, layer in prunable_layers(model).items()}
    fan_in = {name: layer.in_features for name, layer in prunable_layers(model).items()}

    def function(weights: Masks, batch: torch.Tensor) -> torch.Tensor:
        kept = {name: w * masks[name] if name in masks else w for name, w in weights.items()}
        return functional_call(model, kept, (batch,))[:, list(outputs)]

    left, right = (jacrev(function)(weights, batch.double()) for batch in (x, y))
    kernel = sum(
        weight_variance / fan_in[name] * torch.einsum("aoij,boij->ab", left[name], right[name]) for name in weights
    )
    return (kernel / len(outputs)).detach().numpy()


def random_masks(model: nn.Module, density: float, seed: int) -> Masks:
    """Masks with a dead row each; hidden layers get a dead column too."""
    generator = torch.Generator().manual_seed(seed)
    masks = {}
    for name, layer in prunable_layers(model).items():
        mask = torch.rand(layer.weight.shape, generator=generator) < density
        mask[0] = False
        mask[:, -1] = False
        masks[name] = mask
    return masks


def gaussian(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """Layers made here by nn.Linear draw from the global generator, which is put back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


class Forked(nn.Module):
    """A skip connection, two heads, a scaled output, biases, dropout: anything but a chain of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(6, 8)
        self.middle = nn.Linear(8, 8, bias=False)
        self.drop = nn.Dropout(0.5)
        self.left = nn.Linear(8, 2)
        self.right = nn.Linear(8, 1)
        self.scale = nn.Parameter(torch.tensor(1.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.enter(x))
        h = h + self.drop(torch.tanh(self.middle(h)))
        return self.scale * torch.cat([self.left(h), self.right(h)], dim=1)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    sizes=st.tuples(*[st.integers(1, 6)] * 4),
    depth=st.integers(1, 3),
    activation=st.sampled_from(["relu", "erf"]),
    density=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    weight_variance=st.sampled_from([2.0, 1 / 3]),
    data=st.data(),
)
def test_masked_mlps_against_jacobians(
    seed: int,
    sizes: tuple[int, int, int, int],
    depth: int,
    activation: str,
    density: float,
    weight_variance: float,
    data: st.DataObject,
) -> None:
    inputs, width, outputs, rows = sizes
    model = mlp(depth, width, inputs=inputs, outputs=outputs, activation=activation, seed=seed).double()
    generator = torch.Generator().manual_seed(seed)
    masks = {
        name: torch.rand(layer.weight.shape, generator=generator) < density
        for name, layer in prunable_layers(model).items()
        if data.draw(st.booleans(), label=f"mask of {name}")
    }
    chosen = data.draw(st.lists(st.integers(0, outputs - 1), min_size=1, unique=True), label="outputs")
    x, y = gaussian(rows, inputs, seed=seed), gaussian(3, inputs, seed=seed + 1)
    settings = {"outputs": chosen, "weight_variance": weight_variance}
    found = empirical_ntk(model, masks, x, **settings)
    expected = brute_force(model, masks, x, x, chosen, weight_variance)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(found, found.T)
    assert np.linalg.eigvalsh(found)[0] >= -1e-12 * max(np.trace(found), 1)
    np.testing.assert_allclose(
        empirical_ntk(model, masks, x, other=y, **settings),
        brute_force(model, masks, x, y, chosen, weight_variance),
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(
    "model",
    [
        Forked,
        lambda: nn.Linear(6, 3),
        lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Linear(5, 4), Erf(), nn.Linear(4, 3)),
        lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.GELU(), nn.Dropout(), nn.Linear(5, 3)),
        lambda: nn.Sequential(nn.Unflatten(1, (2, 3)), nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)),
    ],
    ids=["forked", "one layer", "in place", "batch norm and dropout", "reshaped"],
)
def test_any_module_against_jacobians(model: Any, masked: bool) -> None:
    network = model().double()
    masks = random_masks(network, 0.6, seed=1) if masked else {}
    x, y = gaussian(4, 6, seed=2), gaussian(3, 6, seed=3)
    for other in (None, y):
        found = empirical_ntk(network, masks or None, x, other=other)
        expected = brute_force(network, masks, x, x if other is None else other, range(3))
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


def test_images_that_the_model_flattens() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2)).double()
    images = gaussian(4, 3, 4)
    np.testing.assert_allclose(
        empirical_ntk(model, None, images), brute_force(model, {}, images, images, range(2)), rtol=1e-10
    )


def test_one_output_at_a_time_makes_the_mean() -> None:
    model, x = mlp(2, 7, inputs=5, outputs=3).double(), gaussian(4, 5)
    masks = random_masks(model, 0.6, seed=0)
    single = [empirical_ntk(model, masks, x, outputs=[o]) for o in range(3)]
    np.testing.assert_allclose(empirical_ntk(model, masks, x), np.mean(single, axis=0), rtol=1e-12, atol=1e-14)


def test_zero_masks_leave_no_kernel_and_zeroed_weights_still_learn() -> None:
    model, x = mlp(2, 7, inputs=5, outputs=3).double(), gaussian(4, 5)
    none = {name: torch.zeros_like(layer.weight) for name, layer in prunable_layers(model).items()}
    np.testing.assert_array_equal(empirical_ntk(model, none, x), np.zeros((4, 4)))
    # A weight that is kept, and happens to be zero, is trained: the sum runs over masks, not over weights.
    with torch.no_grad():
        model[4].weight.zero_()
    assert (np.diag(empirical_ntk(model, None, x)) > 0).all()
    np.testing.assert_allclose(empirical_ntk(model, None, x), brute_force(model, {}, x, x, range(3)), rtol=1e-10)


def test_float32_is_close_to_float64() -> None:
    model = mlp(3, 40, inputs=20, outputs=4)
    masks, x = random_masks(model, 0.3, seed=0), gaussian(6, 20)
    single, double = empirical_ntk(model, masks, x), empirical_ntk(copy.deepcopy(model).double(), masks, x)
    assert single.dtype == np.float64
    np.testing.assert_array_equal(single, single.T)
    assert 0 < np.abs(single - double).max() < 1e-5 * double.max()


@pytest.mark.parametrize(("tile", "neurons"), [(2, 5), (3, 7), (20, 64)])
def test_pieces_do_not_show(monkeypatch: pytest.MonkeyPatch, tile: int, neurons: int) -> None:
    model = mlp(2, 30, inputs=12, outputs=4).double()
    masks, x, y = random_masks(model, 0.4, seed=0), gaussian(21, 12), gaussian(5, 12, seed=1)
    pairs = ((x, None), (x, y), (y, x))
    expected = [empirical_ntk(model, masks, first, other=other) for first, other in pairs]
    monkeypatch.setattr(empirical, "TILE", tile)
    monkeypatch.setattr(empirical, "NEURONS", neurons)
    for (first, other), kernel in zip(pairs, expected, strict=True):
        np.testing.assert_allclose(empirical_ntk(model, masks, first, other=other), kernel, rtol=1e-12, atol=1e-14)


def test_more_inputs_than_a_tile_holds() -> None:
    model = mlp(2, 12, inputs=8, outputs=3).double()
    masks, x = random_masks(model, 0.5, seed=0), gaussian(empirical.TILE + 40, 8)
    expected = brute_force(model, masks, x, x, range(3))
    np.testing.assert_allclose(empirical_ntk(model, masks, x), expected, rtol=1e-10, atol=1e-12)


def test_threads_do_not_show() -> None:
    model = mlp(2, 200, inputs=100, outputs=3).double()
    masks, x = random_masks(model, 0.2, seed=0), gaussian(60, 100)
    threads, kernels = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            kernels.append(empirical_ntk(model, masks, x))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(kernels[0], kernels[1], rtol=0, atol=1e-12 * kernels[0].max())


def test_arrays_tensors_and_other_orders_are_taken_and_left_alone() -> None:
    model = mlp(1, 7, inputs=5, outputs=3)
    x = gaussian(4, 5, dtype=torch.float32)
    masks = random_masks(model, 0.5, seed=0)
    expected = empirical_ntk(model, masks, x)
    before = x.clone()
    read_only = x.numpy().copy()
    read_only.flags.writeable = False
    for same in (x.numpy(), x.tolist(), x.double(), x.clone().requires_grad_(), read_only, x.numpy()[::-1][::-1]):
        np.testing.assert_array_equal(empirical_ntk(model, masks, same, other=same), expected)
    backwards = empirical_ntk(model, masks, x.numpy()[::-1], other=x)
    np.testing.assert_allclose(backwards, expected[::-1], rtol=1e-5, atol=1e-6)
    arrays = {name: mask.numpy().astype(float) for name, mask in masks.items()}
    np.testing.assert_array_equal(empirical_ntk(model, arrays, x), expected)
    assert torch.equal(x, before)
    assert not x.requires_grad
    integers = np.arange(10).reshape(2, 5)
    np.testing.assert_array_equal(empirical_ntk(model, None, integers), empirical_ntk(model, None, integers * 1.0))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_the_model_is_left_as_it_was(frozen: bool, training: bool) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(5, 3))
    model.double().train(training)
    model[3].train(not training)
    x = gaussian(4, 6)
    expected = brute_force(model, {}, x, x, range(3))
    for place, parameter in enumerate(model.parameters()):
        parameter.requires_grad_(not frozen)
        parameter.grad = torch.full_like(parameter, float(place))
    seen: list[nn.Module] = []
    model[0].register_forward_hook(lambda module, *_: seen.append(module))
    state = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    hooks = [len(module._forward_hooks) for module in model.modules()]
    random_state = torch.get_rng_state()
    with torch.no_grad():
        found = empirical_ntk(model, None, x)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert [len(module._forward_hooks) for module in model.modules()] == hooks
    for place, parameter in enumerate(model.parameters()):
        assert parameter.requires_grad is not frozen
        assert torch.equal(parameter.grad, torch.full_like(parameter, float(place)))
    assert torch.equal(torch.get_rng_state(), random_state)
    assert seen == [model[0]]


def test_hooks_and_modes_are_put_back_after_a_failure() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"inputs has shape \(2, 6\), which model cannot take: mat1 and mat2"):
        empirical_ntk(model, None, gaussian(2, 6))
    assert all(module.training and not module._forward_hooks for module in model.modules())


def test_memory_at_the_papers_scale() -> None:
    """512 images, 4 hidden layers of 1024, density 0.1: the Jacobian would take 512 x 10 x 4 million numbers.

    The peak that getrusage reports would not do: a process takes it over from the one that started it.
    """
    program = """
import re, torch
from graphon_lib.empirical import empirical_ntk
from graphon_lib.networks import mlp

torch.set_num_threads(2)
model, generator = mlp(4, 1024), torch.Generator().manual_seed(0)
masks = {name: torch.rand(w.shape, generator=generator) < 0.1 for name, w in model.named_parameters()}
kernel = empirical_ntk(model, masks, torch.randn(512, 784, generator=generator))
assert kernel.shape == (512, 512) and kernel.trace() > 0
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
    # Threads that wait asleep: on a busy machine, spinning ones would take minutes.
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert result.returncode == 0, result.stderr
    gigabytes = int(result.stdout) / 2**20
    assert gigabytes < 1.5


MODEL = mlp(1, 4, inputs=6, outputs=3)
X = np.ones((2, 6))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight_variance": 0}, r"weight_variance is 0, but must be a positive number, such as 2 \(He\)"),
        ({"weight_variance": -2.0}, "weight_variance is -2.0, but must be"),
        ({"weight_variance": float("nan")}, "weight_variance is nan, but must be"),
        ({"weight_variance": float("inf")}, "weight_variance is inf, but must be"),
        ({"inputs": np.ones(6)}, r"inputs has shape \(6,\), but must hold at least one input, as \(N, d\)"),
        ({"inputs": np.ones((0, 6))}, r"inputs has shape \(0, 6\), but must hold at least one input"),
        ({"other": np.ones((0, 6))}, r"other has shape \(0, 6\), but must hold at least one input"),
        ({"inputs": np.ones((2, 5))}, "inputs has 5 coordinates, but the model's first layer takes 6"),
        ({"other": torch.ones(2, 7)}, "other has 7 coordinates, but the model's first layer takes 6"),
        ({"inputs": X * np.nan}, "inputs contains NaN or infinity; drop or repair these entries first"),
        ({"other": X * np.inf}, "other contains NaN or infinity"),
        ({"outputs": []}, r"outputs is \[\], but must name at least one of the model's 3 outputs"),
        ({"outputs": [0, 3]}, r"outputs is \[0, 3\], but must name"),
        ({"outputs": [-1]}, r"outputs is \[-1\], but must name"),
        ({"masks": {"1.weight": torch.ones(4, 6)}}, "masks names '1.weight'"),
        ({"masks": {"0.weight": torch.ones(6, 4)}}, "has shape"),
        ({"masks": {"0.weight": torch.full((4, 6), 0.5)}}, "entries other than 0 and 1"),
        ({"model": nn.ReLU()}, "without nn.Linear layers"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        empirical_ntk(**{"model": MODEL, "masks": None, "inputs": X, **arguments})


class Odd(nn.Module):
    """Uses its second layer as often as asked, or works on vectors or stacks instead of matrices."""

    def __init__(self, times: int = 1, stacked: bool = False, flat: bool = False) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.times, self.stacked, self.flat = times, stacked, flat

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x[:, None] if self.stacked else x)
        for _ in range(self.times):
            x = self.second(x)
        return x.squeeze(1) if self.stacked else x.sum(dim=1) if self.flat else x


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Odd(times=0), "layer 'second.weight' acts 0 times in the forward pass"),
        (Odd(times=2), "layer 'second.weight' acts 2 times in the forward pass"),
        (Odd(stacked=True), "of shape .* do not reach it as a matrix"),
        (Odd(flat=True), "needs each linear layer to act once, on a matrix"),
    ],
)
def test_models_of_another_structure(model: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        empirical_ntk(model, None, X)
