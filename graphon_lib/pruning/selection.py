"""From scores to masks: the exact global selection that all methods share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from graphon_lib.networks import Masks

Scores = dict[str, torch.Tensor]

# Relative distance within which two scores are one. Equal scores come out of a matrix product a few units in the last
# place (1e-16) apart, by an order of summation that depends on position and on the number of threads; neither may
# decide what is kept. Neighbouring scores of a million random weights are about 1e-6 apart.
TIE = 1e-11


def kept_count(density: float, total: int) -> int:
    """How many of ``total`` weights are kept at a density: the nearest whole number, but at least one."""
    return max(1, round(density * total))


def check_finite(method: str, name: str, scores: torch.Tensor) -> None:
    """Raises ValueError if a score of the layer ``name`` is NaN or infinite."""
    # The extremes carry NaN and infinity along; they cost a sixth of isfinite(), which SynFlow would feel.
    if scores.numel() and not all(torch.isfinite(extreme) for extreme in torch.aminmax(scores)):
        raise ValueError(
            f"{method} scores of {name!r} are not all finite, even in double precision, so they cannot be ranked; "
            "scale down the model's weights or the inputs"
        )


def largest(scores: torch.Tensor, kept: int, generator: torch.Generator) -> torch.Tensor:
    """Which ``kept`` of the scores (n,) are largest, as a bool tensor (n,) with exactly ``kept`` entries True.

    Ties at the threshold are broken by lot: the first or last in order would write a pattern into the mask.
    """
    if kept == scores.numel():
        return torch.ones_like(scores, dtype=torch.bool)
    # numpy's partition takes a third of the time of torch.kthvalue, and neither sorts.
    rank = scores.numel() - kept
    threshold = float(np.partition(scores.numpy(force=True), rank)[rank])
    slack = TIE * abs(threshold)
    chosen = scores >= threshold - slack
    surplus = int(chosen.count_nonzero()) - kept
    if surplus:
        tied = (chosen & (scores <= threshold + slack)).nonzero().squeeze(1)
        chosen[tied[torch.randperm(len(tied), generator=generator)[:surplus].to(tied.device)]] = False
    return chosen


def select(scores: Mapping[str, torch.Tensor], kept: int, generator: torch.Generator) -> Masks:
    """Masks of the ``kept`` largest scores over all layers together.

    Parameters
    ----------
    scores : mapping from parameter name to tensor of the weight's shape
    kept : int from 1 to the number of weights
    generator : torch.Generator
        Breaks ties.
    """
    flat = largest(torch.cat([score.flatten() for score in scores.values()]), kept, generator)
    pieces = torch.split_with_sizes(flat, [score.numel() for score in scores.values()])
    return {name: piece.view(score.shape).clone() for (name, score), piece in zip(scores.items(), pieces, strict=True)}
