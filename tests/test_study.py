"""Studies: a row each configuration, whatever the number of workers, however often they are interrupted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from graphon_lib.sweeps import studies
from graphon_lib.sweeps.parts import StoreError
from graphon_lib.sweeps.sources import MIME_TYPE
from graphon_lib.sweeps.study import Study, StudyError, read_study, run_study

COLUMNS = ["key", "base", "place", "power", "length", "run_time", "versions", "commit", "time"]


def measured(*, base: float, place: str) -> dict[str, float]:
    if base < 0:
        raise ValueError(f"base is {base}")
    if place == "dead":
        os.kill(os.getpid(), signal.SIGKILL)
    if place.startswith("slow"):
        Path(place.removeprefix("slow ")).touch()
        time.sleep(60)
    return {"power": base ** len(place), "length": len(place)}


def study(*bases: float, place: str = "here", name: str = "powers") -> Study:
    return Study(name, measured, [{"base": base, "place": place} for base in bases])


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("part-*.parquet"))


@pytest.fixture(scope="module")
def two_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("powers")
    run_study(study(3.0, 0.1), folder, workers=1)
    return folder


def test_a_row_each_configuration_in_their_order(two_rows: Path) -> None:
    report = run_study(study(3.0, 0.1), two_rows)
    assert (report.computed, report.present, report.errors) == (0, 2, ())
    assert list(report.rows.columns) == COLUMNS
    assert report.rows["base"].tolist() == [3.0, 0.1]
    assert report.rows["power"].tolist() == [81.0, 0.1**4]
    assert run_study(study(0.1, 3.0, 0.1), two_rows).rows["base"].tolist() == [0.1, 3.0]
    row = report.rows.iloc[0]
    assert {"python", "torch", "numpy", "numba", "graphon_lib"} <= set(json.loads(row["versions"]))
    assert row["time"].startswith("20")
    pd.testing.assert_frame_equal(
        read_study(two_rows), report.rows.sort_values("key", ignore_index=True), check_like=True
    )


def test_only_what_lacks_is_computed_whatever_the_number_of_workers(two_rows: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(two_rows, tmp_path / "copy")
    report = run_study(study(3.0, 0.1, 0.7, 2.5), copy, workers=2)
    assert (report.computed, report.present) == (2, 2)
    assert len(parts(copy)) == 1
    assert report.rows["power"].tolist() == [3.0**4, 0.1**4, 0.7**4, 2.5**4]
    first = read_study(two_rows).set_index("key")
    pd.testing.assert_frame_equal(read_study(copy).set_index("key").loc[first.index], first)


def test_nothing_is_written_when_nothing_lacks(two_rows: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in two_rows.rglob("*")}
    run_study(study(3.0), two_rows)
    assert {path: path.stat().st_mtime_ns for path in two_rows.rglob("*")} == before


def test_keys_stay_what_they_are() -> None:
    assert study(3.0).keys() == ["4af8d221919d9b6b7baecf5dfa44db77"]
    assert study(3.0, name="others").keys() != study(3.0).keys()
    assert len(set(study(3.0, 0.1, 3.0).keys())) == 2


def test_what_fails_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    report = run_study(study(-1.0, 2.0), tmp_path, workers=1)
    assert report.errors == ("base -1.0, place here: ValueError: base is -1.0",)
    assert (report.computed, report.present) == (1, 0)
    assert report.rows["base"].tolist() == read_study(tmp_path)["base"].tolist() == [2.0]


def test_a_worker_that_is_killed_ends_the_study_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        StudyError, match="a process of study 'powers' was killed, perhaps for want of memory; what was"
    ):
        run_study(study(1.0, place="dead"), tmp_path, workers=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_parent_and_an_interrupt_loses_nothing(tmp_path: Path, number: int) -> None:
    started = tmp_path / "started"
    program = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs behind\n"
        "from test_study import measured, study\n"
        "from graphon_lib.sweeps.study import Study, run_study\n"
        f"both = [*study(1.0, 2.0).configurations, *study(3.0, place='slow {started}').configurations]\n"
        f"run_study(Study('powers', measured, both), {str(tmp_path / 'store')!r}, workers=1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    parent = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    until = time.monotonic() + 60
    while not started.exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    parent.send_signal(number)
    parent.wait(timeout=20)
    until = time.monotonic() + 10
    while _alive(parent.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _alive(parent.pid)
    if number == signal.SIGINT:
        assert sorted(read_study(tmp_path / "store")["base"]) == [1.0, 2.0]


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_are_at_least_one(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ValueError, match=f"workers is {workers}, but must be at least 1; leave it out for one a core"):
        run_study(study(1.0), tmp_path, workers=workers)


def test_a_folder_without_results(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no results of a study; compute them with python -m graphon_lib"):
        read_study(tmp_path)


def test_a_torn_part_is_found_out(two_rows: Path, tmp_path: Path) -> None:
    (tmp_path / parts(two_rows)[0]).write_bytes((two_rows / parts(two_rows)[0]).read_bytes()[:-9])
    with pytest.raises(StoreError, match="is torn, altered or foreign"):
        read_study(tmp_path)


@pytest.fixture
def project(two_rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a project in which two rows are published."""
    published = tmp_path / "notebooks" / "results" / "estimation" / "powers"
    published.mkdir(parents=True)
    (published / parts(two_rows)[0]).write_bytes((two_rows / parts(two_rows)[0]).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_notebook_reads_what_is_published_and_computes_the_rest(project: Path) -> None:
    rows = studies.studied(study(0.1, 3.0))
    assert rows["base"].tolist() == [0.1, 3.0]
    assert not (project / "notebooks" / "runs").exists()
    # What failed is tried again next time, what did not is there.
    with pytest.raises(StudyError, match=r"1 configurations of study 'powers' failed; the first: base -1\.0, place"):
        studies.studied(study(2.0, -1.0))
    rows = studies.studied(study(2.0, 0.1))
    assert rows["power"].tolist() == [16.0, 0.1**4]
    assert read_study(project / "notebooks" / "runs" / "powers")["base"].tolist() == [2.0]


def test_what_was_read_and_what_was_computed_is_told_to_whom_asks(
    project: Path, two_rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data: told.append(data[MIME_TYPE]))
    studies.studied(study(0.1))
    assert told == [], "nobody asked"
    monkeypatch.setenv("GRAPHON_SOURCES", "publish")
    studies.studied(study(0.1, 7.0))
    stored, computed = told
    assert (stored["folder"], stored["rows"], stored["computed"]) == ("notebooks/results/estimation/powers", 1, 0)
    assert (computed["folder"], computed["rows"], computed["computed"]) == ("notebooks/runs/powers", 1, 1)
    row = read_study(two_rows).query("base == 0.1").iloc[0]
    assert stored["dates"] == [row["time"][:10]] * 2
    assert stored["commits"] == [row["commit"]]
    studies.studied(study(7.0))
    assert told[2:] == [{**computed, "computed": 0}], "found where it was computed before"


@pytest.mark.parametrize("name", list(studies.STUDIES))
def test_the_books_studies_are_published_whole(name: str) -> None:
    asked: Any = studies.STUDIES[name]()
    rows = read_study(Path(__file__).parents[1] / "notebooks" / "results" / asked.group / name)
    assert asked.name == name
    assert sorted(rows["key"]) == sorted(set(asked.keys()))
    # Training may diverge, and not every rung is climbed in every setting: there, a number that every row has.
    always = {"training": ["early_loss"], "ladder": ["d_scale"], "curves": ["a_error"]}.get(name)
    numbers = rows.select_dtypes("number")
    assert rows[always].notna().all().all() if always else np.isfinite(numbers).all().all()
