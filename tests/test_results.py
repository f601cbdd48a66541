"""What notebooks read: the published store where it serves, else what is computed, the same either way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from graphon_lib import homomorphism_densities
from graphon_lib.graphons import uniform_shuffle
from graphon_lib.sweeps import Grid, Results, Store, notebooks_folder, published, results, sweep
from graphon_lib.sweeps.sources import MIME_TYPE, source_of

GRID = Grid(
    name="small", methods=["snip", "random"], widths=[20, 40], depths=[3], densities=[0.3, 0.2], trials=4, blocks=8
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a published store."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "notebooks" / "somewhere").mkdir(parents=True)
    sweep(GRID, Store(folder / "notebooks" / "results" / "small"), workers=1)
    return folder


def test_the_project_is_found_from_below_and_missed_from_outside(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "notebooks" / "somewhere")
    assert notebooks_folder() == project / "notebooks"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"run this inside the project's folder"):
        results(GRID)


def test_the_published_store_serves_its_grid_and_whole_configurations_of_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    found = results(GRID)
    assert found.stored
    assert found.rows["method"].unique().tolist() == ["snip", "random"], "in the order of the grid"
    assert found.rows["density"].unique().tolist() == [0.3, 0.2]
    part = results(GRID.model_copy(update={"methods": ["random"], "densities": [0.2]}))
    assert part.stored
    assert len(part.rows) == 8
    for table in (part.masks(), part.summaries(), part.distances(), part.methods()):
        assert set(table["method"]) == {"random"}
        assert set(table["density"]) == {0.2}
    everything = published("small")
    assert set(everything.rows["key"]) == set(found.rows["key"])
    with pytest.raises(FileNotFoundError, match=r"make sweep CONFIG=notebooks/sweeps/other\.yaml"):
        published("other")


def test_other_trials_are_computed_once_and_what_is_published_stays(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    fewer = GRID.model_copy(update={"methods": ["random"], "densities": [0.3], "trials": 2})
    before = sorted((project / "notebooks" / "results" / "small").iterdir())
    found = results(fewer)
    assert not found.stored
    assert found.folder.parent == project / "notebooks" / "runs"
    assert found.rows["trial"].unique().tolist() == [0, 1]
    kept = results(GRID).rows.set_index("key")["C4"]
    for row in found.rows.itertuples():
        np.testing.assert_array_equal(row.C4, kept[row.key])
    assert sorted((project / "notebooks" / "results" / "small").iterdir()) == before
    times = found.rows["time"].tolist()
    assert results(fewer).rows["time"].tolist() == times, "found again, not computed again"


def test_sources_span_the_days_and_the_commits_of_their_rows(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data: told.append(data[MIME_TYPE]))
    monkeypatch.setenv("GRAPHON_SOURCES", "publish")
    found = results(GRID)
    published("small")
    results(GRID.model_copy(update={"densities": [0.3], "trials": 3}))
    assert [(source["folder"], source["rows"], source["computed"]) for source in told] == [
        ("notebooks/results/small", 32, 0),
        ("notebooks/results/small", 32, 0),
        (told[2]["folder"], 12, 12),
    ]
    assert told[2]["folder"].startswith("notebooks/runs/small-")
    rows = found.rows.assign(time=["2026-11-02T01:00:00+00:00"] * 31 + ["2026-10-31T23:00:00+00:00"])
    rows["commit"] = ["later"] * 31 + ["earlier"]
    source = source_of(rows, found.folder)
    assert source["dates"] == ["2026-10-31", "2026-11-02"]
    assert source["commits"] == ["earlier", "later"]


def test_tables_have_a_row_for_each_hidden_mask(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    found = results(GRID)
    masks, summaries = found.masks(), found.summaries()
    assert len(masks) == 2 * len(found.rows)
    assert masks.groupby("key")["layer"].agg(list).map(tuple).unique().tolist() == [(1, 2)]
    row = found.rows.iloc[5]
    of_row = masks[masks["key"] == row["key"]]
    assert of_row["mask_density"].tolist() == list(row["mask_density"])
    assert of_row["C4"].tolist() == list(row["C4"])
    assert len(summaries) == 2 * 2 * 2 * 2  # methods, densities, widths, layers
    assert {mean.shape for mean in summaries["mask_mean"]} == {(8, 8)}


def test_excesses_are_those_of_unbiased_densities() -> None:
    mask = np.random.default_rng(0).random((12, 12)) < np.linspace(0.1, 0.9, 12)
    plain = {name: [value] for name, value in homomorphism_densities(mask).items()}
    unbiased = homomorphism_densities(mask, unbiased=True)
    kept = mask.mean()
    rows = pd.DataFrame([{"key": "a", "depth": 2, "width": 12, "mask_density": [kept], **plain}])
    (found,) = Results(rows, Path(), stored=True).masks().to_dict("records")
    assert found["C4_excess"] == pytest.approx(unbiased["C4"] / kept**4 - 1)
    assert found["row_excess"] == pytest.approx(unbiased["row_cherry"] / kept**2 - 1)
    assert found["column_excess"] == pytest.approx(unbiased["column_cherry"] / kept**2 - 1)


def test_excesses_are_zero_on_average_without_structure_and_not_a_number_without_weights() -> None:
    full = np.zeros((30, 30), dtype=bool)
    full.flat[:180] = True
    shuffled = [homomorphism_densities(uniform_shuffle(full, seed=seed)) for seed in range(300)]
    rows = pd.DataFrame(
        [{"key": str(k), "depth": 2, "width": 30, "mask_density": [0.2], **{n: [v] for n, v in found.items()}}
         for k, found in enumerate(shuffled)]
    )  # fmt: skip
    excess = Results(rows, Path(), stored=True).masks()["C4_excess"]
    assert abs(excess.mean()) < 4 * excess.sem() + 0.01
    void = rows.head(1).assign(mask_density=[[0.0]])
    assert Results(void, Path(), stored=True).masks()[["C4_excess", "row_excess"]].isna().all(axis=None)
