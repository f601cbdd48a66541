"""What is installed: one place for versions, and the public face that the installation offers."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import graphon_lib

ROOT = Path(__file__).parents[1]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines: list[str]) -> dict[str, str]:
    found = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {canonical(name): version.strip() for name, version in found}


CONSTRAINTS = pins((ROOT / "constraints.txt").read_text().splitlines())


def direct_dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = project["dependencies"] + [d for extra in project["optional-dependencies"].values() for d in extra]
    return [canonical(re.split(r"[<>=\[ ]", dependency)[0]) for dependency in listed]


def test_environment_and_constraints_agree():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    installed = pins(next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)))
    assert installed == {name: CONSTRAINTS[name] for name in direct_dependencies()}


def test_torch_is_pinned_once_and_jupyter_book_stays_below_2():
    assert CONSTRAINTS["torch"] == "2.13.0"
    assert int(CONSTRAINTS["jupyter-book"].split(".")[0]) == 1


@pytest.mark.parametrize("name", graphon_lib.__all__)
def test_every_public_name_resolves_and_is_documented(name):
    found = getattr(graphon_lib, name)
    assert found.__doc__
    assert not found.__doc__.startswith(f"{name}(")  # what dataclasses write when nobody else does


@pytest.mark.parametrize("path", sorted((ROOT / "graphon_lib").rglob("*.py")), ids=lambda path: path.stem)
def test_no_room_outgrows_its_idea(path):
    assert len(path.read_text().splitlines()) <= 300


def test_make_help_lists_the_commands():
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in ("book", "test", "rerun", "sweep", "audit", ".venv"):
        assert f"make {command}" in said


def test_make_rerun_wants_a_notebook_that_is_there():
    asked = subprocess.run(["make", "rerun", "NOTEBOOK=05"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert asked.returncode != 0
    assert "NOTEBOOK is '05', but must be one of: 01_mask_convergence" in asked.stdout


def test_make_sweep_wants_a_grid():
    asked = subprocess.run(["make", "sweep"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert asked.returncode != 0
    assert "CONFIG is empty, but must be a grid, such as notebooks/sweeps/masks.yaml" in asked.stdout
