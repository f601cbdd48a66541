"""The store of a sweep: a folder of Parquet files to which rows are only ever added, each once, whatever is killed.

``part-*.parquet`` hold rows, one a trial; ``histograms/part-*.parquet`` the histograms of single trials, working data
that need not be kept; ``sweeps.json`` tells which sweeps ran into the store. Histograms are written before their rows,
so that a row implies them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from graphon_lib.sweeps.config import LATER, Trial
from graphon_lib.sweeps.parts import StoreError, locked, parts_in, read_part, reading, replace, sync, write_part

__all__ = ["CIRCUMSTANCES", "CONFIGURATION", "Store", "StoreError"]

Row = dict[str, Any]

CONFIGURATION = tuple(field.name for field in fields(Trial))
# What two computations of one trial may differ in.
CIRCUMSTANCES = ("run_time", "versions", "commit", "time")

_TEXT = ("key", "method", "initialisation", "data", "versions", "commit", "time", "error")
# Columns with another name are a list with an entry a layer.
_TYPES: dict[str, pa.DataType] = {
    **dict.fromkeys(_TEXT, pa.string()),
    **dict.fromkeys(("depth", "width", "trial", "seed", "blocks", "rounds", "images"), pa.int64()),
    **dict.fromkeys(("density", "path_density", "run_time"), pa.float64()),
    "measure": pa.list_(pa.string()),
}


class Store:
    """The results in one folder, which need not exist before something is added.

    Every method that reads raises :class:`StoreError` if a part is torn, altered or foreign, or two parts disagree on a
    trial; every method that writes, if the disk is full or the folder cannot be written to. What is stored already is
    never harmed. Any number of processes may use one folder at once.

    Parameters
    ----------
    folder : path
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._parts: dict[Path, pa.Table] = {}
        self._histograms: dict[Path, list[str]] = {}

    def keys(self) -> set[str]:
        """The keys of the trials that are done: those with a row that tells of no error."""
        self._refresh()
        return {
            key
            for table in self._parts.values()
            for key, error in zip(table["key"].to_pylist(), table["error"].to_pylist(), strict=True)
            if error is None
        }

    def missing(self, trials: Iterable[Trial]) -> list[Trial]:
        """Those of the trials that are not done, in their order."""
        done = self.keys()
        return [trial for trial in trials if trial.key not in done]

    def rows(self) -> pd.DataFrame:
        """One row a trial, sorted by configuration: its result if there is one, else its latest error."""
        self._refresh()
        frame = _deduplicated(self._parts).to_pandas()
        return frame.assign(measure=frame["measure"].map(tuple))

    def kept_histograms(self) -> set[str]:
        """The keys of the trials whose histograms are kept."""
        return set(self._histogram_places())

    def histograms(self, **cell: Any) -> tuple[dict[str, NDArray[np.float32]], list[str]]:
        """The histograms of the done trials whose configuration has the given values.

        Parameters
        ----------
        **cell
            Values by configuration field: ``method="snip", initialisation="pytorch", depth=2, width=100, density=0.1``.

        Returns
        -------
        dict from kind to (trials, hidden masks, blocks, blocks) array
            Kinds are "mask" and, where they were measured, the null models "erdos_renyi" and "equal_degrees".
        list of str
            The trials' keys, in the order of seeds and of trials; those whose histograms are not kept are left out.

        Raises
        ------
        ValueError
            If a name is no field of a configuration, or the trials' histograms are not of one shape.
        """
        unknown = [name for name in cell if name not in CONFIGURATION]
        if unknown:
            raise ValueError(f"cell names {unknown[0]!r}, but a configuration's fields are {', '.join(CONFIGURATION)}")
        places, rows = self._histogram_places(), self.rows()
        for name, value in cell.items():
            rows = rows[np.array([found == value for found in rows[name]], dtype=bool)]
        rows = rows[rows["error"].isna() & rows["key"].isin(list(places))].sort_values(["seed", "trial"])
        if len(set(zip(rows["depth"], rows["blocks"], rows["measure"], strict=True))) > 1:
            raise ValueError(f"cell is {cell}, whose histograms are not of one shape; name depth, blocks and measure")
        found: dict[str, list[NDArray[np.float32]]] = {}
        with contextlib.ExitStack() as open_files:
            files: dict[Path, pq.ParquetFile] = {}
            for trial in rows.itertuples():
                path, place = places[trial.key]
                if path not in files:
                    opened = reading(path, pq.ParquetFile, path, page_checksum_verification=True)
                    files[path] = open_files.enter_context(opened)
                layers = reading(path, _read_histogram, files[path], place)
                for kind, values in layers.items():
                    found.setdefault(kind, []).append(values.reshape(trial.depth - 1, trial.blocks, trial.blocks))
        return {kind: np.stack(arrays) for kind, arrays in found.items()}, list(rows["key"])

    def append(self, rows: Sequence[Row], histograms: Sequence[Row] = ()) -> int:
        """Add what is not there yet, and return the number of results added.

        Parameters
        ----------
        rows, histograms : sequences of dict
            As :func:`graphon_lib.sweeps.trial.run_trials` makes them; the histograms may also be those of trials whose
            rows are there.
        """
        with locked(self.folder):
            done, kept = self.keys(), self._histogram_places()
            unkept = [histogram for histogram in histograms if histogram["key"] not in kept]
            if unkept:
                # A row group each, so that one trial's can be read without the others'.
                write_part(self.folder / "histograms", _histogram_table(unkept), row_group_size=1)
            new = [row for row in rows if row["key"] not in done]
            if new:
                self._write(_row_table(new))
            again = [row for row in rows if row["key"] in done and row["error"] is None]
            if again:
                _deduplicated({**self._parts, self.folder / "rows just computed": _row_table(again)})
        return sum(row["error"] is None for row in new)

    def record(self, sweep: dict[str, Any]) -> None:
        """Note in ``sweeps.json`` what is run into the store, unless it stands there."""
        path = self.folder / "sweeps.json"
        with locked(self.folder):
            recorded = json.loads(path.read_text()) if path.exists() else []
            if sweep not in recorded:
                replace(path, (json.dumps([*recorded, sweep], indent=1) + "\n").encode())

    def compact(self) -> None:
        """Merge all parts into one, the same whatever the order in which rows came; histograms stay as they are."""
        with locked(self.folder):
            self._refresh()
            old = set(self._parts)
            if old:
                # The new part is there before the old ones go: in between, readers see rows twice and take each once.
                new = self._write(_deduplicated(self._parts))
                for path in old - {new}:
                    path.unlink()
                sync(self.folder)

    def _write(self, table: pa.Table) -> Path:
        return write_part(self.folder, table, use_dictionary=list(_TEXT))

    def _refresh(self) -> None:
        while self._parts.keys() != (listed := parts_in(self.folder)):
            # A part that vanishes while we read was compacted: its rows are in one that is listed next time.
            with contextlib.suppress(FileNotFoundError):
                self._parts = {path: self._parts[path] if path in self._parts else _read_rows(path) for path in listed}

    def _histogram_places(self) -> dict[str, tuple[Path, int]]:
        for path in parts_in(self.folder / "histograms") - self._histograms.keys():
            self._histograms[path] = reading(path, _histogram_keys, path)
        return {key: (path, place) for path, keys in self._histograms.items() for place, key in enumerate(keys)}


def _row_table(rows: Sequence[Row]) -> pa.Table:
    layered = sorted({name for row in rows for name in row} - _TYPES.keys())
    types = {**_TYPES, **dict.fromkeys(layered, pa.list_(pa.float64()))}
    return pa.Table.from_pylist(list(rows), schema=pa.schema(list(types.items())))


def completed(table: pa.Table) -> pa.Table:
    """A stored table with the fields of a configuration that came later, at the values that all rows before had."""
    for name in LATER.keys() - set(table.column_names):
        table = table.append_column(name, pa.array([LATER[name]] * len(table), _TYPES[name]))
    return table


def _read_rows(path: Path) -> pa.Table:
    table = completed(read_part(path))
    return reading(path, table.select, [*_TYPES, *sorted(set(table.column_names) - _TYPES.keys())])


def _deduplicated(parts: Mapping[Path, pa.Table]) -> pa.Table:
    """One row a key, sorted by configuration: a result before an error, the latest error, the earliest result."""
    table = pa.concat_tables([_row_table([]), *parts.values()], promote_options="default")
    places: dict[str, list[int]] = {}
    for place, key in enumerate(table["key"].to_pylist()):
        places.setdefault(key, []).append(place)
    chosen = []
    for key, several in places.items():
        rows = {place: table.slice(place, 1).to_pylist()[0] for place in several} if len(several) > 1 else {}
        results = [place for place in rows if rows[place]["error"] is None]
        if len({repr({n: v for n, v in rows[place].items() if n not in CIRCUMSTANCES}) for place in results}) > 1:
            files = [str(path) for path, part in parts.items() if key in part["key"].to_pylist()]
            raise StoreError(
                f"two results are stored for trial {key}, and they differ: {' and '.join(sorted(files))}; find out "
                "which is right (python -m graphon_lib audit recomputes rows), and delete the other file"
            )
        if results:
            chosen.append(min(results, key=lambda place: (rows[place]["time"], rows[place]["commit"])))
        else:
            chosen.append(
                max(several, key=lambda place: (rows[place]["time"], rows[place]["error"])) if rows else several[0]
            )
    order = [(name, "ascending") for name in CONFIGURATION if name != "measure"] + [("key", "ascending")]
    return table.take(pa.array(chosen, pa.int64())).sort_by(order)


def _histogram_table(histograms: Sequence[Row]) -> pa.Table:
    kinds = sorted({name for histogram in histograms for name in histogram} - {"key"})
    schema = pa.schema([("key", pa.string()), *((kind, pa.list_(pa.float32())) for kind in kinds)])
    return pa.Table.from_pylist(list(histograms), schema=schema)


def _histogram_keys(path: Path) -> list[str]:
    return list(pq.read_table(path, columns=["key"], page_checksum_verification=True)["key"].to_pylist())


def _read_histogram(file: pq.ParquetFile, place: int) -> dict[str, NDArray[np.float32]]:
    columns = file.read_row_group(place).drop_columns("key")
    return {
        kind: column.combine_chunks().flatten().to_numpy()
        for kind, column in zip(columns.column_names, columns.columns, strict=True)
        if column.null_count == 0
    }
