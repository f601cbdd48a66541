"""SynFlow: how much synaptic flow passes through the weight, without data (Tanaka et al., NeurIPS 2020)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from graphon_lib.networks import Masks, prunable_layers
from graphon_lib.pruning.flow import Flow
from graphon_lib.pruning.scoring import derivatives, joined, run
from graphon_lib.pruning.selection import TIE, check_finite, choose, kept_count, thresholds

Array = NDArray[np.float64]

# What does nothing to a vector without negative numbers.
IDLE = (nn.ReLU, nn.LeakyReLU, nn.Identity, nn.Flatten, nn.Dropout)

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
    their absolute values. It grows with the product of the layers' norms, to 1e62 for 40 layers of width 1024. A stack
    of linear layers and (leaky) ReLUs is linear on what reaches it, and its layers are rescaled.

    Parameters
    ----------
    inputs : tensor or None
        Gives the shape of one input; None stands for (1, in_features of the first linear layer).

    Raises
    ------
    ValueError
        If inputs is None and the first layer is a convolution, whose weight does not tell an input's shape.
    """
    layers = prunable_layers(model)
    first = next(iter(layers.values()))
    if inputs is None and isinstance(first, nn.Conv2d):
        raise ValueError(
            "inputs is None, but the model begins with an nn.Conv2d, and synflow needs the shape of an image; pass "
            "inputs=(N, channels, height, width), or whatever the model takes"
        )
    features = first.weight.shape[1]
    ones = torch.ones((1, features) if inputs is None else (1, *inputs.shape[1:]))
    stack = ones.numel() == features and _is_stack(model)
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
            # R first: the way back looks for flows below a limit, which is in its units.
            R, back = _through_stack(flows) if stack else _through(model, flows, ones)
            expected = R * share * growth
            for flow in flows.values():
                flow.limit = expected * (1 + margin)
            factors = back()
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
            # In units of R, which is zero once no path is left; then all flows are.
            last, share = share, threshold / R if R > 0 else 0.0
            growth = share / last if last > 0 else 1.0
            left = kept
    return {name: flow.mask() for name, flow in flows.items()}


# For each layer D (B, outputs) and H (B, inputs), of which D^T H is the derivative of R by the layer's weight.
Factors = dict[str, tuple[Array, Array]]


def _is_stack(model: nn.Module) -> bool:
    """Whether a model is linear layers without biases, one after the other, and nothing else to absolute weights."""
    modules = list(_in_order(model))
    linear = [module for module in modules if type(module) is nn.Linear and module.bias is None]
    fits = all(below.out_features == above.in_features for below, above in itertools.pairwise(linear))
    return fits and len(set(linear)) + sum(type(module) in IDLE for module in modules) == len(modules)


def _in_order(model: nn.Module) -> Iterator[nn.Module]:
    """A model's modules as they act, if it is sequences all through; else the model."""
    if type(model) is nn.Sequential:
        for module in model:
            yield from _in_order(module)
    else:
        yield model


def _through_stack(flows: Mapping[str, Flow]) -> tuple[float, Callable[[], Factors]]:
    """R, up to a factor, and what gives the factors of its derivatives, up to the same, in a stack of layers."""
    inputs, scales = [np.ones(next(iter(flows.values())).shape[1])], []
    for flow in flows.values():
        outputs = flow.forward(inputs[-1])
        # By a power of two, which rounds nothing.
        scales.append(2.0 ** -math.frexp(outputs.max())[1])
        inputs.append(outputs * scales[-1])

    def back() -> Factors:
        factors, vector = {}, np.ones_like(inputs[-1])
        for place, (name, flow) in reversed(list(enumerate(flows.items()))):
            vector = vector * scales[place]
            factors[name] = vector[None], inputs[place][None]
            if place:
                vector = flow.backward(vector)
        return factors

    return float(inputs[-1].sum()), back


def _through(model: nn.Module, flows: Mapping[str, Flow], ones: torch.Tensor) -> tuple[float, Callable[[], Factors]]:
    """R, and what gives the factors of its derivatives, in any model."""
    outputs, uses = run(model, dict(flows), ones, absolute=True)
    R = outputs.sum()

    def back() -> Factors:
        backs, factors = derivatives(R, [use.offset for use in uses]), {}
        for name, flow in flows.items():
            mine = [(back, use.inputs.detach()) for back, use in zip(backs, uses, strict=True) if use.name == name]
            back, inputs = joined(mine or [(torch.zeros(1, flow.shape[0]), torch.zeros(1, flow.shape[1]))])
            check_finite("synflow", name, back.amax() * inputs.amax())
            factors[name] = back.numpy(force=True), inputs.numpy(force=True)
        return factors

    return R.item(), back


def _limits(expected: float, flows: Mapping[str, Flow], factors: Factors, removed: float) -> Iterator[float]:
    """Flows below which to look for the share ``removed`` of lowest flow, the likeliest first and at last no limit."""
    if expected > 0:
        yield expected
    step = max(1, math.isqrt(sum(flow.values.size for flow in flows.values()) // SAMPLE))
    some = np.concatenate([flow.sample(*factors[name], step) for name, flow in flows.items()])
    if some.size:
        yield float(np.quantile(some, min(1.0, 1.05 * removed + 0.002)))
    yield math.inf
