"""Studies: a function of a configuration, evaluated on a list of them, into a table with a row each.

A folder of Parquet parts holds the rows. Only configurations without a row are computed; what is finished is stored
every few seconds, so that a study that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from dask.system import CPU_COUNT
from tqdm import tqdm

from graphon_lib.kernels.recursion import one_thread
from graphon_lib.sweeps.parts import locked, parts_in, read_part, sync, write_part
from graphon_lib.sweeps.trial import commit, versions

Configuration = Mapping[str, str | int | float]
Measured = float | Sequence[float]
Row = dict[str, Any]

# What is finished is stored when the oldest of it has waited this long.
SECONDS = 15.0


class StudyError(RuntimeError):
    """A study came to an end before its time; the message says what to do."""


@dataclass(frozen=True)
class Study:
    """What is measured, and on what.

    Attributes
    ----------
    name : str
    measure : callable
        Takes the fields of a configuration by keyword and returns a dict from str to number, or to several. Of a
        module, not a lambda: other processes must find it. It has one thread, and should depend on its arguments only.
    configurations : sequence of dict from str to str, int or float
    group : str
        The folder of ``notebooks/results`` in which the book keeps its rows.
    """

    name: str
    measure: Callable[..., Mapping[str, Measured]]
    configurations: Sequence[Configuration]
    group: str = "estimation"

    def keys(self) -> list[str]:
        """The names of the rows: 32 hexadecimal digits of the SHA-256 of study and configuration."""
        return [_key(self.name, configuration) for configuration in self.configurations]


@dataclass(frozen=True)
class StudyReport:
    """What :func:`run_study` did.

    Attributes
    ----------
    rows : DataFrame
        One row a configuration, in their order; those that failed are left out.
    computed, present : int
        Configurations that were computed now, and that were stored before.
    errors : tuple of str
        One sentence for each configuration that failed; it is tried again next time.
    """

    rows: pd.DataFrame
    computed: int
    present: int
    errors: tuple[str, ...]


def run_study(study: Study, folder: str | Path, *, workers: int | None = None) -> StudyReport:
    """Compute the configurations that a folder lacks, in processes of one thread each, and return all rows.

    Results do not depend on the number of workers. If nothing is lacking, nothing is written.

    Parameters
    ----------
    study : Study
    folder : path
        Made if need be. Several studies must not share one.
    workers : int, optional
        At least 1; one a core unless told otherwise.

    Raises
    ------
    ValueError
        If workers is below 1.
    StudyError
        If a worker is killed.
    StoreError
        If the folder cannot be read or written.
    KeyboardInterrupt
        When what was finished is stored.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}, but must be at least 1; leave it out for one a core")
    folder, keys = Path(folder), study.keys()
    done = set(stored_rows(folder)["key"])
    missing = {key: c for key, c in zip(keys, study.configurations, strict=True) if key not in done}
    errors: list[str] = []
    if missing:
        _compute(study, list(missing.values()), folder, workers or CPU_COUNT, errors)
        _compact(folder)
    rows = stored_rows(folder).set_index("key")
    found = [key for key in dict.fromkeys(keys) if key in rows.index]
    return StudyReport(
        rows.loc[found].reset_index(), len(missing) - len(errors), len(set(keys)) - len(missing), tuple(errors)
    )


def read_study(folder: str | Path) -> pd.DataFrame:
    """All rows in a folder: ``key``, the configuration, what was measured, ``run_time`` in seconds, and where the row
    comes from: ``versions``, ``commit`` and ``time`` (UTC).

    Raises
    ------
    FileNotFoundError
        If there are none.
    StoreError
        If a part is torn, altered or foreign.
    """
    rows = stored_rows(Path(folder))
    if rows.empty:
        raise FileNotFoundError(f"{folder} holds no results of a study; compute them with python -m graphon_lib study")
    return rows


def _key(name: str, configuration: Configuration) -> str:
    named = json.dumps([name, dict(configuration)], sort_keys=True)
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def stored_rows(folder: Path) -> pd.DataFrame:
    """As :func:`read_study`, but none if there are none."""
    parts = [read_part(path) for path in sorted(parts_in(folder))]
    if not parts:
        return pd.DataFrame({"key": []})
    frame: pd.DataFrame = pa.concat_tables(parts, promote_options="permissive").to_pandas()
    # Two who compute at once may both store a row: the first counts.
    return frame.sort_values(["key", "time"]).drop_duplicates("key").reset_index(drop=True)


def _store(folder: Path, rows: Sequence[Row]) -> None:
    if rows:
        with locked(folder):
            write_part(folder, pa.Table.from_pandas(pd.DataFrame(list(rows)), preserve_index=False))


def _compact(folder: Path) -> None:
    """Merge all parts into one."""
    if len(parts_in(folder)) > 1:
        with locked(folder):
            old = parts_in(folder)
            new = write_part(folder, pa.Table.from_pandas(stored_rows(folder), preserve_index=False))
            for path in old - {new}:
                path.unlink()
            sync(folder)


def _compute(
    study: Study, missing: Sequence[Configuration], folder: Path, workers: int, errors: list[str]
) -> None:  # fmt: skip
    finished: list[Row] = []
    stored_at = time.monotonic()
    others = set(active_children())
    # Spawned: a fork would inherit locks that threads of ours hold.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)
    try:
        futures = [pool.submit(_measure, study.name, study.measure, configuration) for configuration in missing]
        for row in _results(futures, study.name):
            if isinstance(row, str):
                errors.append(row)
            else:
                finished.append(row)
            if time.monotonic() - stored_at > SECONDS:
                _store(folder, finished)
                finished, stored_at = [], time.monotonic()
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(active_children()) - others:
            process.terminate()
        if not isinstance(error, BrokenProcessPool):
            raise
        raise StudyError(
            f"a process of study {study.name!r} was killed, perhaps for want of memory; what was finished is stored: "
            "run the same command again, with fewer workers"
        ) from error
    finally:
        _store(folder, finished)
    pool.shutdown()


def _results(futures: Sequence[Future[Row | str]], name: str) -> Iterator[Row | str]:
    mininterval = 1 if sys.stderr.isatty() else 30
    with tqdm(total=len(futures), desc=name, unit="row", mininterval=mininterval, smoothing=0) as bar:
        for future in as_completed(futures):
            yield future.result()
            bar.update()


def _begin() -> None:
    """In a new worker: Ctrl-C is for the parent to handle, and whoever kills the parent ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None  # we were spawned
    parent.join()
    os._exit(1)


def _measure(name: str, measure: Callable[..., Mapping[str, Measured]], configuration: Configuration) -> Row | str:
    start = time.perf_counter()
    try:
        with one_thread(), warnings.catch_warnings():
            # A layer that lost all its weights shows in what is measured.
            warnings.filterwarnings("ignore", message=".* keeps no weight of ", category=UserWarning)
            measured = measure(**configuration)
    except Exception as error:
        fields = ", ".join(f"{field} {value}" for field, value in configuration.items())
        return f"{fields}: {type(error).__name__}: {error}"
    return {
        "key": _key(name, configuration),
        **configuration,
        **measured,
        "run_time": time.perf_counter() - start,
        "versions": versions(),
        "commit": commit(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
