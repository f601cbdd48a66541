"""Running a sweep on Dask: what the store lacks is computed, and stored as it comes."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from types import FrameType
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import CancelledError, Client, Future, LocalCluster, as_completed
from distributed.utils import silence_logging_cmgr
from tqdm import tqdm

from graphon_lib.sweeps.config import Grid, Trial
from graphon_lib.sweeps.store import Row, Store
from graphon_lib.sweeps.summary import lacking, summarise
from graphon_lib.sweeps.trial import commit, failed_rows, groups, run_trials, versions

# Finished groups are stored when there are this many, or the oldest of them waits this long.
GROUPS, SECONDS = 50, 15.0

_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 10
_LOCAL = {
    # One group at a time on a worker: what dies with it is what killed it. At the third death it becomes error rows.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.allowed-failures": 2,
    # A worker that is killed comes back; Dask gives one up that takes long to do so, as on a busy machine, for good.
    "distributed.deploy.lost-worker-timeout": "1000 days",
}


_GONE = "the Dask scheduler went away; what was finished is stored: start it again, then run the same command again"


class SchedulerError(RuntimeError):
    """There is no Dask scheduler at the address, or it went away."""


@dataclass(frozen=True)
class SweepReport:
    """What a sweep did.

    Attributes
    ----------
    computed, present : int
        Trials that were computed now, and that were in the store before.
    errors : tuple of str
        One sentence for each trial that failed now; their rows in the store say the same.
    seconds : float
    """

    computed: int
    present: int
    errors: tuple[str, ...]
    seconds: float


def sweep(grid: Grid, store: Store, *, scheduler: str | None = None, workers: int | None = None) -> SweepReport:
    """Compute the trials of a grid that the store lacks, on a local cluster or an existing one, and summarise them.

    Results are stored every few seconds, and what is finished is stored however the sweep ends, unless it is killed
    outright: then run it again. Results depend neither on the number of workers nor on the order in which they finish.

    Parameters
    ----------
    grid : Grid
    store : Store
    scheduler : str, optional
        Address of a Dask scheduler, such as "tcp://10.0.0.1:8786"; its workers need this library. Without it, a local
        cluster of processes is started.
    workers : int, optional
        Processes of the local cluster, at least 1, each of one thread; one a core unless told otherwise.

    Returns
    -------
    SweepReport

    Raises
    ------
    ValueError
        If workers is below 1, or given along with a scheduler.
    SchedulerError
        If no scheduler answers, or it is lost on the way.
    StoreError
        If the store cannot be read or written.
    KeyboardInterrupt
        After SIGINT or SIGTERM, when what was finished is stored. A second one ends at once.
    """
    if workers is not None and (workers < 1 or scheduler is not None):
        allowed = "a whole number of at least 1" if scheduler is None else "left out where a scheduler has its own"
        raise ValueError(f"workers is {workers}, but must be {allowed}")
    start = time.monotonic()
    trials = list(grid.trials_of())
    missing = store.missing(trials)
    # Histograms that a published store does not keep, of trials to which new ones are to be compared.
    gone = lacking(store, trials)
    store.record({"grid": grid.model_dump(mode="json"), "commit": commit(), "versions": json.loads(versions())})
    collected = _Collector(store)
    if missing or gone:
        with _stopping() as stop, _connected(scheduler, workers) as client:
            _compute([*missing, *gone], client, collected, stop)
        store.compact()
    summarise(store)
    present = len(trials) - len(missing)
    return SweepReport(collected.computed, present, tuple(collected.errors), time.monotonic() - start)


class _Collector:
    """Finished trials on their way into the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: list[Row] = []
        self._histograms: list[Row] = []
        self._groups = 0
        self._stored_at = time.monotonic()
        self.computed = 0
        self.errors: list[str] = []

    def add(self, rows: list[Row], histograms: list[Row]) -> None:
        self._rows += rows
        self._histograms += histograms
        self._groups += 1
        self.errors += [_failure(row) for row in rows if row["error"] is not None]

    def is_due(self) -> bool:
        return self._groups >= GROUPS or time.monotonic() - self._stored_at > SECONDS

    def store(self) -> None:
        if self._rows:
            self.computed += self._store.append(self._rows, self._histograms)
        self._rows, self._histograms, self._groups = [], [], 0
        self._stored_at = time.monotonic()


def _failure(row: Row) -> str:
    configuration = ", ".join(f"{name} {row[name]}" for name in ("method", "depth", "width", "density", "trial"))
    return f"{configuration}: {row['error']}"


def _compute(missing: list[Trial], client: Client, collected: _Collector, stop: threading.Event) -> None:
    work = groups(missing)
    # Wide networks and narrow ones mixed, so that the rate so far tells the time left.
    random.Random(0).shuffle(work)
    running = dict(zip(client.map(run_trials, work, pure=False), work, strict=True))
    finished = as_completed(running, loop=client.loop)
    mininterval = 1 if sys.stderr.isatty() else 30
    with tqdm(total=len(missing), desc="trials", unit="trial", mininterval=mininterval, smoothing=0) as bar:
        try:
            while running:
                for future in finished.next_batch(block=False):
                    group = running.pop(future)
                    collected.add(*_result(future, group))
                    bar.update(len(group))
                    bar.set_postfix(failed=len(collected.errors), refresh=False)
                if collected.is_due():
                    collected.store()
                if stop.is_set():
                    raise KeyboardInterrupt
                if client.status != "running":
                    raise SchedulerError(_GONE)
                if not finished.has_ready():
                    time.sleep(_POLL_SECONDS)
        finally:
            collected.store()


def _result(future: Future[Any], group: list[Trial]) -> tuple[list[Row], list[Row]]:
    try:
        rows, histograms = future.result()
    except (Exception, CancelledError) as error:
        if future.status != "error":
            raise SchedulerError(_GONE) from error
        # What trials raise is in their rows: this is a group that no worker survived, or workers without this library.
        return failed_rows(group, f"{type(error).__name__}: {error}"), []
    return rows, histograms


@contextlib.contextmanager
def _connected(scheduler: str | None, workers: int | None) -> Iterator[Client]:
    with contextlib.ExitStack() as stack:
        # Dask logs every worker it loses and every connection it closes: what matters ends up as an error here.
        stack.enter_context(silence_logging_cmgr(logging.CRITICAL))
        if scheduler is None:
            stack.enter_context(dask.config.set(_LOCAL))
            # Ctrl-C goes to the whole process group; with it blocked in the cluster's threads, and so in the workers
            # that these start, it is ours alone. (Starting multiprocessing's tracker would unblock it.)
            resource_tracker.ensure_running()
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                cluster = LocalCluster(
                    n_workers=workers or CPU_COUNT,
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            address = stack.enter_context(cluster).scheduler_address
        else:
            address = scheduler
        try:
            client = stack.enter_context(Client(address, timeout=_ANSWER_SECONDS, set_as_default=False))
        except (OSError, ValueError) as error:
            raise SchedulerError(
                f"scheduler is {scheduler!r}, but no Dask scheduler answers there ({error}); start one with "
                "`dask scheduler`, and pass the address that it prints"
            ) from error
        print(f"Dask: {len(client.nthreads())} workers, dashboard at {client.dashboard_link}", file=sys.stderr)
        yield client


@contextlib.contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, once: a second one does what it did before."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be handled
        yield stop
        return

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()
        restore()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        restore()
