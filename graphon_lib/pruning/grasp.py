"""GraSP: what the weight does to the flow of the gradient (Wang, Zhang and Grosse, ICLR 2020)."""

from __future__ import annotations

import torch
from torch import nn

from graphon_lib.networks import prunable_layers
from graphon_lib.pruning.scoring import double_copy, evaluation, gradients, mean_cross_entropy
from graphon_lib.pruning.selection import Scores, check_finite

# Softens the softmax, so that the loss of an untrained network is close to its quadratic expansion.
TEMPERATURE = 200.0


def scores(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> Scores:
    """(H g) * w, H and g being the Hessian and the gradient of the mean cross-entropy at temperature 200.

    The highest are kept, as in the code of the SynFlow authors. H g is the gradient of the product of g, held fixed,
    with g: one more differentiation, no Hessian.
    """
    state = double_copy(model)
    weights = {name: state[name].requires_grad_() for name in prunable_layers(model)}
    with evaluation(model):
        loss = mean_cross_entropy(model, state, inputs, targets, temperature=TEMPERATURE)
        gradient = gradients(loss, [*weights.values()], again=True)
        contraction = torch.stack([(g.detach() * g).sum() for g in gradient]).sum()
        hessian_gradient = gradients(contraction, [*weights.values()])
    result = {}
    for (name, weight), hg in zip(weights.items(), hessian_gradient, strict=True):
        result[name] = hg * weight.detach()
        check_finite("grasp", name, result[name])
    return result
