"""PHEW: walks by their probabilities, masks made of paths, and what happens when walks meet nothing new."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from graphon_lib.networks import Masks, mlp, prunable_layers
from graphon_lib.pruning import phew


def masks(model: nn.Module, density: float, seed: int = 0) -> Masks:
    return phew.masks(model, density, torch.Generator().manual_seed(seed))


def flat(found: Masks) -> np.ndarray:
    return torch.cat([mask.flatten() for mask in found.values()]).numpy()


def chain(weights: list[np.ndarray]) -> nn.Sequential:
    """A network of these weights, in single precision."""
    layers = []
    for weight in weights:
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta").to_empty(device="cpu")
        layers.append(layer)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
    return nn.Sequential(*layers)


def gaussian(units: list[int], seed: int, zeros: float = 0.0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [
        generator.standard_normal((above, below)) * (generator.random((above, below)) >= zeros)
        for below, above in itertools.pairwise(units)
    ]


def chances(weight: np.ndarray) -> np.ndarray:
    """The probability of each unit above (row) from each unit below (column)."""
    sizes = abs(weight)
    totals = sizes.sum(axis=0)
    return np.where(totals > 0, sizes / np.where(totals > 0, totals, 1), 1 / len(weight))


def off_paths(found: Masks) -> int:
    """How many kept weights are on no path of kept weights from an input to an output."""
    layers = [mask.numpy() for mask in found.values()]
    reached = [np.ones(layers[0].shape[1], dtype=bool)]
    for mask in layers:
        reached.append((mask & reached[-1]).any(axis=1))
    leads = [np.ones(len(layers[-1]), dtype=bool)]
    for mask in layers[::-1]:
        leads.insert(0, (mask & leads[0][:, None]).any(axis=0))
    return sum(
        int((mask & ~(above[:, None] & below)).sum())
        for mask, below, above in zip(layers, reached[:-1], leads[1:], strict=True)
    )


@settings(max_examples=150)
@given(
    st.lists(st.integers(1, 12), min_size=2, max_size=6),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.floats(0.0, 1.0, exclude_min=True) | st.just(1.0),
    st.integers(0, 2**60),
)
def test_counts_are_exact_and_kept_weights_lie_on_paths(units, zeros, density, seed):
    model = chain(gaussian(units, seed, zeros))
    found, layers = masks(model, density, seed), prunable_layers(model)
    total = sum(layer.weight.numel() for layer in layers.values())
    assert flat(found).sum() == max(1, round(density * total))
    assert [*found] == [*layers]
    for name, layer in layers.items():
        assert found[name].dtype == torch.bool
        assert found[name].shape == layer.weight.shape
    # All but those of the last walk, which may have been cut before its end.
    assert off_paths(found) < len(layers)


def test_masks_of_one_seed_are_nested_so_that_many_are_whole_walks():
    model = mlp(2, 20, inputs=15, outputs=5)
    found = [masks(model, kept / 800, seed=1) for kept in range(1, 801)]
    assert all((flat(small) <= flat(large)).all() for small, large in itertools.pairwise(found))
    off = [off_paths(every) for every in found]
    assert max(off) == 2
    assert np.mean(np.array(off) == 0) > 0.3


def test_the_first_walk_takes_each_path_with_its_probability():
    weights = gaussian([3, 4, 3], seed=5)
    model, seen = chain(weights), np.zeros((4, 3))
    below, above = (chances(weight) for weight in weights)
    for seed in range(1500):
        found = [mask.numpy() for mask in masks(model, 2 / 24, seed).values()]
        (hidden,), (output,) = found[0][:, 0].nonzero()[0], found[1].any(axis=1).nonzero()[0]
        assert found[1][output, hidden]
        seen[hidden, output] += 1
    expected = below[:, 0][:, None] * above.T
    assert stats.chisquare(seen.ravel(), 1500 * expected.ravel()).pvalue > 0.001


def test_the_second_walk_starts_from_an_output():
    # From input 0 there is one weight to go up by, so small that no walk from output 0 comes back by it.
    weight = np.array([[1e-9, 1.0, 2.0, 3.0], [0.0, 5.0, 1.0, 1.0]])
    model, seen = chain([weight]), np.zeros(4)
    for seed in range(1500):
        found = masks(model, 2 / 8, seed)["0.weight"].numpy()
        assert found[0, 0]
        assert found.sum() == found[0].sum()
        seen += found[0]
    assert stats.chisquare(seen[1:], 1500 * np.array([1, 2, 3]) / 6).pvalue > 0.001


def test_where_all_weights_are_zero_every_unit_is_as_likely():
    model = chain([np.zeros((4, 3)), np.ones((2, 4))])
    seen = sum(masks(model, 2 / 20, seed)["0.weight"].numpy()[:, 0].astype(int) for seed in range(1500))
    assert stats.chisquare(seen).pvalue > 0.001


def textbook(weights: list[np.ndarray], count: int, generator: np.random.Generator) -> np.ndarray:
    """The authors' loop: walks from inputs and outputs in turn, starting units in order, until there are enough."""
    # Into which unit a walk goes on, by its direction (up, down), layer and unit.
    going = [[chances(weight).cumsum(axis=0) for weight in every] for every in (weights, [w.T for w in weights])]
    kept: set[tuple[int, int, int]] = set()
    for turn in itertools.count():
        down = turn % 2
        unit = turn // 2 % (len(weights[-1]) if down else weights[0].shape[1])
        for layer in range(len(weights))[:: -1 if down else 1]:
            if len(kept) == count:
                masks = [np.zeros(weight.shape, dtype=bool) for weight in weights]
                for place, *entry in kept:
                    masks[place][*entry] = True
                return np.concatenate([mask.ravel() for mask in masks])
            entered = int(np.searchsorted(going[down][layer][:, unit], generator.random(), side="right"))
            kept.add((layer, unit, entered) if down else (layer, entered, unit))
            unit = entered
    raise AssertionError


@pytest.mark.parametrize(("count", "free"), [(20, True), (40, False)])
def test_how_often_each_weight_is_kept_is_as_in_the_textbook_loop(monkeypatch, count, free):
    rates, waited = phew._rates, []
    monkeypatch.setattr(phew, "_rates", lambda *given: waited.append(None) or rates(*given))
    weights, draws, generator = gaussian([4, 5, 4, 2], seed=2, zeros=0.1), 600, np.random.default_rng(0)
    model = chain(weights)
    mine = sum(flat(masks(model, count / 48, seed)).astype(int) for seed in range(draws)) / draws
    theirs = sum(textbook(weights, count, generator).astype(int) for _ in range(draws)) / draws
    assert (not waited) if free else (len(waited) > draws / 4)
    variance = (mine * (1 - mine) + theirs * (1 - theirs)) / draws
    differ = variance > 0
    assert differ.sum() > 20
    z = (mine - theirs)[differ] / np.sqrt(variance[differ])
    assert (mine == theirs)[~differ].all()
    assert abs(z).max() < 4
    assert 0.6 < np.sqrt(np.mean(z**2)) < 1.4


def test_rare_weights_come_in_proportion_to_how_often_walks_cross_them(monkeypatch):
    # Without free walks the first weight is one by its rate: half of it from inputs upwards, half from outputs down.
    monkeypatch.setattr(phew, "CROSSINGS", 0)
    weights = gaussian([3, 4, 3], seed=1)
    weights[0][:, 1] = 0.0
    weights[1][2] = 0.0
    (up_0, up_1), (down_0, down_1) = ([chances(w) for w in ws] for ws in (weights, [w.T for w in weights]))
    first, last = np.full(3, 1 / 3), np.full(3, 1 / 3)
    rates = [up_0 * first + down_0.T * (down_1 @ last)[:, None], up_1 * (up_0 @ first) + down_1.T * last[:, None]]
    expected = np.concatenate([rate.ravel() for rate in rates]) / 4
    assert expected.sum() == pytest.approx(1)
    model = chain(weights)
    seen = sum(flat(masks(model, 1 / 24, seed)).astype(int) for seed in range(1500))
    assert (seen[expected == 0] == 0).all()
    assert stats.chisquare(seen[expected > 0], 1500 * expected[expected > 0]).pvalue > 0.001


def test_weights_that_no_walk_meets_come_last():
    weights = [weight + 0.01 * np.sign(weight) for weight in gaussian([6, 8, 5], seed=3, zeros=0.3)]
    met = np.concatenate([weight.ravel() for weight in weights]) != 0
    assert all((weight != 0).any(axis=axis).all() for weight in weights for axis in (0, 1))
    assert (flat(masks(chain(weights), met.sum() / met.size)) == met).all()
    rest = [flat(masks(chain(weights), (met.sum() + 3) / met.size, seed)) for seed in range(2)]
    assert all(found[met].all() for found in rest)
    assert (rest[0] != rest[1]).any()


def test_a_column_whose_weights_differ_by_a_hundred_decades_ends_too():
    weights = gaussian([30, 40, 20], seed=4)
    weights[0] *= 1e-37
    weights[0][0] = 1e30
    assert flat(masks(chain(weights), 0.9)).sum() == round(0.9 * 2000)


def test_only_the_size_of_weights_counts_and_not_their_precision():
    model = mlp(2, 30, inputs=20, outputs=10)
    found = flat(masks(model, 0.3))
    for change in (-1.0, 2.0**-20):
        changed = mlp(2, 30, inputs=20, outputs=10)
        with torch.no_grad():
            for weight in changed.parameters():
                weight *= change
        assert (flat(masks(changed, 0.3)) == found).all()
    assert (flat(masks(model.double(), 0.3)) == found).all()


def test_model_and_global_state_are_left_alone_and_seeds_decide():
    model = mlp(2, 30, inputs=20, outputs=10)
    before = [weight.clone() for weight in model.parameters()]
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - the state that must not move
    first, again, other = masks(model, 0.3), masks(model, 0.3), masks(model, 0.3, seed=1)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert (flat(first) == flat(again)).all()
    assert (flat(first) != flat(other)).any()


def test_large_weights_are_preferred_and_every_input_gets_its_walks():
    model = mlp(1, 400, inputs=100)
    layer, found = model[0].weight.detach().abs(), masks(model, 0.3)
    # Under Random both means would agree; among the kept the size-biased mean is larger, by pi / 2 at low densities.
    assert layer[found["0.weight"]].mean() > 1.25 * layer.mean()
    degrees = found["0.weight"].sum(dim=0).double()
    assert degrees.std() < 1.2 * math.sqrt(degrees.mean())


def test_networks_that_are_no_chain_are_refused():
    with torch.random.fork_rng():
        layers = [nn.Linear(4, 5), nn.Linear(4, 3)]
    with pytest.raises(
        ValueError, match=r"layer '1.weight' with 4 inputs next to '0.weight' with 5 outputs.* pass a chain"
    ):
        masks(nn.Sequential(*layers), 0.5)
    with pytest.warns(UserWarning, match="zero-element"):
        empty = nn.Sequential(nn.Linear(4, 0, bias=False), nn.Linear(0, 3, bias=False))
    with pytest.raises(ValueError, match=r"layer '0.weight' without weights, but phew walks .* remove it"):
        masks(empty, 0.5)
