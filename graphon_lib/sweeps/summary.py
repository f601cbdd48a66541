"""What a store's histograms come to: means, standard deviations, and distances between independent masks.

A trial's histogram takes more room than all else in its row, so histograms are working data: ``summaries.parquet`` and
``distances.parquet`` say what is to be known of them, and are all that a published store keeps.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from graphon_lib.cut import cut_norm
from graphon_lib.sweeps.config import Trial
from graphon_lib.sweeps.parts import locked, reading, replace
from graphon_lib.sweeps.store import CONFIGURATION, Store

Array = NDArray[np.float64]
Row = dict[str, Any]
Group = tuple[Any, ...]

KINDS = ("mask", "erdos_renyi", "equal_degrees")

# Trials that agree in these are compared with each other.
GROUP = tuple(name for name in CONFIGURATION if name not in ("width", "trial"))

# A mean is known to a thousandth at best: finer digits would be noise that cannot be compressed.
STEP = 2.0**-17


def group_of(trial: Trial) -> Group:
    """What a trial shares with those that it is compared with: all but its width and its number."""
    return tuple(getattr(trial, name) for name in GROUP)


def read_summaries(folder: str | Path) -> pd.DataFrame:
    """A row for each configuration but the trial: ``trials`` (how many), their ``keys``, and histograms.

    ``mask_mean``, ``mask_std``, ``erdos_renyi_mean`` and ``equal_degrees_mean`` are (hidden masks, blocks, blocks)
    arrays over trials, to a step of 2^-17; those of null models are None where they were not measured.
    """
    frame = _read(Path(folder) / "summaries.parquet")
    shapes = [(row.depth - 1, row.blocks, row.blocks) for row in frame.itertuples()]
    for name in [name for name in frame if name.endswith(("_mean", "_std"))]:
        frame[name] = [
            None if values is None else values.astype(np.float64).reshape(shape)
            for values, shape in zip(frame[name], shapes, strict=True)
        ]
    return frame


def read_distances(folder: str | Path) -> pd.DataFrame:
    """A row for each pair of histograms that were compared, of one ``layer`` (from 1) and ``kind`` (a mask's or a null
    model's): ``euclidean``, the root mean square of their difference (the paper's distance over the number of blocks),
    and its cut norm, from ``cut_lower`` to ``cut_upper``.

    ``pair`` tells what a trial's histogram was compared with: ``"trials"``, that of the next trial; ``"widest"``, the
    mean at the largest width (at that width, the mean of the other trials); ``"doubling"``, that of the trial in the
    same place at twice the width. No two of them share a random number.
    """
    return _read(Path(folder) / "distances.parquet")


def lacking(store: Store, trials: Iterable[Trial]) -> list[Trial]:
    """The done trials without a histogram, in those groups whose summaries the given trials would change."""
    summarised, kept = _summarised(store), store.kept_histograms()
    measured = (trial for trial in trials if "histograms" in trial.measure)
    stale = {group_of(trial) for trial in measured if trial.key not in summarised}
    return [trial for trial in _done(store) if group_of(trial) in stale and trial.key not in kept]


def summarise(store: Store) -> int:
    """Bring ``summaries.parquet`` and ``distances.parquet`` up to date with the store's rows.

    Groups that have new trials are done anew, if the histograms of all their trials are kept.

    Returns
    -------
    int
        How many groups were.
    """
    groups: dict[Group, list[Trial]] = {}
    for trial in _done(store):
        if "histograms" in trial.measure:
            groups.setdefault(group_of(trial), []).append(trial)
    summarised, kept = _summarised(store), store.kept_histograms()
    stale = [
        group
        for group, members in groups.items()
        if any(trial.key not in summarised for trial in members) and all(trial.key in kept for trial in members)
    ]
    if not stale:
        return 0
    summaries, distances = [], []
    for group in tqdm(stale, desc="distances", unit="group", disable=None, delay=2, leave=False):
        of_group = _of_group(store, group, groups[group])
        summaries += of_group[0]
        distances += of_group[1]
    with locked(store.folder):
        _replace(store.folder / "summaries.parquet", _summary_table(summaries), stale)
        _replace(store.folder / "distances.parquet", pa.Table.from_pylist(distances, schema=_DISTANCES), stale)
    return len(stale)


def _done(store: Store) -> list[Trial]:
    rows = store.rows()
    return [Trial.of(row) for row in rows[rows["error"].isna()].to_dict("records")]


def _summarised(store: Store) -> set[str]:
    path = store.folder / "summaries.parquet"
    if not path.exists():
        return set()
    keys = reading(path, pq.read_table, path, columns=["keys"])["keys"]
    return {key for of_cell in keys.to_pylist() for key in of_cell}


def _of_group(store: Store, group: Group, members: Sequence[Trial]) -> tuple[list[Row], list[Row]]:
    common = dict(zip(GROUP, group, strict=True))
    histograms, keys = store.histograms(**common)
    by_key = {trial.key: trial for trial in members}
    trials = [by_key[key] for key in keys]
    widths = sorted({trial.width for trial in trials})
    places = {width: [i for i, trial in enumerate(trials) if trial.width == width] for width in widths}
    cells = {
        width: {kind: values[places[width]].astype(np.float64) for kind, values in histograms.items()}
        for width in widths
    }
    common["measure"] = list(common["measure"])
    summaries = [
        {
            **common,
            "width": width,
            "trials": len(places[width]),
            "keys": [keys[place] for place in places[width]],
            **{f"{kind}_mean": _stepped(values.mean(axis=0)) for kind, values in cells[width].items()},
            "mask_std": _stepped(_std(cells[width]["mask"])),
        }
        for width in widths
    ]
    tasks = [
        (width, kind, layer, pair, trials[place].trial, first, second)
        for width, kind in product(widths, histograms)
        for pair, i, first_of, second_of in _pairs(cells, kind, width)
        for place in [places[width][i]]
        for layer, (first, second) in enumerate(zip(first_of, second_of, strict=True), start=1)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda task: distance(*task[-2:]), tasks, chunksize=64))
    distances = [
        {**common, "width": width, "kind": kind, "layer": layer, "pair": pair, "trial": trial, **measured}
        for (width, kind, layer, pair, trial, *_), measured in zip(tasks, found, strict=True)
    ]
    return summaries, distances


def _pairs(cells: dict[int, dict[str, Array]], kind: str, width: int) -> Iterator[tuple[str, int, Array, Array]]:
    """What is compared with what, at one width: (pair, place of the trial, its histograms, the others)."""
    mine, widest = cells[width][kind], cells[max(cells)][kind]
    for i in range(len(mine) - 1):
        yield "trials", i, mine[i], mine[i + 1]
    for i in range(len(mine)):
        if width < max(cells):
            yield "widest", i, mine[i], widest.mean(axis=0)
        elif len(mine) > 1:
            yield "widest", i, mine[i], np.delete(mine, i, axis=0).mean(axis=0)
    if 2 * width in cells:
        for i, (narrow, wide) in enumerate(zip(mine, cells[2 * width][kind], strict=False)):
            yield "doubling", i, narrow, wide


def distance(first: Array, second: Array) -> dict[str, float]:
    """``euclidean``, ``cut_lower`` and ``cut_upper`` of two histograms (blocks, blocks)."""
    bound = cut_norm(first, second)
    return {
        "euclidean": float(np.sqrt(np.mean((first - second) ** 2))),
        "cut_lower": bound.lower,
        "cut_upper": bound.upper,
    }


def _std(values: Array) -> Array:
    return values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])


def _stepped(values: Array) -> NDArray[np.float32]:
    return (np.round(values.ravel() / STEP) * STEP).astype(np.float32)


_GROUP_TYPES = {
    **dict.fromkeys(("method", "initialisation"), pa.string()),
    **dict.fromkeys(("depth", "seed", "blocks", "rounds", "width"), pa.int64()),
    "density": pa.float64(),
    "measure": pa.list_(pa.string()),
}

_DISTANCES = pa.schema(
    [
        *_GROUP_TYPES.items(),
        ("kind", pa.string()),
        ("layer", pa.int64()),
        ("pair", pa.string()),
        ("trial", pa.int64()),
        *((name, pa.float32()) for name in ("euclidean", "cut_lower", "cut_upper")),
    ]
)


def _summary_table(rows: Sequence[Row]) -> pa.Table:
    kinds = [f"{kind}_mean" for kind in KINDS] + ["mask_std"]
    others = [("trials", pa.int64()), ("keys", pa.list_(pa.string()))]
    schema = pa.schema([*_GROUP_TYPES.items(), *others, *((kind, pa.list_(pa.float32())) for kind in kinds)])
    return pa.Table.from_pylist(list(rows), schema=schema)


def _replace(path: Path, table: pa.Table, stale: Sequence[Group]) -> None:
    """Put the rows of a table into a file, instead of those of the stale groups, sorted by configuration."""
    if path.exists():
        old = reading(path, pq.read_table, path)
        groups = zip(*(old[name].to_pylist() for name in GROUP), strict=True)
        again = {_hashable(group) for group in stale}
        table = pa.concat_tables([old.filter(pa.array([_hashable(group) not in again for group in groups])), table])
    order = [name for name in table.column_names if name in (*CONFIGURATION, "kind", "layer", "pair")]
    table = table.sort_by([(name, "ascending") for name in order if name != "measure"])
    sink = pa.BufferOutputStream()
    text = [name for name in table.column_names if pa.types.is_string(table.schema.field(name).type)]
    pq.write_table(table, sink, compression="zstd", compression_level=19, use_dictionary=text)
    replace(path, sink.getvalue())


def _hashable(group: Iterable[Any]) -> Group:
    return tuple(tuple(value) if isinstance(value, list) else value for value in group)


def _read(path: Path) -> pd.DataFrame:
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is not there: the sweep into this store measured no histograms, or has not come to its end"
        )
    frame: pd.DataFrame = reading(path, pq.read_table, path).to_pandas()
    floats = frame.select_dtypes("float32").columns
    return frame.astype(dict.fromkeys(floats, np.float64)).assign(measure=frame["measure"].map(tuple))
