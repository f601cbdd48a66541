"""Layer densities: exact totals, the ratios of ERK, and masks that are uniform among those of equal counts."""

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

from graphon_lib.networks import mlp, prunable_layers
from graphon_lib.pruning.schemes import SCHEMES, counts_of, layer_counts, random_masks

densities = st.floats(0.0, 1.0, exclude_min=True) | st.sampled_from([1e-6, 0.05, 0.5, 0.999, 1.0])
widths = st.lists(st.integers(1, 40), min_size=2, max_size=6)


def chain(sizes: list[int]) -> nn.Sequential:
    with torch.random.fork_rng():
        return nn.Sequential(*(nn.Linear(*pair, bias=False) for pair in itertools.pairwise(sizes)))


def sizes_of(model: nn.Module) -> dict[str, int]:
    return {name: layer.weight.numel() for name, layer in prunable_layers(model).items()}


@settings(max_examples=300)
@given(widths, st.sampled_from(SCHEMES), densities)
def test_totals_are_exact_and_no_layer_gets_more_than_it_has(units, scheme, density):
    model = chain(units)
    sizes, counts = sizes_of(model), layer_counts(model, scheme, density)
    assert list(counts) == list(sizes)
    assert all(0 <= counts[name] <= sizes[name] for name in sizes)
    assert sum(counts.values()) == max(1, round(density * sum(sizes.values())))


@given(widths, densities)
def test_uniform_is_the_same_density_in_each_layer_up_to_less_than_one_weight(units, density):
    model = chain(units)
    sizes, counts = sizes_of(model), layer_counts(model, "uniform", density)
    share = sum(counts.values()) / sum(sizes.values())
    assert all(abs(counts[name] - share * sizes[name]) < 1 for name in sizes)


@settings(max_examples=300)
@given(widths, densities)
def test_erk_counts_are_proportional_to_the_units_where_a_layer_is_not_full(units, density):
    model = chain(units)
    sizes, counts = sizes_of(model), layer_counts(model, "erk", density)
    ends = {name: layer.in_features + layer.out_features for name, layer in prunable_layers(model).items()}
    for one, other in itertools.permutations(sizes, 2):
        # Each count is less than one away from the common factor times its number of units, or at its cap below that.
        if counts[other] < sizes[other]:
            assert counts[one] * ends[other] < (counts[other] + 1) * ends[one] + ends[other]
            if counts[one] == sizes[one]:
                continue
            assert counts[one] * ends[other] > (counts[other] - 1) * ends[one] - ends[other]


def erk_by_search(model: nn.Module, density: float) -> dict[str, float]:
    """Densities min(1, factor * (n_in + n_out) / (n_in n_out)), the factor found by bisection."""
    layers = prunable_layers(model)
    sizes = sizes_of(model)

    def at(factor: float) -> dict[str, float]:
        return {
            name: min(1.0, factor * (layer.in_features + layer.out_features) / sizes[name])
            for name, layer in layers.items()
        }

    low, high = 0.0, float(sum(sizes.values()))
    for _ in range(200):
        middle = (low + high) / 2
        kept = math.fsum(share * sizes[name] for name, share in at(middle).items())
        low, high = (middle, high) if kept < density * sum(sizes.values()) else (low, middle)
    return at(low)


@pytest.mark.parametrize(
    ("width", "density", "full"), [(300, 0.05, []), (300, 0.1, ["4.weight"]), (8, 0.9, ["2.weight", "4.weight"])]
)
def test_erk_is_what_a_search_for_the_factor_finds(width, density, full):
    model = mlp(2, width)
    sizes, counts = sizes_of(model), layer_counts(model, "erk", density)
    for name, share in erk_by_search(model, density).items():
        assert counts[name] == pytest.approx(share * sizes[name], abs=1)
    assert [name for name in sizes if counts[name] == sizes[name]] == full


def test_erk_of_the_paper_s_network_by_hand():
    # 1,784, 2,000 and 1,010 units at the ends of the layers share round(0.02 * 1,794,000) = 35,880 weights, of which
    # the last layer would get 7,559.2, within its 10,000.
    counts = layer_counts(mlp(2, 1000), "erk", 0.02)
    assert counts == {"0.weight": 13352, "2.weight": 14969, "4.weight": 7559}


@given(st.data())
@settings(max_examples=50)
def test_masks_have_exactly_their_counts_in_each_layer(data):
    model = chain(data.draw(widths))
    sizes = sizes_of(model)
    counts = {name: data.draw(st.integers(0, size)) for name, size in sizes.items()}
    masks = random_masks(model, counts, data.draw(st.integers(0, 2**40)))
    assert counts_of(model, masks) == counts
    for name, layer in prunable_layers(model).items():
        assert masks[name].dtype == torch.bool
        assert masks[name].shape == layer.weight.shape


def test_all_sets_of_as_many_weights_are_equally_likely_in_each_layer():
    model = chain([2, 3, 1])
    sets = {name: list(itertools.combinations(range(size), 2)) for name, size in sizes_of(model).items()}
    seen = {name: np.zeros(len(every)) for name, every in sets.items()}
    both = np.zeros((15, 3))
    for seed in range(3000):
        masks = random_masks(model, dict.fromkeys(sets, 2), seed)
        places = [sets[name].index(tuple(mask.flatten().nonzero().flatten().tolist())) for name, mask in masks.items()]
        for name, place in zip(sets, places, strict=True):
            seen[name][place] += 1
        both[*places] += 1
    assert all(stats.chisquare(counts).pvalue > 0.001 for counts in seen.values())
    assert stats.chi2_contingency(both).pvalue > 0.001  # and layers are independent


def test_seeds_and_the_weights_of_the_same_seed():
    model = mlp(2, 50, seed=3)
    counts = layer_counts(model, "uniform", 0.3)
    first, again, other = (random_masks(model, counts, seed) for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)
    layers = prunable_layers(model)
    for name, mask in first.items():
        weights, kept = layers[name].weight.detach().flatten(), mask.flatten().float()
        assert abs(torch.corrcoef(torch.stack([weights, kept]))[0, 1]) < 4 / math.sqrt(len(kept))


def test_the_counts_of_another_method_s_masks():
    model = mlp(1, 6, inputs=4, outputs=3)
    masks = {"0.weight": torch.arange(24).reshape(6, 4) % 3 == 0}
    assert counts_of(model, masks) == {"0.weight": 8, "2.weight": 18}
    like = random_masks(model, counts_of(model, masks), 0)
    assert counts_of(model, like) == {"0.weight": 8, "2.weight": 18}
    assert not torch.equal(like["0.weight"], masks["0.weight"])


def test_the_model_and_global_generators_are_left_alone():
    model = mlp(2, 20)
    before = [weight.clone() for weight in model.parameters()]
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - the state that must not move
    random_masks(model, layer_counts(model, "erk", 0.2), 0)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


def test_bad_input_is_refused_with_a_sentence():
    model = mlp(1, 5, inputs=4, outputs=3)
    with pytest.raises(ValueError, match=r"scheme is 'ER', but must be one of .*'erk'.* counts_of\(model, masks\)"):
        layer_counts(model, "ER", 0.5)
    for density in (0.0, -0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match=r"density is .*, but must be in \(0, 1\]; it is the kept share"):
            layer_counts(model, "erk", density)
    with pytest.raises(
        ValueError, match=r"counts names \['0.weight'\], but must have a number for each of \['0.weight'"
    ):
        random_masks(model, {"0.weight": 3}, 0)
    for count in (-1, 16, 2.0, True):
        with pytest.raises(
            ValueError, match=r"counts\['2.weight'\] is .*, but must be a whole number from 0 to the .*15"
        ):
            random_masks(model, {"0.weight": 3, "2.weight": count}, 0)
    with pytest.raises(ValueError, match=r"masks names '4\.weight'"):
        counts_of(model, {"4.weight": torch.ones(3, 5)})
