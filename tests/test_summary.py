"""What a store's histograms come to, and the audit that recomputes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from graphon_lib.cut import cut_norm
from graphon_lib.pruning import snip
from graphon_lib.sweeps import Grid, Store, StoreError, read_distances, read_methods, read_summaries
from graphon_lib.sweeps.audit import audit
from graphon_lib.sweeps.comparisons import DIGITS
from graphon_lib.sweeps.parts import write_part
from graphon_lib.sweeps.summary import STEP, lacking, summarise
from graphon_lib.sweeps.trial import groups, run_trials

GRID = Grid(
    name="small",
    methods=["random", "snip"],
    widths=[20, 40],
    depths=[3],
    densities=[0.5, 0.3],
    trials=4,
    trials_by_width={40: 3},
    blocks=8,
)


def fill(store: Store, grid: Grid) -> None:
    for group in groups(store.missing(grid.trials_of())):
        store.append(*run_trials(group))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    fill(Store(folder), GRID)
    assert summarise(Store(folder)) == 4
    return folder


@pytest.fixture
def copy(results: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(results, tmp_path / "copy"))


def test_summaries_are_means_and_deviations_over_trials(results: Path) -> None:
    summaries = read_summaries(results)
    assert len(summaries) == 2 * 2 * 2
    for row in summaries.itertuples():
        cell = {name: getattr(row, name) for name in ("method", "width", "density")}
        histograms, keys = Store(results).histograms(**cell)
        assert list(row.keys) == keys
        assert row.trials == len(keys) == (3 if row.width == 40 else 4)
        for kind, values in histograms.items():
            mean = values.astype(np.float64).mean(axis=0)
            np.testing.assert_allclose(getattr(row, f"{kind}_mean"), mean, rtol=0, atol=STEP)
        deviation = histograms["mask"].astype(np.float64).std(axis=0, ddof=1)
        np.testing.assert_allclose(row.mask_std, deviation, rtol=0, atol=STEP)


def test_distances_are_between_trials_to_the_widest_and_to_twice_the_width(results: Path) -> None:
    distances = read_distances(results)
    counts = distances.groupby(["width", "pair"]).size().to_dict()
    each = 2 * 2 * 3 * 2  # methods, densities, kinds of mask, hidden masks
    assert counts == {
        (20, "trials"): 3 * each,
        (20, "widest"): 4 * each,
        (20, "doubling"): 3 * each,
        (40, "trials"): 2 * each,
        (40, "widest"): 3 * each,
    }
    cell = {"method": "snip", "density": 0.3}
    kept = {width: Store(results).histograms(width=width, **cell)[0] for width in (20, 40)}
    narrow, wide = ({kind: v.astype(np.float64) for kind, v in kept[width].items()} for width in (20, 40))
    for kind in ("mask", "erdos_renyi", "equal_degrees"):
        expected = {
            (20, "trials"): (narrow[kind][1, 0], narrow[kind][2, 0]),
            (20, "widest"): (narrow[kind][1, 0], wide[kind][:, 0].mean(axis=0)),
            (20, "doubling"): (narrow[kind][1, 0], wide[kind][1, 0]),
            (40, "widest"): (wide[kind][1, 0], wide[kind][[0, 2], 0].mean(axis=0)),
        }
        for (width, pair), (a, b) in expected.items():
            asked = f"method == 'snip' and density == 0.3 and kind == '{kind}' and layer == 1 and trial == 1"
            (found,) = distances.query(f"{asked} and width == {width} and pair == '{pair}'").to_dict("records")
            for of, (c, d) in {"": (a, b), "relative_": (a / a.mean(), b / b.mean())}.items():
                exact = np.linalg.norm(c - d) / 8
                assert found[f"{of}euclidean"] == pytest.approx(exact, rel=2.0**-DIGITS)
                bound = cut_norm(c, d)
                # Rounded outwards, by less than a unit of the last digit.
                assert bound.lower * (1 - 2.0 ** (1 - DIGITS)) <= found[f"{of}cut_lower"] <= bound.lower
                assert bound.upper <= found[f"{of}cut_upper"] <= bound.upper * (1 + 2.0 ** (1 - DIGITS))


def test_methods_are_compared_on_networks_that_share_nothing(results: Path) -> None:
    pairs = read_methods(results)
    within = pairs[pairs["method"] == pairs["other"]]
    between = pairs[pairs["method"] != pairs["other"]]
    # Four trials at width 20: two a half; three at width 40: one a half, so none within.
    settings = 2 * 2  # densities, hidden masks
    assert within.groupby("width").size().to_dict() == {20: 2 * 2 * settings}
    assert between.groupby("width").size().to_dict() == {20: 4 * settings, 40: 1 * settings}
    assert (between["trial"] != between["other_trial"]).all()
    assert set(zip(between["method"], between["other"], strict=True)) == {("random", "snip")}
    store = Store(results)
    row = between[(between["width"] == 20) & (between["density"] == 0.3) & (between["layer"] == 2)].iloc[-1]
    (a, b) = (
        store.histograms(method=method, width=20, density=0.3)[0]["mask"][trial, 1].astype(np.float64)
        for method, trial in ((row["method"], row["trial"]), (row["other"], row["other_trial"]))
    )
    assert row["euclidean"] == pytest.approx(np.linalg.norm(a - b) / 8, rel=2.0**-DIGITS)


def test_only_what_changed_is_summarised_again_and_the_rest_stays(copy: Path) -> None:
    before = read_summaries(copy)
    assert summarise(Store(copy)) == 0
    more = GRID.model_copy(update={"methods": ["random"], "densities": [0.3], "trials": 5})
    fill(Store(copy), more)
    assert summarise(Store(copy)) == 1
    after = read_summaries(copy)
    assert len(after) == len(before)
    for old, new in zip(before.itertuples(), after.itertuples(), strict=True):
        grown = (old.method, old.density, old.width) == ("random", 0.3, 20)
        assert new.trials == old.trials + grown
        if not (old.method == "random" and old.density == 0.3):
            np.testing.assert_array_equal(old.mask_mean, new.mask_mean)


def test_a_published_store_lacks_histograms_only_where_a_sweep_adds_trials(copy: Path) -> None:
    shutil.rmtree(copy / "histograms")
    store = Store(copy)
    assert lacking(store, GRID.trials_of()) == []
    more = GRID.model_copy(update={"methods": ["random"], "densities": [0.3], "trials": 5})
    gone = lacking(store, more.trials_of())
    assert {(trial.method, trial.density) for trial in gone} == {("random", 0.3)}
    assert len(gone) == 4 + 3
    fill(store, more)
    assert summarise(store) == 0, "the means of histograms that are not there cannot be known"
    for group in groups(gone):
        store.append(*run_trials(group))
    assert summarise(store) == 1
    assert read_distances(copy).query("method == 'random' and density == 0.3 and trial == 4").size > 0


def test_what_was_summarised_before_a_field_was_there_reads_grows_and_passes_an_audit(copy: Path) -> None:
    for path in copy.glob("*.parquet"):
        table = pq.read_table(path).drop_columns(["images", "data"])
        if path.name.startswith("part-"):
            path.unlink()
            write_part(copy, table)
        else:
            pq.write_table(table, path)
    for frame in (read_summaries(copy), read_distances(copy), Store(copy).rows()):
        assert (frame["images"] == 100).all()
        assert (frame["data"] == "mnist").all()
    assert summarise(Store(copy)) == 0
    more = GRID.model_copy(update={"methods": ["snip"], "densities": [0.3], "images": [50, 100], "data": ["teacher"]})
    fill(Store(copy), more)
    assert summarise(Store(copy)) == 2
    sources = {(100, "mnist"), (50, "teacher"), (100, "teacher")}
    for frame in (read_summaries(copy), read_distances(copy)):
        assert set(zip(frame["images"], frame["data"], strict=True)) == sources
    assert audit(copy, rows=30) == []


def test_what_was_not_summarised_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"summaries.parquet is not there: the sweep into this store measured no"
    ):
        read_summaries(tmp_path)


def test_an_audit_of_everything_finds_nothing(results: Path) -> None:
    assert audit(results, rows=10_000) == []


def test_an_audit_of_some_rows_depends_on_the_seed_only(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def watched(trials: Any) -> Any:
        seen.extend(trial.key for trial in trials)
        return run_trials(trials)

    monkeypatch.setattr("graphon_lib.sweeps.audit.run_trials", watched)
    assert audit(results, 5, seed=1) == []
    first, seen = seen, []
    assert audit(results, 5, seed=1) == []
    second, seen = seen, []
    assert audit(results, 5, seed=2) == []
    assert first == second != seen


def test_another_arithmetic_of_a_pruner_is_found(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = snip.scores

    def altered(*given: Any) -> dict[str, torch.Tensor]:
        return {name: score**2 if name == "2.weight" else score for name, score in scores(*given).items()}

    monkeypatch.setattr(snip, "scores", altered)
    told = audit(results, rows=10_000)
    assert any("snip" in sentence and "mask_density is stored as" in sentence for sentence in told)
    assert any("distance" in sentence for sentence in told)
    assert not any("random" in sentence and "snip" not in sentence for sentence in told)


def change(path: Path, column: str, change_of: Callable[[Any], Any]) -> None:
    table = pq.read_table(path)
    values = [change_of(value) for value in table[column].to_pylist()]
    at = table.schema.get_field_index(column)
    pq.write_table(table.set_column(at, table.field(at), pa.array(values, table.field(at).type)), path)


@pytest.mark.parametrize(
    ("file", "column", "change_of", "told"),
    [
        ("summaries", "mask_mean", lambda values: [values[0] + 0.01, *values[1:]], "its sketch_1 is"),
        ("summaries", "mask_std", lambda values: [values[0] + 0.05, *values[1:]], "its square_sketch_1 is"),
        ("summaries", "equal_degrees_mean", lambda v: [*v[:-1], v[-1] + 0.01], "its equal_degrees_sketch_2 is"),
        ("summaries", "keys", lambda keys: ["0" * 32, *keys[1:]], "of which 1 have no row"),
        ("summaries", "trials", lambda trials: trials + 1, "trials, of which 0 have no row"),
        ("distances", "euclidean", lambda value: value * 1.001, "euclidean is stored as"),
        ("distances", "cut_upper", lambda value: value * 0.99, "cut_upper is stored as"),
    ],
)
def test_an_altered_summary_or_distance_is_found(
    copy: Path, file: str, column: str, change_of: Callable[[Any], Any], told: str
) -> None:
    change(copy / f"{file}.parquet", column, change_of)
    assert any(told in sentence for sentence in audit(copy, rows=12))


def test_an_altered_row_is_found(results: Path, tmp_path: Path) -> None:
    rows = Store(results).rows().to_dict("records")
    rows[3]["path_density"] *= 1 + 1e-6
    rows[5]["C4"] = [value * (1 + 1e-6) for value in rows[5]["C4"]]
    rows[7]["trial"] = 17
    for row in rows:
        row["error"] = None
    Store(tmp_path).append(rows)
    found = audit(tmp_path, rows=10_000)
    for place, name in ((3, "path_density"), (5, "C4"), (7, "key")):
        assert any(rows[place]["key"] in sentence and f": {name} is stored as" in sentence for sentence in found)
    assert len({sentence.split()[1] for sentence in found}) == 3


def test_bad_arguments(tmp_path: Path, results: Path) -> None:
    with pytest.raises(ValueError, match="rows is 0, but must be a whole number of at least 1"):
        audit(results, rows=0)
    with pytest.raises(StoreError, match="holds no results to audit; name a folder that a sweep has filled"):
        audit(tmp_path)
