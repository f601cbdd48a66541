"""The book's networks: multi-layer perceptrons, and small convolutional networks."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

from graphon_lib.arguments import SEED, one_of, room, whole
from graphon_lib.networks.layers import Layer

INITIALISATIONS = ("he", "pytorch")


class Erf(nn.Module):
    """The error function as a layer: smooth, odd, bounded, and with closed-form dual activations."""

    def forward(self, preactivations: torch.Tensor) -> torch.Tensor:
        return torch.erf(preactivations)


ACTIVATION_LAYERS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "linear": nn.Identity,
    "erf": Erf,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
}


def mlp(
    depth: int,
    width: int,
    *,
    inputs: int = 784,
    outputs: int = 10,
    activation: str = "relu",
    initialisation: str = "he",
    seed: int = 0,
) -> nn.Sequential:
    """A multi-layer perceptron of bias-free linear layers.

    Parameters
    ----------
    depth : int
        Number of hidden layers, at least 1. The paper's "4-layer" network counts layers of neurons: it has depth 2.
    width : int
        Neurons in each hidden layer, at least 1.
    inputs, outputs : int
        Input coordinates (784 for MNIST) and outputs (10 classes).
    activation : {"relu", "leaky_relu", "linear", "erf", "gelu", "tanh", "sigmoid", "silu"}
        What follows every hidden layer; the leak is 0.01, and GELU the exact one.
    initialisation : {"he", "pytorch"}
        ``"he"``: Gaussian of variance 2 / fan-in, which the kernels assume (weight variance 2).
        ``"pytorch"``: the default of ``nn.Linear``, uniform of variance 1 / (3 fan-in), which the paper's code uses.
    seed : int
        Equal seeds give equal weights; the global generator is neither read nor moved.

    Returns
    -------
    nn.Sequential
        Its parameters are named ``"0.weight"``, ``"2.weight"``, ...: one for each of the depth + 1 linear layers.

    Raises
    ------
    ValueError
        If a size is below 1, or a name is unknown.
    """
    _check_sizes(depth=depth, width=width, inputs=inputs, outputs=outputs)
    one_of("activation", activation, sorted(ACTIVATION_LAYERS))
    _check_initialisation(initialisation)
    # Of single precision; and a layer is an object of a few kilobytes.
    weights = int(width) * (int(inputs) + (int(depth) - 1) * int(width) + int(outputs))
    room("(depth, width, inputs, outputs)", (depth, width, inputs, outputs), 4 * weights + 4096 * int(depth))
    generator = _generator(seed)
    widths = [int(size) for size in (inputs, *[width] * int(depth), outputs)]
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        # Made on "meta", so that the global random state stays; the weights come from our own generator.
        linear = nn.Linear(fan_in, fan_out, bias=False, device="meta").to_empty(device="cpu")
        layers += [_initialised(linear, initialisation, generator), ACTIVATION_LAYERS[activation]()]
    return nn.Sequential(*layers[:-1])


def cnn(
    depth: int,
    channels: int,
    *,
    image: tuple[int, int, int] = (1, 28, 28),
    outputs: int = 10,
    initialisation: str = "he",
    seed: int = 0,
) -> nn.Sequential:
    """A small convolutional network: 3 x 3 kernels, stride 2, ReLU, and a linear layer on all positions at the end.

    Parameters
    ----------
    depth : int
        Number of convolutions, at least 1. Each halves height and width, rounded up.
    channels : int
        Channels of each, at least 1: what the width is to :func:`mlp`.
    image : (channels, height, width)
        What each row of the inputs is unfolded into: a digit of MNIST unless told otherwise.
    outputs : int
        Classes.
    initialisation : {"he", "pytorch"}
        As for :func:`mlp`; the fan-in of a convolution is its input channels times 9.
    seed : int
        Equal seeds give equal weights; the global generator is neither read nor moved.

    Returns
    -------
    nn.Sequential
        From (N, pixels) inputs, as :func:`graphon_lib.load_mnist` has them. Its weights have no biases beside them and
        are named ``"1.weight"``, ``"3.weight"``, ...

    Raises
    ------
    ValueError
        If a size is below 1, or initialisation is unknown.
    """
    if not isinstance(image, tuple | list) or len(image) != 3:
        raise ValueError(f"image is {image!r}, but must be (channels, height, width), such as (1, 28, 28)")
    _check_sizes(depth=depth, channels=channels, outputs=outputs, **{f"image[{i}]": s for i, s in enumerate(image)})
    _check_initialisation(initialisation)
    generator = _generator(seed)
    below, height, width = (int(size) for size in image)
    weights = 9 * int(channels) * (below + (int(depth) - 1) * int(channels)) + int(outputs) * int(channels)
    room("(depth, channels, image, outputs)", (depth, channels, image, outputs), 4 * weights + 4096 * int(depth))
    layers: list[nn.Module] = [nn.Unflatten(1, (below, height, width))]
    for _ in range(depth):
        # On "meta" first, as in mlp.
        convolution = nn.Conv2d(below, int(channels), 3, stride=2, padding=1, bias=False, device="meta")
        layers += [_initialised(convolution.to_empty(device="cpu"), initialisation, generator), nn.ReLU()]
        below, height, width = int(channels), -(-height // 2), -(-width // 2)
    linear = nn.Linear(below * height * width, int(outputs), bias=False, device="meta").to_empty(device="cpu")
    return nn.Sequential(*layers, nn.Flatten(), _initialised(linear, initialisation, generator))


def _check_sizes(**sizes: object) -> None:
    for name, size in sizes.items():
        whole(name, size, 1)


def _check_initialisation(initialisation: str) -> None:
    one_of("initialisation", initialisation, INITIALISATIONS)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(whole("seed", seed, 0, SEED))


def _initialised(layer: Layer, initialisation: str, generator: torch.Generator) -> Layer:
    fan_in = layer.weight[0].numel()
    with torch.no_grad():
        if initialisation == "he":
            layer.weight.normal_(0.0, math.sqrt(2.0 / fan_in), generator=generator)
        else:
            bound = 1.0 / math.sqrt(fan_in)
            layer.weight.uniform_(-bound, bound, generator=generator)
    return layer
