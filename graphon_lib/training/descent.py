"""Full-batch gradient descent on squared loss in NTK parametrisation: the training whose curve a kernel predicts."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from tqdm import tqdm

from graphon_lib.arguments import STEPS, positive, tensor, whole
from graphon_lib.networks import check_masks, linear_layers
from graphon_lib.training.denormals import flushed_denormals
from graphon_lib.training.masked import masked_layers
from graphon_lib.training.stochastic import LossCurve

# Steps of this size are finite in single precision.
RATE = 1e30


def descend(
    model: nn.Module,
    masks: Mapping[str, torch.Tensor] | None,
    inputs: ArrayLike | torch.Tensor,
    targets: ArrayLike | torch.Tensor,
    *,
    steps: int,
    learning_rate: float,
    weight_variance: float = 2.0,
) -> LossCurve:
    r"""Train a copy of a masked network by the gradient of :math:`|f - y|^2 / (2N)` over all N inputs.

    A weight w = sigma_w / sqrt(n_in) omega of the model stands for a parameter omega of the theory. A step of size eta
    down the gradient in omega is one of

    .. math:: \Delta w = -\eta \frac{\sigma_w^2}{n_{in}} \frac{\partial}{\partial w} \frac{|f - y|^2}{2N},

    so that outputs move by :math:`-(\eta / N) \Theta (f - y)` at first, with Theta the kernel of
    :func:`graphon_lib.empirical_ntk`. :func:`graphon_lib.spectra.predicted_loss`, given Theta, f - y and eta, predicts
    the curve, exactly if the network is linear in the weights that move (Jacot, Gabriel and Hongler 2018).

    Only what the kernel counts moves: weights of ``nn.Linear`` layers, not biases, in evaluation mode. Frozen weights
    stay.

    Parameters
    ----------
    model : nn.Module
        From (N, d) inputs to (N, C) outputs. Unchanged.
    masks : dict from parameter name to mask, or None
        Pruned weights start at zero and stay there. None trains the dense network.
    inputs : (N, d) array or tensor
        Cast to the precision of the model.
    targets : (N, C) array or tensor
        What the outputs should be.
    steps : int
        Number of updates, at least 0.
    learning_rate : float
        eta, positive. Where the kernel stays as it is, descent diverges beyond 2N / lambda_1.
    weight_variance : float
        sigma_w^2 > 0 of the parametrisation: 2 for ``initialisation="he"``, 1/3 for ``"pytorch"``.

    Returns
    -------
    LossCurve
        With steps + 1 losses: before each update, and after the last.

    Raises
    ------
    ValueError
        If an argument is out of its range, masks are not the model's, or inputs and targets do not fit the model.
    FloatingPointError
        If the loss stops being finite.
    """
    whole("steps", steps, 0, STEPS)
    learning_rate = positive("learning_rate", learning_rate)
    weight_variance = positive("weight_variance", weight_variance)
    if learning_rate * weight_variance > RATE:
        raise ValueError(
            f"learning_rate times weight_variance is {learning_rate * weight_variance:.3g}, but must be at most "
            f"{RATE:.0e}"
        )
    checked = check_masks(model, masks)
    trained = copy.deepcopy(model)
    layers = linear_layers(trained, "descend")
    first = next(iter(layers.values()))
    x, y = _check_fit(first, inputs, targets)
    if not any(layer.weight.requires_grad for layer in layers.values()):
        raise ValueError("model has no weight that requires a gradient, so nothing to train; unfreeze some")
    losses = np.empty(steps + 1)
    modes = {module: module.training for module in trained.modules()}
    trained.eval()
    with masked_layers(trained, checked) as mask_gradients, flushed_denormals(), torch.enable_grad():
        rates = [
            {"params": [p for n, p in layer.named_parameters(recurse=False) if n != "bias"],
             "lr": learning_rate * weight_variance / layer.in_features}
            for layer in layers.values()
        ]  # fmt: skip
        updater = torch.optim.SGD(rates)
        for step in tqdm(range(steps + 1), desc="descent", unit="step", disable=None, delay=2, leave=False):
            outputs = trained(x)
            if outputs.shape != y.shape:
                raise ValueError(
                    f"targets has shape {tuple(y.shape)}, but model's outputs for inputs have {tuple(outputs.shape)}; "
                    "pass one number for each output of each input"
                )
            residual = outputs.detach().double() - y
            losses[step] = float(residual.square().sum()) / (2 * len(y))
            if not math.isfinite(losses[step]):
                if step == 0:
                    raise FloatingPointError(
                        f"the loss before any step is {losses[0]}: model, inputs or targets hold too large numbers; "
                        "scale them"
                    )
                raise FloatingPointError(
                    f"the loss at step {step} is {losses[step]}: descent with learning_rate={learning_rate} diverged; "
                    "pass a smaller one"
                )
            if step < steps:
                trained.zero_grad()
                torch.autograd.backward(outputs, (residual / len(y)).to(outputs))
                mask_gradients()
                updater.step()
    for module, mode in modes.items():
        module.training = mode
    return LossCurve(losses, trained)


def _check_fit(
    first: nn.Linear, inputs: ArrayLike | torch.Tensor, targets: ArrayLike | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = tensor("inputs", inputs), tensor("targets", targets)
    if x.ndim != 2 or len(x) == 0 or x.shape[1] != first.in_features:
        raise ValueError(
            f"inputs has shape {tuple(x.shape)}, but must be (N, {first.in_features}) with N >= 1, as model takes it"
        )
    for name, values in (("inputs", x), ("targets", y)):
        if not torch.isfinite(values).all():
            raise ValueError(
                f"{name} has entries that are NaN or infinite, but all must be finite; drop or repair them"
            )
    return x.detach().to(first.weight), y.detach().to(first.weight.device, torch.float64)
