"""The diagnosis of a pruned network: right where it is known, not known where it is not, and nothing left changed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from graphon_lib import (
    Diagnosis,
    cnn,
    diagnose,
    empirical_ntk,
    load_mnist,
    masks_of,
    mlp,
    path_density,
    prune,
    second_moment_ntk,
    spectrum,
)
from graphon_lib.diagnosis import book, ship
from graphon_lib.diagnosis.kernels import kernel_numbers
from graphon_lib.diagnosis.number import Number, shown
from graphon_lib.diagnosis.weights import weight_distribution
from graphon_lib.sweeps import notebooks_folder, training_study
from graphon_lib.sweeps.grid import pruned_mlp, trial_seed

DIGITS = load_mnist(60)
LITTLE = {"images": 40, "blocks": 4}


def diagnosed(model: nn.Module, masks: Any = None, **options: Any) -> Diagnosis:
    return diagnose(model, DIGITS.inputs, DIGITS.labels, masks, **{**LITTLE, **options})


def block_masks(model: nn.Sequential, groups: int) -> dict[str, torch.Tensor]:
    """Hand-made: neurons in groups that only see their own group."""
    masks = {}
    for name, weight in model.named_parameters():
        rows, columns = (torch.arange(size) * groups // size for size in weight.shape)
        masks[name] = rows[:, None] == columns[None]
    return masks


@pytest.fixture(scope="module")
def blocks() -> tuple[nn.Sequential, dict[str, torch.Tensor], Diagnosis]:
    model = mlp(2, 60, seed=3)
    masks = block_masks(model, 2)
    return model, masks, diagnosed(model, masks)


# What it finds


def test_a_mask_that_no_method_made(blocks):
    model, masks, report = blocks
    kept = {name: int(mask.sum()) for name, mask in masks.items()}
    assert [(layer.name, layer.kept) for layer in report.layers] == list(kept.items())
    assert report.totals["density"].value == pytest.approx(sum(kept.values()) / sum(m.numel() for m in masks.values()))
    assert report.totals["path_density"].value == pytest.approx(path_density(masks), rel=1e-5) == 1 / 8
    scale = second_moment_ntk(model, masks, DIGITS.inputs[:1]).scale
    assert report.totals["second_moment_scale"].value == pytest.approx(scale, rel=1e-5)
    chosen = np.sort(np.random.default_rng(0).permutation(60)[:40])
    found = spectrum(empirical_ntk(model, masks, DIGITS.inputs[chosen]))
    for metric in ("decay", "effective_rank", "gap", "concentration"):
        number = report.kernels["finite"][metric]
        assert number.value == pytest.approx(getattr(found, metric), rel=1e-3)
        assert number.low < number.value < number.high
    ratio = report.totals["kernel_over_second_moment"].value
    assert ratio == pytest.approx(report.kernels["finite"]["scale"].value / scale, rel=1e-4)
    # Two groups of one density: degrees show nothing, 4-cycles do.
    hidden = report.layers[1].fits
    assert hidden["random"]["C4"].value > 10
    assert hidden["degrees"]["C4"].value > 10
    assert (report.activation, report.weights_of, report.departures) == ("relu", "he", ())


def test_dead_neurons_are_counted_on_both_sides():
    model = mlp(2, 20, seed=0)
    masks = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in model.named_parameters()}
    masks["0.weight"][:3] = False  # three neurons with none in
    masks["2.weight"][:, 2:6] = False  # four with none out, one of them dead already
    report = diagnosed(model, masks)
    assert [layer.outputs_without for layer in report.layers] == [3, 0, 0]
    assert [layer.inputs_without for layer in report.layers] == [0, 4, 0]
    first = report.neurons[1]
    assert (first.name, first.count, first.none_in, first.none_out, first.dead) == ("hidden 1", 20, 3, 4, 6)
    assert [one.dead for one in report.neurons] == [0, 6, 0, 0]
    assert (report.neurons[0].none_in, report.neurons[-1].none_out) == (None, None)


def test_a_dense_network_is_its_own_limit():
    report = diagnosed(mlp(2, 60, seed=1))
    assert {report.totals[name].value for name in ("density", "path_density", "path_density_of_estimate")} == {1.0}
    limit = report.kernels["limit"]["scale"]
    assert limit.value == limit.low == limit.high == 1
    assert report.totals["second_moment_scale"].value == pytest.approx(1, abs=0.2)
    assert all("all of its weights" in layer.fits["random"]["C4"].note for layer in report.layers)


def test_a_constant_graphon_scales_the_limit_by_its_power():
    model = mlp(2, 200, seed=1)
    generator = torch.Generator().manual_seed(0)
    masks = {name: torch.rand(w.shape, generator=generator) < 0.5 for name, w in model.named_parameters()}
    report = diagnosed(model, masks, blocks=1)
    assert report.kernels["limit"]["scale"].value == pytest.approx(1 / 8, rel=0.05)
    assert report.totals["path_density"].value == pytest.approx(1 / 8, rel=0.05)
    for layer in report.layers:
        assert abs(layer.fits["random"]["C4"].value) < 4


@pytest.mark.parametrize("make", ["prune", "zeros", "passed"])
def test_masks_are_read_however_they_come(make):
    model, masks = mlp(2, 30, seed=2), prune(mlp(2, 30, seed=2), "magnitude", 0.3)
    expected = diagnosed(model, masks)
    if make == "prune":
        for name, mask in masks.items():
            torch_prune.custom_from_mask(model[int(name[0])], "weight", mask)
    elif make == "zeros":
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight *= masks[name]
    found = diagnosed(model, masks if make == "passed" else None)
    assert found.to_json() == expected.to_json()


class Nested(nn.Module):
    """Layers defined out of order, in nested modules, behind a flattening, with dropout between."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(20, 10)
        self.body = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(784, 30), nn.GELU()), nn.Dropout(0.2))
        self.middle = nn.Linear(30, 20)
        self.phi = nn.GELU()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(self.head(self.phi(self.middle(self.body(images)))), dim=1)


def test_nested_modules_are_followed_in_the_order_in_which_they_act():
    torch.manual_seed(0)
    report = diagnose(Nested(), DIGITS.inputs.reshape(-1, 1, 28, 28), DIGITS.labels, **LITTLE)
    assert [layer.name for layer in report.layers] == ["body.1.0.weight", "middle.weight", "head.weight"]
    assert (report.activation, report.weights_of, report.departures) == ("gelu", "pytorch", ())
    assert report.beside == ("biases", "dropout while it trains", "something that acts on what its last layer gives")
    assert report.kernels["limit"]["gap"].known
    assert "ReLU" in report.totals["second_moment_scale"].note
    assert len(report.obstacles) == 5


def test_other_activations_are_found_by_what_they_do():
    model = nn.Sequential(nn.Linear(784, 20), nn.Softplus(), nn.Linear(20, 20), nn.Softplus(), nn.Linear(20, 10))
    report = diagnosed(model)
    assert report.activation == "Softplus(beta=1.0, threshold=20.0)"
    assert report.kernels["limit"]["decay"].known
    assert diagnosed(nn.Sequential(nn.Linear(784, 20), nn.Softmax(1), nn.Linear(20, 10))).activation is None


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(784, 16), nn.Linear(16, 16), nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.a(x))
        return self.c(x + torch.relu(self.b(x)))


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(784, 10), nn.Linear(10, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(torch.relu(self.b(torch.relu(self.a(x)))))


class Idle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.idle = nn.Linear(784, 10), nn.Linear(3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(x)


@pytest.mark.parametrize(
    ("make", "departure", "finite"),
    [
        (lambda: nn.Sequential(nn.Linear(784, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10)),
         "what stands between its layers is not one activation, the same everywhere (it contains BatchNorm1d)", True),
        (Residual, "what stands between its layers is not one activation, the same everywhere", True),
        (Shared, "layer 'b.weight' acts 2 times", False),
        (Idle, "layer 'idle.weight' takes no part in the forward pass", False),
        (lambda: nn.Sequential(nn.LayerNorm(784, elementwise_affine=False), nn.Linear(784, 10)),
         "the inputs are changed before its first linear layer (it contains LayerNorm)", True),
        (lambda: cnn(2, 4), "layer '1.weight' is a convolution, and the theory of the limit is on linear", False),
    ],
)  # fmt: skip
def test_what_is_no_stack_has_no_limit_and_says_why(make: Callable[[], nn.Module], departure: str, finite: bool):
    report = diagnosed(make())
    assert any(departure in found for found in report.departures)
    assert departure in report.kernels["limit"]["decay"].note
    assert report.kernels["finite"]["decay"].known == finite
    assert not report.early_loss.known
    assert any(departure in obstacle for obstacle in report.obstacles)
    assert report.layers[0].density.value == 1


def test_channels_of_a_convolution_are_its_neurons():
    model = cnn(2, 6)
    masks = prune(model, "random", 0.3)
    report = diagnosed(model, masks)
    assert report.layers[0].positions == 9
    assert [one.count for one in report.neurons] == [1, 6, 6, 10]
    assert report.totals["path_density"].value == pytest.approx(path_density(masks), rel=1e-5)
    assert "graph for each position" in report.layers[0].fits["random"]["C4"].note


def test_a_network_without_a_path_has_no_kernel():
    model = mlp(2, 20, seed=0)
    masks = {name: torch.ones_like(w, dtype=torch.bool) for name, w in model.named_parameters()}
    masks["2.weight"][:] = False
    report = diagnosed(model, masks)
    assert report.totals["path_density"].value == 0
    # The last layer's own weights still have inputs of zero: nothing moves.
    assert "kernel is zero" in report.kernels["finite"]["decay"].note
    json.loads(report.to_json())
    assert report._repr_html_()


def test_one_linear_layer_is_diagnosed_as_far_as_it_goes():
    report = diagnosed(nn.Linear(784, 10))
    assert report.totals["path_density"].value == 1
    assert {report.kernels["limit"]["gap"].note, report.totals["second_moment_scale"].note} == {
        "it has no hidden layer"
    }
    assert report.kernels["finite"]["gap"].known


# What the book's networks say


def test_the_table_and_the_ledger_are_those_of_the_project():
    notebooks = notebooks_folder()
    rows = ship.table(notebooks / "results")
    networks = book.book_networks()
    assert len(rows) == len(networks)
    for row, network in zip(rows.itertuples(), networks, strict=True):
        assert (row.data, row.depth, row.initialisation) == network.setting
        assert (row.method, row.density, row.trial) == (network.method, network.density, network.trial)
        for number in book.NUMBERS:
            assert getattr(network, number) == pytest.approx(getattr(row, number), rel=1e-5)
    assert book.shipped_ledger() == ship.ledger(notebooks)


def test_layer_densities_of_the_table_are_those_of_its_networks():
    setting = book.Setting("mnist", 3, "he")
    network = next(n for n in book.book_networks() if (n.setting, n.method, n.density) == (setting, "snip", 0.1))
    assert ship.layer_densities(setting, "snip", 0.1) == pytest.approx(network.layer_densities, abs=1e-6)


def test_interpolation_passes_through_the_densities_of_the_book():
    networks = [n for n in book.book_networks() if n.setting == book.MAIN]
    at = {peer.method: peer for peer in book.peers_at(0.1, networks)}
    scales = [n.second_moment_scale for n in networks if (n.method, n.density) == ("snip", 0.1)]
    low, middle, high = at["snip"].ranges["second_moment_scale"]
    assert (low, high) == pytest.approx((min(scales), max(scales)))
    assert middle == pytest.approx(math.prod(scales) ** (1 / len(scales)))
    # Random keeps density^5 of the dense scale, at any density.
    between = {peer.method: peer for peer in book.peers_at(0.14, networks)}
    assert between["random"].ranges["second_moment_scale"][1] == pytest.approx(0.14**5, rel=0.1)
    assert between["random"].layer_densities == pytest.approx([0.14] * 5, rel=0.02)


def test_the_interval_covers_every_case_that_it_rests_on():
    found = book.misses()
    assert len(found) == 28
    assert max(map(abs, found)) < math.log(1.5)
    peers = book.peers_at(0.1, [n for n in book.book_networks() if n.setting == book.MAIN])
    expected = book.expected_loss(0.004, peers)
    assert math.log(expected.high / expected.estimate) == pytest.approx(max(map(abs, found)))
    assert math.log(expected.estimate / expected.low) == pytest.approx(max(map(abs, found)))


@pytest.fixture(scope="module")
def paper_scale() -> tuple[nn.Sequential, dict[str, torch.Tensor]]:
    """A network in the setting of the book, pruned by a method that its table does not have."""
    return pruned_mlp("random_erk", 0.05, depth=4, width=book.WIDTH, seed=trial_seed(0, book.WIDTH, 0))


@pytest.fixture(scope="module")
def expected(paper_scale) -> Diagnosis:
    return diagnosed(*paper_scale)


def test_an_unseen_method_starts_as_foretold(expected, paper_scale):
    assert expected.obstacles == ()
    number = expected.early_loss
    assert number.low < number.value < number.high < 1.5
    settings = {"depth": 4, "width": book.WIDTH, "trials": 1, "seed": 0}
    losses = {}
    for method in ("random_erk", "random"):
        study = training_study([method], [0.05], learning_rates=[1e-3], steps=200, **settings)
        losses[method] = study.measure(**study.configurations[0])["early_loss"]
    assert number.low < losses["random_erk"] / losses["random"] < number.high
    assert "200 steps" in repr(expected)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("biases", "the book's networks have no biases"),
        ("activation", "the book's networks have ReLUs, and this one tanh"),
        ("scale", "its weights cannot be a draw of He's or of PyTorch's initialisation"),
        ("width", "this one is 784-64-64-64-64-10"),
        ("dense", "keep from 0.05 to 0.5 of their weights, and it 1"),
        ("small", "lies below the smallest of the book's at its sparsity"),
        ("empty", "no path of kept weights leads from its inputs to its outputs"),
    ],
)
def test_where_nothing_can_be_said_it_says_why(change: str, reason: str, paper_scale, monkeypatch):
    monkeypatch.setattr("graphon_lib.diagnosis.layers.REPLICATES", 2)
    width = 64 if change == "width" else book.WIDTH
    activation = "tanh" if change == "activation" else "relu"
    model = mlp(4, width, activation=activation, seed=trial_seed(0, book.WIDTH, 0))
    masks = prune(model, "random", 0.1) if change == "width" else None if change == "dense" else dict(paper_scale[1])
    if change == "biases":
        model[0].bias = nn.Parameter(torch.zeros(width))
    elif change == "scale":
        with torch.no_grad():
            model[0].weight *= 1.1
    elif change == "small":
        # Of each layer the smallest weights are kept, a tenth of them.
        masks = {
            name: weight.abs() < weight.abs().flatten()[::7].quantile(0.1) for name, weight in model.named_parameters()
        }
    elif change == "empty":
        masks = {name: torch.arange(w.numel()).reshape(w.shape) % 7 == 0 for name, w in model.named_parameters()}
        masks["4.weight"][:] = False
    report = diagnose(model, DIGITS.inputs[:8], None, masks, images=8, blocks=4)
    assert not report.early_loss.known
    assert reason in report.early_loss.note
    assert any(reason in obstacle for obstacle in report.obstacles)


def test_a_trained_network_is_told_by_its_loss():
    model = mlp(1, 30, seed=0)
    optimizer = torch.optim.SGD(model[2:].parameters(), lr=0.1)
    for _ in range(50):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(DIGITS.inputs), DIGITS.labels).backward()
        optimizer.step()
    report = diagnosed(model)
    assert report.totals["initial_loss"].value < 1.5
    assert any("chance's 2.3: it has been trained" in obstacle for obstacle in report.obstacles)


@pytest.mark.parametrize("zeroed", [False, True])
@pytest.mark.parametrize(("initialisation", "expected"), [("he", "he"), ("pytorch", "pytorch"), ("large", None)])
def test_weights_are_known_for_a_draw(initialisation: str, expected: str | None, zeroed: bool):
    model = mlp(2, 300, initialisation="he" if initialisation == "large" else initialisation, seed=7)
    for method in ("random", "magnitude"):
        masks = prune(model, method, 0.2)
        weights = [w.detach() * (1.3 if initialisation == "large" else 1) for w in model.parameters()]
        if zeroed:
            weights = [weight * mask for weight, mask in zip(weights, masks.values(), strict=True)]
        # A random fifth of larger weights, the others gone, has no more large ones than all of He's would.
        certain = not (zeroed and initialisation == "large" and method == "random")
        assert weight_distribution(weights, masks) == (expected if certain else "he")


# How it is shown


def numbers_in(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        if set(value) == {"value", "low", "high", "note"}:
            return [value]
        value = list(value.values())
    return [number for part in value for number in numbers_in(part)] if isinstance(value, list) else []


def test_json_is_strict_and_every_number_is_known_or_says_why_not(blocks):
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads(blocks[2].to_json(), parse_constant=refuse)
    assert list(found) == [
        "model", "images", "available", "blocks", "seed", "activation", "weights_of", "departures", "beside", "layers",
        "neurons", "totals", "kernels", "standing", "early_loss_over_random", "obstacles", "ledger",
    ]  # fmt: skip
    assert set(found["kernels"]) == {"finite", "limit"}
    assert [method["method"] for method in found["standing"]["methods"]] == [
        "grasp", "magnitude", "random", "snip", "synflow",
    ]  # fmt: skip
    numbers = numbers_in(found)
    assert len(numbers) > 60
    for number in numbers:
        assert number["value"] is not None or number["note"]
        assert (number["low"] is None) == (number["high"] is None)
        if number["low"] is not None:
            assert number["low"] <= number["value"] <= number["high"]


class Page(HTMLParser):
    """Tags with their attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def test_the_page_needs_nothing_else(blocks, tmp_path):
    blocks[2].to_html(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert page.all("html") == [{"lang": "en"}]
    assert page.all("meta")[1]["name"] == "viewport"
    assert "<title>Diagnosis: Sequential, 784-60-60-10</title>" in text
    assert not page.all("script")
    assert not page.all("link")
    for _, attributes in page.tags:
        for name in ("src", "href"):
            assert name not in attributes or attributes[name].startswith("data:image/png;base64,")
    assert "url(" not in text
    assert len(page.all("img")) == 2
    assert all(len(image["alt"]) > 60 for image in page.all("img"))
    assert {head["scope"] for head in page.all("th")} == {"col", "row"}
    assert len(page.all("caption")) == len(page.all("table"))
    assert [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)] == ["h1", *["h2"] * 7]
    assert text == _again(blocks, tmp_path)


def _again(blocks: Any, folder: Path) -> str:
    diagnosed(*blocks[:2]).to_html(folder / "again.html")
    return (folder / "again.html").read_text(encoding="utf-8")


def test_a_notebook_shows_the_same_as_a_fragment(blocks):
    page = Page(blocks[2]._repr_html_())
    assert [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)] == ["h3"] * 7
    assert not page.all("html")
    assert len(page.all("img")) == 2


def test_names_are_text_and_no_markup():
    model = nn.Sequential()
    model.add_module("<b>&", nn.Linear(784, 10))
    report = diagnosed(model)
    assert report.layers[0].name == "<b>&.weight"
    assert "<b>" not in report._repr_html_()
    assert "&lt;b&gt;&amp;.weight" in report._repr_html_()


def test_text_tells_what_is_not_known_and_why(blocks):
    told = repr(blocks[2])
    for part in ("At a glance", "weights kept", "hidden 1", "Among the book's methods", "SynFlow", "C11 (not repro",
                 "not known [1]", "[1] the book has digits in networks of", "What the ledger says"):  # fmt: skip
        assert part in told


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "0.05"), (1234567, "1.23e6"), (50957.2, "50957"), (1.2e-7, "1.2e−7"), (-3.14159, "−3.14"), (0.0, "0")],
)
def test_numbers_are_written_as_one_would(value: float, text: str):
    assert shown(value) == text


def test_a_number_is_finite_or_has_a_reason():
    assert Number(1 / 3).value == 0.333333
    assert str(Number(1.0, 0.5, 2.0)) == "1 (0.5 to 2)"
    with pytest.raises(ValueError, match=r"value is nan, but must be finite; say in note why it is not known"):
        Number(math.nan)
    with pytest.raises(ValueError, match=r"note is empty, but must say why the value is not known"):
        Number(None)


def test_intervals_narrow_with_more_images():
    inputs = load_mnist(200).inputs
    model = mlp(1, 50, seed=0)
    few, many = (
        kernel_numbers(empirical_ntk(model, None, inputs[:n]), None, None, seed=0)["effective_rank"] for n in (40, 160)
    )
    assert many.high - many.low < 0.8 * (few.high - few.low)
    least = kernel_numbers(empirical_ntk(model, None, inputs[:10]), None, None, seed=0)
    assert least["gap"].low is None
    assert "fewer than 20 images" in least["gap"].note
    assert "no targets" in least["alignment"].note


# What it leaves alone, and what it refuses


def test_the_model_and_all_global_state_are_left_as_they_were():
    torch.manual_seed(0)
    model = Nested().train()
    torch_prune.random_unstructured(model.middle, "weight", 0.5)
    model.middle.bias.requires_grad_(False)
    nn.functional.cross_entropy(model(DIGITS.inputs), DIGITS.labels).backward()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    numpys = np.random.get_state()[1].copy()  # noqa: NPY002
    states = torch.get_rng_state(), torch.get_default_dtype(), torch.get_num_threads()
    first = diagnosed(model, seed=5)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == numpys).all()  # noqa: NPY002
    assert (torch.get_default_dtype(), torch.get_num_threads()) == states[1:]
    assert all(module.training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert {n for n, p in model.named_parameters() if p.grad is not None} == set(gradients)
    assert all(torch.equal(model.get_parameter(name).grad, gradient) for name, gradient in gradients.items())
    assert [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()] == hooks
    assert not model.middle.bias.requires_grad
    assert diagnosed(model, seed=5).to_json() == first.to_json()
    assert diagnosed(model, seed=6).to_json() != first.to_json()


def test_the_number_of_threads_does_not_show(blocks):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2 if threads == 1 else 1)
        assert diagnosed(*blocks[:2]).to_json() == blocks[2].to_json()
    finally:
        torch.set_num_threads(threads)


class Refusing(nn.Linear):
    def __deepcopy__(self, memo: Any) -> None:
        raise RuntimeError("not me")


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyLinear(3))


def weighed() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(784, 10)))


def unfinished() -> nn.Module:
    model = mlp(1, 5, outputs=10)
    with torch.no_grad():
        model[0].weight[0, 0] = math.nan
    return model


def masked() -> nn.Module:
    model = mlp(1, 5)
    torch_prune.random_unstructured(model[0], "weight", 0.5)
    return model


GOOD: dict[str, Any] = {"inputs": DIGITS.inputs, "targets": DIGITS.labels}


@pytest.mark.parametrize(
    ("model", "change", "kind", "sentence"),
    [
        (None, {}, TypeError, "model is a NoneType, but must be an nn.Module; a state dict goes into one with"),
        (lambda: nn.Sequential(nn.ReLU()), {}, ValueError, "without nn.Linear layers"),
        (lazy, {}, ValueError, "model has a parameter '0.weight' without a shape yet; pass a batch through it once"),
        (lambda: nn.Linear(784, 10, device="meta"), {}, ValueError, "is on the meta device, which holds no data"),
        (weighed, {}, ValueError, "the weight of '0' is computed by a parametrization"),
        (lambda: nn.Sequential(Refusing(784, 10)), {}, ValueError, r"model cannot be copied \(not me\)"),
        (unfinished, {}, ValueError, "weights of '0.weight' are not all finite"),
        (masked, {"masks": {"0.weight": torch.ones(5, 784)}}, ValueError,
         r"masks\['0.weight'\] keeps 1960 weights that the model's own torch.nn.utils.prune mask removes"),
        (masked, {"masks": {"0.weight": torch.ones(5, 3)}}, ValueError, r"masks\['0.weight'\] has shape \(5, 3\)"),
        (masked, {"masks": {"1.weight": torch.ones(5, 3)}}, ValueError, "masks names '1.weight'"),
        (masked, {"inputs": DIGITS.inputs[:, :700]}, ValueError,
         r"inputs of shape \(60, 700\) cannot be run through the model .*its first layer is Linear\(in_features=784"),
        (masked, {"inputs": DIGITS.inputs[:1], "targets": None}, ValueError, "a kernel compares inputs: pass at least"),
        (masked, {"inputs": DIGITS.inputs[:, 0]}, ValueError, r"inputs has shape \(60,\)"),
        (masked, {"inputs": DIGITS.inputs * math.inf}, ValueError, "inputs contains NaN or infinity"),
        (masked, {"inputs": DIGITS.inputs + 1j}, TypeError, "inputs has dtype torch.complex64, but must hold real"),
        (masked, {"targets": DIGITS.labels[:3]}, ValueError, r"targets has shape \(3,\), but must be \(60,\)"),
        (masked, {"targets": nn.functional.one_hot(DIGITS.labels)}, ValueError, r"pass targets.argmax\(1\)"),
        (masked, {"targets": DIGITS.labels.double()}, TypeError, "targets has dtype float64, but classes are"),
        (masked, {"targets": DIGITS.labels - 1}, ValueError, "targets has the entry -1, but classes are counted"),
        (masked, {"targets": DIGITS.labels + 1}, ValueError, r"the entry 10, but the model has 10 output\(s\)"),
        (masked, {"inputs": "digits"}, TypeError, "inputs has dtype <U6, but must hold real numbers"),
        (masked, {"images": 1}, ValueError, "images is 1, but must be a whole number from 2 to 10000"),
        (masked, {"blocks": 0}, ValueError, "blocks is 0, but must be a whole number from 1 to 512"),
        (masked, {"seed": -1}, ValueError, "seed is -1, but must be a whole number from 0 to"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_with_a_sentence(
    model: Callable[[], nn.Module] | None, change: dict[str, Any], kind: type[Exception], sentence: str
):
    with pytest.raises(kind, match=sentence):
        diagnose(model() if model else None, **{**GOOD, **change})  # type: ignore[arg-type]


def test_masks_may_name_some_layers_only():
    model = masked()
    report = diagnosed(model, {"2.weight": torch.zeros(10, 5)})
    assert [layer.kept for layer in report.layers] == [int(masks_of(model)["0.weight"].sum()), 0]


def test_of_many_outputs_some_are_taken():
    report = diagnose(mlp(1, 20, outputs=40, seed=0), DIGITS.inputs, DIGITS.labels, **LITTLE)
    assert report.kernels["finite"]["scale"].value == pytest.approx(1, abs=0.5)


def test_half_precision_is_widened():
    model = mlp(1, 20, seed=0)
    expected = diagnosed(model).totals["second_moment_scale"].value
    assert diagnosed(model.bfloat16()).totals["second_moment_scale"].value == pytest.approx(expected, rel=0.01)
