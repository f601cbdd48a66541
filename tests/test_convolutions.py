"""Convolutions: pruned by the scores of plain autograd, counted path by path, estimated as graphs between channels."""

from __future__ import annotations

import copy
import itertools
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from companion_site import convolutions as page
from original_programs import original
from textbook import equal, keep_highest, synflow, total
from torch import nn
from torch.nn.utils import prune as torch_prune

from graphon_lib import (
    Dataset,
    StepGraphon,
    channel_graphs,
    cnn,
    empirical_ntk,
    estimate_chain,
    estimate_graphon,
    homomorphism_densities,
    homomorphism_density,
    load_mnist,
    masks_of,
    path_density,
    prune,
    second_moment_ntk,
    train,
)
from graphon_lib.channel_convergence import (
    MOVE,
    STRUCTURE,
    channel_curves,
    channel_numbers,
    distance_of_means,
    position_maps,
)
from graphon_lib.estimation import AVERAGING, ESTIMATORS
from graphon_lib.networks import check_masks, forward, prunable_layers
from graphon_lib.pruning import METHODS, force
from graphon_lib.pruning.schemes import layer_counts
from graphon_lib.sweeps.convolutions import channels_kept
from graphon_lib.sweeps.grid import trial_seed
from graphon_lib.sweeps.study import read_study
from graphon_lib.training import descend

# PHEW walks through linear layers only; lottery_ticket is trained_magnitude many times over.
QUICK = [method for method in METHODS if method not in ("phew", "trained_magnitude", "lottery_ticket")]

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")


def of(*layers: nn.Module, seed: int = 0) -> nn.Sequential:
    """A network whose weights, buffers and biases are all drawn here."""
    model = nn.Sequential(*layers)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.normal_(0.1, 0.6, generator=generator)
                if value.ndim == 1:
                    value.abs_().add_(0.2)
    return model


def strided() -> nn.Sequential:
    return of(
        nn.Conv2d(2, 4, (2, 3), stride=(2, 1), padding=(1, 0), bias=False), nn.ReLU(),
        nn.Conv2d(4, 3, 2, dilation=(1, 2)), nn.Flatten(), nn.Linear(3 * 2 * 2, 3),
    )  # fmt: skip


def padded() -> nn.Sequential:
    """Kernels of even and odd sizes, whose padding cannot be shared evenly, or mirrors the image."""
    return of(
        nn.Conv2d(2, 4, (2, 4), padding="same"), nn.SiLU(), nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.SiLU(), nn.Conv2d(4, 3, 1, padding="valid"), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


def usual() -> nn.Sequential:
    return of(
        nn.Conv2d(2, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.5),
        nn.Conv2d(5, 4, 3, padding="same", padding_mode="circular", bias=False), nn.GELU(), nn.Flatten(),
        nn.Linear(4 * 6, 3),
    )  # fmt: skip


MODELS = [strided, padded, usual]


def images(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(count, 2, 5, 6, generator=generator)[:, :, :, :6], torch.arange(count) % 3


def batch_for(model: nn.Module, count: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    inputs, targets = images(count)
    # MaxPool halves 4 x 6 without a remainder.
    return (inputs[:, :, :4] if any(isinstance(m, nn.MaxPool2d) for m in model) else inputs), targets


def slopes(
    model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, temperature: float = 1.0, again: bool = False
) -> dict[str, torch.Tensor]:
    weights = {name: layer.weight for name, layer in prunable_layers(model).items()}
    loss = nn.functional.cross_entropy(model(inputs) / temperature, targets)
    return dict(zip(weights, torch.autograd.grad(loss, [*weights.values()], create_graph=again), strict=True))


def snip(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    return {n: (g * model.get_parameter(n)).abs().detach() for n, g in slopes(model, inputs, targets).items()}


def grasp(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    held = {name: slope.detach() for name, slope in slopes(model, inputs, targets, 200).items()}
    product = sum((held[n] * g).sum() for n, g in slopes(model, inputs, targets, 200, again=True).items())
    weights = {name: layer.weight for name, layer in prunable_layers(model).items()}
    found = torch.autograd.grad(product, [*weights.values()])
    return {name: (h * weights[name]).detach() for name, h in zip(weights, found, strict=True)}


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("count", [9, 150])
def test_snip_and_grasp_are_those_of_plain_autograd(make: Callable[[], nn.Sequential], count: int) -> None:
    model = make().train()
    inputs, targets = batch_for(model, count)
    twin = copy.deepcopy(model).double().eval()
    for method, textbook in (("snip", snip), ("grasp", grasp)):
        scores = textbook(twin, inputs.double(), targets)
        for density in (0.1, 0.5):
            found = prune(model, method, density, inputs=inputs, targets=targets)
            assert equal(found, keep_highest(scores, round(density * total(model)))), (method, density)


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("density", [0.15, 0.6])
def test_synflow_is_that_of_plain_autograd(make: Callable[[], nn.Sequential], density: float) -> None:
    model, rounds = make(), 12
    inputs, _ = batch_for(model, 1)
    masks = synflow(model, density, rounds, inputs)
    assert equal(prune(model, "synflow", density, inputs=inputs, rounds=rounds), masks)


@pytest.mark.parametrize("make", MODELS)
def test_force_is_snip_of_the_pruned_network_round_by_round(make: Callable[[], nn.Sequential]) -> None:
    model, rounds, density = make(), 3, 0.3
    inputs, targets = batch_for(model)
    masks = check_masks(model, None)
    for step in range(1, rounds + 1):
        twin = copy.deepcopy(model).double().eval()
        with torch.no_grad():
            for name, layer in prunable_layers(twin).items():
                layer.weight.mul_(masks[name])
        gradient = slopes(twin, inputs.double(), targets)
        scores = {n: (g * model.get_parameter(n).double()).abs().detach() for n, g in gradient.items()}
        masks = keep_highest(scores, round(density ** (step / rounds) * total(model)))
    assert equal(prune(model, "force", density, inputs=inputs, targets=targets, rounds=rounds), masks)
    assert equal(force.masks(model, density, inputs, targets, rounds, torch.Generator()), masks)


@pytest.mark.parametrize("method", ["magnitude", "snip", "grasp", "synflow"])
def test_masks_of_the_digits_are_those_of_the_original_program(method: str) -> None:
    model, digits = cnn(2, 6, seed=3), load_mnist(100)
    model = model.double()
    assert total(model) == 54 + 324 + 2940
    # Here the original's way of rounding gives the same count.
    found = prune(model, method, 0.2, inputs=digits.inputs, targets=digits.labels)
    assert equal(found, original(model, method, 0.2, dtype=torch.float64))


@pytest.mark.parametrize("method", QUICK)
def test_counts_seeds_and_a_model_left_as_it_was(method: str) -> None:
    model = usual().train()
    inputs, targets = batch_for(model)
    before, generator = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    first = prune(model, method, [0.2, 0.5], inputs=inputs, targets=targets, seed=2)
    assert [sum(int(m.sum()) for m in masks.values()) for masks in first] == [
        round(density * total(model)) for density in (0.2, 0.5)
    ]
    again = prune(model, method, 0.5, inputs=inputs.numpy(), targets=targets.numpy(), seed=2)
    assert equal(again, first[1])
    assert {name: mask.shape for name, mask in again.items()} == {
        name: layer.weight.shape for name, layer in prunable_layers(model).items()
    }
    if method.startswith("random"):
        assert not equal(again, prune(model, method, 0.5, seed=3))
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(generator, torch.get_rng_state())


def test_magnitude_after_training_takes_images_as_they_are() -> None:
    model = of(nn.Conv2d(2, 2, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 3 * 4, 3, bias=False))
    inputs, targets = images(12)
    masks = prune(model, "trained_magnitude", 0.25, inputs=inputs, targets=targets)
    trained = train(model.double(), None, Dataset(inputs, targets), steps=200, batch_size=12).model
    assert sum(int(mask.sum()) for mask in masks.values()) == 27
    # In full batches the order of images does not matter.
    weights = {name: layer.weight.detach().abs() for name, layer in prunable_layers(trained).items()}
    assert equal(masks, keep_highest(weights, 27))


def test_densities_of_the_erdos_renyi_kernel() -> None:
    model = of(nn.Conv2d(6, 20, (3, 5)), nn.Flatten(), nn.Linear(40, 30))
    counts = layer_counts(model, "erk", 0.1)
    shares = (6 + 20 + 3 + 5, 40 + 30)
    kept = round(0.1 * (6 * 20 * 15 + 1200))
    assert sum(counts.values()) == kept
    for count, share in zip(counts.values(), shares, strict=True):
        assert abs(count - kept * share / sum(shares)) < 1


# Masks in and out


def test_masks_go_to_torch_and_come_back() -> None:
    model = cnn(1, 3)
    masks = prune(model, "random", 0.5)
    for name, layer in prunable_layers(model).items():
        torch_prune.custom_from_mask(layer, "weight", masks[name])
    assert equal(masks_of(model), masks)
    assert masks["1.weight"].shape == (3, 1, 3, 3)


def test_forward_is_the_network_with_weights_set_to_zero() -> None:
    model = usual().eval()
    inputs, _ = batch_for(model)
    masks = prune(model, "random", 0.4)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for name, layer in prunable_layers(twin).items():
            layer.weight.mul_(masks[name])
    assert torch.equal(forward(model, masks, inputs), twin(inputs))


def test_training_keeps_pruned_weights_at_zero() -> None:
    model, digits = cnn(2, 8, seed=1), load_mnist(300)
    masks = prune(model, "synflow", 0.3, inputs=digits.inputs)
    curve = train(model, masks, digits, steps=60, batch_size=50)
    weights = {name: layer.weight for name, layer in prunable_layers(curve.model).items()}
    assert all((weights[name][~mask] == 0).all() for name, mask in masks.items())
    # The first two updates as one would write them.
    twin = copy.deepcopy(model)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    updater = torch.optim.Adam(twin.parameters(), lr=1e-3)
    for step in range(2):
        chosen = order[50 * step : 50 * step + 50]
        loss = nn.functional.cross_entropy(forward(twin, masks, digits.inputs[chosen]), digits.labels[chosen])
        assert loss.item() == pytest.approx(curve.losses[step], rel=1e-5)
        updater.zero_grad()
        loss.backward()
        updater.step()
    assert curve.losses[-10:].mean() < 0.7 * curve.losses[:10].mean()
    assert curve.model.training == model.training


def test_the_example_network() -> None:
    state = torch.get_rng_state()
    model = cnn(2, 300, image=(2, 5, 8), outputs=7, seed=4)
    assert torch.equal(state, torch.get_rng_state())
    assert {name: tuple(layer.weight.shape) for name, layer in prunable_layers(model).items()} == {
        "1.weight": (300, 2, 3, 3),
        "3.weight": (300, 300, 3, 3),
        "6.weight": (7, 300 * 2 * 2),
    }
    assert model(torch.ones(3, 80)).shape == (3, 7)
    variance = model[3].weight.double().square().mean() * 2700 / 2
    assert abs(variance - 1) < 4 * math.sqrt(2 / model[3].weight.numel())
    uniform = cnn(2, 300, image=(2, 5, 8), initialisation="pytorch")[3].weight * math.sqrt(2700)
    assert 0.999 < uniform.abs().max() <= 1 + 1e-6
    assert torch.equal(cnn(1, 3, seed=4)[1].weight, cnn(1, 3, seed=4)[1].weight)
    assert not torch.equal(cnn(1, 3, seed=4)[1].weight, cnn(1, 3, seed=5)[1].weight)


# Paths


def random_masks(*shapes: tuple[int, ...], seed: int = 0, density: float = 0.5) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {f"{place}": torch.rand(shape, generator=generator) < density for place, shape in enumerate(shapes)}


SHAPES = [
    [(2, 1, 3, 3), (3, 2, 1, 2), (2, 3 * 4)],  # flattened, 4 pixels
    [(3, 2, 2, 2), (2, 3, 2, 1), (2, 2)],  # pooled
    [(2, 3, 2, 2)],
    [(3, 2), (2, 3), (1, 2)],  # linear all through
    [(2, 1, 1, 1), (3, 6), (2, 3)],  # a kernel of one position, flattened
]


def paths_one_by_one(masks: list[torch.Tensor]) -> tuple[int, int]:
    """Kept and possible paths: a choice of an input, and in every layer of a kernel position or pixel and a channel."""
    widths = [masks[0].shape[1]]
    kept = possible = 0
    graphs = []
    for mask in masks:
        # Entries by (output, input channel, position), in the order in which nn.Flatten and kernels have them.
        graphs.append(mask.reshape(len(mask), widths[-1], -1))
        widths.append(len(mask))
    choices = [range(width) for width in widths] + [range(graph.shape[2]) for graph in graphs]
    for chosen in itertools.product(*choices):
        channels, positions = chosen[: len(widths)], chosen[len(widths) :]
        possible += 1
        kept += all(
            bool(graph[above, below, position])
            for graph, below, above, position in zip(graphs, channels, channels[1:], positions, strict=False)
        )
    return kept, possible


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_path_density_is_the_share_of_paths_counted_one_by_one(shapes: list[tuple[int, ...]], seed: int) -> None:
    masks = random_masks(*shapes, seed=seed, density=0.6)
    kept, possible = paths_one_by_one([*masks.values()])
    assert 0 < kept < possible
    assert path_density(masks) == kept / possible
    assert path_density([mask.numpy() for mask in masks.values()]) == kept / possible
    averages = [StepGraphon(graph.double().mean(2)) for graph in channel_graphs(masks).values()]
    if len(averages) > 1:
        assert path_density(averages) == pytest.approx(kept / possible)


@pytest.mark.parametrize("pooled", [False, True])
def test_path_density_is_what_a_linear_network_of_ones_passes_on(pooled: bool) -> None:
    """Without padding, every position of an image of ones gets the same: the whole network counts the paths."""
    end = [nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 3)] if pooled else [nn.Flatten(), nn.Linear(4 * 4, 3)]
    model = nn.Sequential(nn.Conv2d(2, 5, 3, stride=2), nn.Conv2d(5, 4, (2, 3), dilation=(1, 2)), *end).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(float(parameter.ndim > 1))
    masks = prune(model, "random", 0.4, seed=7)
    ones = torch.ones(1, 2, 7, 13, dtype=torch.float64)
    assert model[:2](ones).shape == (1, 4, 2, 2)
    share = forward(model, masks, ones).sum() / model(ones).sum()
    assert path_density(masks) == pytest.approx(share.item(), rel=1e-12)


def test_channel_graphs() -> None:
    masks = random_masks((4, 1, 3, 2), (5, 4 * 7), (2, 5))
    graphs = channel_graphs(masks)
    assert {name: tuple(graph.shape) for name, graph in graphs.items()} == {
        "0": (4, 1, 6),
        "1": (5, 4, 7),
        "2": (2, 5, 1),
    }
    assert torch.equal(graphs["0"][:, :, 5], masks["0"][:, :, 2, 1])
    flattened = nn.Flatten()(torch.arange(28).view(1, 4, 7, 1))[0]
    assert torch.equal(graphs["1"][2], masks["1"][2, flattened.view(4, 7)])
    assert torch.equal(graphs["2"][:, :, 0], masks["2"])
    graphs["2"][:] = False
    assert masks["2"].any(), "a copy"


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (random_masks((4, 1, 3, 3), (2, 6)), r"masks\[1\] has 6 columns, but masks\[0\] has 4 rows; pass the masks of"),
        (random_masks((4, 1, 3, 3), (2, 8, 3, 3)), r"masks\[1\] has 8 columns, but masks\[0\] has 4 rows"),
        (random_masks((4, 3), (2, 8)), r"masks\[1\] has 8 columns, but masks\[0\] has 4 rows"),
        ({"0": torch.full((2, 1, 3, 3), 0.5)}, r"masks\[0\] has entries other than 0 and 1"),
        ({"0": torch.ones(2, 0, 3, 3)}, r"masks\[0\] has shape .*, but the mask of a convolution is a non-empty array"),
    ],
)
def test_masks_that_are_of_no_network(masks: dict[str, torch.Tensor], message: str) -> None:
    for function in (channel_graphs, path_density):
        with pytest.raises(ValueError, match=message):
            function(masks)
    if len(masks) > 1:
        with pytest.raises(ValueError, match=message):
            estimate_chain(masks)


# Estimates


@pytest.mark.parametrize("method", AVERAGING)
def test_estimates_average_over_kernel_positions(method: str) -> None:
    mask = random_masks((30, 24, 3, 3), density=0.2)["0"]
    graphon = estimate_graphon(mask, method, blocks=6)
    assert graphon.values.shape == (6, 6)
    assert graphon.density() == pytest.approx(mask.double().mean().item(), rel=1e-12)
    # One position is a mask as any other, with or without its axes.
    single = mask[:, :, 1:2, 2:3]
    for same in (single[:, :, 0, 0], single[:, :, 0]):
        assert np.array_equal(
            estimate_graphon(single, method, blocks=6).values, estimate_graphon(same, method, blocks=6).values
        )
    # Where all positions are alike, there is nothing to average.
    alike = single.expand(-1, -1, 3, 3)
    np.testing.assert_allclose(
        estimate_graphon(alike, method, blocks=6).values, estimate_graphon(single, method, blocks=6).values, rtol=1e-12
    )


def test_the_sorted_histogram_of_a_convolution_step_by_step() -> None:
    mask = random_masks((6, 4, 2, 3), density=0.3)["0"].numpy()
    shares = mask.mean(axis=(2, 3))
    shares = shares[np.argsort(-mask.sum(axis=(1, 2, 3)), kind="stable")]
    shares = shares[:, np.argsort(-mask.sum(axis=(0, 2, 3)), kind="stable")]
    expected = shares.reshape(2, 3, 2, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(estimate_graphon(mask, blocks=2).values, expected, rtol=1e-12)


def test_a_function_of_ones_own_gets_shares_of_positions() -> None:
    mask = random_masks((6, 4, 2, 3), density=0.3)["0"].numpy()
    seen = []

    def means(shares: np.ndarray, blocks: int) -> np.ndarray:
        seen.append(shares)
        return np.full((blocks, blocks), shares.mean())

    assert estimate_graphon(mask, means, blocks=3).values == pytest.approx(np.full((3, 3), mask.mean()))
    np.testing.assert_array_equal(seen[0], mask.mean(axis=(2, 3)))


@pytest.mark.parametrize("method", [method for method in ESTIMATORS if method not in AVERAGING])
def test_estimators_of_single_edges_take_one_position_at_a_time(method: str) -> None:
    mask = random_masks((20, 20, 3, 3), density=0.3)["0"]
    with pytest.raises(
        ValueError, match=f"method is {method!r}, but the mask has 9 kernel positions, which only .*; pass"
    ):
        estimate_graphon(mask, method)
    assert estimate_graphon(mask[:, :, 0, 0], method, blocks=4).values.shape == (4, 4)


def test_chains_of_channels() -> None:
    model, digits = cnn(3, 12, seed=2), load_mnist(100)
    masks = prune(model, "snip", 0.2, inputs=digits.inputs, targets=digits.labels)
    chain = estimate_chain(masks, blocks=12)
    densities = [mask.double().mean().item() for mask in masks.values()]
    assert chain.density() == pytest.approx(densities, rel=1e-12)
    assert [graphon.values.shape for graphon in chain.graphons] == [(12, 1), (12, 12), (12, 12), (10, 12)]
    # With a block for each channel nothing is averaged but positions.
    assert path_density(chain) == pytest.approx(path_density(masks), rel=1e-12)
    coarse = estimate_chain(masks, blocks=4)
    assert coarse.density() == pytest.approx(densities, rel=1e-12)
    assert coarse.graphons[1].values.shape == (4, 4)


def test_small_patterns_with_a_position_for_each_edge() -> None:
    mask = random_masks((3, 2, 2, 1), density=0.6)["0"]
    densities = homomorphism_densities(mask)
    entries = mask.double().numpy().reshape(3, 2, 2)
    rows, columns, positions = range(3), range(2), range(2)
    cherry = np.mean(
        [
            entries[i, j, p] * entries[i, k, q]
            for i in rows
            for j in columns
            for k in columns
            for p in positions
            for q in positions
        ]
    )
    cycle = np.mean(
        [
            entries[i, j, p] * entries[k, j, q] * entries[k, m, r] * entries[i, m, s]
            for i, k in itertools.product(rows, rows)
            for j, m in itertools.product(columns, columns)
            for p, q, r, s in itertools.product(positions, repeat=4)
        ]
    )  # fmt: skip
    assert densities["edge"] == pytest.approx(mask.double().mean().item())
    assert densities["row_cherry"] == pytest.approx(cherry)
    assert densities["C4"] == pytest.approx(cycle)
    with pytest.raises(ValueError, match="unbiased=True counts distinct vertices of a finite mask"):
        homomorphism_density(mask, "C4", unbiased=True)


# What is not understood


@pytest.mark.parametrize(
    "layer",
    [nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 2, 3, groups=2), nn.ConvTranspose2d(4, 2, 3), nn.Conv1d(4, 2, 3)],
)
def test_other_convolutions_are_refused(layer: nn.Module) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), layer)
    for function in (masks_of, prunable_layers, lambda m: prune(m, "random", 0.5)):
        with pytest.raises(
            ValueError, match=r"layer '1' of the model is Conv.*no graph between all its input and output"
        ):
            function(model)


def test_theories_of_linear_layers_refuse_convolutions() -> None:
    model, digits = cnn(2, 3), load_mnist(20)
    targets = torch.zeros(20, 10)
    calls: dict[str, Callable[[], object]] = {
        "empirical_ntk": lambda: empirical_ntk(model, None, digits.inputs),
        "second_moment_ntk": lambda: second_moment_ntk(model, None, digits.inputs),
        "descend": lambda: descend(model, None, digits.inputs, targets, steps=1, learning_rate=0.1),
        "phew": lambda: prune(model, "phew", 0.5),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=f"nn.Conv2d layer '1.weight', but {name} is for linear layers only"):
            call()


def test_synflow_must_know_an_images_shape() -> None:
    with pytest.raises(ValueError, match=r"inputs is None, but the model begins with an nn.Conv2d, and synflow needs"):
        prune(usual(), "synflow", 0.5)


def test_inputs_that_do_not_fit() -> None:
    model, digits = cnn(1, 2), load_mnist(20)
    with pytest.raises(ValueError, match=r"inputs of shape \(20, 700\) do not pass through the model"):
        prune(model, "snip", 0.5, inputs=digits.inputs[:, :700], targets=digits.labels)
    with pytest.raises(ValueError, match=r"inputs of shape \(9, 3, 5, 6\) do not pass .*'0.weight' takes 12 numbers"):
        prune(strided(), "snip", 0.5, inputs=torch.ones(9, 3, 5, 6), targets=images(9)[1])
    with pytest.raises(ValueError, match=r"dataset has inputs of shape \(700,\), which do not pass through the model"):
        train(model, None, Dataset(digits.inputs[:, :700], digits.labels), steps=1, batch_size=20)
    assert model.training
    with pytest.raises(ValueError, match=r"masks\['1.weight'\] has shape .* \(outputs, inputs, height, width\)"):
        check_masks(model, {"1.weight": torch.ones(2, 1)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 0}, "depth is 0, but must be a whole number of at least 1"),
        ({"channels": 1.5}, "channels is 1.5, but must be a whole number"),
        ({"outputs": 0}, "outputs is 0, but"),
        ({"image": (28, 28)}, r"image is \(28, 28\), but must be \(channels, height, width\)"),
        ({"image": (1, 0, 28)}, r"image\[1\] is 0, but must be a whole number"),
        ({"initialisation": "xavier"}, "initialisation is 'xavier', but must be one of"),
    ],
)
def test_impossible_networks(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cnn(**{"depth": 1, "channels": 3, **change})


# The study, and what the page says of it


@pytest.fixture(scope="module")
def stored() -> pd.DataFrame:
    return read_study(Path(__file__).parents[1] / "notebooks" / "results" / "convolutions" / "convolutions")


def test_a_row_of_the_study_is_what_its_definitions_say() -> None:
    row = channels_kept(method="snip", density=0.3, width=10, depth=2, trial=1, seed=4)
    seed = trial_seed(4, 10, 1)
    model, digits = cnn(2, 10, initialisation="pytorch", seed=seed), load_mnist(100, seed=seed)
    masks = prune(model, "snip", 0.3, inputs=digits.inputs, targets=digits.labels, seed=seed)
    mask = masks["3.weight"].double()
    assert row["histogram"] == pytest.approx(estimate_graphon(masks["3.weight"], blocks=8).values.ravel(), rel=1e-6)
    assert row["mask_density"] == pytest.approx(mask.mean().item())
    assert np.mean(row["random_histogram"]) == pytest.approx(mask.mean().item(), rel=1e-6)
    assert row["positions"] == pytest.approx(mask.mean(dim=(0, 1)).flatten().tolist())
    assert row["dead"] == pytest.approx((mask.sum(dim=(1, 2, 3)) == 0).double().mean().item())
    assert row["path_density"] == path_density(masks)
    assert row["chain_density"] == path_density(estimate_chain(masks, blocks=16))
    assert row["product"] == pytest.approx(np.prod([m.double().mean() for m in masks.values()]))
    assert 0.7 < float(np.asarray(row["together"])) < 1.5
    assert row == channels_kept(method="snip", density=0.3, width=10, depth=2, trial=1, seed=4)


def test_distance_of_means_is_right_on_average_and_its_interval_covers() -> None:
    generator = np.random.default_rng(0)
    truth = np.sqrt(np.mean(np.array([0.5, 0, 0, 0.5]) ** 2))
    apart, same, covered = [], [], 0
    for _ in range(400):
        first, second, third = generator.normal(size=(3, 6, 4))
        found = distance_of_means(first, second + np.array([0.5, 0, 0, 0.5]))
        covered += found.low <= truth <= found.high
        apart.append(found.estimate**2)
        same.append(distance_of_means(first, third).low)
    assert covered > 0.9 * 400
    # Squares below zero are cut off, which leaves a little too much on average.
    assert truth**2 - 0.02 < np.mean(apart) < truth**2 + 0.08
    assert np.mean(np.array(same) > 0) < 0.1


def test_curves_and_numbers_of_rows_that_are_known() -> None:
    flat, steep = [0.2] * 64, [0.4] * 32 + [0.0] * 32
    rows = pd.DataFrame(
        [
            {
                "method": method, "density": 0.2, "width": width, "trial": trial, "histogram": histogram,
                "random_histogram": flat, "positions": [0.1, 0.2, 0.2, 0.3], "dead": 0.0, "together": 1.0 + 0.1 * trial,
                "path_density": paths, "chain_density": 0.5 * paths, "product": 0.25,
            }
            for method, histogram, paths in (("synflow", steep, 0.5), ("random", flat, 0.0))
            for width in (8, 16)
            for trial in range(3)
        ]
    )  # fmt: skip
    curves = channel_curves(rows)
    assert list(curves["method"].unique()) == ["random", "synflow"]
    values = curves.set_index(["row", "method", "kind", "width"])["value"]
    assert values[STRUCTURE, "synflow", "mask", 16] == pytest.approx(1)
    assert values[STRUCTURE, "synflow", "random", 16] == pytest.approx(0)
    assert values[MOVE, "synflow", "mask", 8] == pytest.approx(0)
    assert (MOVE, "synflow", "mask", 16) not in values.index
    random, synflow = channel_numbers(rows).to_dict("records")
    assert synflow["paths"].estimate == pytest.approx(2)
    assert synflow["chain"].estimate == pytest.approx(0.5)
    assert synflow["together"].estimate == pytest.approx(1.1)
    assert synflow["ends"].estimate == pytest.approx(3)
    assert pd.isna(random["paths"])
    assert pd.isna(random["chain"])
    np.testing.assert_allclose(position_maps(rows, 0.2)["random"], [[0.5, 1], [1, 1.5]])


def test_what_the_page_says_of_limits(stored: pd.DataFrame) -> None:
    curves = channel_curves(stored).set_index(["row", "density", "method", "kind", "width"])
    for density in (0.3, 0.1):
        for method in ("random", "magnitude"):
            for width in (16, 32, 64, 128, 256):
                mask, random = (curves.loc[(STRUCTURE, density, method, kind, width)] for kind in ("mask", "random"))
                assert abs(mask["value"] / random["value"] - 1) < 0.2, "cannot be told from masks without structure"
            ends = [curves.loc[(STRUCTURE, density, method, "mask", width), "value"] for width in (16, 256)]
            assert ends[1] < 0.25 * ends[0], "fades"
        for method in ("snip", "grasp", "synflow"):
            ends = [curves.loc[(STRUCTURE, density, method, "mask", width)] for width in (16, 256)]
            assert ends[1]["value"] > 0.7 * ends[0]["value"], "stays"
            assert ends[1]["low"] > 5 * curves.loc[(STRUCTURE, density, method, "random", 256), "high"]
        for method in ("snip", "grasp"):
            assert curves.loc[(MOVE, density, method, "mask", 128), "low"] == 0, "does not move measurably"
    last = curves.loc[(MOVE, 0.3, "synflow", "mask", 128)]
    assert last["low"] > 0
    assert last["high"] < 0.25 * curves.loc[(STRUCTURE, 0.3, "synflow", "mask", 256), "value"], "by a small part"


def test_what_the_page_says_of_positions(stored: pd.DataFrame) -> None:
    maps = position_maps(stored, 0.1)
    for method in ("random", "magnitude"):
        assert np.abs(maps[method] - 1).max() < 0.02
    corners = maps["synflow"][[0, 2], [0, 2]]
    assert corners[0] == maps["synflow"].min() < 0.85
    assert corners[1] == maps["synflow"].max() > 1.1
    assert all(np.ptp(maps[method]) < 0.5 * np.ptp(maps["synflow"]) for method in ("snip", "grasp"))
    numbers = channel_numbers(stored).set_index(["density", "method"])
    for density in (0.3, 0.1):
        assert numbers.loc[(density, "snip"), "together"].low > 1.02
        assert numbers.loc[(density, "snip"), "together"].high < 1.1
        assert abs(numbers.loc[(density, "synflow"), "together"].estimate - 1) < 0.005
        assert numbers.loc[(density, "synflow"), "paths"].low > 1.5
        for method in ("random", "snip", "grasp", "synflow"):
            assert numbers.loc[(density, method), "chain"].low > 0.95
    assert numbers["together"].map(lambda found: 0.9 < found.estimate < 1.1).all()
    assert pd.isna(numbers.loc[(0.1, "magnitude"), "paths"])
    none = stored[(stored["path_density"] == 0)]
    assert set(zip(none["method"], none["density"], strict=True)) == {("magnitude", 0.1)}


def test_padding_is_what_tells_positions_apart() -> None:
    ratios = {}
    for mode in ("zeros", "circular"):
        model = cnn(3, 128, initialisation="pytorch", seed=1)
        for place in (1, 3, 5):
            model[place].padding_mode = mode
        masks = prune(model, "synflow", 0.1, inputs=torch.ones(1, 784), rounds=10)
        densities = masks["3.weight"].double().mean(dim=(0, 1))
        ratios[mode] = (densities[2, 2] / densities[0, 0]).item()
    assert ratios["zeros"] > 1.4
    assert 0.9 < ratios["circular"] < 1.1


def test_the_pages_figures_and_table(stored: pd.DataFrame) -> None:
    histograms, curves, positions = (draw(stored) for draw in page.FIGURES.values())
    panels = [axes for axes in histograms.axes if axes.get_images() and not axes.get_label().startswith("<colorbar")]
    assert [axes.get_ylabel() for axes in panels[::5]] == ["Random", "Magnitude", "SNIP", "GraSP", "SynFlow"]
    assert [axes.get_title() for axes in panels[:5]] == [f"n = {width}" for width in (16, 32, 64, 128, 256)]
    assert [axes.get_title() for axes in curves.axes[:2]] == ["70 % pruned", "90 % pruned"]
    shown = [axes for axes in positions.axes if axes.get_images()]
    np.testing.assert_allclose(shown[-1].get_images()[0].get_array(), position_maps(stored, 0.1)["synflow"])
    assert len(shown) == 5
    rows = [[entry.astext() for entry in row] for part in page.numbers_table(stored)[0][-2:] for row in part]
    assert len(rows) == 11
    assert rows[0] == ["masks", *page.COLUMNS.values()]
    assert rows[7][:3] == ["Magnitude, 90 % pruned", "no path is kept", "no path is kept"]
    sentence = page.rows_sentence(stored).astext()
    assert re.fullmatch(
        r"From 300 networks, 6 of each kind, in \d+ minutes of one core on [\d -]+ at commit \w+\.", sentence
    )
    assert "-dirty" not in sentence


def test_parts_that_the_page_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directive = object.__new__(page.ConvolutionsDirective)
    monkeypatch.setattr(directive, "error", ValueError, raising=False)
    directive.arguments = ["pictures"]
    with pytest.raises(
        ValueError, match=r"convolutions has the argument 'pictures', but must be one of \['curves', 'h"
    ):
        directive.run()
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    directive.arguments = ["numbers"]
    with pytest.raises(ValueError, match="holds no results of a study; compute them with python -m graphon_lib study"):
        directive.run()
