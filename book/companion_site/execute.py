"""Execute a notebook for the book: as it was edited last, with all that its provenance needs written into it.

``python -m companion_site.execute notebooks/NAME.ipynb book/chapters/NAME.ipynb``
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import compress
from operator import not_
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from companion_site.provenance import KEY, code_cells, declared
from companion_site.reference import from_text
from graphon_lib.sweeps.sources import MIME_TYPE, VARIABLE
from graphon_lib.sweeps.trial import commit, versions


def edited_last(path: Path) -> Path:
    """The notebook ``path`` or the text it is paired with: whichever is newer if they differ, with a sentence."""
    text = path.with_suffix(".md")
    if _content(nbformat.read(path, as_version=4)) == _content(from_text(text)):
        return path
    if path.stat().st_mtime > text.stat().st_mtime:
        newer, older, remedy = path, text, f"jupytext --sync {path}"
    else:
        newer, older, remedy = text, path, "make notebooks"
    print(
        f"{newer.name} and {older.name} differ; {newer.name} was changed last and is executed. "
        f"To bring the other up to date: {remedy}",
        flush=True,
    )
    return newer


def execute(path: Path, target: Path) -> None:
    """Execute what was edited last of ``path`` and its text, and put the result in the place of ``target``.

    Beside papermill's metadata the result has, under :data:`companion_site.provenance.KEY`, of the notebook: the file
    that was executed, the commit, the versions, and the parameters of the committed notebook; of each cell: the
    sources of what it read, which are taken out of its outputs. The target is as old as the sources that were read, so
    that a change in the course of an execution asks for another.

    Raises
    ------
    PapermillExecutionError
        If a cell fails; the target stays as it was.
    """
    started = time.time()
    chosen = edited_last(path)
    notebook = nbformat.read(chosen, as_version=4) if chosen == path else from_text(chosen)
    committed = _committed(path.with_suffix(".md")) or notebook
    facts = {
        "file": f"notebooks/{chosen.name}",
        "commit": commit(),
        "versions": json.loads(versions()),
        "defaults": declared(committed),
    }
    executed = papermill.execute_notebook(notebook, None, progress_bar=False)
    executed.metadata[KEY] = facts
    executed.metadata.papermill.update(input_path=facts["file"], output_path=f"book/chapters/{target.name}")
    move_sources(executed)
    part = target.with_name(f".{target.stem}.part")
    nbformat.write(executed, part)
    os.utime(part, (started, started))
    part.replace(target)


def move_sources(notebook: NotebookNode) -> None:
    """Take sources out of cells' outputs, where each would become a figure, into the cells' metadata; in place."""
    for cell in code_cells(notebook):
        told = [MIME_TYPE in output.get("data", {}) for output in cell.outputs]
        cell.metadata[KEY] = [output.data[MIME_TYPE] for output in compress(cell.outputs, told)]
        cell.outputs = list(compress(cell.outputs, map(not_, told)))


def _content(notebook: NotebookNode) -> list[tuple[Any, ...]]:
    """What the reader of a notebook sees of it before it is executed."""
    return [(c.cell_type, c.source, c.metadata.get("tags"), c.metadata.get("mystnb")) for c in notebook.cells]


def _committed(text: Path) -> NotebookNode | None:
    """The text source as committed last, or None outside of a repository."""
    command = ["git", "-C", str(text.parent), "show", f"HEAD:./{text.name}"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return jupytext.reads(shown, fmt="md:myst")


def main(path: str, target: str) -> int:
    """Execute, and say how long it took, or what went wrong."""
    name = Path(path).stem
    print(f"== executing {name}", flush=True)
    started = time.monotonic()
    os.environ[VARIABLE] = "publish"
    try:
        execute(Path(path), Path(target))
    except PapermillExecutionError as error:
        print(error, file=sys.stderr)
        print(f"== {name} failed in code cell {error.exec_count}; the chapter stays as it was", file=sys.stderr)
        return 1
    print(f"== executed {name} in {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
