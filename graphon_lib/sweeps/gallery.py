"""Mean histograms at one width, of every method that a published store has."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

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

    Returns
    -------
    DataFrame
        One row a method, density, depth and hidden mask, methods in the order of :data:`graphon_lib.pruning.METHODS`:
        ``layer`` (from 1), ``histogram`` (the mean over trials), ``trials`` (how many), ``removed_rows`` and
        ``removed_columns``, the mean shares of neurons without a kept weight, and ``beyond_degrees``, with an entry a
        trial: the density of 4-cycles in a mask that keeps something over that in a random mask of the same degrees.
    """
    common = {"initialisation": initialisation, "width": width, "data": "mnist", "images": 100, "seed": seed}
    cells = []
    for name in STORES:
        with contextlib.suppress(FileNotFoundError):
            store = published(name)
            asked = store.rows["density"].isin(densities) & store.rows["depth"].isin(depths)
            for field, value in common.items():
                asked &= store.rows[field] == value
            if asked.any():
                cells.append(_cells(replace(store, rows=store.rows[asked].reset_index(drop=True)), width))
    found = pd.concat(cells) if cells else pd.DataFrame({"method": []})
    kinds = found.groupby("method").size()
    whole = set(kinds[kinds == len(densities) * sum(depth - 1 for depth in depths)].index)
    found = found[found["method"].isin(whole)]
    lacking = [method for method in methods if method not in whole]
    if lacking:
        grid = Grid(
            name="gallery", methods=lacking, widths=[width], depths=list(depths), densities=list(densities),
            trials=trials, seed=seed, initialisations=[initialisation], measure=["histograms", "motifs", "null_models"],
        )  # fmt: skip
        found = pd.concat([found, _cells(results(grid), width)])
    return found.sort_values(
        ["method", "depth", "density", "layer"],
        key=lambda column: column.map(METHODS.index) if column.name == "method" else column,
        ascending=[True, True, False, True],
        ignore_index=True,
    )


def _cells(found: Results, width: int) -> pd.DataFrame:
    by = ["method", "density", "depth", "layer"]
    masks = found.masks()
    alive = masks[masks["mask_density"] > 0]
    measured = masks.groupby(by)[["dead_rows", "dead_columns"]].mean()
    measured.columns = ["removed_rows", "removed_columns"]
    ratios = (alive["C4"] / alive["equal_degrees_C4"]).groupby([alive[name] for name in by]).agg(list)
    measured["beyond_degrees"] = ratios.reindex(measured.index).map(
        lambda found: found if isinstance(found, list) else []
    )
    means = found.summaries()
    means = means[means["width"] == width].rename(columns={"mask_mean": "histogram"})
    return means[[*by, "histogram", "trials"]].merge(measured.reset_index(), on=by)
