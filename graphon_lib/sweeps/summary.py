"""What a store's histograms come to: means, standard deviations, and distances between independent masks.

A trial's histogram takes more room than all else in its row, so histograms are working data: ``summaries.parquet``,
``distances.parquet`` and ``methods.parquet`` say what is to be known of them, and are all that a published store keeps.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
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

from graphon_lib.sweeps.comparisons import HALF, MEASURED, between_methods, distance, of_one_method
from graphon_lib.sweeps.config import Trial
from graphon_lib.sweeps.parts import locked, reading, replace
from graphon_lib.sweeps.store import CONFIGURATION, Store, completed

Array = NDArray[np.float64]
Row = dict[str, Any]
Group = tuple[Any, ...]

KINDS = ("mask", "erdos_renyi", "equal_degrees")

# Trials that agree in these are compared with each other.
GROUP = tuple(name for name in CONFIGURATION if name not in ("width", "trial"))

# A mean is known to a thousandth at best: finer digits would be noise that cannot be compressed.
STEP = 2.0**-14

SETTING = tuple(name for name in GROUP if name != "method")


def group_of(trial: Trial) -> Group:
    """What a trial shares with those that it is compared with: all but its width and its number."""
    return tuple(getattr(trial, name) for name in GROUP)


def read_summaries(folder: str | Path) -> pd.DataFrame:
    """A row for each configuration but the trial: ``trials`` (how many), their ``keys``, and histograms.

    ``mask_mean``, ``mask_std``, ``erdos_renyi_mean`` and ``equal_degrees_mean`` are (hidden masks, blocks, blocks)
    arrays over trials, to a step of 2^-14; those of null models are None where they were not measured.
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
    its cut norm, from ``cut_lower`` to ``cut_upper``, and as ``relative_euclidean`` ... the same of the histograms over
    their means, which leaves out how much is kept. To 14 binary digits, bounds rounded outwards.

    ``pair`` tells what a trial's histogram was compared with: ``"trials"``, that of the next trial; ``"widest"``, the
    mean at the largest width (at that width, the mean of the other trials); ``"doubling"``, that of the trial in the
    same place at twice the width. No two of them share a random number.
    """
    return _read(Path(folder) / "distances.parquet")


def read_methods(folder: str | Path) -> pd.DataFrame:
    """A row for each pair of masks of one ``layer`` that two methods left in independent networks: of ``method`` and
    ``trial``, and of ``other`` and ``other_trial``, with the distances of :func:`read_distances`. Where the two methods
    are the same, it is a distance within that method.
    """
    return _read(Path(folder) / "methods.parquet")


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
    compared: dict[Group, list[Row]] = {}
    for setting in tqdm(
        {_setting(group): None for group in stale}, desc="methods", unit="setting", disable=None, delay=2
    ):
        found = [g for g, members in groups.items() if _setting(g) == setting and all(t.key in kept for t in members)]
        for row in _between(store, found, groups):
            compared.setdefault((*setting, row["method"], row["other"]), []).append(row)
    with locked(store.folder):
        _replace(store.folder / "summaries.parquet", _summary_table(summaries), GROUP, stale)
        _replace(store.folder / "distances.parquet", pa.Table.from_pylist(distances, schema=_DISTANCES), GROUP, stale)
        _replace(
            store.folder / "methods.parquet",
            pa.Table.from_pylist(list(itertools.chain(*compared.values())), schema=_BETWEEN),
            (*SETTING, "method", "other"),
            list(compared),
        )
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
        for pair, i, first_of, second_of in of_one_method(cells, kind, width)
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


def _between(store: Store, found: Sequence[Group], groups: Mapping[Group, Sequence[Trial]]) -> list[Row]:
    """The distances between and within the methods of one setting."""
    common = dict(zip(SETTING, _setting(found[0]), strict=True))
    common["measure"] = list(common["measure"])
    masks: dict[int, dict[str, dict[int, Array]]] = {}
    for group in found:
        histograms, keys = store.histograms(**dict(zip(GROUP, group, strict=True)))
        trials = {trial.key: trial for trial in groups[group]}
        for key, values in zip(keys, histograms["mask"], strict=True):
            if trials[key].trial < 2 * HALF:
                of_method = masks.setdefault(trials[key].width, {}).setdefault(trials[key].method, {})
                of_method[trials[key].trial] = values.astype(np.float64)
    tasks = [
        (width, pair, layer, first, second)
        for width, by_method in sorted(masks.items())
        for pair in between_methods(list(by_method), 1 + max(max(trials) for trials in by_method.values()))
        if pair.trial in by_method[pair.method] and pair.other_trial in by_method[pair.other]
        for layer, (first, second) in enumerate(
            zip(by_method[pair.method][pair.trial], by_method[pair.other][pair.other_trial], strict=True), start=1
        )
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        measured = list(pool.map(lambda task: distance(*task[-2:]), tasks, chunksize=64))
    return [
        {**common, "width": width, "layer": layer, **pair._asdict(), **of_pair}
        for (width, pair, layer, *_), of_pair in zip(tasks, measured, strict=True)
    ]


def _setting(group: Group) -> Group:
    return tuple(value for name, value in zip(GROUP, group, strict=True) if name != "method")


def _std(values: Array) -> Array:
    return values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])


def _stepped(values: Array) -> NDArray[np.float32]:
    return (np.round(values.ravel() / STEP) * STEP).astype(np.float32)


_GROUP_TYPES = {
    **dict.fromkeys(("method", "initialisation", "data"), pa.string()),
    **dict.fromkeys(("depth", "seed", "blocks", "rounds", "images", "width"), pa.int64()),
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
        *((name, pa.float32()) for name in MEASURED),
    ]
)

_BETWEEN = pa.schema(
    [
        *_GROUP_TYPES.items(),
        ("layer", pa.int64()),
        ("other", pa.string()),
        ("trial", pa.int64()),
        ("other_trial", pa.int64()),
        *((name, pa.float32()) for name in MEASURED),
    ]
)


def _summary_table(rows: Sequence[Row]) -> pa.Table:
    kinds = [f"{kind}_mean" for kind in KINDS] + ["mask_std"]
    others = [("trials", pa.int64()), ("keys", pa.list_(pa.string()))]
    schema = pa.schema([*_GROUP_TYPES.items(), *others, *((kind, pa.list_(pa.float32())) for kind in kinds)])
    return pa.Table.from_pylist(list(rows), schema=schema)


def _replace(path: Path, table: pa.Table, by: Sequence[str], stale: Sequence[Group]) -> None:
    """Put the rows of a table into a file, instead of those whose columns ``by`` are stale, sorted by configuration."""
    if path.exists():
        old = completed(reading(path, pq.read_table, path)).select(table.column_names)
        groups = zip(*(old[name].to_pylist() for name in by), strict=True)
        again = {_hashable(group) for group in stale}
        stays = pa.array([_hashable(group) not in again for group in groups], pa.bool_())
        table = pa.concat_tables([old.filter(stays), table])
    sorting = (*CONFIGURATION, "kind", "layer", "pair", "other", "other_trial")
    order = [name for name in table.column_names if name in sorting]
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
    frame: pd.DataFrame = completed(reading(path, pq.read_table, path)).to_pandas()
    floats = frame.select_dtypes("float32").columns
    return frame.astype(dict.fromkeys(floats, np.float64)).assign(measure=frame["measure"].map(tuple))
