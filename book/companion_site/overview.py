"""Draw the picture of the landing page and the README, book/images/overview.png, from real digits."""

from __future__ import annotations

from pathlib import Path

from graphon_lib import figures, sweeps

TARGET = Path(__file__).parents[1] / "images" / "overview.png"
DENSITIES = (0.5, 0.2, 0.1, 0.05)
METHODS = ("random", "magnitude", "snip", "grasp", "synflow")


def main() -> None:
    masks = sweeps.mask_sweep(METHODS, [800], [0.2], trials=2)
    # The first two networks of each setting at the paper's width, as stored.
    started = sweeps.studied(sweeps.training_study(["dense", *METHODS], DENSITIES, trials=2))
    at_rest = sweeps.studied(sweeps.ladder_study(["dense", *METHODS], DENSITIES, trials=2))
    keys = ["method", "density", "trial"]
    training = started.merge(at_rest[[*keys, "second_moment_scale"]], on=keys)
    TARGET.parent.mkdir(exist_ok=True)
    figures.overview(masks, training).savefig(TARGET, dpi=160)
    print(f"drawn: {TARGET.name}")


if __name__ == "__main__":
    main()
