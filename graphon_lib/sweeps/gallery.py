"""Mean histograms at one width, of every method that a published store has."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from graphon_lib.pruning import METHODS
from graphon_lib.sweeps.config import Grid
from graphon_lib.sweeps.results import Results, published, results

# The paper's methods, and those that it lacks.
STORES = ("masks", "added")


def gallery(
    methods: Sequence[str],
    densities: Sequence[float],
    depths: Sequence[int],
    *,
    width: int,
    initialisation: str = "pytorch",
    trials: int,
    seed: int = 0,
) -> pd.DataFrame:
    """Hidden masks of wide networks: what published stores have, and of ``methods`` what they lack, computed.

    Parameters
    ----------
    methods, densities, depths
        Of these methods, networks are pruned, ``trials`` of each kind, unless a store has them. Other methods are there
        if a store has them at all these densities and depths.
    width : int
        Of the networks; of methods that are not asked for, the largest that a store has up to it.

    Returns
    -------
    DataFrame
        One row a method, density, depth and hidden mask, methods in the order of :data:`graphon_lib.pruning.METHODS`:
        ``width``, ``layer`` (from 1), ``histogram`` (the mean over trials), ``trials`` (how many), ``removed_rows`` and
        ``removed_columns``, the mean shares of neurons without a kept weight, and ``beyond_degrees``, with an entry a
        trial: the density of 4-cycles in a mask that keeps something over that in a random mask of the same degrees.
    """
    common = {"initialisation": initialisation, "data": "mnist", "images": 100, "seed": seed}
    cells = []
    for name in STORES:
        with contextlib.suppress(FileNotFoundError):
            cells.append(_cells(_largest(published(name), common, densities, depths, width)))
    found = pd.concat(cells) if cells else pd.DataFrame({"method": [], "width": []})
    kinds = found.groupby("method").size()
    whole = set(kinds[kinds == len(densities) * sum(depth - 1 for depth in depths)].index)
    found = found[found["method"].isin(whole) & ((found["width"] == width) | ~found["method"].isin(methods))]
    lacking = [method for method in methods if method not in set(found["method"])]
    if lacking:
        grid = Grid(
            name="gallery", methods=lacking, widths=[width], depths=list(depths), densities=list(densities),
            trials=trials, seed=seed, initialisations=[initialisation], measure=["histograms", "motifs", "null_models"],
        )  # fmt: skip
        found = pd.concat([found, _cells(results(grid))])
    return found.sort_values(
        ["method", "depth", "density", "layer"],
        key=lambda column: column.map(METHODS.index) if column.name == "method" else column,
        ascending=[True, True, False, True],
        ignore_index=True,
    )


def _largest(
    found: Results, common: Mapping[str, Any], densities: Sequence[float], depths: Sequence[int], width: int
) -> Results:
    """Of each method the rows at its largest width up to ``width``."""
    rows = found.rows
    asked = rows["density"].isin(densities) & rows["depth"].isin(depths) & (rows["width"] <= width)
    for field, value in common.items():
        asked &= rows[field] == value
    rows = rows[asked]
    largest = rows["width"] == rows.groupby("method")["width"].transform("max")
    return replace(found, rows=rows[largest].reset_index(drop=True))


def _cells(found: Results) -> pd.DataFrame:
    if found.rows.empty:
        return found.rows[["method", "width"]]
    by = ["method", "width", "density", "depth", "layer"]
    masks = found.masks()
    alive = masks[masks["mask_density"] > 0]
    measured = masks.groupby(by)[["dead_rows", "dead_columns"]].mean()
    measured.columns = ["removed_rows", "removed_columns"]
    ratios = (alive["C4"] / alive["equal_degrees_C4"]).groupby([alive[name] for name in by]).agg(list)
    measured["beyond_degrees"] = ratios.reindex(measured.index).map(lambda kept: kept if isinstance(kept, list) else [])
    means = found.summaries().rename(columns={"mask_mean": "histogram"})
    return means[[*by, "histogram", "trials"]].merge(measured.reset_index(), on=by)
