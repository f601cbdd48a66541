"""Draw the picture of the landing page and the README, book/images/overview.png, from real digits.

Beside it lies a record of how it was drawn, which the landing page shows below the picture.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from graphon_lib import figures, sweeps
from graphon_lib.sweeps.sources import source_of
from graphon_lib.sweeps.trial import commit

TARGET = Path(__file__).parents[1] / "images" / "overview.png"
RESULTS = Path(__file__).parents[2] / "notebooks" / "results"
DENSITIES = (0.5, 0.2, 0.1, 0.05)
METHODS = ("random", "magnitude", "snip", "grasp", "synflow")
WIDTH, DENSITY = 800, 0.2  # of the masks that are shown


def main() -> None:
    started, clock = datetime.now(UTC), time.perf_counter()
    masks = sweeps.mask_sweep(METHODS, [WIDTH], [DENSITY], trials=2)
    # The first two networks of each setting at the paper's width, as stored.
    trained = sweeps.studied(sweeps.training_study(["dense", *METHODS], DENSITIES, trials=2))
    at_rest = sweeps.studied(sweeps.ladder_study(["dense", *METHODS], DENSITIES, trials=2))
    keys = ["method", "density", "trial"]
    training = trained.merge(at_rest[[*keys, "second_moment_scale"]], on=keys)
    TARGET.parent.mkdir(exist_ok=True)
    figures.overview(masks, training).savefig(TARGET, dpi=200)
    record = {
        "code": "book/companion_site/overview.py",
        "seconds": time.perf_counter() - clock,
        "sources": [
            source_of(rows, RESULTS / "training" / name) for name, rows in (("training", trained), ("ladder", at_rest))
        ],
        "parameters": {
            "methods": METHODS,
            "densities": DENSITIES,
            "trials": 2,
            "width of masks": WIDTH,
            "density of masks": DENSITY,
        },
        "seed": 0,
        "started": started.isoformat(timespec="seconds"),
        "commit": commit(),
    }
    TARGET.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf8")
    print(f"drawn: {TARGET.name}")


if __name__ == "__main__":
    main()
