"""Make the notebooks' .ipynb from their text: execute, keep text outputs as the reference, drop pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

# Pictures are drawn again whenever the book is built; only text is compared, so only text is stored.
PICTURES = ("image/png", "image/svg+xml", "application/vnd.plotly.v1+json")


def from_text(path: Path) -> NotebookNode:
    """The notebook of a text source, with cell ids that depend on their order only."""
    notebook = jupytext.read(path)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
    return notebook


def without_pictures(notebook: NotebookNode) -> NotebookNode:
    """The notebook less pictures and what changes from run to run; in place."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            for kind in PICTURES:
                output.get("data", {}).pop(kind, None)
            if "data:image/" in output.get("data", {}).get("text/html", ""):
                del output.data["text/html"]
    return notebook


def main(paths: list[str]) -> None:
    for path in map(Path, paths):
        print(f"executing {path}", flush=True)
        notebook = from_text(path)
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
        notebook.metadata = {key: notebook.metadata[key] for key in ("jupytext", "kernelspec")}
        nbformat.write(without_pictures(notebook), path.with_suffix(".ipynb"))


if __name__ == "__main__":
    main(sys.argv[1:])
