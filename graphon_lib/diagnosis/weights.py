"""Whether weights could be those that a network begins with: the book's evidence is on networks pruned at the start."""

from __future__ import annotations

import math

import torch

from graphon_lib.networks import Masks


def weight_distribution(weights: list[torch.Tensor], masks: Masks) -> str | None:
    """Which usual initialisation the weights could be a draw of: "he", "pytorch", or None if they could be neither.

    Of a layer whose pruned weights are still there, the distribution function must lie within the bound of Dvoretzky,
    Kiefer, Wolfowitz and Massart at the level of one in a thousand. Where they are zero, the kept weights must not have
    more large ones than all weights would, nor a smaller mean square than a random choice: a test of less power.
    """
    for name in ("he", "pytorch"):
        if all(_passes(weight, mask, name) for weight, mask in zip(weights, masks.values(), strict=True)):
            return name
    return None


def _passes(weight: torch.Tensor, mask: torch.Tensor, name: str) -> bool:
    fan_in, kept = weight[0].numel(), weight[mask]
    if not kept.numel():
        return True
    whole = mask.all() or bool((weight[~mask] != 0).any())
    sample = (weight.flatten() if whole else kept).abs().sort().values
    variance = (2.0 if name == "he" else 1 / 3) / fan_in
    if name == "he":
        chances = torch.erf(sample / math.sqrt(2 * variance))
    else:
        chances = (sample * math.sqrt(fan_in)).clamp(max=1.0)
    count, level = weight.numel(), 1e-3
    bound = math.sqrt(math.log(2 / level) / (2 * count))
    # How many of all weights are larger, in the sample and by the distribution.
    larger = torch.arange(len(sample), 0, -1, device=sample.device) / count
    excess = float((larger - (1 - chances)).max())
    if excess > bound + 1 / count:
        return False
    if whole:
        return float((1 - chances - larger).max()) <= bound + 1 / count
    return float((kept**2).mean()) >= variance * (1 - 5 * math.sqrt(2 / kept.numel()))
