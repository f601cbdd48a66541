"""FORCE against its algorithm in textbook form, and that it lets weights come back."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn

from graphon_lib.networks import Masks, mlp, prunable_layers
from graphon_lib.pruning import force, prune

SIZES = [(1, 5, 4, 3), (2, 12, 7, 3), (3, 30, 20, 10)]


def batch(inputs: int, outputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    """So many that no unit is inactive on all of them: scores of zero would be ties, which are broken by lot."""
    return torch.randn(200, inputs, generator=torch.Generator().manual_seed(1000)), torch.arange(200) % outputs


def masks(model: nn.Module, density: float, rounds: int, seed: int = 0) -> Masks:
    layers = [*prunable_layers(model).values()]
    inputs, targets = batch(layers[0].in_features, layers[-1].out_features)
    return force.masks(model, density, inputs, targets, rounds, torch.Generator().manual_seed(seed))


def flat(found: Masks) -> torch.Tensor:
    return torch.cat([mask.flatten() for mask in found.values()])


def textbook(model: nn.Module, density: float, rounds: int) -> torch.Tensor:
    """Algorithm 1 with .backward() on a copy whose pruned weights are zero, and a full sort of |g * dense weights|."""
    dense = copy.deepcopy(model).double().eval()
    layers = prunable_layers(dense)
    inputs, targets = batch(next(iter(layers.values())).in_features, [*layers.values()][-1].out_features)
    keep = torch.ones(sum(layer.weight.numel() for layer in layers.values()), dtype=torch.bool)
    for step in range(1, rounds + 1):
        twin = copy.deepcopy(dense)
        weights = [layer.weight for layer in prunable_layers(twin).values()]
        with torch.no_grad():
            for weight, part in zip(weights, keep.split([w.numel() for w in weights]), strict=True):
                weight *= part.view(weight.shape)
        nn.functional.cross_entropy(twin(inputs.double()), targets).backward()
        scores = torch.cat([
            (weight.grad * layer.weight.detach()).abs().flatten()
            for weight, layer in zip(weights, layers.values(), strict=True)
        ])  # fmt: skip
        keep = torch.zeros_like(keep)
        keep[scores.sort(descending=True).indices[: max(1, round(density ** (step / rounds) * len(keep)))]] = True
    return keep


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("density", "rounds"), [(0.5, 2), (0.2, 7), (0.1, 25), (1.0, 3)])
def test_masks_are_those_of_the_textbook_loop(size, density, rounds):
    depth, width, inputs, outputs = size
    for activation in ("relu", "erf"):
        model = mlp(depth, width, inputs=inputs, outputs=outputs, activation=activation, seed=depth)
        assert torch.equal(flat(masks(model, density, rounds)), textbook(model, density, rounds))


def test_batch_norm_biases_and_dropout_in_evaluation_mode():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Linear(6, 20),
            nn.BatchNorm1d(20),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(20, 12),
            nn.GELU(),
            nn.Linear(12, 3),
        )
        model[1].running_mean.normal_(0.0, 0.1)
        model[1].running_var.uniform_(0.5, 2.0)
    assert torch.equal(flat(masks(model, 0.3, 6)), textbook(model, 0.3, 6))
    assert model.training


@pytest.mark.parametrize("density", [0.05, 0.4, 0.9])
def test_one_round_is_snip(density):
    model = mlp(2, 12, inputs=7, outputs=3)
    inputs, targets = batch(7, 3)
    snip = prune(model, "snip", density, inputs=inputs, targets=targets)
    assert torch.equal(flat(masks(model, density, 1)), flat(snip))


def test_weights_that_were_pruned_come_back():
    # The mask of round t of T is the last one of t rounds to density^(t / T).
    model, rounds, density = mlp(2, 40, inputs=30, outputs=10, seed=2), 10, 0.1
    course = [flat(masks(model, density ** (step / rounds), step)) for step in range(1, rounds + 1)]
    back = [int((later & ~earlier).sum()) for earlier, later in itertools.pairwise(course)]
    assert sum(back) > 0.01 * len(course[0])
    assert [int(kept.sum()) for kept in course] == [
        round(density ** (step / rounds) * len(course[0])) for step in range(1, rounds + 1)
    ]


def test_rounds_see_what_the_network_is_when_pruned():
    # Foresight: the mask of many rounds keeps more of its own connection sensitivity than the mask of one does.
    model = mlp(3, 30, inputs=20, outputs=10, seed=1)
    inputs, targets = batch(20, 10)

    def kept_sensitivity(found: Masks) -> float:
        scores = force.scores(model, found, inputs, targets)
        return float(sum(score[found[name]].sum() for name, score in scores.items()))

    assert kept_sensitivity(masks(model, 0.05, 30)) > 1.2 * kept_sensitivity(masks(model, 0.05, 1))


def test_the_model_is_left_as_it_was_and_equal_seeds_give_equal_masks():
    model = mlp(2, 12, inputs=7, outputs=3)
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    first = masks(model, 0.2, 5)
    with torch.no_grad():
        again = masks(model, 0.2, 5)
        assert not torch.is_grad_enabled()
    assert torch.equal(flat(first), flat(again))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(model[0].weight.grad, torch.ones_like(model[0].weight))
    assert model[2].weight.grad is None
    assert torch.equal(torch.get_rng_state(), state)


def test_ties_are_broken_by_the_seed_to_an_exact_count():
    model = mlp(1, 6, inputs=4, outputs=3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()  # so that every score is zero, in every round
    first, again, other = (flat(masks(model, 0.3, 4, seed)) for seed in (0, 0, 1))
    assert first.sum() == other.sum() == round(0.3 * 42)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
