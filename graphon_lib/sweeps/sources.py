"""Where the rows of a table come from, told to whoever executes a notebook and asks for it.

A notebook is executed with the environment variable ``GRAPHON_SOURCES`` set to ``publish`` to have each source among
the outputs of the cell that read it. Without the variable nothing is told, so that outputs are what the cell shows.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

MIME_TYPE = "application/vnd.graphon.source+json"
VARIABLE = "GRAPHON_SOURCES"


def source_of(rows: pd.DataFrame, folder: Path, *, computed: int = 0) -> dict[str, Any]:
    """What is told of rows that were read.

    Parameters
    ----------
    rows : DataFrame
        With the columns ``time`` and ``commit`` that every store has.
    folder : Path
        The store that they are from, in the project's ``notebooks``.
    computed : int
        How many of them were computed for this reading.

    Returns
    -------
    dict
        ``folder`` (from the project's folder on), ``rows`` and ``computed`` (counts), ``dates`` (the first and the last
        day on which rows were computed, as in "2026-11-23"), ``commits`` (of the library, in the order of those days).
    """
    by_time = rows.sort_values("time", kind="stable")
    notebooks = next(parent for parent in folder.parents if parent.name == "notebooks")
    return {
        "folder": folder.relative_to(notebooks.parent).as_posix(),
        "rows": len(rows),
        "computed": computed,
        "dates": [by_time["time"].iloc[place][:10] for place in (0, -1)],
        "commits": by_time["commit"].unique().tolist(),
    }


def tell(rows: pd.DataFrame, folder: Path, *, computed: int = 0) -> None:
    """Publish :func:`source_of` rows as an output of the running cell, if asked to and there are any."""
    if os.environ.get(VARIABLE) == "publish" and len(rows):
        from IPython.display import publish_display_data

        publish_display_data({MIME_TYPE: source_of(rows, folder, computed=computed)})
