"""An audit of a store: rows drawn at random are computed again, and what was made of all is checked against them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from graphon_lib.sweeps.comparisons import DIGITS, distance
from graphon_lib.sweeps.config import Trial
from graphon_lib.sweeps.measures import sketches
from graphon_lib.sweeps.store import CIRCUMSTANCES, Store, StoreError
from graphon_lib.sweeps.summary import GROUP, KINDS, STEP, read_distances, read_methods, read_summaries
from graphon_lib.sweeps.trial import run_trials

Array = NDArray[np.float64]

# Scalars are stored to 24 binary digits. On another processor the digits behind them differ, and may be rounded the
# other way: by one unit in the last place, and never by two.
UNIT = 2.0**-23

Histograms = Callable[[Trial], dict[str, Array]]


def audit(folder: str | Path, rows: int = 20, seed: int = 0) -> list[str]:
    """Recompute random rows of a store and compare.

    Half of the rows are drawn from those of trials (all, if there are no distances), the others from distances and from
    comparisons of methods. A trial's row is recomputed from its configuration, a distance from those of both its
    trials, or of its trial and the stored mean. Means and standard deviations are all checked: each row has four linear
    functionals of its histogram, whose mean must be that of the stored mean.

    Parameters
    ----------
    folder : path
    rows : int
        How many, at least 1; all of them, if there are fewer.
    seed : int
        Decides which.

    Returns
    -------
    list of str
        A sentence for each number that is not what is stored, naming both; empty if all are.

    Raises
    ------
    ValueError
        If rows is below 1.
    StoreError
        If the store holds no results, or cannot be read.
    """
    if rows < 1:
        raise ValueError(f"rows is {rows}, but must be a whole number of at least 1")
    folder = Path(folder)
    stored = Store(folder).rows()
    stored = stored[stored["error"].isna()]
    if stored.empty:
        raise StoreError(f"{folder} holds no results to audit; name a folder that a sweep has filled")
    generator = np.random.default_rng(seed)
    summaries = distances = methods = pd.DataFrame()
    if (folder / "distances.parquet").exists():
        summaries, distances, methods = read_summaries(folder), read_distances(folder), read_methods(folder)
    of_methods = min(len(methods), rows // 4)
    of_distances = min(len(distances), rows // 2 - of_methods)
    of_trials = min(len(stored), rows - of_distances - of_methods)
    stored = stored.set_index("key", drop=False)
    found = list(_of_summaries(summaries, stored))
    with tqdm(
        total=of_trials + of_distances + of_methods, desc="recomputing", unit="row", disable=None, leave=False
    ) as bar:
        for place in generator.choice(len(stored), of_trials, replace=False):
            found += _of_trial(stored.iloc[place].to_dict())
            bar.update()
        cells = {_cell(row): row for row in summaries.to_dict("records")}
        histograms = functools.cache(_histograms)
        for place in generator.choice(len(distances), of_distances, replace=False):
            found += _of_distance(distances.iloc[place].to_dict(), cells, stored, histograms)
            bar.update()
        for place in generator.choice(len(methods), of_methods, replace=False):
            found += _of_methods(methods.iloc[place].to_dict(), cells, stored, histograms)
            bar.update()
    return found


def _of_trial(row: Mapping[str, Any]) -> Iterator[str]:
    trial = Trial.of(row)
    (again,), _ = run_trials([trial])
    for name in again.keys() - set(CIRCUMSTANCES):
        old, new = row[name], again[name]
        if name == "error" or isinstance(new, str | tuple):
            same = pd.isna(old) if new is None else old == new
        else:
            same = np.shape(old) == np.shape(new) and np.allclose(old, new, rtol=UNIT, atol=0)
        if not same:
            yield f"trial {row['key']} ({_told(row)}): {name} is stored as {old}, but comes out as {new}"


def _of_summaries(summaries: pd.DataFrame, stored: pd.DataFrame) -> Iterator[str]:
    for cell in summaries.to_dict("records"):
        unknown = [key for key in cell["keys"] if key not in stored.index]
        if unknown or len(cell["keys"]) != cell["trials"]:
            yield f"the summary of {_told(cell)} is of {cell['trials']} trials, of which {len(unknown)} have no row"
            continue
        rows = stored.loc[cell["keys"]]
        # A rounding of each cell to the step, with random signs, is seldom above the third of a step over the blocks.
        tolerance = 4 * STEP / cell["blocks"]
        for kind in KINDS:
            means = cell[f"{kind}_mean"]
            for layer in range(0 if means is None else len(means)):
                expected = sketches("sketch" if kind == "mask" else f"{kind}_sketch", means[layer])
                if kind == "mask":
                    # The mean square is the square of the mean and the variance.
                    variance = cell["mask_std"][layer] ** 2 * (len(rows) - 1) / len(rows)
                    expected |= sketches("square_sketch", means[layer] ** 2 + variance)
                for name, value in expected.items():
                    mean = np.mean([of_layers[layer] for of_layers in rows[name]])
                    if not abs(mean - value) <= tolerance:
                        yield (
                            f"the {kind} summary of {_told(cell)}, layer {layer + 1}: its {name} is {value:.9f}, but "
                            f"the mean of its trials' is {mean:.9f}"
                        )


def _of_distance(
    row: Mapping[str, Any], cells: Mapping[Any, Mapping[str, Any]], stored: pd.DataFrame, histograms: Histograms
) -> Iterator[str]:
    kind, layer, pair, cell = row["kind"], row["layer"] - 1, row["pair"], cells[_cell(row)]
    if not stored.index.isin(cell["keys"]).sum() == cell["trials"] == len(cell["keys"]):
        return  # told of the summary already
    trials = [Trial.of(stored.loc[key]) for key in cell["keys"]]
    place = [trial.trial for trial in trials].index(row["trial"])
    mine = histograms(trials[place])[kind][layer]
    tolerance = 0.0
    if pair == "widest":
        widths = [width for *group, width in cells if group == [*_cell(row)[:-1]]]
        widest = cells[_cell(dict(row) | {"width": max(widths)})]
        other = widest[f"{kind}_mean"][layer]
        if widest is cell:
            other = (cell["trials"] * other - mine) / (cell["trials"] - 1)
        tolerance = 2 * STEP
    elif pair == "trials":
        other = histograms(trials[place + 1])[kind][layer]
    else:
        keys = cells[_cell(dict(row) | {"width": 2 * row["width"]})]["keys"]
        other = histograms(Trial.of(stored.loc[keys[place]]))[kind][layer]
    told = f"distance {pair} of {_told(row)}, {kind}, layer {row['layer']}"
    yield from _differences(told, row, mine, other, tolerance)


def _of_methods(
    row: Mapping[str, Any], cells: Mapping[Any, Mapping[str, Any]], stored: pd.DataFrame, histograms: Histograms
) -> Iterator[str]:
    masks = []
    for method, number in ((row["method"], row["trial"]), (row["other"], row["other_trial"])):
        rows = stored.loc[stored.index.intersection(cells[_cell(dict(row) | {"method": method})]["keys"])]
        if number not in set(rows["trial"]):
            return  # told of the summary already
        (key,) = rows.index[rows["trial"] == number]
        masks.append(histograms(Trial.of(rows.loc[key]))["mask"][row["layer"] - 1])
    told = f"distance of {_told(row)}, to {row['other']}, trial {row['other_trial']}, layer {row['layer']}"
    yield from _differences(told, row, *masks)


def _differences(told: str, row: Mapping[str, Any], mine: Array, other: Array, tolerance: float = 0.0) -> Iterator[str]:
    for name, value in distance(mine, other).items():
        of_mean = (other.mean() or 1.0) if name.startswith("relative_") else 1.0
        if not abs(value - row[name]) <= tolerance / of_mean + 2.0 ** (1 - DIGITS) * value:
            yield f"{told}: {name} is stored as {row[name]:.9f}, but comes out as {value:.9f}"


def _histograms(trial: Trial) -> dict[str, Array]:
    _, (found,) = run_trials([trial])
    shape = (trial.depth - 1, trial.blocks, trial.blocks)
    return {kind: values.astype(np.float64).reshape(shape) for kind, values in found.items() if kind != "key"}


def _cell(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (*(row[name] for name in GROUP), row["width"])


def _told(row: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name} {row[name]}" for name in ("depth", "width", "density"))
    return f"{row['method']}, {told}" + (f", trial {row['trial']}" if "trial" in row else "")
