"""Sweeps for real: what is in their rows, and that no kill loses a row, doubles one or changes a number."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import dask
import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
import torch
from distributed import LocalCluster

from graphon_lib.data import gaussian_teacher, load_mnist
from graphon_lib.graphons import path_density, two_layer_densities
from graphon_lib.networks import mlp
from graphon_lib.parameters import MethodName
from graphon_lib.pruning import prune
from graphon_lib.sweeps import run, trial_seed
from graphon_lib.sweeps import trial as trial_module
from graphon_lib.sweeps.config import MEASURES, Grid, Trial
from graphon_lib.sweeps.measures import measure_mask
from graphon_lib.sweeps.run import SchedulerError, sweep
from graphon_lib.sweeps.store import CIRCUMSTANCES, Store
from graphon_lib.sweeps.trial import commit, groups, run_trials

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
YAML = """
name: tiny
methods: [random, magnitude, snip]
widths: [16, 24]
depths: [2, 3]
densities: [0.5, 0.3]
trials: 18
blocks: 8
"""

# distributed warns of its own open sockets when processes are killed.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

Rows = dict[str, dict[str, Any]]


def told(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says that may not depend on how it was computed; arrays as lists, so that == compares bits."""
    return {
        name: list(value) if isinstance(value, np.ndarray | tuple) else value
        for name, value in row.items()
        if name not in CIRCUMSTANCES and value is not None and value is not np.nan
    }


def rows_of(store: Store) -> Rows:
    return {row["key"]: told(row) for row in store.rows().to_dict("records")}


def stored_keys(folder: Path) -> list[str]:
    """Of all part files, however often; a part that is not whole would raise."""
    return [key for path in folder.glob("part-*.parquet") for key in pq.read_table(path)["key"].to_pylist()]


# --- One trial ---

TRIAL = Trial(
    method="snip", initialisation="he", depth=3, width=20, density=0.4, trial=2, seed=5, blocks=6, rounds=3,
    measure=MEASURES,
)  # fmt: skip


def test_a_row_is_what_its_steps_give():
    (row,), (histogram,) = run_trials([TRIAL])
    seed = trial_seed(5, 20, 2)
    batch = load_mnist(100, seed=seed)
    model = mlp(3, 20, initialisation="he", seed=seed)
    masks = prune(model, "snip", 0.4, inputs=batch.inputs, targets=batch.labels, seed=seed)
    layers = list(masks.values())
    assert row["key"] == histogram["key"] == TRIAL.key
    assert Trial.of(row) == TRIAL
    assert row["path_density"] == np.float32(path_density(masks))  # 24 binary digits
    assert row["layer_densities"] == [int(mask.sum()) / mask.numel() for mask in layers]
    assert row["mask_density"] == np.float32(row["layer_densities"][1:-1]).tolist()
    assert row["error"] is None
    assert row["run_time"] > 0
    kept = histogram["mask"].reshape(2, 6, 6)
    for place, mask in enumerate(layers[1:-1]):
        scalars, histograms = measure_mask(mask, seed=0, blocks=6, motifs=True, nulls=False)
        np.testing.assert_array_equal(kept[place], histograms["mask"].astype(np.float32))
        for name in scalars.keys() - {"density"}:
            assert row[name][place] == np.float32(scalars[name])
    assert {name for name, value in row.items() if isinstance(value, list)} >= scalars.keys() - {"density"}
    assert all(len(row[name]) == 2 for name in scalars.keys() - {"density"})


def test_a_row_tells_what_neighbouring_layers_have_in_common():
    (row,), _ = run_trials([TRIAL])
    batch = load_mnist(100, seed=trial_seed(5, 20, 2))
    model = mlp(3, 20, initialisation="he", seed=trial_seed(5, 20, 2))
    masks = prune(model, "snip", 0.4, inputs=batch.inputs, targets=batch.labels, seed=trial_seed(5, 20, 2))
    of_pairs = [two_layer_densities(*pair) for pair in itertools.pairwise(masks.values())]
    assert len(of_pairs) == 3
    for name in of_pairs[0]:
        assert row[name] == [np.float32(of_pair[name]) for of_pair in of_pairs]


@pytest.mark.parametrize("data", ["mnist", "teacher"])
@pytest.mark.parametrize("method", ["snip", "trained_magnitude"])
def test_a_trial_prunes_on_its_images_and_its_data(method, data):
    trial = replace(TRIAL, method=method, images=30, data=data, measure=("path_density",))
    (row,), _ = run_trials([trial])
    seed, images = trial_seed(5, 20, 2), 30 if method == "snip" else 5000
    batch = load_mnist(images, seed=seed) if data == "mnist" else gaussian_teacher(images, 20, seed=seed)
    model = mlp(3, 20, inputs=784 if data == "mnist" else 20, initialisation="he", seed=seed)
    masks = prune(model, method, 0.4, inputs=batch.inputs, targets=batch.labels, seed=seed)
    assert Trial.of(row) == trial
    assert row["layer_densities"] == [int(mask.sum()) / mask.numel() for mask in masks.values()]
    assert row["path_density"] == np.float32(path_density(masks))


@pytest.mark.parametrize("method", get_args(MethodName))
def test_a_row_does_not_depend_on_the_other_densities(method):
    some = [replace(TRIAL, method=method, density=density) for density in (0.5, 0.4)]
    together, of_together = run_trials(some)
    for trial, row, histogram in zip(some, together, of_together, strict=True):
        (alone,), (of_alone,) = run_trials([trial])
        assert told(alone) == told(row)
        assert of_alone.keys() == histogram.keys()
        assert all(np.array_equal(of_alone[kind], histogram[kind]) for kind in of_alone)


def test_what_is_not_asked_for_is_not_there_and_changes_nothing_else():
    (full,), _ = run_trials([TRIAL])
    (bare,), none = run_trials([replace(TRIAL, measure=())])
    assert none == []
    assert {"path_density", "erdos_renyi_sketch_1", "two_layer_C4"} <= full.keys() - bare.keys()
    (nulls,), _ = run_trials([replace(TRIAL, measure=("null_models",))])
    for row in (bare, nulls):
        assert all(full[name] == value for name, value in told(row).items() if name not in ("key", "measure"))


def test_null_models_of_different_masks_are_independent():
    drawn = [replace(TRIAL, density=0.4), replace(TRIAL, density=0.3), replace(TRIAL, method="grasp"),
             replace(TRIAL, trial=3), replace(TRIAL, seed=6), replace(TRIAL, width=21),
             replace(TRIAL, images=50), replace(TRIAL, data="teacher")]  # fmt: skip
    seeds = {trial_module._null_seed(trial, layer) for trial in drawn for layer in (1, 2)}
    assert len(seeds) == 2 * len(drawn)


def test_a_trial_leaves_the_process_as_it_was():
    torch.manual_seed(3)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run_trials([TRIAL])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])  # noqa: NPY002
    assert states[2] == random.getstate()


def test_an_error_while_measuring_costs_one_density(monkeypatch):
    def measure(mask: torch.Tensor, **options: Any) -> Any:
        if mask.double().mean() < 0.3:
            raise ValueError("too sparse")
        return measure_mask(mask, **options)

    monkeypatch.setattr(trial_module, "measure_mask", measure)
    rows, histograms = run_trials([replace(TRIAL, method="random", density=density) for density in (0.5, 0.1)])
    assert [row["error"] for row in rows] == [None, "ValueError: too sparse"]
    assert len(histograms) == 1
    assert rows[1].keys() >= {"key", "method", "time", "commit", "versions"}


def test_an_error_while_pruning_costs_all_densities():
    impossible = [replace(TRIAL, method="no such", density=density) for density in (0.5, 0.1)]
    rows, histograms = run_trials(impossible)
    assert [row["key"] for row in rows] == [trial.key for trial in impossible]
    assert all(row["error"].startswith("ValueError: method is 'no such', but must be one of") for row in rows)
    assert histograms == []


def test_a_commit_tells_whether_files_differ(tmp_path, monkeypatch):
    def now() -> str:
        commit.cache_clear()
        return commit()

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@x"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True, capture_output=True)

    library = tmp_path / "graphon_lib" / "sweeps"
    library.mkdir(parents=True)
    (library / "grid.py").write_text("1")
    monkeypatch.setattr(trial_module, "__file__", str(library / "trial.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    try:
        assert now() == "unknown"
        git("init")
        assert now() == "unknown"
        git("add", ".")
        git("commit", "-m", "x")
        assert len(now()) == 40
        results = tmp_path / "notebooks" / "results"
        results.mkdir(parents=True)
        (results / "new.parquet").write_text("1")
        assert len(now()) == 40
        (library / "grid.py").write_text("2")
        assert now().endswith("-dirty")
        shutil.rmtree(tmp_path / ".git")
        assert now() == "unknown"
    finally:
        commit.cache_clear()


# --- Sweeps ---


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> tuple[Grid, Path]:
    path = tmp_path_factory.mktemp("grid") / "tiny.yaml"
    path.write_text(YAML)
    return Grid.from_yaml(path), path


@pytest.fixture(scope="module")
def undisturbed(grid) -> Rows:
    """The rows of the grid computed here, one group after the other."""
    return {row["key"]: told(row) for group in groups(list(grid[0].trials_of())) for row in run_trials(group)[0]}


def assert_complete(folder: Path, undisturbed: Rows) -> None:
    store = Store(folder)
    assert rows_of(store) == undisturbed
    assert sorted(stored_keys(folder)) == sorted(undisturbed)  # none twice
    assert sorted(stored_keys(folder / "histograms")) == sorted(undisturbed)


@contextlib.contextmanager
def running(*arguments: str, said: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, all of which is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env=ENVIRONMENT, cwd=ROOT, text=True, stdout=said, stderr=said, start_new_session=True,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            kill_group(process, signal.SIGKILL)


def kill_group(process: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    for _ in range(12_000):
        if condition():
            return
        time.sleep(0.025)
    raise AssertionError(f"in five minutes there was no {what}")


def wait_for_parts(folder: Path, number: int) -> None:
    wait_for(lambda: len(list(folder.glob("part-*.parquet"))) >= number, f"part {number}")


class Cluster:
    """A Dask scheduler and two worker processes, each started by its own command."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        file = folder / "scheduler.json"
        found = ["--scheduler-file", str(file)]
        listens = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
        self.scheduler = stack.enter_context(running("-m", "distributed.cli.dask_scheduler", *found, *listens))
        wait_for(file.exists, "scheduler")
        options = ["--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
        self._workers = stack.enter_context(running("-m", "distributed.cli.dask_worker", *found, *options))
        self.address: str = json.loads(file.read_text())["address"]

    def worker_processes(self) -> list[psutil.Process]:
        children = psutil.Process(self._workers.pid).children()
        # Where setproctitle is installed, as with mutmut, Dask gives its workers names of their own.
        names = {child: " ".join(child.cmdline()) for child in children}
        return [child for child, name in names.items() if "multiprocessing.spawn" in name or "dask worker" in name]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    with contextlib.ExitStack() as stack:
        yield Cluster(tmp_path_factory.mktemp("cluster"), stack)


@pytest.fixture(scope="module")
def threads() -> Iterator[str]:
    """A cluster of threads of this process, in which functions can be replaced."""
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as inside:
        yield inside.scheduler_address


@pytest.fixture
def often(monkeypatch) -> None:
    """Parts of a few rows, so that there are moments between them."""
    monkeypatch.setattr(run, "GROUPS", 4)


def transcript(what: str, before: int, after: int) -> None:
    print(f"\n{what}: {before} rows when killed, {after} after resuming, none lost, none twice, all equal")


@pytest.mark.usefixtures("often")
def test_killed_workers_cost_nothing(cluster, grid, undisturbed, tmp_path):
    generator, killed = random.Random(1), []

    def kill() -> None:
        for part in (1, 5, 9):
            wait_for_parts(tmp_path, part)
            time.sleep(generator.uniform(0, 0.2))
            victim = generator.choice(cluster.worker_processes())
            victim.kill()
            killed.append(len(stored_keys(tmp_path)))

    killer = threading.Thread(target=kill)
    killer.start()
    report = sweep(grid[0], Store(tmp_path), scheduler=cluster.address)
    killer.join()
    assert (report.computed, report.present, report.errors) == (len(undisturbed), 0, ())
    assert max(killed) < len(undisturbed)
    assert_complete(tmp_path, undisturbed)
    print(f"\nkill -9 of a worker: at {killed} rows, {report.computed} in the end, none lost, none twice, all equal")


@pytest.mark.usefixtures("often")
def test_two_sweeps_at_once_write_nothing_twice(cluster, threads, grid, undisturbed, tmp_path):
    with ThreadPoolExecutor() as pool:
        started = [pool.submit(sweep, grid[0], Store(tmp_path), scheduler=at) for at in (cluster.address, threads)]
        computed = [future.result().computed for future in started]
    assert sum(computed) == len(undisturbed)
    assert_complete(tmp_path, undisturbed)
    print(f"\ntwo sweeps at once: {computed} rows written, none twice, all equal")


@pytest.mark.usefixtures("often")
def test_a_lost_scheduler_is_told_and_one_local_worker_goes_on(cluster, grid, undisturbed, tmp_path):
    def kill() -> None:
        wait_for_parts(tmp_path, 3)
        cluster.scheduler.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(SchedulerError, match="the Dask scheduler went away; what was finished is stored: start it"):
        sweep(grid[0], Store(tmp_path), scheduler=cluster.address)
    killer.join()
    before = len(stored_keys(tmp_path))
    assert 0 < before < len(undisturbed)
    with pytest.raises(
        SchedulerError, match=r"scheduler is 'tcp://127.0.0.1:\d+', but no Dask scheduler answers there"
    ):
        sweep(grid[0], Store(tmp_path), scheduler=cluster.address)
    report = sweep(grid[0], Store(tmp_path), workers=1)
    assert (report.computed, report.present) == (len(undisturbed) - before, before)
    assert_complete(tmp_path, undisturbed)
    transcript("kill -9 of the scheduler", before, before + report.computed)


def test_a_killed_and_an_interrupted_sweep_go_on_where_they_were(grid, undisturbed, tmp_path):
    command = ["-m", "graphon_lib", "sweep", str(grid[1]), "--store", str(tmp_path), "--workers"]
    generator, stored = random.Random(2), [0]
    for ending in (signal.SIGKILL, signal.SIGINT):
        with running(*command, "1", said=subprocess.PIPE) as process:
            wait_for(lambda: len(stored_keys(tmp_path)) > stored[-1], "row")
            time.sleep(generator.uniform(0, 0.1))
            kill_group(process, ending)
            said, complained = process.communicate(timeout=300)
        stored.append(len(stored_keys(tmp_path)))
        assert stored[-2] < stored[-1] < len(undisturbed)
    assert process.returncode == 130
    assert said == ""
    last = complained.splitlines()[-1]
    assert last == "Interrupted; what was finished is stored, and the same command goes on."
    assert "Traceback" not in complained
    wait_for(lambda: not descendants_of_group(process.pid), "end of all workers")
    with running(*command, "2", said=subprocess.PIPE) as process:
        said, complained = process.communicate(timeout=300)
    assert process.returncode == 0, complained
    computed = len(undisturbed) - stored[-1]
    assert said.startswith(f"tiny: {computed} trials computed, {stored[-1]} present before, 0 failed, in ")
    assert "dashboard at http://127.0.0.1:" in complained
    assert_complete(tmp_path, undisturbed)
    transcript("kill -9 of all, then Ctrl-C", stored[1], stored[2])
    transcript("after Ctrl-C", stored[2], len(undisturbed))


def descendants_of_group(group: int) -> list[int]:
    return [process.pid for process in psutil.process_iter() if os.getpgid(process.pid) == group]


# --- What can go wrong within one ---


def test_a_failing_trial_is_a_row_and_tried_again(threads, grid, undisturbed, tmp_path, monkeypatch):
    few = Grid(**grid[0].model_dump() | {"trials": 2, "methods": ["random"]})

    def measure(mask: torch.Tensor, **options: Any) -> Any:
        if len(mask) == 24:
            raise ValueError("no masks of width 24")
        return measure_mask(mask, **options)

    monkeypatch.setattr(trial_module, "measure_mask", measure)
    store = Store(tmp_path)
    report = sweep(few, store, scheduler=threads)
    assert (report.computed, report.present, len(report.errors)) == (8, 0, 8)
    assert all(error.endswith("ValueError: no masks of width 24") for error in report.errors)
    assert report.errors[0].startswith("method random, depth ")
    assert store.rows()["error"].notna().sum() == 8
    monkeypatch.undo()
    report = sweep(few, store, scheduler=threads)
    assert (report.computed, report.present, report.errors) == (8, 8, ())
    assert rows_of(store).items() <= undisturbed.items()
    assert sweep(few, store, scheduler="tcp://127.0.0.1:1").present == 16  # nothing to do: nobody is called


def test_a_group_that_never_ran_is_rows_too(threads, grid, tmp_path, monkeypatch):
    def foreign(trials: list[Trial]) -> Any:
        raise ModuleNotFoundError("No module named 'graphon_lib'")

    monkeypatch.setattr(run, "run_trials", foreign)
    few = Grid(**grid[0].model_dump() | {"trials": 1, "widths": [16]})
    report = sweep(few, Store(tmp_path), scheduler=threads)
    assert len(report.errors) == 12
    assert report.errors[0].endswith("ModuleNotFoundError: No module named 'graphon_lib'")


def test_a_local_worker_has_one_group_at_a_time_and_three_lives():
    with run._connected(None, 1) as client:
        settings = client.run_on_scheduler(
            lambda dask_scheduler: (dask_scheduler.allowed_failures, dask_scheduler.WORKER_SATURATION)
        )
        given_up = dask.config.get("distributed.deploy.lost-worker-timeout")
        variables = client.run(lambda: (os.environ["OMP_NUM_THREADS"], signal.pthread_sigmask(signal.SIG_BLOCK, [])))
    assert settings == (2, 1.0)
    assert given_up == "1000 days"
    ((threads, blocked),) = variables.values()
    assert threads == "1"
    assert signal.SIGINT in blocked
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_signals_are_handled_once_and_then_as_before():
    before = signal.getsignal(signal.SIGTERM)
    assert threading.current_thread() is threading.main_thread()  # else the signal would end the tests
    with run._stopping() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_set()
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"workers": 0}, "workers is 0, but must be a whole number of at least 1"),
        ({"workers": 2, "scheduler": "tcp://x:1"}, "workers is 2, but must be left out where a scheduler has its own"),
    ],
)
def test_impossible_clusters_are_told(grid, tmp_path, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        sweep(grid[0], Store(tmp_path), **arguments)


def test_an_address_that_is_none_is_told(grid, tmp_path):
    with pytest.raises(SchedulerError, match="scheduler is 'nonsense://', but no Dask scheduler answers there"):
        sweep(grid[0], Store(tmp_path), scheduler="nonsense://")
