"""Draw the picture of the landing page and the README, book/images/overview.png, from real digits."""

from __future__ import annotations

from pathlib import Path

from graphon_lib import figures, sweeps

TARGET = Path(__file__).parents[1] / "images" / "overview.png"
METHODS = ("random", "magnitude", "snip", "grasp", "synflow")


def main() -> None:
    masks = sweeps.mask_sweep(METHODS, [800], [0.2], trials=2)
    training = sweeps.training_sweep(["dense", *METHODS], [0.5, 0.2, 0.1, 0.05], width=256, trials=2)
    TARGET.parent.mkdir(exist_ok=True)
    figures.overview(masks, training).savefig(TARGET, dpi=160)
    print(f"drawn: {TARGET.name}")


if __name__ == "__main__":
    main()
