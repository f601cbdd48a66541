"""`make book` does again what a change asks for and nothing else, and executes what was edited last."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jupytext
import nbformat
import pytest
from companion_site.execute import edited_last
from companion_site.provenance import KEY, Run

from graphon_lib.sweeps.sources import MIME_TYPE

PROJECT = Path(__file__).parents[1]
NOTEBOOKS = re.search(r"^NOTEBOOKS := (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)[1].split()
SITE = "book/_build/html/index.html"

# In place of Python and Jupyter Book: a notebook is executed by copying it, the site is all chapters in one file.
PYTHON = """#!/bin/sh
[ "$2" = companion_site.execute ] || exit 0
case $(cat "$3") in *wrong*) exit 1;; esac
echo "executed $(basename "$3" .ipynb)" >> log
cp "$3" "$4"
"""
JUPYTER_BOOK = """#!/bin/sh
echo built >> log
mkdir -p book/_build/html
cat book/chapters/*.ipynb > book/_build/html/index.html
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of the same Makefile that was just built, some time ago."""
    shutil.copy(PROJECT / "Makefile", tmp_path)
    files = [f"notebooks/{name}.{ending}" for name in NOTEBOOKS for ending in ("ipynb", "md")]
    files += ["book/intro.md", "graphon_lib/data.py", "notebooks/results/masks/part-1.parquet", "constraints.txt"]
    for file in (*files, "book/companion_site/execute.py", "pyproject.toml", ".venv/.installed"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(f"{file}\n")
    for name, script in (("python", PYTHON), ("jupyter-book", JUPYTER_BOOK)):
        (tmp_path / ".venv" / "bin").mkdir(exist_ok=True)
        (tmp_path / ".venv" / "bin" / name).write_text(script)
        (tmp_path / ".venv" / "bin" / name).chmod(0o755)
    assert sorted(made(tmp_path)) == sorted(["built", *(f"executed {name}" for name in NOTEBOOKS)])
    return tmp_path


def made(project: Path) -> list[str]:
    """What `make` does now; then all of it happened an hour ago."""
    log = project / "log"
    log.write_text("")
    done = subprocess.run(["make", SITE], cwd=project, capture_output=True, text=True, check=False)
    hour = 3600 * 10**9
    for path in project.rglob("*"):
        times = path.stat()
        os.utime(path, ns=(times.st_atime_ns - hour, times.st_mtime_ns - hour))
    return log.read_text().splitlines() + (["failed"] if done.returncode else [])


def test_nothing_is_done_twice(project: Path) -> None:
    assert made(project) == []


@pytest.mark.parametrize("ending", ["ipynb", "md"])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_changed_notebook_alone_is_executed_and_shows_on_all_pages(project: Path, name: str, ending: str) -> None:
    (project / "notebooks" / f"{name}.{ending}").write_text("changed\n")
    assert made(project) == [f"executed {name}", "built"]
    shown = (project / SITE).read_text()
    assert ("changed" in shown) == (ending == "ipynb"), "the copy is that of the .ipynb"
    assert made(project) == []


def test_prose_executes_nothing_and_the_site_is_built_again(project: Path) -> None:
    (project / "book" / "intro.md").write_text("Other words.\n")
    assert made(project) == ["built"]


@pytest.mark.parametrize("file", ["graphon_lib/data.py", "notebooks/results/masks/part-1.parquet", "constraints.txt"])
def test_what_all_numbers_rest_on_executes_all(project: Path, file: str) -> None:
    (project / file).write_text("changed\n")
    (project / ".venv" / ".installed").touch()
    assert sorted(made(project)) == sorted(["built", *(f"executed {name}" for name in NOTEBOOKS)])


def test_a_notebook_that_fails_leaves_the_site_and_is_tried_again(project: Path) -> None:
    before = (project / SITE).read_text()
    (project / "notebooks" / f"{NOTEBOOKS[0]}.ipynb").write_text("wrong\n")
    assert made(project) == ["failed"]
    assert (project / SITE).read_text() == before
    (project / "notebooks" / f"{NOTEBOOKS[0]}.ipynb").write_text("right\n")
    assert made(project) == [f"executed {NOTEBOOKS[0]}", "built"]


def test_a_chapter_without_a_notebook_is_shown_no_longer(project: Path) -> None:
    (project / "book" / "chapters" / "09_gone.ipynb").write_text("stale\n")
    (project / "book" / "intro.md").write_text("Other words.\n")
    assert made(project) == ["built"]
    assert "stale" not in (project / SITE).read_text()


def test_a_change_while_the_site_is_built_asks_for_another(project: Path) -> None:
    script = project / ".venv" / "bin" / "jupyter-book"
    script.write_text(JUPYTER_BOOK + "sleep 0.1\n[ -e book/late.md ] || echo late > book/late.md\n")
    (project / "book" / "intro.md").write_text("Other words.\n")
    assert made(project) == ["built"]
    assert made(project) == ["built"]
    assert made(project) == []


CELLS = f"""---
jupytext:
  formats: ipynb,md:myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A small one

```{{code-cell}} ipython3
:tags: [parameters]

number = 1  # of things
```

```{{code-cell}} ipython3
from IPython.display import publish_display_data

publish_display_data({{"{MIME_TYPE}": {{"folder": "notebooks/results/a", "rows": 5}}}})
print("number", 6 / number)
```
"""


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A notebook and its text, which agree, in a repository."""
    text = tmp_path / "notebooks" / "small.md"
    text.parent.mkdir()
    text.write_text(CELLS)
    nbformat.write(jupytext.read(text), text.with_suffix(".ipynb"))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A notebook"]):
        subprocess.run([*git, *command], check=True)
    return text.with_suffix(".ipynb")


def edit(path: Path, value: str, seconds: float) -> None:
    """Set the number in a notebook, so many seconds from now."""
    path.write_text(path.read_text().replace("number = 1", f"number = {value}"))
    os.utime(path, (time.time() + seconds,) * 2)


def test_what_was_edited_last_is_executed_and_a_sentence_says_so(
    pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edited_last(pair) == pair
    assert capsys.readouterr().out == ""
    text = pair.with_suffix(".md")
    edit(text, "2", -20)
    os.utime(pair, (time.time() - 50,) * 2)
    assert edited_last(pair) == text
    assert "small.md and small.ipynb differ; small.md was changed last and is executed" in capsys.readouterr().out
    edit(pair, "3", -10)
    assert edited_last(pair) == pair
    told = capsys.readouterr().out
    assert "small.ipynb was changed last and is executed. To bring the other up to date: jupytext --sync" in told


def test_a_notebook_saved_by_jupyter_still_agrees_with_its_text(pair: Path) -> None:
    notebook = nbformat.read(pair, as_version=4)
    for cell in notebook.cells:
        cell.metadata["execution"] = {"iopub.status.idle": "now"}
    nbformat.write(notebook, pair)
    os.utime(pair, (time.time() + 50,) * 2)
    edited = pair.with_suffix(".md")
    edit(edited, "1", 100)
    assert edited_last(pair) == pair, "nothing to choose"


def executed(pair: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "companion_site.execute", str(pair), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_execution_keeps_what_provenance_needs(pair: Path) -> None:
    target = pair.parents[1] / "small.ipynb"
    edit(pair.with_suffix(".md"), "2", 1)
    started = time.time()
    done = executed(pair, target)
    ended = time.time()
    assert done.returncode == 0
    told = re.search(r"^== executed small in (\d+) s$", done.stdout, re.MULTILINE)
    assert started < target.stat().st_mtime < ended - int(told[1]) + 1, "as old as what was read"
    cell = nbformat.read(target, as_version=4).cells[-1]
    assert [output.text for output in cell.outputs] == ["number 3.0\n"]
    assert cell.metadata[KEY] == [{"folder": "notebooks/results/a", "rows": 5}]
    run = Run(target)
    assert [(p.name, p.value, p.default, p.changed) for p in run.parameters] == [("number", 2, 1, True)]
    assert run.file == "notebooks/small.md"
    assert run.outcome == "completed"
    assert {"python", "torch", "numpy"} <= set(run.versions)
    assert re.match(r"[0-9a-f]{40}|unknown", run.commit)
    assert run.seconds > 0
    assert not list(target.parent.glob(".*.part"))


def test_a_failing_cell_is_shown_and_the_chapter_stays(pair: Path) -> None:
    target = pair.parents[1] / "small.ipynb"
    target.write_text("as it was")
    edit(pair, "0", 1)
    done = executed(pair, target)
    assert done.returncode == 1
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "\x1b" not in done.stderr
    assert "== small failed in code cell 2; the chapter stays as it was" in done.stderr
    assert target.read_text() == "as it was"
