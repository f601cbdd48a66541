"""What is computed: chains, images, masked networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike, NDArray

from graphon_lib import StepGraphon, empirical_ntk, graphon_ntk, load_mnist, mlp, prune

Chain = list[StepGraphon | None]
Images = NDArray[np.float32]
Kernel = NDArray[np.floating]


def images(count: int) -> Images:
    """MNIST digits while they last; beyond, standard Gaussian vectors of their dimension."""
    if count <= 5000:
        return load_mnist(count).inputs.numpy()
    return np.random.default_rng(0).standard_normal((count, 784), dtype=np.float32)


def chain(blocks: int, depth: int, groups: int, *, collapsible: bool = False) -> Chain:
    """Random graphons: ``groups`` of inputs, ``blocks`` in each hidden layer; collapsible if the first has rank one."""
    rng = np.random.default_rng(0)
    first = np.outer(rng.random(blocks), rng.random(groups)) if collapsible else rng.random((blocks, groups))
    hidden = [StepGraphon(rng.random((blocks, blocks))) for _ in range(depth - 1)]
    return [StepGraphon(first), *hidden, StepGraphon(rng.random((1, blocks)))]


def graphon_call(
    x: Images, chain: Chain, *, activation: str = "relu", dtype: DTypeLike = np.float32
) -> Callable[[], Kernel]:
    return lambda: graphon_ntk(x, chain, activation=activation, dtype=dtype)


def empirical_call(x: Images, depth: int, width: int, density: float) -> Callable[[], Kernel]:
    """The kernel of a network with 10 outputs, randomly pruned."""
    model = mlp(depth, width)
    masks = prune(model, "random", density)
    return lambda: empirical_ntk(model, masks, x)
