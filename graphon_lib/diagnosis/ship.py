"""Make what a diagnosis compares with from the project's stores and notebooks: python -m graphon_lib.diagnosis.ship.

To be run when results change; a test says when.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd

from graphon_lib.claims import read_ledger
from graphon_lib.diagnosis.book import NUMBERS, SIZES, WIDTH, BookNetwork, Setting, book_networks
from graphon_lib.sweeps import notebooks_folder, read_study
from graphon_lib.sweeps.grid import pruned_mlp, trial_seed

CLAIMS_THAT_BEAR = ("C8", "C9", "C11", "B3", "B4")
DIGITS = 6

_CELL = ["data", "depth", "initialisation", "density", "trial"]


def table(results: Path) -> pd.DataFrame:
    """One row a pruned network whose kernel and training the stores have; without ``layer_densities``."""
    ladder, training = (read_study(results / "training" / name) for name in ("ladder", "training"))
    ladder = ladder[(ladder["width"] == WIDTH) & ladder["a_scale"].notna() & ladder["data"].isin(list(SIZES))]
    own = training["twin"] == "own"
    runs = training[own & (training["optimizer"] == "adam") & (training["learning_rate"] == 1e-3)]
    runs = runs.loc[runs["width"] == WIDTH, ["method", *_CELL, "early_loss"]]
    of_random = runs.loc[runs["method"] == "random", [*_CELL, "early_loss"]]
    runs = runs.merge(of_random, on=_CELL, suffixes=("", "_of_random"))
    setting = _CELL[:3]
    dense = ladder[ladder["method"] == "dense"].groupby(setting)["d_scale"].mean().rename("dense").reset_index()
    rows = ladder[ladder["method"] != "dense"].merge(runs, on=["method", *_CELL]).merge(dense, on=setting)
    rows = rows.assign(
        kernel_scale=rows["a_scale"] / rows["dense"],
        limit_scale=rows["d_scale"] / rows["dense"],
        relative_loss=rows["early_loss"] / rows["early_loss_of_random"],
    )
    rows = rows[["data", "depth", "initialisation", "method", "density", "trial", *NUMBERS]]
    return rows.sort_values(list(rows)[:6], ignore_index=True)


def layer_densities(setting: Setting, method: str, density: float) -> list[float]:
    """Of the first trial's network, pruned again."""
    seed = trial_seed(0, WIDTH, 0)
    _, masks = pruned_mlp(
        method, density, depth=setting.depth, width=WIDTH, initialisation=setting.initialisation, data=setting.data,
        seed=seed,
    )  # fmt: skip
    return [round(float(mask.double().mean()), DIGITS) for mask in masks.values()]


def ledger(notebooks: Path) -> dict[str, Any]:
    """The claims that bear on a diagnosis, as the executed notebooks have them."""
    entries = [one.entry() for one in read_ledger([notebooks / "04_spectra_and_training.ipynb"])]
    return {
        entry["id"]: {name: entry[name] for name in ("title", "claim", "verdict", "evidence")}
        for entry in entries
        if entry["id"] in CLAIMS_THAT_BEAR
    }


def main() -> None:
    notebooks, here = notebooks_folder(), Path(__file__).parent
    rows = table(notebooks / "results")
    known = _known_densities()
    cells = []
    for row in rows.itertuples():
        cell = Setting(row.data, row.depth, row.initialisation), row.method, row.density
        if cell not in known:
            print(f"pruning {cell}", flush=True)
            known[cell] = layer_densities(*cell)
        cells.append(" ".join(f"{density:g}" for density in known[cell]))
    text = io.StringIO()
    rows.assign(layer_densities=cells).to_csv(text, index=False, float_format=f"%.{DIGITS}g", lineterminator="\n")
    (here / "book.csv").write_text(text.getvalue(), encoding="utf-8")
    written = json.dumps(ledger(notebooks), indent=2, ensure_ascii=False, allow_nan=False)
    (here / "ledger.json").write_text(written + "\n", encoding="utf-8")


def _known_densities() -> dict[tuple[Setting, str, float], list[float]]:
    """Those of the table that is there: they depend on no result, and take minutes."""
    try:
        networks: tuple[BookNetwork, ...] = book_networks()
    except FileNotFoundError:
        return {}
    return {(n.setting, n.method, n.density): list(n.layer_densities) for n in networks}


if __name__ == "__main__":
    main()
