"""The page that extends the library: its blocks run in order, print what it shows, and what it says of them holds."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from graphon_lib import StepGraphon, estimate_graphon, mlp, prune
from graphon_lib.networks import cnn, prunable_layers
from graphon_lib.pruning.selection import kept_count

PAGE = Path(__file__).parents[1] / "book" / "extend.md"
BLOCKS = re.findall(r"^```(python|text)\n(.*?)^```$", PAGE.read_text(encoding="utf8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def printed() -> list[tuple[str, str]]:
    """What each block with an output below it printed, and what the page shows."""
    names: dict[str, Any] = {}
    found, said = [], ""
    for kind, text in BLOCKS:
        if kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as stream:
                exec(compile(text, str(PAGE), "exec"), names)
            said = stream.getvalue()
        else:
            found.append((said, text))
    return found


def test_the_page_shows_what_its_blocks_print(printed: list[tuple[str, str]]) -> None:
    assert len(printed) == 7
    for said, shown in printed:
        assert said == shown


def numbers(text: str, name: str) -> list[float]:
    """The numbers of the lines that begin with a name."""
    lines = [line for line in text.splitlines() if line.startswith(name)]
    return [
        float(number) for line in lines for number in re.findall(r"(?<![\w-])[0-9][0-9.e-]*", line.removeprefix(name))
    ]


def test_what_the_page_says_of_the_pruner(printed: list[tuple[str, str]]) -> None:
    weights = 784 * 300 + 2 * 300**2 + 3000
    assert printed[0][0].startswith(f"{kept_count(0.1, weights)} of {weights} weights")
    table = printed[1][0]
    scale, loss = ({name: numbers(table, name)[k] for name in ("snip", "synflow", "activity")} for k in (1, 2))
    assert abs(loss["activity"] - loss["snip"]) < 0.1 < loss["activity"] - loss["synflow"]
    assert scale["activity"] < 0.4 * scale["snip"]
    random, activity = (numbers(printed[2][0], name) for name in ("random", "activity"))
    assert random[0] > 1.8 * random[1] > 3 * random[2]
    assert random[3] < 0.2
    assert activity[3] > 1
    assert activity[2] > 0.8 * activity[0]


def test_what_the_page_says_of_the_estimator(printed: list[tuple[str, str]]) -> None:
    errors = {name: numbers(printed[3][0], name) for name in ("product", "band")}
    assert errors["product"][2] < min(errors["product"][:2])
    assert errors["band"][2] > max(errors["band"][:2])
    cycles = {name: numbers(printed[4][0].replace("4-cycles", "cycles"), name) for name in ("snip", "synflow")}
    assert 1.02 < cycles["snip"][1] < 1.1
    assert all(abs(found - 1) < 0.1 for pair in cycles.values() for found in pair)


def test_what_the_page_says_of_the_activation(printed: list[tuple[str, str]]) -> None:
    away = [float(found) for found in re.findall(r": ([0-9.]+) away", printed[5][0])]
    assert away == sorted(away, reverse=True)
    assert away[-1] < 0.1
    assert printed[6][0] == "closed form and series agree: True\n"


# What the page tells of functions in the place of names


def constant(model: nn.Module, inputs: torch.Tensor | None, targets: torch.Tensor | None) -> dict[str, torch.Tensor]:
    return {name: torch.ones_like(layer.weight) for name, layer in prunable_layers(model).items()}


@pytest.mark.parametrize("model", [mlp(2, 9, inputs=5, outputs=3), cnn(1, 3, image=(1, 4, 4), outputs=3)])
def test_a_function_of_ones_own_keeps_the_highest(model: nn.Sequential) -> None:
    model.train()
    seen: list[object] = []

    def squares(model: nn.Module, inputs: torch.Tensor | None, targets: torch.Tensor | None) -> dict[str, torch.Tensor]:
        seen.extend([model.training, inputs, targets])
        sum(parameter.sum() for parameter in model.parameters()).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.pow_(2)
        return {name: layer.weight for name, layer in reversed(prunable_layers(model).items())}

    before = [parameter.detach().clone() for parameter in model.parameters()]
    for density in (0.1, 0.5, 1.0):
        found, expected = prune(model, squares, density), prune(model, "magnitude", density)
        assert list(found) == list(expected)
        assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert seen == [False, None, None] * 3
    assert model.training
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())
    both = prune(model, squares, [0.1, 0.5])
    assert [sum(int(mask.sum()) for mask in masks.values()) for masks in both] == [
        kept_count(density, sum(b.numel() for b in before)) for density in (0.1, 0.5)
    ]


def test_seeds_break_ties() -> None:
    model = mlp(1, 20, inputs=20, outputs=20)
    first, again, other = (prune(model, constant, 0.3, seed=seed) for seed in (1, 1, 2))
    assert sum(int(mask.sum()) for mask in first.values()) == 240
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_inputs_come_in_double_precision_and_labels_as_whole_numbers() -> None:
    seen: list[torch.Tensor | None] = []

    def note(model: nn.Module, inputs: torch.Tensor | None, targets: torch.Tensor | None) -> dict[str, torch.Tensor]:
        seen.extend([inputs, targets])
        assert next(model.parameters()).dtype == torch.float64
        return constant(model, inputs, targets)

    prune(mlp(1, 4, inputs=3), note, 0.5, inputs=np.ones((2, 3), np.float32), targets=[1, 0])
    inputs, targets = seen
    assert inputs is not None
    assert inputs.dtype == torch.float64
    assert inputs.tolist() == [[1.0] * 3] * 2
    assert targets is not None
    assert targets.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (
            {"0.weight": torch.ones(4, 3)},
            r"method 'answer' returned \['0.weight'\], but must return a dict with scores for",
        ),
        (torch.ones(4, 3), "method 'answer' returned a Tensor, but must return a dict with scores for each"),
        (
            {"0.weight": torch.ones(3, 4), "2.weight": torch.ones(10, 4)},
            r"method 'answer' returned a Tensor of shape \(3, 4\) for '0.weight', but .* shape, \(4, 3\): one score",
        ),
        (
            {"0.weight": [1.0], "2.weight": torch.ones(10, 4)},
            r"method 'answer' returned a list of shape \(\) for '0.weight', but must return a tensor",
        ),
        (
            {"0.weight": torch.full((4, 3), torch.nan), "2.weight": torch.ones(10, 4)},
            "answer scores of '0.weight' are not all finite",
        ),
    ],
)
def test_scores_that_do_not_fit(scores: Any, message: str) -> None:
    def answer(*_: object) -> Any:
        return scores

    with pytest.raises(ValueError, match=message):
        prune(mlp(1, 4, inputs=3), answer, 0.5)


def test_labels_without_inputs_and_methods_that_are_none() -> None:
    model: Any = mlp(1, 4, inputs=3)
    with pytest.raises(ValueError, match=r"inputs is None, but targets has labels; pass inputs=\(N, d\)"):
        prune(model, constant, 0.5, targets=[0])
    not_one: Any = 3
    with pytest.raises(
        ValueError, match=r"method is 3, but must be one of .*, or a function \(model, inputs, targets\)"
    ):
        prune(model, not_one, 0.5)
    with pytest.raises(ValueError, match=r"method is 3, but must be one of .*, or a function \(mask, blocks\)"):
        estimate_graphon(np.eye(3), not_one)


def test_a_layer_left_empty_is_told_by_the_functions_name() -> None:
    def first_only(model: nn.Module, *_: object) -> dict[str, torch.Tensor]:
        return {"0.weight": torch.ones(4, 3), "2.weight": torch.zeros(10, 4)}

    with pytest.warns(UserWarning, match="first_only at density 0.1 keeps no weight of '2.weight'"):
        prune(mlp(1, 4, inputs=3), first_only, 0.1)


def test_an_estimate_may_be_values_or_a_graphon() -> None:
    mask = np.eye(4, dtype=bool)

    def own(mask: np.ndarray, blocks: int) -> StepGraphon:
        assert mask.dtype == np.float64
        mask[:] = 0  # a copy
        return StepGraphon.constant(0.25)

    assert estimate_graphon(mask, own).density() == 0.25
    assert mask.any()
    assert estimate_graphon(mask, lambda mask, blocks: [[0.1, 0.4]]).values.tolist() == [[0.1, 0.4]]
    with pytest.raises(ValueError, match=r"values contains 2\.0, but a graphon is a probability"):
        estimate_graphon(mask, lambda mask, blocks: mask * 2)
