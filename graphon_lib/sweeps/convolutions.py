"""The study of convolutions: the channel graphs that pruning leaves of small networks, as they widen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graphon_lib.estimation import estimate_chain, estimate_graphon
from graphon_lib.graphons import channel_graphs, degree_preserving_shuffle, path_density
from graphon_lib.networks import cnn
from graphon_lib.pruning import prune
from graphon_lib.pruning.schemes import counts_of, random_masks
from graphon_lib.sweeps.grid import DATA, PRUNING_IMAGES_A_CLASS, trial_seed
from graphon_lib.sweeps.study import Measured, Study

WIDTHS = (16, 32, 64, 128, 256)

# Blocks of the histograms: at the fewest channels two of them share one, with all positions of a kernel.
BLOCKS = 8

# Blocks of a chain.
CHAIN_BLOCKS = 16

# Told apart from the streams of other modules: masks that are drawn must be independent of the network's.
_STREAM = 0x636F6E76


def convolutions_study(
    methods: Sequence[str],
    densities: Sequence[float] = (0.3, 0.1),
    widths: Sequence[int] = WIDTHS,
    *,
    depth: int = 3,
    trials: int = 6,
    seed: int = 0,
) -> Study:
    """Pruned convolutional networks for MNIST, of PyTorch's initialisation. A row's measures: :func:`channels_kept`."""
    return Study(
        "convolutions",
        channels_kept,
        [
            {
                "method": method,
                "density": density,
                "width": width,
                "depth": depth,
                "trial": trial,
                "seed": seed,
            }
            for trial, width, density, method in itertools.product(range(trials), widths, densities, methods)
        ],
        group="convolutions",
    )


def channels_kept(*, method: str, density: float, width: int, depth: int, trial: int, seed: int) -> dict[str, Measured]:
    """Channel graphs of one :func:`~graphon_lib.networks.cnn`, pruned with ten images a class.

    Returns
    -------
    dict
        Of the convolution between the first two layers of hidden channels: ``histogram``, its 8 x 8 sorted histogram,
        averaged over kernel positions, and ``random_histogram``, that of as many weights kept anywhere;
        ``mask_density``; ``positions``, the density of each kernel position; ``dead``, the share of output channels
        without a weight; ``together``, how much more often two positions of one pair of channels are both kept than if
        every position were random but for its own degrees, as a ratio (NaN if that is never).
        Of the network: ``path_density``, exact; ``chain_density``, of its estimated chain; ``product``, of the layers'
        densities, as it would be without structure.
    """
    this = trial_seed(seed, width, trial)
    load, _, classes = DATA["mnist"]
    model = cnn(depth, width, outputs=classes, initialisation="pytorch", seed=this)
    batch = load(PRUNING_IMAGES_A_CLASS * classes, seed=this)
    masks = prune(model, method, density, inputs=batch.inputs, targets=batch.labels, seed=this)
    name = list(masks)[1]
    mask, graph = masks[name].numpy(), channel_graphs(masks)[name].numpy()
    own = int(np.random.SeedSequence((this, _STREAM)).generate_state(1)[0])
    anywhere = random_masks(model, counts_of(model, masks), own)[name].numpy()
    return {
        "histogram": _stored(estimate_graphon(mask, blocks=BLOCKS).values),
        "random_histogram": _stored(estimate_graphon(anywhere, blocks=BLOCKS).values),
        "mask_density": float(mask.mean()),
        "positions": graph.mean(axis=(0, 1)).tolist(),
        "dead": float((graph.sum(axis=(1, 2)) == 0).mean()),
        "together": _together(graph, own),
        "path_density": path_density(masks),
        "chain_density": path_density(estimate_chain(masks, blocks=CHAIN_BLOCKS)),
        "product": math.prod(float(kept.double().mean()) for kept in masks.values()),
    }


def _together(graph: NDArray[np.bool_], seed: int) -> float:
    shuffled = [
        degree_preserving_shuffle(graph[:, :, place], seed=seed + place).numpy() for place in range(graph.shape[2])
    ]
    expected = _pairs_of_positions(np.stack(shuffled, axis=2))
    return _pairs_of_positions(graph) / expected if expected else math.nan


def _pairs_of_positions(graph: NDArray[np.bool_]) -> int:
    kept = graph.sum(axis=2)
    return int((kept * (kept - 1)).sum())


def _stored(values: NDArray[np.float64]) -> list[float]:
    # In single precision, which takes half the room.
    stored: list[float] = values.astype(np.float32).ravel().tolist()
    return stored
