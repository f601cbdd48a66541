"""What is known of the run behind an executed notebook: when, how long, with which parameters, from which numbers."""

from __future__ import annotations

import ast
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode

from companion_site.dataflow import cells_behind

# Where an executed notebook and its cells keep in their metadata what papermill does not.
KEY = "graphon_lib"

Source = dict[str, Any]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a run, and its value in the notebook as committed."""

    name: str
    value: Any
    default: Any

    @property
    def changed(self) -> bool:
        """Whether the run had another value than the committed notebook."""
        value, default = self.value, self.default
        if isinstance(value, str) and not isinstance(
            default, str
        ):  # papermill passes lists from the command line as text
            value = yaml.safe_load(value)
        return json.dumps(value) != json.dumps(default)


@dataclass(frozen=True)
class Cell:
    """One code cell of a run."""

    place: int  # among all cells of the notebook
    count: int  # In [count]
    seconds: float
    sources: list[Source]  # what it read itself
    behind: set[int]  # places of the cells that it builds on, itself among them


class Run:
    """One execution of a notebook by papermill, as the executed notebook tells of it.

    Parameters
    ----------
    path : Path
        Of the executed notebook.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._notebook = nbformat.read(path, as_version=4)
        self._papermill: Mapping[str, Any] = self._notebook.metadata.get("papermill", {})
        self._facts: Mapping[str, Any] = self._notebook.metadata.get(KEY, {})

    @property
    def recorded(self) -> bool:
        """Whether sources were recorded: a notebook that something else executed does not tell."""
        return bool(self._facts)

    @property
    def file(self) -> str:
        """What was executed."""
        return self._facts.get("file", f"notebooks/{self.name}.ipynb")

    @property
    def commit(self) -> str:
        return self._facts.get("commit", "unknown")

    @property
    def versions(self) -> dict[str, str]:
        return dict(self._facts.get("versions", {}))

    @property
    def started(self) -> datetime | None:
        """In UTC."""
        time = self._papermill.get("start_time")
        return None if time is None else datetime.fromisoformat(time)

    @property
    def seconds(self) -> float:
        return self._papermill.get("duration") or 0.0

    @property
    def outcome(self) -> str:
        """In one word."""
        if self.started is None:
            return "unknown"
        return "failed" if self._papermill.get("exception") else "completed"

    @functools.cached_property
    def parameters(self) -> list[Parameter]:
        """In the order of the notebook's cell of parameters."""
        own = declared(self._notebook)
        values = {**own, **self._papermill.get("parameters", {})}
        defaults = {**own, **self._facts.get("defaults", {})}
        return [Parameter(name, value, defaults.get(name)) for name, value in values.items()]

    @functools.cached_property
    def cells(self) -> dict[int, Cell]:
        """Code cells by their place in the notebook."""
        places = [place for place, cell in enumerate(self._notebook.cells) if cell.cell_type == "code"]
        code = [self._notebook.cells[place] for place in places]
        behind = cells_behind([cell.source for cell in code])
        return {
            place: Cell(
                place,
                cell.execution_count,
                cell.metadata.get("papermill", {}).get("duration") or 0.0,
                cell.metadata.get(KEY, []),
                {places[other] for other in others},
            )
            for place, cell, others in zip(places, code, behind, strict=True)
        }

    def sources(self, place: int) -> list[Source]:
        """What the cell at ``place`` read, and the cells that it builds on, in their order."""
        return [source for other in sorted(self.cells[place].behind) for source in self.cells[other].sources]


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """In their order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def declared(notebook: NotebookNode) -> dict[str, Any]:
    """The parameters that a notebook declares in its cell of that tag, with their values."""
    found = {}
    for cell in code_cells(notebook):
        if "parameters" in cell.metadata.get("tags", []):
            for statement in ast.parse(cell.source).body:
                if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                    found[statement.targets[0].id] = _value(statement.value)
    return found


def runs(chapters: Path) -> list[Run]:
    """Of all executed notebooks of a folder, by name."""
    return [Run(path) for path in sorted(chapters.glob("[!.]*.ipynb"))]


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
