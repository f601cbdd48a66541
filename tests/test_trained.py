"""Magnitude after training against textbook loops: at once, and as lottery tickets."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from graphon_lib.data import Dataset
from graphon_lib.networks import Masks, mlp, prunable_layers
from graphon_lib.pruning import trained
from graphon_lib.training import train

STEPS = 25


def data(images: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(images, 7, generator=generator), torch.arange(images) % 3


def network(seed: int = 0) -> nn.Sequential:
    return mlp(2, 12, inputs=7, outputs=3, seed=seed)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def flat(found: Masks) -> torch.Tensor:
    return torch.cat([mask.flatten() for mask in found.values()])


def textbook(model: nn.Module, kept: Iterator[int]) -> torch.Tensor:
    """Train all images at once by Adam, written out; sort what is left by size; begin anew with those weights only."""
    inputs, targets = data()
    start = [layer.weight.detach().double() for layer in prunable_layers(model).values()]
    left = torch.ones(sum(weight.numel() for weight in start), dtype=torch.bool)
    for count in kept:
        masks = [part.view(w.shape) for part, w in zip(left.split([w.numel() for w in start]), start, strict=True)]
        weights = [(w * mask).requires_grad_() for w, mask in zip(start, masks, strict=True)]
        first, second = ([torch.zeros_like(w) for w in start] for _ in range(2))
        for step in range(1, STEPS + 1):
            signals = inputs.double()
            for layer, weight in enumerate(weights):
                signals = signals @ weight.T
                signals = signals.relu() if layer + 1 < len(weights) else signals
            loss = nn.functional.cross_entropy(signals, targets)
            with torch.no_grad():
                for weight, mask, slope, m, v in zip(
                    weights, masks, torch.autograd.grad(loss, weights), first, second, strict=True
                ):
                    m.mul_(0.9).add_(0.1 * slope * mask)
                    v.mul_(0.999).add_(0.001 * (slope * mask) ** 2)
                    weight -= 1e-3 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
        sizes = torch.where(left, torch.cat([weight.detach().flatten() for weight in weights]).abs(), -1.0)
        left = torch.zeros_like(left)
        left[sizes.sort(descending=True).indices[:count]] = True
    return left


@pytest.mark.parametrize("density", [0.02, 0.3, 0.77])
def test_one_shot_is_training_and_sorting(density):
    total = flat(trained.one_shot(network(), 1.0, *data(), generator(), steps=1)).numel()
    found = trained.one_shot(network(), density, *data(), generator(), steps=STEPS)
    assert torch.equal(flat(found), textbook(network(), iter([round(density * total)])))


@pytest.mark.parametrize(
    ("density", "kept"),
    [
        (1.0, []),
        (0.9, [238]),
        (0.8, [211]),
        (0.64, [211, 169]),
        (0.512, [211, 169, 135]),
        (0.5, [222, 187, 157, 132]),  # 264 * 0.5^(1/4), and so on
    ],
)
def test_lottery_tickets_are_textbook_rounds_of_at_most_a_fifth(density, kept):
    found = trained.lottery_ticket(network(), density, *data(), generator(), steps=STEPS)
    assert torch.equal(flat(found), textbook(network(), iter(kept)))
    assert all(later >= 0.8 * earlier - 1 for earlier, later in zip([264, *kept], kept, strict=False))


def test_rewinding_to_a_later_step_is_passing_the_model_of_that_step():
    rewound = train(network(), None, Dataset(*data()), steps=10, batch_size=60).model
    found = trained.lottery_ticket(rewound, 0.64, *data(), generator(), steps=STEPS)
    assert torch.equal(flat(found), textbook(rewound, iter([211, 169])))
    assert not torch.equal(flat(found), textbook(network(), iter([211, 169])))


def test_tickets_are_nested_and_exact_and_other_than_at_once():
    # The mask of round t of T is the last one on the way to density^(t / T).
    course = [
        flat(trained.lottery_ticket(network(), 0.1 ** (step / 11), *data(), generator(), steps=STEPS))
        for step in (1, 2, 3, 5, 8, 11)
    ]
    assert [int(mask.sum()) for mask in course] == [round(264 * 0.1 ** (step / 11)) for step in (1, 2, 3, 5, 8, 11)]
    assert not any((later & ~earlier).any() for earlier, later in itertools.pairwise(course))
    assert not torch.equal(course[-1], flat(trained.one_shot(network(), 0.1, *data(), generator(), steps=STEPS)))


def test_no_weight_that_is_gone_comes_back_when_those_left_are_zero():
    model = network()
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()  # no signal, no gradient: all weights stay zero, and ties are broken by lot
    course = [
        flat(trained.lottery_ticket(model, density, *data(), generator(), steps=1)) for density in (0.8, 0.64, 0.512)
    ]
    assert [int(mask.sum()) for mask in course] == [211, 169, 135]
    assert not (course[1] & ~course[0]).any()
    assert not (course[2] & ~course[1]).any()
    assert not torch.equal(course[0], flat(trained.lottery_ticket(model, 0.8, *data(), generator(1), steps=1)))


@pytest.mark.parametrize("method", [trained.one_shot, trained.lottery_ticket])
def test_model_and_global_state_are_left_alone_and_seeds_decide(method):
    model = mlp(2, 60, inputs=7, outputs=3)
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()

    def masks(seed: int, images: int) -> torch.Tensor:
        return flat(method(model, 0.5, *data(images), generator(seed), steps=STEPS))

    # More images than a mini-batch holds, so that their order matters.
    first, other = masks(0, 300), masks(1, 300)
    with torch.no_grad():
        again = masks(0, 300)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(model[0].weight.grad, torch.ones_like(model[0].weight))
    assert model[2].weight.grad is None
    assert torch.equal(torch.get_rng_state(), state)


def test_masks_do_not_depend_on_the_number_of_threads():
    model = mlp(2, 150, inputs=100, outputs=10)
    inputs = torch.randn(400, 100, generator=generator(5))
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(
                flat(trained.lottery_ticket(model, 0.3, inputs, torch.arange(400) % 10, generator(), steps=30))
            )
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)


def test_data_that_do_not_fit_are_refused():
    inputs, targets = data()
    with pytest.raises(ValueError, match="dataset has inputs of 6 coordinates, but model takes 7"):
        trained.one_shot(network(), 0.5, inputs[:, :6], targets, generator())
    with pytest.raises(ValueError, match="dataset has the label 3, but model has 3 outputs"):
        trained.lottery_ticket(network(), 0.5, inputs, targets + 1, generator())
    with pytest.raises(ValueError, match="steps is 0, but must be a whole number from 1 to 10000000"):
        trained.one_shot(network(), 0.5, inputs, targets, generator(), steps=0)
