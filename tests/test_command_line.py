"""The command line: its help, what it prints, and its exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from distributed import LocalCluster
from typer.testing import CliRunner, Result

from graphon_lib.__main__ import app
from graphon_lib.claims import CLAIMS, Evidence, ledger
from graphon_lib.sweeps import study
from graphon_lib.sweeps.store import Store, StoreError
from graphon_lib.sweeps.studies import STUDIES
from graphon_lib.sweeps.study import StudyError

GRID = "name: tiny\nmethods: [random]\nwidths: [WIDTHS]\ndepths: [2]\ndensities: [0.5, 0.3]\ntrials: 2\nblocks: 8\n"

# distributed warns of its own open sockets.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster.scheduler_address


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def written(widths: str) -> str:
    Path("tiny.yaml").write_text(GRID.replace("WIDTHS", widths))
    return "tiny.yaml"


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ([], ["sweep", "study", "audit", "claims", "diagnose", "Compute the trials of a grid that its store lacks.",
              "Compute the rows of", "Recompute random rows of", "Print the ledger: each claim with"]),
        (["sweep"], ["CONFIG", "--store DIR", "[default: notebooks/results/<name>]", "--scheduler ADDRESS",
                     "--workers N", "goes on where it was", "Exit status: 0 if"]),
        (["study"], ["NAME", "--store DIR", "[default: notebooks/results/<group>/<name>]", "--workers N",
                     ", ".join(STUDIES), "goes on where it was", "Exit status: 0 if"]),
        (["diagnose"], ["CHECKPOINT", "--data FILE", "--activation NAME", "[default: relu]", "--images N",
                        "--html FILE", "Nothing that the file contains is run.", "Exit status: 0 if the report was"]),
        (["claims"], ["--json", "Exit status: 0 if all claims are printed, whatever their verdicts"]),
        (["audit"], ["STORE", "--rows N", "[default: 20", "--seed S", "Exit status: 0 if"]),
    ],
)  # fmt: skip
def test_help_tells_what_there_is(command, parts):
    said = run(*command, "--help")
    assert said.exit_code == 0
    for part in parts:
        assert " ".join(part.split()) in " ".join(said.output.split())


def test_a_sweep_goes_to_the_folder_of_its_name_and_resumes(address):
    config = written("16")
    first = run("sweep", config, "--scheduler", address)
    assert first.exit_code == 0, first.output
    assert first.stdout.startswith("tiny: 4 trials computed, 0 present before, 0 failed, in ")
    assert first.stdout.endswith("results in notebooks/results/tiny\n")
    assert len(Store("notebooks/results/tiny").keys()) == 4
    second = run("sweep", config)
    assert second.exit_code == 0
    assert second.stdout.startswith("tiny: 0 trials computed, 4 present before, 0 failed, in 0 s")
    assert run("sweep", config, "--store", "elsewhere", "--scheduler", address).exit_code == 0
    assert len(Store("elsewhere").keys()) == 4


def test_failing_trials_are_rows_listed_at_the_end(address):
    # No machine has the memory for a network of the second width.
    said = run("sweep", written("16, 1000000000000"), "--store", "store", "--scheduler", address)
    assert said.exit_code == 1
    assert "tiny: 4 trials computed, 0 present before, 4 failed, in" in said.stdout
    assert (
        "4 trials failed and are tried again next time; their errors are in the column 'error' of store" in said.stderr
    )
    assert said.stderr.count("width 1000000000000, density 0.") == 3
    assert "GB of memory, but this machine has" in said.stderr
    rows = Store("store").rows()
    assert rows["error"].notna().tolist() == (rows["width"] > 16).tolist()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.yaml"], "none.yaml cannot be read (No such file or directory); pass the path of a YAML file\n"),
        (
            ["wrong.yaml"],
            "wrong.yaml: field 'widths' is [0], but must be a list of 1 or more whole numbers of at least",
        ),
    ],
)
def test_a_grid_that_is_none_is_status_2(arguments, sentence):
    Path("wrong.yaml").write_text(GRID.replace("WIDTHS", "0"))
    said = run("sweep", *arguments)
    assert said.exit_code == 2
    assert said.stderr.startswith(sentence)
    assert len(said.stderr.splitlines()) == 1


def test_workers_of_a_scheduler_are_its_own():
    said = run("sweep", written("16"), "--workers", "2", "--scheduler", "tcp://127.0.0.1:1")
    assert said.exit_code == 2
    assert "a scheduler has its own workers; leave one of them out" in said.stderr


def test_a_scheduler_that_is_not_there_is_status_1():
    said = run("sweep", written("16"), "--scheduler", "nonsense://")
    assert said.exit_code == 1
    assert said.stderr.startswith("scheduler is 'nonsense://', but no Dask scheduler answers there")


def test_a_broken_store_is_status_1():
    Path("store").mkdir()
    Path("store/part-1.parquet").write_bytes(b"x")
    said = run("sweep", written("16"), "--store", "store")
    assert said.exit_code == 1
    assert said.stderr.startswith("store/part-1.parquet is torn, altered or foreign")


@pytest.mark.parametrize(
    ("found", "status", "sentence"),
    [
        ([], 0, "results: the rows recomputed are what is stored\n"),
        (["a differs", "b differs"], 1, "a differs\nb differs\n"),
        (StoreError("torn"), 1, "torn\n"),
    ],
)
def test_an_audit_tells_the_differences(monkeypatch, found, status, sentence):
    asked: list[Any] = []

    def audit(store: Path, rows: int, seed: int) -> list[str]:
        asked.append((store, rows, seed))
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setitem(sys.modules, "graphon_lib.sweeps.audit", SimpleNamespace(audit=audit))
    said = run("audit", "results", "--rows", "3")
    assert (said.exit_code, said.output) == (status, sentence)
    assert asked == [(Path("results"), 3, 0)]


@pytest.mark.parametrize(
    ("found", "status", "sentence"),
    [
        ((2, 3, ()), 0, "labels: 2 rows computed, 3 present before, 0 failed; results in FOLDER\n"),
        (
            (1, 0, ("x 1: ValueError: no",)),
            1,
            "1 rows failed and are tried again next time; the first:\n  x 1: ValueEr",
        ),
        (StudyError("a process was killed"), 1, "a process was killed\n"),
        (StoreError("torn"), 1, "torn\n"),
        (KeyboardInterrupt(), 130, "Interrupted; what was finished is stored, and the same command goes on.\n"),
    ],
)
@pytest.mark.parametrize("store", [None, "elsewhere"])
def test_a_study_is_run_and_told_of(monkeypatch, found, status, sentence, store):
    asked: list[Any] = []

    def run_study(one: study.Study, folder: Path, *, workers: int | None) -> study.StudyReport:
        asked.append((one.name, folder, workers))
        if isinstance(found, BaseException):
            raise found
        return study.StudyReport(pd.DataFrame(), *found)

    monkeypatch.setattr(study, "run_study", run_study)
    said = run("study", "labels", "--workers", "3", *(["--store", store] if store else []))
    folder = Path(store or "notebooks/results/estimation/labels")
    assert said.exit_code == status
    assert sentence.replace("FOLDER", str(folder)) in said.output
    assert asked == [("labels", folder, 3)]


def test_a_study_that_is_none_is_status_2():
    said = run("study", "nonsense")
    assert said.exit_code == 2
    assert f"'nonsense' is none of {', '.join(STUDIES)}" in " ".join(said.stderr.replace("│", " ").split())


def recorded(claims: Iterable[str]) -> None:
    """A project around the working directory whose notebooks have recorded these claims, and no others."""
    Path("notebooks/results").mkdir(parents=True)
    for name in {claim.notebook for claim in CLAIMS.values()}:
        here = [claim for claim in map(CLAIMS.get, claims) if claim and claim.notebook == name]
        evidence = [Evidence(c.id, {test.name: test.threshold for test in c.tests}, "1.", "fig-x") for c in here]
        output = [{"output_type": "execute_result", "data": ledger(*evidence)._repr_mimebundle_()}] if here else []
        cells = [{"cell_type": "code", "source": "", "outputs": output}]
        Path("notebooks", f"{name}.ipynb").write_text(json.dumps({"cells": cells}))


def test_the_ledger_is_printed_wherever_in_the_project_one_is(monkeypatch):
    recorded(CLAIMS)
    monkeypatch.chdir("notebooks")
    said = run("claims")
    assert said.exit_code == 0, said.output
    assert said.stdout.startswith("15 not reproduced\n\nC1  ✗ not reproduced: ")
    as_json = run("claims", "--json")
    assert as_json.exit_code == 0
    entries = json.loads(as_json.stdout)
    assert [entry["id"] for entry in entries] == list(CLAIMS)
    assert all({"claim", "where", "test", "statistic", "interval", "verdict", "link"} <= set(e) for e in entries)


def test_claims_outside_the_project_are_status_2(tmp_path):
    said = run("claims")
    assert said.exit_code == 2
    assert said.stderr == f"no notebooks/results in {tmp_path} or above it; run this inside the project's folder\n"


def test_a_notebook_that_was_not_executed_is_named():
    recorded([claim for claim in CLAIMS if claim not in ("C4", "B2")])
    said = run("claims")
    assert said.exit_code == 1
    assert said.stdout.startswith("13 not reproduced\n")
    assert said.stderr == (
        "Nothing is recorded on C4, B2, in notebooks/02_graphon_estimation.ipynb; execute what is not executed with "
        "`make notebooks`\n"
    )


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda path: path.unlink(), "02_graphon_estimation.ipynb is not there; execute it first"),
        (lambda path: path.write_text("{"), "02_graphon_estimation.ipynb is no notebook; restore it"),
    ],
)
def test_a_notebook_that_cannot_be_read_is_status_1(break_it, sentence):
    recorded(CLAIMS)
    break_it(Path("notebooks/02_graphon_estimation.ipynb"))
    said = run("claims")
    assert said.exit_code == 1
    assert sentence in said.stderr
    assert not said.stdout
