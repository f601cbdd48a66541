"""What the masks say by themselves, layer by layer: densities, dead neurons, graphons and how well these fit."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from graphon_lib.diagnosis.number import Number
from graphon_lib.diagnosis.report import Layer, Neurons
from graphon_lib.estimation import FIT_MOTIFS, Fit, estimate_graphon, goodness_of_fit

BoolArray = NDArray[np.bool_]

REPLICATES = 19

# What masks are held to: random ones of their density, and of their degrees ("cross_fit" takes no noise for these).
MODELS = ("random", "degrees")
ROWS_A_BLOCK = 16


def layer_reports(names: Sequence[str], masks: Sequence[BoolArray], *, blocks: int, seed: int) -> Iterator[Layer]:
    """One report a mask (outputs, inputs, positions), with one position for a linear layer."""
    for place, (name, mask) in enumerate(zip(names, masks, strict=True)):
        kept = int(mask.sum())
        yield Layer(
            name=name,
            outputs=mask.shape[0],
            inputs=mask.shape[1],
            kept=kept,
            positions=mask.shape[2],
            density=Number(kept / mask.size),
            outputs_without=int((~mask.any(axis=(1, 2))).sum()),
            inputs_without=int((~mask.any(axis=(0, 2))).sum()),
            graphon=estimate_graphon(mask if mask.shape[2] > 1 else mask[:, :, 0], blocks=blocks),
            fits=_fits(mask, blocks, seed + place),
        )


def _fits(mask: BoolArray, blocks: int, seed: int) -> dict[str, dict[str, Number]]:
    if mask.all() or not mask.any():
        reason = f"{'all' if mask.all() else 'none'} of its weights are kept, so there is nothing to fit"
    elif mask.shape[2] > 1:
        reason = "it has a graph for each position, and the test is for one"
    elif mask.shape[0] < 2 or mask.shape[1] < 3:
        reason = "it is smaller than the patterns that are counted"
    else:
        # Fewer rows a block, and noise in the degrees would be taken for structure even so.
        fine = min(blocks, min(mask.shape[:2]) // ROWS_A_BLOCK)
        found = {"random": _fit(mask[:, :, 0], "constant", 1, seed)}
        reason = "its sides are too short to tell differences of degree from noise, or one block was asked for"
        found["degrees"] = (
            _fit(mask[:, :, 0], "cross_fit", fine, seed)
            if fine > 1
            else dict.fromkeys(FIT_MOTIFS, Number.unknown(reason))
        )
        return found
    return {model: dict.fromkeys(FIT_MOTIFS, Number.unknown(reason)) for model in MODELS}


def _fit(mask: BoolArray, estimator: str, blocks: int, seed: int) -> dict[str, Number]:
    estimate = functools.partial(estimate_graphon, method=estimator, blocks=blocks)
    found = goodness_of_fit(mask, estimate, replicates=REPLICATES, seed=seed)
    return {motif: _deviation(fit) for motif, fit in found.items()}


def _deviation(fit: Fit) -> Number:
    if not math.isfinite(fit.z):
        return Number.unknown("the mask, or one drawn from its estimate, has none of the pattern, or all have as many")
    return Number(fit.z, note=f"standard deviations; p = {fit.p_value:.2g}, at least {2 / (REPLICATES + 1):g}")


def neuron_reports(masks: Sequence[BoolArray]) -> Iterator[Neurons]:
    """One report a layer of neurons, for masks that fit together."""
    for place in range(len(masks) + 1):
        lost_in = ~masks[place - 1].any(axis=(1, 2)) if place > 0 else None
        lost_out = ~masks[place].any(axis=(0, 2)) if place < len(masks) else None
        sides = [side for side in (lost_in, lost_out) if side is not None]
        dead = np.logical_or.reduce(sides)
        name = "inputs" if place == 0 else "outputs" if place == len(masks) else f"hidden {place}"
        yield Neurons(
            name=name,
            count=dead.size,
            none_in=None if lost_in is None else int(lost_in.sum()),
            none_out=None if lost_out is None else int(lost_out.sum()),
            dead=int(dead.sum()),
        )
