"""What a notebook asks for: the tables of a grid, from the published store where it has them, else computed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graphon_lib.sweeps.config import Grid, Trial
from graphon_lib.sweeps.run import sweep
from graphon_lib.sweeps.sources import tell
from graphon_lib.sweeps.store import Store
from graphon_lib.sweeps.summary import GROUP, read_distances, read_methods, read_summaries

# Columns of a row with an entry for something else than each hidden mask.
_OF_LAYERS = ("measure", "layer_densities", "two_layer")


@dataclass(frozen=True)
class Results:
    """The tables of one grid.

    Attributes
    ----------
    rows : DataFrame
        One row a trial, see :class:`graphon_lib.sweeps.Store`.
    folder : Path
        The store that they are from.
    stored : bool
        Whether they were there, and not computed now.
    """

    rows: pd.DataFrame
    folder: Path
    stored: bool

    def masks(self) -> pd.DataFrame:
        """One row a hidden mask: its ``layer``, from 1, and a number in place of each list with an entry a mask.

        ``C4_excess``, ``row_excess`` and ``column_excess`` say how much more often a 4-cycle, and two entries of one
        row or column, are kept than in a mask of equal density without structure: unbiased densities, over the fourth
        power or the square of the mask's density, less 1. They are 0 for the constant graphon only: if the first is,
        the limit is constant (Chung, Graham and Wilson 1989). NaN for a mask that keeps nothing.
        """
        rows = self.rows
        lists = {name for name in rows if isinstance(rows[name].iloc[0], list | np.ndarray | tuple)}
        of_masks = [name for name in rows if name in lists and not name.startswith(_OF_LAYERS)]
        counts = rows["depth"] - 1
        masks = rows.drop(columns=list(lists)).loc[rows.index.repeat(counts)].reset_index(drop=True)
        masks = masks.assign(**{name: np.concatenate(rows[name].tolist()) for name in of_masks})
        masks["layer"] = masks.groupby("key", sort=False).cumcount() + 1
        if "C4" in masks:
            masks = masks.assign(**_excesses(masks))
        return masks

    def summaries(self) -> pd.DataFrame:
        """One row a configuration and ``layer``, with mean histograms, see :func:`read_summaries`."""
        cells = self._of_grid(read_summaries(self.folder))
        histograms = [name for name in cells if name.endswith(("_mean", "_std"))]
        cells = cells.assign(layer=[list(range(1, depth)) for depth in cells["depth"]])
        return cells.assign(**{name: cells[name].map(list) for name in histograms}).explode(
            ["layer", *histograms], ignore_index=True
        )

    def distances(self) -> pd.DataFrame:
        """See :func:`read_distances`."""
        return self._of_grid(read_distances(self.folder))

    def methods(self) -> pd.DataFrame:
        """See :func:`read_methods`."""
        pairs = self._of_grid(read_methods(self.folder))
        return pairs[pairs["other"].isin(self.rows["method"].unique())].reset_index(drop=True)

    def _of_grid(self, table: pd.DataFrame) -> pd.DataFrame:
        groups = pd.MultiIndex.from_frame(self.rows[list(GROUP)]).unique()
        places = groups.get_indexer(pd.MultiIndex.from_frame(table[list(GROUP)]))
        order = np.argsort(places, kind="stable")
        return table.iloc[order[places[order] >= 0]].reset_index(drop=True)


def results(grid: Grid) -> Results:
    """The results of a grid: those in ``notebooks/results/<name>`` of the project around the working directory if, of
    each configuration, just the trials of the grid are there; else they are computed, with progress, into a store of
    their own in ``notebooks/runs``, where the next call finds them.

    A store with other widths or trials does not serve: means and distances are over all of them.

    Raises
    ------
    FileNotFoundError
        If the working directory is outside the project.
    """
    notebooks = notebooks_folder()
    trials = list(grid.trials_of())
    stored_in = Store(notebooks / "results" / grid.name)
    rows = stored_in.rows()
    asked = pd.DataFrame([(trial.key, *(getattr(trial, name) for name in GROUP)) for trial in trials])
    asked.columns = ["key", *GROUP]
    groups = pd.MultiIndex.from_frame(asked[list(GROUP)])
    there = rows[pd.MultiIndex.from_frame(rows[list(GROUP)]).isin(groups) & rows["error"].isna()]
    if set(there["key"]) == set(asked["key"]):
        tell(there, stored_in.folder)
        return Results(_in_order(there, trials), stored_in.folder, stored=True)
    name = hashlib.sha256("".join(sorted(asked["key"])).encode()).hexdigest()[:12]
    store = Store(notebooks / "runs" / f"{grid.name}-{name}")
    report = sweep(grid, store)
    if report.errors:
        raise RuntimeError(f"{len(report.errors)} of the grid's trials failed; the first: {report.errors[0]}")
    rows = _in_order(store.rows(), trials)
    tell(rows, store.folder, computed=report.computed)
    return Results(rows, store.folder, stored=False)


def published(name: str) -> Results:
    """All that is in ``notebooks/results/<name>`` of the project around the working directory.

    Raises
    ------
    FileNotFoundError
        If the working directory is outside the project, or there is no such store.
    """
    store = Store(notebooks_folder() / "results" / name)
    rows = store.rows()
    if rows.empty:
        raise FileNotFoundError(
            f"no results in {store.folder}; run the sweep: make sweep CONFIG=notebooks/sweeps/{name}.yaml"
        )
    rows = rows[rows["error"].isna()].reset_index(drop=True)
    tell(rows, store.folder)
    return Results(rows, store.folder, stored=True)


def notebooks_folder() -> Path:
    """The project's notebooks: where ``notebooks/results`` is, in the working directory or above.

    Raises
    ------
    FileNotFoundError
        If it is not.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks" / "results").is_dir():
            return folder / "notebooks"
    raise FileNotFoundError(f"no notebooks/results in {here} or above it; run this inside the project's folder")


def _in_order(rows: pd.DataFrame, trials: Sequence[Trial]) -> pd.DataFrame:
    """Rows in the order of the grid, which is that of figures and tables."""
    return rows.set_index("key", drop=False).loc[[trial.key for trial in trials]].reset_index(drop=True)


def _excesses(masks: pd.DataFrame) -> dict[str, pd.Series]:
    n, kept = masks["width"].astype(np.float64), masks["mask_density"].where(masks["mask_density"] > 0)
    rows, columns = masks["row_cherry"], masks["column_cherry"]
    # Homomorphisms of a 4-cycle that fold two rows or two columns into one are those of a cherry or an edge.
    cycles = (masks["C4"] * n**2 - (rows + columns) * n + kept) / (n - 1) ** 2
    return {
        "C4_excess": cycles / kept**4 - 1,
        "row_excess": (rows * n - kept) / (n - 1) / kept**2 - 1,
        "column_excess": (columns * n - kept) / (n - 1) / kept**2 - 1,
    }
