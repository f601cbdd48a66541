"""Training a masked network for its first steps: the loss curves by which the paper compares methods (Fig. 2)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from graphon_lib.arguments import SEED, STEPS, one_of, positive, whole
from graphon_lib.data import Dataset
from graphon_lib.networks import check_masks, prunable_layers
from graphon_lib.training.denormals import flushed_denormals
from graphon_lib.training.masked import masked_layers

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    # Fused: one pass over the weights an update, the same numbers, and nearly half the time of a training step.
    "adam": partial(torch.optim.Adam, fused=True),
    "sgd": torch.optim.SGD,
}


@dataclass(frozen=True, eq=False)
class LossCurve:
    """What training gave.

    Attributes
    ----------
    losses : float64 array
        Of :func:`train`: (steps,), the cross-entropy of each mini-batch before the update made with it. Of
        :func:`graphon_lib.training.descend`: (steps + 1,), before each update and after the last.
    model : nn.Module
        The trained copy; its pruned weights are exactly zero.
    """

    losses: np.ndarray
    model: nn.Module

    def mean(self) -> float:
        """Mean loss over the steps, the area under the curve: lower means faster early training."""
        return float(self.losses.mean())


def train(
    model: nn.Module,
    masks: Mapping[str, torch.Tensor] | None,
    dataset: Dataset,
    *,
    steps: int = 200,
    batch_size: int = 128,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> LossCurve:
    """Train a copy of a masked network on cross-entropy; the model itself stays as it was.

    The defaults are the paper's (Fig. 2 and 11): Adam with learning rate 1e-3, the first 200 steps.

    Parameters
    ----------
    model : nn.Module
        From the dataset's inputs to (N, classes) outputs, with ``nn.Linear`` or ``nn.Conv2d`` layers.
    masks : dict from parameter name to mask, or None
        Pruned weights start at zero and stay there. None trains the dense network.
    dataset : Dataset
        Mini-batches are drawn without replacement and reshuffled each epoch; the images left over at the end of an
        epoch, too few for a batch, wait for the next one.
    steps : int
        Number of updates, at least 1.
    batch_size : int
        Images in a mini-batch, from 1 to ``len(dataset)``.
    optimizer : {"adam", "sgd"}
        Of torch.optim, without weight decay and momentum.
    learning_rate : float
        Positive.
    seed : int
        Order of the images, and dropout if the model has any. The global generator is left as found.

    Returns
    -------
    LossCurve

    Raises
    ------
    ValueError
        If an argument is out of its range, masks are not the model's, or the dataset does not fit the model.
    FloatingPointError
        If the loss stops being finite.
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(f"dataset is a {type(dataset).__name__}, but must be a Dataset; pass Dataset(inputs, labels)")
    whole("steps", steps, 1, STEPS)
    whole("batch_size", batch_size, 1)
    seed = whole("seed", seed, 0, SEED)
    if batch_size > len(dataset):
        raise ValueError(
            f"batch_size is {batch_size}, but dataset has {len(dataset)} images; pass a smaller batch or more images"
        )
    one_of("optimizer", optimizer, sorted(OPTIMIZERS))
    learning_rate = positive("learning_rate", learning_rate)
    checked = check_masks(model, masks)
    trained = copy.deepcopy(model)
    _check_fit(trained, dataset)
    if not any(parameter.requires_grad for parameter in trained.parameters()):
        raise ValueError("model has no parameter that requires a gradient, so nothing to train; unfreeze some")
    first = next(iter(prunable_layers(trained).values())).weight
    inputs = dataset.inputs.to(device=first.device, dtype=first.dtype)
    labels = dataset.labels.to(first.device)
    losses = np.empty(steps)
    progress = tqdm(range(steps), desc="training", unit="step", disable=None, delay=2, leave=False)
    with (
        masked_layers(trained, checked) as mask_gradients,
        torch.random.fork_rng(devices=[]),  # dropout draws from the global generator
        flushed_denormals(),
        torch.enable_grad(),
    ):
        updater = OPTIMIZERS[optimizer](trained.parameters(), lr=learning_rate)
        torch.default_generator.manual_seed(seed)
        for step, batch in zip(progress, _batches(len(dataset), batch_size, seed), strict=False):
            loss = nn.functional.cross_entropy(trained(inputs[batch]), labels[batch])
            losses[step] = loss.item()
            if not math.isfinite(losses[step]):
                if step == 0:
                    raise FloatingPointError(
                        f"the loss before any step is {losses[0]}: model or dataset holds too large numbers; scale them"
                    )
                raise FloatingPointError(
                    f"the loss at step {step} is {losses[step]}: training with learning_rate={learning_rate} diverged; "
                    "pass a smaller one"
                )
            updater.zero_grad()
            torch.autograd.backward(loss)
            mask_gradients()
            updater.step()
    return LossCurve(losses, trained)


def _batches(images: int, batch_size: int, seed: int) -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(images, generator=generator)
        for start in range(0, images - images % batch_size, batch_size):
            yield order[start : start + batch_size]


def _check_fit(model: nn.Module, dataset: Dataset) -> None:
    layers = list(prunable_layers(model).values())
    first, classes = layers[0].weight, len(layers[-1].weight)
    coordinates = first.shape[1]
    if isinstance(layers[0], nn.Conv2d):
        _check_image(model, dataset.inputs[:1].to(first))
    elif dataset.inputs.shape[1] != coordinates:
        raise ValueError(
            f"dataset has inputs of {dataset.inputs.shape[1]} coordinates, but model takes {coordinates}; "
            "build the model with as many inputs"
        )
    largest = int(dataset.labels.max())
    if largest >= classes:
        raise ValueError(
            f"dataset has the label {largest}, but model has {classes} outputs, for labels 0 to {classes - 1}; "
            "build the model with more outputs"
        )


def _check_image(model: nn.Module, image: torch.Tensor) -> None:
    modes = {module: module.training for module in model.modules()}
    try:
        with torch.no_grad():
            model.eval()(image)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"dataset has inputs of shape {tuple(image.shape[1:])}, which do not pass through the model ({error}); "
            "pass inputs of the size that its first convolution takes, or begin the model with nn.Unflatten"
        ) from error
    finally:
        for module, mode in modes.items():
            module.training = mode
