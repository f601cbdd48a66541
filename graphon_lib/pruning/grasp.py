"""GraSP: what the weight does to the flow of the gradient (Wang, Zhang and Grosse, ICLR 2020)."""

from __future__ import annotations

import torch
from torch import nn

from graphon_lib.pruning.scoring import IMAGES, Factors, derivatives, gradient, joined, losses, thin, weighted
from graphon_lib.pruning.selection import Scores

# Softens the softmax, so that the loss of an untrained network is close to its quadratic expansion.
TEMPERATURE = 200.0


@torch.enable_grad()
def scores(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> Scores:
    """(H g) * w, H and g being the Hessian and the gradient of the mean cross-entropy at temperature 200.

    The highest are kept, as in the code of the SynFlow authors. H g is the gradient of the product of g, held fixed,
    with g: one more differentiation, no Hessian. Both are sums of outer products over the batch, g = D^T H, so their
    product needs the Gram matrices of the factors only.
    """
    return weighted("grasp", model, _factors(model, inputs, targets), absolute=False)


def _factors(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> Factors:
    """The factors of H g. A function of its own, so that nothing else of it lies in memory beside the scores."""
    # Where one pass takes all images, it gives the gradient too.
    several = len(inputs) > IMAGES
    of_all = gradient(model, inputs, targets, temperature=TEMPERATURE) if several else {}
    factors: Factors = {}
    for value, uses in losses(model, inputs, targets, temperature=TEMPERATURE):
        backs = derivatives(value, [use.offset for use in uses], again=True)
        if not several:
            for use, back in zip(uses, backs, strict=True):
                of_all.setdefault(use.name, []).append(thin(back.detach(), use.inputs.detach()))
        whole, terms = {name: joined(pairs) for name, pairs in of_all.items()}, []
        for use, back in zip(uses, backs, strict=True):
            all_backs, all_inputs = whole[use.name]
            terms.append(((all_backs @ back.T) * (all_inputs @ use.inputs.T)).sum())
        # A weight acts twice, on what goes forward and on what comes back.
        twice = [(use, back) for use, back in zip(uses, backs, strict=True) if use.back_offset is not None]
        places = [use.offset for use in uses] + [use.back_offset for use, _ in twice if use.back_offset is not None]
        found = derivatives(torch.stack(terms).sum(), places)
        for use, d in zip(uses, found, strict=False):
            factors.setdefault(use.name, []).append(thin(d, use.inputs.detach()))
        for (use, back), d in zip(twice, found[len(uses) :], strict=True):
            factors[use.name].append(thin(back.detach(), d))
    return factors
