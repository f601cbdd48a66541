"""Grids and their trials: what passes, what stops, the sentence it stops with, and the keys of rows."""

from __future__ import annotations

import itertools
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from graphon_lib.sweeps import Store, config
from graphon_lib.sweeps.config import LATER, MEASURES, USUAL, Grid, GridError, Trial

ROOT = Path(__file__).parents[1]
VALUES = {"name": "small", "methods": ["random", "snip"], "widths": [16, 32], "depths": [2], "densities": [0.5, 0.1]}
GRID = Grid(**VALUES, trials=3, trials_by_width={32: 1})
TRIAL = next(GRID.trials_of())


def written(folder: Path, text: str) -> Path:
    path = folder / "grid.yaml"
    path.write_text(text)
    return path


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True).map(sorted),
    st.lists(st.floats(0.01, 1), min_size=1, max_size=3, unique=True),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_every_combination_is_one_trial(widths, densities, trials, of_first):
    grid = Grid(
        **VALUES | {"widths": widths, "densities": densities}, trials=trials, trials_by_width={widths[0]: of_first}
    )
    found = list(grid.trials_of())
    numbers = {width: of_first if width == widths[0] else trials for width in widths}
    expected = {
        (method, width, density, trial)
        for method, width, density in itertools.product(VALUES["methods"], widths, densities)
        for trial in range(numbers[width])
    }
    assert {(trial.method, trial.width, trial.density, trial.trial) for trial in found} == expected
    assert len({trial.key for trial in found}) == len(found) == len(expected)


def test_images_and_data_multiply_the_trials():
    grid = Grid(**VALUES, trials=2, images=[20, 100], data=["mnist", "teacher"])
    found = list(grid.trials_of())
    assert len({trial.key for trial in found}) == len(found) == 2 * 2 * 2 * 2 * 2 * 2
    plain = set(Grid(**VALUES, trials=2).trials_of())
    assert plain == {trial for trial in found if (trial.images, trial.data) == (100, "mnist")}


def test_the_paper_s_grid_is_described_by_its_file():
    grid = Grid.from_yaml(ROOT / "notebooks" / "sweeps" / "masks.yaml")
    assert len(list(grid.trials_of())) == 5 * (5 * 100 + 20) * 2 * 3
    assert grid.initialisations == ["pytorch"]
    assert set(grid.measure) == set(USUAL) == set(MEASURES) - {"chain"}
    assert (grid.images, grid.data) == ([100], ["mnist"])
    assert Grid(**grid.model_dump()) == grid


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks" / "sweeps").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_grid_s_file_has_its_name(path):
    assert Grid.from_yaml(path).name == path.stem


def test_a_grid_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        GRID.trials = 4


def test_keys_are_what_they_were():
    # Stored rows are found by these: a change here computes every sweep anew.
    assert config.MEASUREMENT == 1
    assert TRIAL.key == "1d0e43074ccaf419ec4c56a29270df32"
    published = next(Grid.from_yaml(ROOT / "notebooks" / "sweeps" / "masks.yaml").trials_of())
    first = replace(published, method="grasp", density=0.1)
    assert first.key == "9e0b8e01bed89c16bead4acbabba16e6"
    assert LATER == {"images": 100, "data": "mnist"}


def test_the_published_rows_have_the_keys_of_their_configurations():
    rows = Store(ROOT / "notebooks" / "results" / "masks").rows()
    assert (rows["images"] == 100).all()
    assert (rows["data"] == "mnist").all()
    assert all(Trial.of(row).key == row["key"] for row in rows[::50].to_dict("records"))


OTHER = {"method": "snip", "initialisation": "he", "density": 0.25, "measure": (), "data": "teacher"}


@pytest.mark.parametrize("name", [field.name for field in fields(Trial)])
def test_all_that_changes_a_row_changes_its_key(name):
    other = replace(TRIAL, **{name: OTHER.get(name, 77)})
    assert other.key != TRIAL.key


def test_the_meaning_of_a_row_changes_its_key_and_the_rest_of_the_grid_does_not(monkeypatch):
    others = Grid(
        **VALUES | {"name": "else", "methods": ["random"], "widths": [16]}, trials=9, measure=list(USUAL[::-1])
    )
    assert next(others.trials_of()).key == TRIAL.key
    before = TRIAL.key
    monkeypatch.setattr(config, "MEASUREMENT", 2)
    assert TRIAL.key != before


# --- What stops ---

WIDTHS = (
    "a list of 1 or more whole numbers of at least 1, each larger than the one before; write for example widths: [1]"
)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("widths", [200, 100], f"field 'widths' is [200, 100], but must be {WIDTHS}"),
        ("widths", [0, -1], f"field 'widths' is [0, -1], but must be {WIDTHS}"),
        ("depths", [1], "field 'depths' is [1], but must be a list of 1 or more whole numbers of at least 2, each"),
        ("densities", [0.0], "field 'densities' is [0.0], but must be a list of one or more different numbers above 0"),
        ("methods", ["lottery"], "field 'methods' is ['lottery'], but must be a list of one or more different names"),
        ("trials", 2.5, "field 'trials' is 2.5, but must be a whole number of at least 1; write for example trials: 1"),
        ("trials_by_width", {16: 0}, "field 'trials_by_width' is {16: 0}, but must be a mapping from some of the"),
        ("trials_by_width", {64: 2}, "trials_by_width names width 64, but widths are [16, 32]; add it there"),
        ("seed", -1, "field 'seed' is -1, but must be a whole number from 0 to 4294967295; write for example seed: 0"),
        ("initialisations", ["xavier"], "field 'initialisations' is ['xavier'], but must be a list of one or more out"),
        ("images", [9], "field 'images' is [9], but must be a list of one or more different whole numbers from 10"),
        ("images", [5001], "field 'images' is [5001], but must be a list of one or more different whole numbers from"),
        ("images", [100, 100], "field 'images' is [100, 100], but must be a list of one or more different whole"),
        ("data", ["cifar"], "field 'data' is ['cifar'], but must be a list of one or more different names out "
                            "of mnist, teacher; write for example data: [mnist, teacher]"),
        ("blocks", 1, "field 'blocks' is 1, but must be a whole number from 2 to 256; write for example blocks: 2"),
        ("rounds", 0, "field 'rounds' is 0, but must be a whole number of at least 1; write for example rounds: 1"),
        ("measure", ["colour"], "field 'measure' is ['colour'], but must be a list of names out of histograms, "),
        ("name", "A/b", "field 'name' is 'A/b', but must be a name of lower-case letters, digits, '-' and '_'; write"),
        ("width", [16], "field 'width' is unknown (did you mean 'widths'?); a grid's fields are name, methods,"),
        ("colour", 3, "field 'colour' is unknown; a grid's fields are name, methods, widths,"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_in_a_sentence(tmp_path, field, value, sentence):
    values = VALUES | {"trials": 3, field: value}
    with pytest.raises(GridError, match=re.escape(sentence)) as of_python:
        Grid(**values)
    assert len(str(of_python.value).splitlines()) == 1
    path = written(tmp_path, yaml.safe_dump(values))
    with pytest.raises(GridError, match=re.escape(f"{path}: {sentence}")):
        Grid.from_yaml(path)


def test_every_field_that_is_wrong_is_told(tmp_path):
    path = written(tmp_path, "name: x\nmethods: [snip, snap]\ntrails: 3\n")
    with pytest.raises(GridError) as raised:
        Grid.from_yaml(path)
    told = str(raised.value).splitlines()
    assert all(line.startswith(f"{path}: field '") for line in told)
    assert [line.split("'")[1] for line in told] == ["methods", "widths", "depths", "densities", "trials", "trails"]
    assert "field 'widths' is missing; it must be a list of 1 or more" in told[1]
    assert "(did you mean 'trials'?)" in told[-1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("widths: [1, 2", "is no YAML: while parsing a flow sequence"),
        ("- 1\n- 2\n", "holds no mapping from field to value; write lines such as methods: [random, snip]"),
        ("1: 2\n", "holds no mapping from field to value"),
        ("", "holds no mapping from field to value"),
    ],
)
def test_a_file_that_is_no_grid_is_told(tmp_path, text, sentence):
    path = written(tmp_path, text)
    with pytest.raises(GridError, match=re.escape(f"{path} {sentence}")):
        Grid.from_yaml(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(GridError, match=re.escape(f"{tmp_path / 'none.yaml'} cannot be read (No such file or direct")):
        Grid.from_yaml(tmp_path / "none.yaml")
