"""Pruning at its edges: what a function of one's own is handed, arrays of densities, panels, uneven padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from graphon_lib import mlp, prune
from graphon_lib.pruning import random, tape

MODEL = mlp(1, 6, inputs=5, outputs=3, seed=1)
IMAGES = np.random.default_rng(0).normal(size=(4, 5))
LABELS = np.array([0, 1, 2, 1])


def test_a_function_of_ones_own_is_handed_a_copy_in_double_precision_the_inputs_and_the_targets() -> None:
    handed: list[object] = []

    def scorer(model: nn.Module, inputs: torch.Tensor | None, targets: torch.Tensor | None) -> dict[str, torch.Tensor]:
        handed.extend([model, inputs, targets])
        return {name: weight.abs() for name, weight in model.named_parameters()}

    prune(MODEL, scorer, 0.5, inputs=IMAGES, targets=LABELS)
    model, inputs, targets = handed
    assert isinstance(model, nn.Module)
    assert model is not MODEL
    assert all(weight.dtype == torch.float64 for weight in model.parameters())
    torch.testing.assert_close(inputs, torch.from_numpy(IMAGES))
    torch.testing.assert_close(targets, torch.from_numpy(LABELS))
    handed.clear()
    prune(MODEL, scorer, 0.5)
    assert handed[1:] == [None, None]


@pytest.mark.parametrize("kind", [np.array, torch.tensor, tuple])
def test_densities_come_as_any_sequence(kind: type) -> None:
    several = prune(MODEL, "magnitude", kind([0.5, 0.25]))
    assert [sum(int(mask.sum()) for mask in masks.values()) for masks in several] == [24, 12]


def test_targets_that_are_no_numbers_are_told_by_name() -> None:
    with pytest.raises((TypeError, ValueError), match=r"^targets "):
        prune(MODEL, "snip", 0.5, inputs=IMAGES, targets=np.array(["a", "b", "c", "d"]))


def test_random_noise_is_in_double_precision() -> None:
    scores = random.scores(MODEL, torch.Generator().manual_seed(0))
    assert {score.dtype for score in scores.values()} == {torch.float64}
    # Single precision would leave the low bits of the mantissa empty.
    assert (scores["0.weight"] != scores["0.weight"].float().double()).all()


def test_panels_of_rows_make_up_the_whole_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "PANEL", 8)
    values = torch.arange(21.0).reshape(7, 3)
    weight = tape.Weight(values)
    assert [list(range(7))[panel] for panel in weight.panels] == [[0, 1], [2, 3], [4, 5], [6]]
    rows = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(weight.product(rows), values.T.double())
    torch.testing.assert_close(weight.transposed(torch.eye(7, dtype=torch.float64)), values.double())


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
def test_same_padding_puts_the_odd_zero_behind() -> None:
    generator = torch.Generator().manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 6, padding="same", bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 3, bias=False)
    )
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(generator=generator)
    images = torch.randn(5, 1, 7, 7, generator=generator)
    labels = torch.tensor([0, 1, 2, 0, 1])
    masks = prune(model, "snip", 0.3, inputs=images, targets=labels)

    twin = model.double()
    nn.functional.cross_entropy(twin(images.double()), labels).backward()
    scores = {name: (weight.grad * weight).abs() for name, weight in twin.named_parameters() if weight.grad is not None}
    kept = round(0.3 * sum(score.numel() for score in scores.values()))
    threshold = torch.cat([score.flatten() for score in scores.values()]).sort(descending=True).values[kept - 1]
    for name, score in scores.items():
        assert torch.equal(masks[name], score >= threshold)
