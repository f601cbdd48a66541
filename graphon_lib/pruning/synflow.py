"""SynFlow: how much synaptic flow passes through the weight, without data (Tanaka et al., NeurIPS 2020)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from graphon_lib.networks import Masks, prunable_layers
from graphon_lib.pruning.flow import Flow
from graphon_lib.pruning.scoring import Use, derivatives, run
from graphon_lib.pruning.selection import TIE, check_finite, choose, kept_count, thresholds

Array = NDArray[np.float64]

# Modules under which a network's outputs are so multiplied as one of its layers' are, if it is a sequence of them.
HOMOGENEOUS = (nn.Sequential, nn.Linear, nn.ReLU, nn.LeakyReLU, nn.Identity, nn.Flatten, nn.Dropout)

# The search for the weights to remove begins with those whose flow is below the threshold that is expected, by this
# share: a smaller one finds fewer weights in vain, a larger one fails less often. It is adapted in each round.
MARGIN = 0.1

# Weights whose flow is looked at for a first guess of the threshold.
SAMPLE = 100_000


@torch.enable_grad()
def masks(
    model: nn.Module, density: float, inputs: torch.Tensor | None, rounds: int, generator: torch.Generator
) -> Masks:
    """Prune to density**(round / rounds) in each round, by \\|w dR/dw\\| among the weights that are left (Algorithm 1).

    R is the sum of the outputs for one all-ones input, all parameters and floating-point buffers being replaced by
    their absolute values. It grows with the product of the layers' norms, to 1e62 for 40 layers of width 1024. In a
    sequence of layers and (leaky) ReLUs only its size relative to that product counts, and layers are rescaled.

    Parameters
    ----------
    inputs : tensor or None
        Gives the shape of one input; None stands for (1, in_features of the first linear layer).
    """
    layers = prunable_layers(model)
    first = next(iter(layers.values()))
    ones = torch.ones((1, first.in_features) if inputs is None else (1, *inputs.shape[1:]))
    rescale = all(isinstance(module, HOMOGENEOUS) for module in model.modules()) and not any(
        layer.bias is not None for layer in layers.values()
    )
    left = total = sum(layer.weight.numel() for layer in layers.values())
    # The last threshold as a share of R, and its growth in the last round.
    share, growth, margin = 0.0, 1.0, MARGIN
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        flows = {name: Flow(layer.weight, pool) for name, layer in layers.items()}
        for step in range(1, rounds + 1):
            # Rounded as in the authors' code, since later rounds amplify a difference of one weight to as much as 1 %
            # of the mask. In the last round, where nothing does, the number that all methods keep.
            removed = int((1.0 - density ** (step / rounds)) * total)
            kept = total - removed if step < rounds else kept_count(density, total)
            if kept == left:
                continue
            outputs, uses = run(model, dict(flows), ones, absolute=True, rescale=rescale)
            R = outputs.sum().item()
            expected = R * share * growth
            for flow in flows.values():
                flow.limit = expected * (1 + margin)
            factors = _factors(uses, outputs.sum(), flows)
            for limit in _limits(expected * (1 + margin), flows, factors, (left - kept) / left):
                found = [flow.low(*factors[name], limit) for name, flow in flows.items()]
                pieces = [flow for _, flow in found]
                stay = sum(map(len, pieces)) - (left - kept)
                if stay > 0:
                    threshold = thresholds(pieces, [stay])[0]
                    if threshold * (1 + 2 * TIE) < limit:
                        break
            margin *= 2 if threshold > expected * (1 + margin) else 0.8 if stay > (left - kept) // 2 else 1
            chosen = choose([torch.from_numpy(piece) for piece in pieces], threshold, stay, generator)
            for flow, (places, _), keep in zip(flows.values(), found, chosen, strict=True):
                flow.remove(places[~keep.numpy()])
            growth = threshold / R / share if share > 0 else 1.0
            share = threshold / R if R > 0 else 0.0
            left = kept
    return {name: flow.mask() for name, flow in flows.items()}


def _factors(uses: Sequence[Use], R: torch.Tensor, flows: Mapping[str, Flow]) -> dict[str, tuple[Array, Array]]:
    """For each layer D (B, outputs) and H (B, inputs), of which D^T H is the derivative of R by the layer's weight."""
    backs = derivatives(R, [use.offset for use in uses])
    result = {}
    for name, flow in flows.items():
        mine = [(back, use.inputs.detach()) for back, use in zip(backs, uses, strict=True) if use.name == name]
        empty = [(torch.zeros(1, flow.shape[0]), torch.zeros(1, flow.shape[1]))]
        back, inputs = (torch.cat(parts) for parts in zip(*(mine or empty), strict=True))
        check_finite("synflow", name, back.amax() * inputs.amax())
        result[name] = back.numpy(force=True), inputs.numpy(force=True)
    return result


def _limits(
    expected: float, flows: Mapping[str, Flow], factors: Mapping[str, tuple[Array, Array]], removed: float
) -> Iterator[float]:
    """Flows below which to look for the share ``removed`` of lowest flow, the likeliest first and at last no limit."""
    if expected > 0:
        yield expected
    step = max(1, math.isqrt(sum(flow.values.size for flow in flows.values()) // SAMPLE))
    some = np.concatenate([flow.sample(*factors[name], step) for name, flow in flows.items()])
    if some.size:
        yield float(np.quantile(some, min(1.0, 1.05 * removed + 0.002)))
    yield math.inf
