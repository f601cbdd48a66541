"""The store of sweeps: nothing lost, nothing twice, and what is broken is named."""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import random
import resource
import shutil
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphon_lib.sweeps.config import Grid, Trial
from graphon_lib.sweeps.parts import write_part
from graphon_lib.sweeps.store import Store, StoreError, _row_table
from graphon_lib.sweeps.trial import failed_rows

GRID = Grid(
    name="store", methods=["random", "snip"], widths=[10, 20], depths=[2, 3], densities=[0.5, 0.1], trials=4, blocks=3
)
TRIALS = list(GRID.trials_of())
KILLS = 6
KINDS = ("mask", "erdos_renyi", "equal_degrees")


def row(trial: Trial, **columns: Any) -> dict[str, Any]:
    """A result that depends on its trial only."""
    value = int(trial.key[:8], 16) / 2**32
    layers = [value / layer for layer in range(1, trial.depth)]
    return failed_rows([trial], "")[0] | {"error": None, "C4": layers, "path_density": value} | columns


def histogram(trial: Trial, kinds: tuple[str, ...] = KINDS) -> dict[str, Any]:
    generator = np.random.default_rng(int(trial.key, 16))
    size = (trial.depth - 1) * trial.blocks**2
    return {"key": trial.key, **{kind: generator.random(size, dtype=np.float32) for kind in kinds}}


def stored_keys(folder: Path) -> list[str]:
    """Of all part files, however often."""
    return [key for path in folder.glob("part-*.parquet") for key in pq.read_table(path)["key"].to_pylist()]


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


# --- What goes in comes out ---


@settings(max_examples=30)
@given(values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=3), density=st.floats(0.01, 1))
def test_numbers_come_back_bit_for_bit(tmp_path_factory, values, density):
    folder = tmp_path_factory.mktemp("store")
    trial = replace(TRIALS[0], density=density)
    Store(folder).append([row(trial, C4=values, layer_densities=values[::-1])])
    found = Store(folder).rows().iloc[0]
    assert found["C4"].tolist() == values
    assert found["layer_densities"].tolist() == values[::-1]
    assert found["path_density"] == row(trial)["path_density"]
    assert Trial.of(found) == trial
    assert Trial.of(found).key == found["key"]


def test_rows_from_before_a_field_was_there_have_its_first_value(tmp_path):
    later = ["images", "data"]
    write_part(tmp_path, _row_table([row(trial) for trial in TRIALS[:3]]).drop_columns(later))
    store = Store(tmp_path)
    new = replace(TRIALS[0], images=50, data="teacher")
    assert store.missing([*TRIALS[:4], new]) == [TRIALS[3], new]
    assert store.append([row(TRIALS[0]), row(new)]) == 1
    for _ in range(2):
        rows = store.rows().to_dict("records")
        assert {Trial.of(found) for found in rows} == {*TRIALS[:3], new}
        assert all(Trial.of(found).key == found["key"] for found in rows)
        store.compact()
    assert len(parts(tmp_path)) == 1


def test_a_store_that_is_not_there_is_empty(tmp_path):
    store = Store(tmp_path / "none")
    assert store.keys() == set()
    assert store.missing(TRIALS) == TRIALS
    assert len(store.rows()) == 0
    assert store.histograms(width=10) == ({}, [])
    assert not store.folder.exists()


def test_rows_are_sorted_by_configuration_and_those_done_not_missing(tmp_path):
    store = Store(tmp_path)
    shuffled = random.Random(0).sample(TRIALS, len(TRIALS))
    for some in (shuffled[:9], shuffled[9:]):
        assert store.append([row(trial) for trial in some]) == len(some)
    assert store.missing(TRIALS) == []
    assert store.missing([replace(TRIALS[0], trial=99)]) == [replace(TRIALS[0], trial=99)]
    order = [(t.method, t.depth, t.width, t.density, t.trial) for t in map(Trial.of, store.rows().to_dict("records"))]
    assert order == sorted(order)
    assert {Trial.of(found) for found in store.rows().to_dict("records")} == set(TRIALS)


def test_nothing_is_written_twice(tmp_path):
    one, other = Store(tmp_path), Store(tmp_path)
    rows = [row(trial) for trial in TRIALS]
    assert one.append(rows[:20]) == 20
    assert other.append(rows[10:]) == len(TRIALS) - 20
    assert one.append(rows) == other.append(rows) == 0
    assert sorted(stored_keys(tmp_path)) == sorted(trial.key for trial in TRIALS)


def test_threads_with_stores_of_their_own_do_not_write_twice(tmp_path):
    def work(seed: int) -> None:
        store = Store(tmp_path)
        for trial in random.Random(seed).sample(TRIALS, len(TRIALS)):
            store.append([row(trial)], [histogram(trial)])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored_keys(tmp_path)) == sorted(trial.key for trial in TRIALS)
    assert len(stored_keys(tmp_path / "histograms")) == len(TRIALS)


def test_an_error_is_no_result_and_a_result_replaces_it(tmp_path):
    store, trial = Store(tmp_path), TRIALS[0]
    assert store.append([row(trial, error="ValueError: first", time="2026-01-01")]) == 0
    assert store.append([row(trial, error="ValueError: second", time="2026-01-02")]) == 0
    assert store.missing([trial]) == [trial]
    assert store.rows()["error"].tolist() == ["ValueError: second"]
    store.append([row(trial)])
    assert store.missing([trial]) == []
    assert store.rows()["error"].isna().all()
    store.append([row(trial, error="ValueError: third")])
    assert len(store.rows()) == 1
    assert len(stored_keys(tmp_path)) == 3


def test_two_results_for_one_trial_must_agree(tmp_path):
    store = Store(tmp_path)
    store.append([row(TRIALS[0], time="2026-01-02", run_time=1.0)])
    assert store.append([row(TRIALS[0], time="2026-01-01", run_time=2.0, commit="abc")]) == 0
    wrong = row(TRIALS[0], C4=[0.5])
    with pytest.raises(StoreError, match=f"two results are stored for trial {TRIALS[0].key}, and they differ: .*just"):
        store.append([wrong, row(TRIALS[1])])
    assert store.missing(TRIALS[:2]) == []
    Store(tmp_path / "other").append([wrong])
    shutil.copy(parts(tmp_path / "other")[0], tmp_path)
    with pytest.raises(StoreError, match=r"differ: .*part-\w+.parquet and .*part-\w+.parquet; find out which is right"):
        Store(tmp_path).rows()


def test_sweeps_are_recorded_once(tmp_path):
    store = Store(tmp_path)
    for sweep in ({"grid": 1}, {"grid": 2}, {"grid": 1}):
        store.record(sweep)
    assert json.loads((tmp_path / "sweeps.json").read_text()) == [{"grid": 1}, {"grid": 2}]


# --- Histograms ---


def test_histograms_of_a_cell_come_in_the_order_of_trials(tmp_path):
    shuffled = random.Random(1).sample(TRIALS, len(TRIALS))
    for some in (shuffled[:11], shuffled[11:]):
        Store(tmp_path).append([row(trial) for trial in some], [histogram(trial) for trial in some])
    found, keys = Store(tmp_path).histograms(method="snip", depth=3, width=20, density=0.1, initialisation="pytorch")
    cell = [t for t in TRIALS if (t.method, t.depth, t.width, t.density) == ("snip", 3, 20, 0.1)]
    assert keys == [trial.key for trial in cell]
    for kind in KINDS:
        assert found[kind].shape == (4, 2, 3, 3)
        expected = [histogram(trial)[kind].reshape(2, 3, 3) for trial in cell]
        np.testing.assert_array_equal(found[kind], expected)


def test_histograms_without_null_models_and_of_failed_trials(tmp_path):
    store, (good, bad) = Store(tmp_path), TRIALS[:2]
    store.append([row(good), row(bad, error="Error: no")], [histogram(good, ("mask",)), histogram(bad)])
    found, keys = store.histograms(depth=2)
    assert list(found) == ["mask"]
    assert keys == [good.key]


def test_histograms_want_a_cell_of_one_shape(tmp_path):
    store = Store(tmp_path)
    store.append([row(trial) for trial in TRIALS], [histogram(trial) for trial in TRIALS])
    with pytest.raises(ValueError, match=r"cell is {'width': 20}, whose histograms are not of one shape; name depth"):
        store.histograms(width=20)
    with pytest.raises(ValueError, match="cell names 'widht', but a configuration's fields are method, "):
        store.histograms(widht=20)
    assert len(store.histograms(depth=2, measure=TRIALS[0].measure)[1]) == len(TRIALS) / 2


def test_histograms_that_are_gone_may_be_added_again_without_their_rows(tmp_path):
    store, some = Store(tmp_path), TRIALS[:6]
    rows, histograms = [row(trial) for trial in some], [histogram(trial) for trial in some]
    store.append(rows, histograms)
    assert store.kept_histograms() == {trial.key for trial in some}
    shutil.rmtree(tmp_path / "histograms")
    store = Store(tmp_path)
    assert store.missing(some) == []
    assert store.kept_histograms() == set()
    assert store.append(rows, histograms) == 0
    assert store.kept_histograms() == {trial.key for trial in some}
    assert sorted(stored_keys(tmp_path)) == sorted(trial.key for trial in some)


# --- Compaction ---


def test_compaction_depends_on_no_order_and_loses_nothing(tmp_path):
    rows = [row(trial, time="2026-01-01") for trial in TRIALS]
    for folder, order in (("a", rows), ("b", rows[::-1])):
        for place in range(0, len(rows), 7):
            Store(tmp_path / folder).append(order[place : place + 7])
        Store(tmp_path / folder).append([row(TRIALS[0], error="Error: late")])
        before = Store(tmp_path / folder).rows()
        Store(tmp_path / folder).compact()
        pd.testing.assert_frame_equal(Store(tmp_path / folder).rows(), before)
    (a,), (b,) = parts(tmp_path / "a"), parts(tmp_path / "b")
    assert a.name == b.name
    assert a.read_bytes() == b.read_bytes()
    Store(tmp_path / "a").compact()
    assert parts(tmp_path / "a") == [a]
    Store(tmp_path / "none").compact()
    assert parts(tmp_path / "none") == []


def test_a_compaction_that_is_killed_half_way_costs_nothing(tmp_path, monkeypatch):
    for trial in TRIALS[:5]:
        Store(tmp_path).append([row(trial)])
    watching = Store(tmp_path)
    before = watching.rows()
    unlink, removed = Path.unlink, []

    def killed(path: Path, **options: Any) -> None:
        if removed:
            raise KeyboardInterrupt
        removed.append(path)
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path).compact()
    monkeypatch.undo()
    assert len(parts(tmp_path)) == 5
    pd.testing.assert_frame_equal(watching.rows(), before)
    Store(tmp_path).compact()
    assert len(parts(tmp_path)) == 1
    pd.testing.assert_frame_equal(watching.rows(), before)


def test_a_part_compacted_while_it_is_read_is_read_where_it_went(tmp_path, monkeypatch):
    for trial in TRIALS[:3]:
        Store(tmp_path).append([row(trial)])
    read_bytes, compacted = Path.read_bytes, []

    def after_compaction(path: Path) -> bytes:
        if not compacted:
            compacted.append(path)
            Store(tmp_path).compact()
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", after_compaction)
    assert len(Store(tmp_path).rows()) == 3
    assert compacted


# --- What breaks ---


@settings(max_examples=60)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), torn=st.booleans())
def test_a_torn_or_altered_part_is_named_and_costs_what_it_held(tmp_path_factory, where, bit, torn):
    folder = tmp_path_factory.mktemp("store")
    Store(folder).append([row(trial) for trial in TRIALS[:3]])
    Store(folder).append([row(trial) for trial in TRIALS[3:9]])
    broken = parts(folder)[0]
    content = bytearray(broken.read_bytes())
    place = int(where * len(content))
    if torn:
        del content[place:]
    else:
        content[place] ^= 1 << bit
    broken.write_bytes(content)
    for read in (Store(folder).keys, Store(folder).rows, lambda: Store(folder).append([row(TRIALS[10])])):
        with pytest.raises(
            StoreError, match=rf"{broken} is torn, altered or foreign \(its bytes .*; delete it and run"
        ):
            read()
    broken.unlink()
    assert len(Store(folder).keys()) in (3, 6)
    assert Store(folder).append([row(trial) for trial in TRIALS[:9]]) in (3, 6)
    assert len(Store(folder).keys()) == 9


@pytest.mark.parametrize("foreign", [pa.table({"a": [1]}), None])
def test_a_foreign_part_is_named(tmp_path, foreign):
    if foreign is None:
        content = b"no Parquet"
        (tmp_path / f"part-{hashlib.sha256(content).hexdigest()[:32]}.parquet").write_bytes(content)
    else:
        write_part(tmp_path, foreign)
    with pytest.raises(StoreError, match=rf"{parts(tmp_path)[0]} is torn, altered or foreign \("):
        Store(tmp_path).keys()


@settings(max_examples=40)
@given(where=st.floats(0, 1, exclude_max=True), torn=st.booleans())
def test_broken_histograms_are_named_or_do_not_matter(tmp_path_factory, where, torn):
    folder = tmp_path_factory.mktemp("store")
    some = [trial for trial in TRIALS if trial.depth == 2][:5]
    Store(folder).append([row(trial) for trial in some], [histogram(trial) for trial in some])
    expected = Store(folder).histograms(depth=2)
    (broken,) = parts(folder / "histograms")
    content = bytearray(broken.read_bytes())
    # Page data carry checksums; the page headers and the footer that Parquet leaves without are not altered here.
    data = content.index(histogram(some[0])["mask"].tobytes()[:8])
    if torn:
        del content[int(where * len(content)) :]
    else:
        content[data] ^= 1
    broken.write_bytes(content)
    with pytest.raises(StoreError, match=rf"{broken} is torn, altered or foreign \(.*; delete it and run the same"):
        Store(folder).histograms(depth=2)
    assert len(Store(folder).rows()) == 5
    broken.unlink()
    assert Store(folder).kept_histograms() == set()
    assert len(expected[1]) == 5


def test_what_a_killed_writer_left_is_removed(tmp_path):
    store = Store(tmp_path)
    store.append([row(TRIALS[0])], [histogram(TRIALS[0])])
    left = [tmp_path / ".part-abc.parquet.tmp", tmp_path / "histograms" / ".part-abc.parquet.tmp"]
    for path in left:
        path.write_bytes(b"half")
    assert len(store.rows()) == 1
    store.append([])
    assert not any(path.exists() for path in left)


def fill(folder: Path) -> None:
    for number in itertools.count():
        trial = replace(TRIALS[0], trial=number, blocks=40)
        Store(folder).append([row(trial)], [histogram(trial)])


def fill_until_full(folder: Path) -> int:
    """Returns the number of rows that were stored before the disk was full."""
    sentence = (
        rf"cannot write to {folder}: .*; nothing that is stored there is lost: free some space, then run the same"
    )
    with pytest.raises(StoreError, match=sentence):
        fill(folder)
    assert not list(folder.rglob(".*.tmp"))
    return len(Store(folder).keys())


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        assert fill_until_full(tmp_path) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    trial = replace(TRIALS[0], trial=0, blocks=40)
    assert Store(tmp_path).append([row(trial)], [histogram(trial)]) == 1


def test_a_full_disk_costs_nothing_that_is_stored(tmp_path):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        filled = fill_until_full(tmp_path / "store")
        shutil.rmtree(tmp_path / "store" / "histograms")
        trial = replace(TRIALS[0], trial=filled, blocks=40)
        assert Store(tmp_path / "store").append([row(trial)], [histogram(trial)]) == 1
        assert len(Store(tmp_path / "store").keys()) == filled + 1
        print(f"\nfull disk: {filled} rows before, {filled + 1} after")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_folder_that_cannot_be_one_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write to .*file: File exists; nothing .*: make it a folder that you"):
        Store(tmp_path / "file").append([row(TRIALS[0])])


def keep_appending(folder: Path) -> None:
    store = Store(folder)
    for number in itertools.count(len(store.keys())):
        trial = replace(TRIALS[0], trial=number)
        store.append([row(trial)], [histogram(trial)])
        if number % 20 == 19:
            store.compact()


def test_a_writer_may_be_killed_at_any_moment(tmp_path):
    # Writers are forked from a process that has imported what they need.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["graphon_lib.sweeps.store", "graphon_lib.sweeps.trial", "hypothesis", "pytest"])
    generator, known = random.Random(0), set()
    for _ in range(KILLS):
        writer = context.Process(target=keep_appending, args=(tmp_path,))
        writer.start()
        while len(Store(tmp_path).keys()) == len(known):
            time.sleep(0.01)
        time.sleep(generator.uniform(0, 0.2))
        writer.kill()
        writer.join()
        keys = Store(tmp_path).keys()
        assert known < keys
        assert len(Store(tmp_path).histograms(depth=2)[1]) == len(keys)
        known = keys
    print(f"\nkilled writer: {len(known)} rows after {KILLS} kills, none lost")
