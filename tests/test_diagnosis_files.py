"""Checkpoints and data from files: of every usual kind, and without running anything that they contain."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune
from typer.testing import CliRunner, Result

from graphon_lib import diagnose, load_mnist, masks_of, mlp, prune
from graphon_lib.__main__ import app
from graphon_lib.diagnosis.files import load_checkpoint, load_data

DIGITS = load_mnist(50)
MODEL = mlp(2, 24, seed=1)
MASKS = prune(MODEL, "magnitude", 0.3)


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def pruned() -> nn.Sequential:
    model = mlp(2, 24, seed=1)
    for name, mask in MASKS.items():
        torch_prune.custom_from_mask(model[int(name[0])], "weight", mask)
    return model


def zeroed() -> dict[str, torch.Tensor]:
    return {name: tensor * MASKS[name] for name, tensor in mlp(2, 24, seed=1).state_dict().items()}


def wrapped(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


KINDS: dict[str, Any] = {
    "masks beside weights": lambda: pruned().state_dict(),
    "zeros": zeroed,
    "nested": lambda: {"epoch": 3, "state_dict": pruned().state_dict(), "optimizer": {"state": {}}},
    "under model": lambda: {"model": zeroed(), "seed": 1},
    "parallel": lambda: {"state_dict": wrapped(pruned().state_dict(), "module.")},
    "compiled and parallel": lambda: wrapped(zeroed(), "module._orig_mod."),
    "double": lambda: {name: tensor.double() for name, tensor in zeroed().items()},
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_state_dicts_of_every_kind_are_read(kind: str):
    torch.save(KINDS[kind](), "model.pt")
    model, masks = load_checkpoint("model.pt")
    assert all(torch.equal(masks[name], MASKS[name]) for name in MASKS)
    with torch.no_grad():
        expected = pruned()(DIGITS.inputs)
        masked = {name: model.get_parameter(name) * mask for name, mask in masks.items()}
        found = torch.func.functional_call(model, masked, (DIGITS.inputs.to(masked["0.weight"].dtype),))
    torch.testing.assert_close(found.float(), expected)


def test_names_biases_and_activation_are_kept():
    model = nn.ModuleDict({"b": nn.ModuleDict({"one": nn.Linear(784, 9)}), "a": nn.Linear(9, 7), "c": nn.Linear(7, 10)})
    torch_prune.random_unstructured(model["a"], "bias", 3)
    torch.save(model.state_dict(), "model.pt")
    stack, masks = load_checkpoint("model.pt", activation="tanh")
    assert list(masks) == ["b.one.weight", "a.weight", "c.weight"]
    expected = model["c"](model["a"](model["b"]["one"](DIGITS.inputs).tanh()).tanh())
    torch.testing.assert_close(stack(DIGITS.inputs), expected)
    report = diagnose(stack, DIGITS.inputs, None, masks, images=30, blocks=3)
    assert ([layer.name for layer in report.layers], report.activation) == (list(masks), "tanh")


def test_a_single_layer_has_no_name_to_keep():
    torch.save(nn.Linear(784, 10).state_dict(), "model.pt")
    stack, masks = load_checkpoint("model.pt")
    assert list(masks) == list(masks_of(stack)) == ["linear.weight"]


def test_what_a_state_dict_does_not_tell_is_not_guessed():
    model = nn.Sequential(nn.Linear(784, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 10))
    torch_prune.random_unstructured(model[0], "weight", 0.5)
    torch.save(model.state_dict(), "model.pt")
    stack, masks = load_checkpoint("model.pt")
    report = diagnose(stack, DIGITS.inputs, DIGITS.labels, masks, images=30, blocks=3)
    assert [layer.density.value for layer in report.layers] == [0.5, 1]
    assert report.totals["path_density"].value == pytest.approx(0.5)
    for number in (*report.kernels["finite"].values(), report.totals["initial_loss"], report.early_loss):
        assert not number.known
    assert "more than linear layers ('1')" in report.kernels["finite"]["gap"].note


class Trap:
    """Leaves a mark where whoever loads it runs it."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("sprung",)


LINEAR = {"0.weight": torch.ones(3, 4)}

BAD: dict[str, tuple[Any, str]] = {
    "a whole model": (MODEL, "it may be a whole pickled model, which could run any program when loaded, so it is not"),
    "a trap": ({"0.weight": torch.ones(2, 2), "x": Trap()}, "save tensors only: torch.save(model.state_dict(), path)"),
    "a list": ([torch.ones(2, 2)], "holds a list, but must hold a state dict"),
    "numbers": ({"epoch": 3}, "holds ['epoch'], and no state dict, neither by itself nor under one of"),
    "no matrix": ({"norm.weight": torch.ones(3)}, "has no matrix named '...weight' among ['norm.weight']"),
    "convolution": ({"0.weight": torch.ones(3, 1, 2, 2)}, "of shape (3, 1, 2, 2), but only linear layers"),
    "no stack": (LINEAR | {"2.weight": torch.ones(5, 9)},
                 "has '2.weight' that takes 9 numbers, but '0.weight' before it gives 3"),
    "NaN": ({"0.weight": torch.full((2, 2), torch.nan)}, "has entries in '0.weight' that are NaN or infinite"),
    "whole numbers": ({"0.weight": torch.ones(2, 2, dtype=torch.int64)}, "of dtype torch.int64 and layout torch.str"),
    "no mask": ({"0.weight_orig": torch.ones(2, 2)}, "'0.weight_mask' is missing, but must be (2, 2) zeros and ones"),
    "no such mask": ({"0.weight_orig": torch.ones(2, 2), "0.weight_mask": torch.ones(2, 3)},
                     "'0.weight_mask' has shape (2, 3), but must be (2, 2) zeros and ones"),
    "bias": (LINEAR | {"0.bias": torch.ones(2)}, "has '0.bias' of shape (2,), but its layer gives 3 numbers"),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(BAD))
def test_what_is_no_checkpoint_is_refused_with_a_sentence(kind: str):
    contents, sentence = BAD[kind]
    torch.save(contents, "model.pt")
    with pytest.raises(ValueError, match=r"checkpoint model\.pt") as refused:
        load_checkpoint("model.pt")
    assert sentence in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert not Path("sprung").exists()


def test_the_trap_would_have_sprung():
    torch.save(Trap(), "trap.pt")
    torch.load("trap.pt", weights_only=False)
    assert Path("sprung").exists()


def test_other_files_are_no_checkpoints():
    with pytest.raises(FileNotFoundError, match=r"checkpoint none.pt is not there; pass the path of a file"):
        load_checkpoint("none.pt")
    for number, contents in enumerate((b"", b"hello", b"PK\x03\x04 half an archive")):
        Path(f"{number}.pt").write_bytes(contents)
        with pytest.raises(ValueError, match=f"checkpoint {number}.pt (cannot be read|holds more than tensors)"):
            load_checkpoint(f"{number}.pt")
    torch.save(zeroed(), "model.pt")
    with pytest.raises(ValueError, match="activation is 'gulp', but must be one of"):
        load_checkpoint("model.pt", activation="gulp")


# Data


def test_data_come_in_usual_files():
    inputs, targets = DIGITS.inputs.numpy(), DIGITS.labels.numpy()
    np.savez("data.npz", inputs=inputs.reshape(-1, 28, 28), targets=targets)
    np.save("data.npy", inputs)
    torch.save({"inputs": DIGITS.inputs, "targets": DIGITS.labels}, "both.pt")
    torch.save(DIGITS.inputs, "inputs.pt")
    for name, known in (("data.npz", True), ("data.npy", False), ("both.pt", True), ("inputs.pt", False)):
        data = load_data(name)
        assert torch.equal(data.inputs, DIGITS.inputs)
        assert (data.targets is not None) == known
        assert data.targets is None or torch.equal(data.targets, DIGITS.labels)
    assert len(load_data("mnist").inputs) == 5000
    assert torch.equal(load_data("mnist", seed=2).inputs, load_mnist(seed=2).inputs)


def test_what_is_no_data_is_refused_with_a_sentence():
    np.savez("names.npz", x=np.ones((3, 4)))
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save("flat.npy", np.ones(3))
    torch.save({"inputs": [1, 2]}, "list.pt")
    Path("text.npz").write_text("hello")
    Path("empty.npy").write_bytes(b"")
    for name, sentence in {
        "numbers.csv": "data is 'numbers.csv', but must be 'mnist', or a file that ends in .npz, .npy or .pt",
        "names.npz": "data names.npz has ['x'], but must have 'inputs' and may have 'targets'",
        "objects.npy": "data objects.npy cannot be read",
        "flat.npy": "data flat.npy has inputs of shape (3,), but they must be (N, features)",
        "list.pt": "data list.pt has 'inputs' of the type list, but it must be an array or tensor",
        "text.npz": "data text.npz cannot be read",
        "empty.npy": "data empty.npy cannot be read",
    }.items():
        with pytest.raises(ValueError, match=r"^data ") as refused:
            load_data(name)
        assert sentence in str(refused.value)
    for name in ("none.npz", "none.pt"):
        with pytest.raises(FileNotFoundError, match=f"data {name} is not there; pass the path of a file"):
            load_data(name)


# The command line


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["diagnose", *arguments, "--images", "30", "--blocks", "3"])


@pytest.fixture
def saved() -> None:
    torch.save(pruned().state_dict(), "model.pt")
    np.savez("data.npz", inputs=DIGITS.inputs.numpy(), targets=DIGITS.labels.numpy())


@pytest.mark.usefixtures("saved")
def test_the_command_prints_the_report_and_writes_the_page():
    said = run("model.pt", "--data", "data.npz", "--html", "report.html")
    assert said.exit_code == 0, said.output
    assert said.stdout.startswith("Diagnosis of a pruned network\n\nAt a glance")
    assert Path("report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    expected = diagnose(pruned(), DIGITS.inputs, DIGITS.labels, images=30, blocks=3)
    as_json = run("model.pt", "--data", "data.npz", "--json")
    found = json.loads(as_json.stdout)
    assert found["totals"] == expected.to_dict()["totals"]
    assert found["layers"] == expected.to_dict()["layers"]


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.pt", "--data", "data.npz"], "checkpoint none.pt is not there"),
        (["model.pt", "--data", "none.npz"], "data none.npz is not there"),
        (["model.pt", "--data", "narrow.npz"], "inputs of shape (30, 700) cannot be run through the model"),
        (["model.pt", "--data", "holes.npz"], "inputs contains NaN or infinity"),
        (["model.pt", "--data", "eleven.npz"], "targets has the entry 10, but the model has 10 output(s)"),
        (["model.pt", "--data", "data.npz", "--activation", "gulp"], "activation is 'gulp', but must be one of"),
        (["model.pt", "--data", "data.npz", "--seed", "-1"], "seed is -1, but must be a whole number"),
        (["whole.pt", "--data", "data.npz"], "it may be a whole pickled model"),
    ],
)
def test_what_cannot_be_is_status_2_and_a_sentence(arguments: list[str], sentence: str):
    torch.save(MODEL, "whole.pt")
    inputs, targets = DIGITS.inputs.numpy(), DIGITS.labels.numpy()
    np.savez("narrow.npz", inputs=inputs[:, :700])
    np.savez("holes.npz", inputs=inputs * np.nan)
    np.savez("eleven.npz", inputs=inputs, targets=targets + 1)
    said = run(*arguments)
    assert said.exit_code == 2
    assert sentence in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert not said.stdout


@pytest.mark.usefixtures("saved")
def test_a_page_that_cannot_be_written_is_status_1():
    said = run("model.pt", "--data", "data.npz", "--html", "no/such/folder.html")
    assert said.exit_code == 1
    assert (
        said.stderr
        == "no/such/folder.html cannot be written (No such file or directory); pass another path as --html\n"
    )
