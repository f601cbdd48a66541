"""Gradient descent on squared loss in NTK parametrisation: by hand, and against what the kernel predicts."""

from __future__ import annotations

import copy
import io
import re
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from tqdm import tqdm

from graphon_lib.data import Dataset
from graphon_lib.empirical import empirical_ntk
from graphon_lib.networks import Masks, forward, mlp
from graphon_lib.spectra import predicted_loss
from graphon_lib.training import descend, descent, masked


def problem(samples: int, coordinates: int, outputs: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(samples, coordinates, generator=generator, dtype=torch.float64)
    return inputs, torch.randn(samples, outputs, generator=generator, dtype=torch.float64)


def random_masks(model: nn.Module, density: float, seed: int = 0) -> Masks:
    generator = torch.Generator().manual_seed(seed + 1)  # not the stream that made the weights
    return {
        f"{name}.weight".lstrip("."): torch.rand(layer.weight.shape, generator=generator) < density
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear)
    }


def residual(model: nn.Module, masks: Masks | None, inputs: torch.Tensor, targets: torch.Tensor) -> np.ndarray:
    return (forward(model, masks, inputs).detach().double() - targets).numpy()


@settings(max_examples=20)
@given(
    width=st.integers(1, 12),
    samples=st.integers(1, 9),
    density=st.floats(0.1, 1),
    variance=st.sampled_from([2.0, 1 / 3]),
    sparse=st.booleans(),
    seed=st.integers(0, 100),
)
def test_two_layers_by_hand(width: int, samples: int, density: float, variance: float, sparse: bool, seed: int) -> None:
    """In omega, where w = sigma_w / sqrt(n_in) omega: all parameters take steps of one size."""
    model = mlp(1, width, inputs=5, outputs=3, seed=seed).double()
    masks, (inputs, targets) = random_masks(model, density, seed), problem(samples, 5, 3, seed)
    x, y, rate = inputs.numpy(), targets.numpy(), 0.05
    scales = [np.sqrt(variance / 5), np.sqrt(variance / width)]
    kept = [mask.numpy() for mask in masks.values()]
    first, second = (w.detach().numpy() / s for w, s in zip(model.parameters(), scales, strict=True))
    losses = []
    for _ in range(8):
        before = x @ (scales[0] * first * kept[0]).T
        error = np.maximum(before, 0) @ (scales[1] * second * kept[1]).T - y
        losses.append((error**2).sum() / (2 * samples))
        back = (error @ (scales[1] * second * kept[1])) * (before > 0)
        second = second - rate * scales[1] * kept[1] * (error.T @ np.maximum(before, 0)) / samples
        first = first - rate * scales[0] * kept[0] * (back.T @ x) / samples
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masked, "DENSITY", 1.0 if sparse else -1.0)
        patch.setattr(masked, "WEIGHTS", 0)
        curve = descend(model, masks, inputs, targets, steps=7, learning_rate=rate, weight_variance=variance)
    assert curve.losses.dtype == np.float64
    np.testing.assert_allclose(curve.losses, losses, rtol=1e-10)
    after = descend(model, masks, x, y, steps=8, learning_rate=rate, weight_variance=variance).model
    for weight, expected, scale, mask in zip(after.parameters(), (first, second), scales, masks.values(), strict=True):
        np.testing.assert_allclose(weight.detach().numpy(), scale * expected * mask.numpy(), rtol=1e-8, atol=1e-12)
        assert (weight[~mask] == 0).all()


@pytest.mark.parametrize("variance", [2.0, 0.5])
@pytest.mark.parametrize(("outputs", "density"), [(4, 1.0), (1, 0.4)])
def test_a_linear_model_descends_as_its_kernel_predicts(outputs: int, density: float, variance: float) -> None:
    """Outputs under masks have kernels of their own: one is masked, or all are dense."""
    model = nn.Sequential(nn.Linear(30, outputs, bias=False)).double()
    masks, (inputs, targets) = random_masks(model, density), problem(12, 30, outputs)
    kernel = empirical_ntk(model, masks, inputs, weight_variance=variance)
    rate = 12 / float(np.linalg.eigvalsh(kernel)[-1])
    curve = descend(model, masks, inputs, targets, steps=50, learning_rate=rate, weight_variance=variance)
    expected = predicted_loss(kernel, residual(model, masks, inputs, targets), steps=50, learning_rate=rate)
    np.testing.assert_allclose(curve.losses, expected, rtol=1e-10)


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_the_prediction_improves_with_width(density: float) -> None:
    """Of one output and small targets: not far to go, so that the kernel stays as it is."""
    inputs, targets = problem(16, 20, 1)
    errors = []
    for width in (50, 800):
        found = []
        for seed in range(3):
            model = mlp(2, width, inputs=20, outputs=1, activation="tanh", seed=seed)
            masks = random_masks(model, density, seed)
            kernel = empirical_ntk(model, masks, inputs)
            rate = 0.5 * 16 / float(np.linalg.eigvalsh(kernel)[-1])
            curve = descend(model, masks, inputs, 0.1 * targets, steps=20, learning_rate=rate)
            start = residual(model, masks, inputs, 0.1 * targets)
            predicted = predicted_loss(kernel, start, steps=20, learning_rate=rate)
            assert curve.losses[0] == pytest.approx(predicted[0], rel=1e-5)
            found.append(np.linalg.norm(curve.losses - predicted) / np.linalg.norm(predicted))
        errors.append(np.mean(found))
    assert errors[1] < 0.02
    assert errors[1] < errors[0] / 5


def test_only_weights_that_the_kernel_counts_move_and_the_model_is_left_alone() -> None:
    model = nn.Sequential(
        nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 8), nn.Linear(8, 3)
    )
    model[4].weight.requires_grad_(False)
    model[3].eval()
    masks, (inputs, targets) = random_masks(model, 0.5), problem(7, 6, 3)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    with torch.no_grad():
        curve = descend(model, masks, inputs, targets, steps=5, learning_rate=0.01)
    assert np.array_equal(curve.losses, descend(model, masks, inputs, targets, steps=5, learning_rate=0.01).losses)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in curve.model.modules()] == [module.training for module in model.modules()]
    for name, value in curve.model.state_dict().items():
        start = before[name] * masks[name] if name in masks else before[name]
        assert torch.equal(value, start) == (name not in ("0.weight", "5.weight"))


def test_no_step_is_the_loss_as_it_is() -> None:
    model, (inputs, targets) = mlp(1, 8, inputs=6, outputs=3), problem(7, 6, 3)
    curve = descend(model, None, inputs, targets, steps=0, learning_rate=0.1)
    assert curve.losses == pytest.approx([(residual(model, None, inputs, targets) ** 2).sum() / 14])
    assert all(torch.equal(a, b) for a, b in zip(curve.model.parameters(), model.parameters(), strict=True))


def test_real_labels_as_arrays_are_learned() -> None:
    dataset = Dataset(problem(20, 6, 3)[0].float(), torch.arange(20) % 3)
    targets = np.eye(3)[dataset.labels.numpy()] - 1 / 3
    model = mlp(2, 64, inputs=6, outputs=3)
    curve = descend(model, None, dataset.inputs.numpy(), targets, steps=100, learning_rate=0.5)
    assert (np.diff(curve.losses) < 0).all()
    assert curve.losses[-1] < curve.losses[0] / 5


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_appears_in_a_terminal_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def bar(*arguments, **options):  # type: ignore[no-untyped-def]
        asked.append(options["delay"])
        return tqdm(*arguments, **(options | {"delay": 0}))

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(descent, "tqdm", bar)
    inputs, targets = problem(7, 6, 3)
    descend(mlp(1, 8, inputs=6, outputs=3), None, inputs, targets, steps=2, learning_rate=0.1)
    assert asked == [2]
    assert "descent" in sys.stderr.getvalue()


def test_descent_that_diverges_stops() -> None:
    inputs, targets = problem(7, 6, 3)
    with pytest.raises(
        FloatingPointError,
        match=r"the loss at step \d+ is (nan|inf): descent with learning_rate=1e\+20 diverged",
    ):
        descend(mlp(1, 8, inputs=6, outputs=3), None, inputs, targets, steps=50, learning_rate=1e20)


INPUTS, TARGETS = problem(7, 6, 3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": -1}, "steps is -1, but must be a whole number from 0 to 10000000"),
        ({"steps": True}, "steps is True, but must be a whole number"),
        ({"steps": 2.0}, "steps is 2.0, but must be a whole number"),
        ({"learning_rate": 0}, "learning_rate is 0, but must be positive and finite"),
        ({"learning_rate": float("nan")}, "learning_rate is nan, but must be positive and finite"),
        ({"weight_variance": -1}, "weight_variance is -1, but must be positive and finite"),
        ({"masks": {"9.weight": torch.ones(1)}}, "masks names '9.weight'"),
        ({"inputs": INPUTS[:, :5]}, "inputs has shape (7, 5), but must be (N, 6) with N >= 1"),
        ({"inputs": INPUTS[0]}, "inputs has shape (6,), but must be (N, 6)"),
        ({"inputs": INPUTS[:0]}, "inputs has shape (0, 6), but must be (N, 6) with N >= 1"),
        (
            {"inputs": INPUTS * float("inf")},
            "inputs has entries that are NaN or infinite, but all must be",
        ),
        (
            {"targets": TARGETS * float("nan")},
            "targets has entries that are NaN or infinite, but all must be",
        ),
        ({"targets": TARGETS[:, :1]}, "targets has shape (7, 1), but model's outputs for inputs have (7, 3); pass one"),
        ({"targets": np.arange(7)}, "targets has shape (7,), but model's outputs for inputs have (7, 3); pass one"),
        ({"model": nn.Sequential(nn.ReLU())}, "model is a Sequential without nn.Linear layers"),
    ],
)
def test_impossible_arguments(changed: dict[str, object], message: str) -> None:
    arguments = {
        "model": mlp(1, 8, inputs=6, outputs=3), "masks": None, "inputs": INPUTS, "targets": TARGETS, "steps": 1,
        "learning_rate": 0.1,
    }  # fmt: skip
    with pytest.raises(ValueError, match=re.escape(message)):
        descend(**(arguments | changed))
