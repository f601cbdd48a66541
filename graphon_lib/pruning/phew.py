"""PHEW: the weights on random walks that prefer large weights, without data (Patil and Dovrolis, ICML 2021)."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from graphon_lib.networks import Masks, linear_layers
from graphon_lib.pruning.selection import kept_count

Array = NDArray[np.floating[Any]]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Walks are free until they have crossed so many weights for each that the network has. A layer of Gaussian weights is
# about 85 % kept by then, and what is left are weights so small that walks hardly ever meet one.
CROSSINGS = 4


class _Network(NamedTuple):
    """The weights of all layers in one row, as compiled loops take them.

    Attributes
    ----------
    weights : (total,) array
        Their absolute values, in double precision if any is, and in single if not; what is computed is in double.
    shapes : (layers, 2) array
    starts : (layers + 1,) array
        Where each layer begins in the row, and where the last one ends.
    into, out : (layers, widest) arrays
        The largest weight into each unit above a layer, and out of each unit below it.
    """

    weights: Array
    shapes: Index
    starts: Index
    into: Array
    out: Array


def masks(model: nn.Module, density: float, generator: torch.Generator) -> Masks:
    """Keep the weights on random walks between inputs and outputs, until ``kept_count(density, total)`` are kept.

    Walks from inputs and walks from outputs take turns; their first units are taken in order, round and round. The next
    unit is drawn with a probability proportional to \\|w\\|, and is any of its layer where all these are zero. The walk
    that would exceed the count is cut there: but for its weights, every one that is kept lies on a path of kept
    weights from an input to an output. From one state of the generator, masks of rising densities are nested.

    The original walks on until the count is reached, which at densities near 1 takes forever. Here, after
    :data:`CROSSINGS` crossings a weight, each weight that is still missing gets an exponential waiting time with the
    rate at which walks cross it, and they come in this order, each in the middle of a walk that goes on from it in both
    directions: first meetings with rare weights are so distributed. Those that walks cannot meet come last, by lot. In
    a network of width 2000 on MNIST this begins at a density of about 0.75.

    Raises
    ------
    ValueError
        If a layer does not take what the one before it gives, has no weights, or is a convolution.
    """
    layers = linear_layers(model, "phew")
    for (below, lower), (above, upper) in itertools.pairwise(layers.items()):
        if lower.out_features != upper.in_features:
            raise ValueError(
                f"model has the layer {above!r} with {upper.in_features} inputs next to {below!r} with "
                f"{lower.out_features} outputs, but phew walks from each layer's outputs into the next layer; "
                "pass a chain of linear layers, or take another method"
            )
    empty = [name for name, layer in layers.items() if layer.weight.numel() == 0]
    if empty:
        raise ValueError(
            f"model has the layer {empty[0]!r} without weights, but phew walks through every layer; remove it"
        )
    network = _network([layer.weight.detach() for layer in layers.values()])
    seed = torch.randint(2**63 - 1, (2,), generator=generator).tolist()
    kept = torch.from_numpy(_kept(network, kept_count(density, len(network.weights)), np.random.default_rng(seed)))
    parts = kept.split_with_sizes(np.diff(network.starts).tolist())
    return {
        name: part.view(layer.weight.shape).to(layer.weight.device)
        for (name, layer), part in zip(layers.items(), parts, strict=True)
    }


def _network(weights: list[torch.Tensor]) -> _Network:
    shapes = np.array([tuple(weight.shape) for weight in weights], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(shapes.prod(axis=1))])
    precision = torch.float64 if any(weight.dtype == torch.float64 for weight in weights) else torch.float32
    row = torch.empty(int(starts[-1]), dtype=precision)
    into, out = torch.zeros(2, len(weights), int(shapes.max()), dtype=precision)
    for layer, (weight, start, stop) in enumerate(zip(weights, starts, starts[1:], strict=False)):
        mine = row[start:stop].view(weight.shape)
        mine.copy_(weight).abs_()
        into[layer, : len(weight)], out[layer, : weight.shape[1]] = mine.amax(dim=1), mine.amax(dim=0)
    return _Network(row.numpy(), shapes, starts, into.numpy(), out.numpy())


def _kept(network: _Network, count: int, generator: np.random.Generator) -> Flags:
    kept = np.zeros(len(network.weights), dtype=np.bool_)
    room = _walk(network, kept, count, CROSSINGS, generator)
    if room:
        missing = np.flatnonzero(~kept)
        # The floor puts weights that walks cannot meet last, in the order of their waiting times.
        waits = generator.standard_exponential(len(missing)) / np.maximum(_rates(network, missing), 1e-300)
        _walk_through(network, kept, room, missing[np.argsort(waits)], generator)
    return kept


def _rates(network: _Network, places: Index) -> Array:
    """How often a walk from an input and one from an output cross each of the weights at these places, on average.

    That is the probability that it comes to the unit before, times \\|w\\| over the sum of the unit's weights.
    """
    rates = np.empty(len(places))
    layers = [
        network.weights[start:stop].reshape(shape)
        for start, stop, shape in zip(network.starts, network.starts[1:], network.shapes, strict=False)
    ]
    forward = _leaving([layer.T for layer in layers])
    backward = _leaving(layers[::-1])[::-1]
    bounds = np.searchsorted(places, network.starts)
    for layer, (a, a0), (b, b0), start, first, last in zip(
        layers, forward, backward, network.starts, bounds, bounds[1:], strict=False
    ):
        rows, columns = np.divmod(places[first:last] - start, layer.shape[1])
        weights = network.weights[places[first:last]]
        rates[first:last] = weights * (a[columns] + b[rows]) + a0[columns] + b0[rows]
    return rates


def _leaving(layers: list[Array]) -> list[tuple[Array, Array]]:
    """For layers (units left, units entered), the chance to cross w = layer[unit] as slope[unit] * w + base[unit]."""
    chance, result = np.full(len(layers[0]), 1 / len(layers[0])), []
    for layer in layers:
        total = layer.sum(axis=1, dtype=np.float64)
        slope = np.divide(chance, total, out=np.zeros_like(chance), where=total > 0)
        base = np.where(total > 0, 0.0, chance / layer.shape[1])
        result.append((slope, base))
        # Unlike @, which makes a copy of the layer in double precision.
        chance = np.einsum("i,ij->j", slope, layer) + base.sum()
    return result


@numba.njit(cache=True, nogil=True)
def _draw(weights: Array, first: int, step: int, units: int, largest: float, generator: np.random.Generator) -> int:
    """A unit, with a probability proportional to weights[first + step * unit].

    By rejection: no tables, and few trials, as many as the largest weight is above the mean one.
    """
    while True:
        point = generator.random() * units
        unit = int(point)
        if largest == 0 or (point - unit) * np.float64(largest) < weights[first + step * unit]:
            return unit


@numba.njit(cache=True, nogil=True)
def _up(network: _Network, kept: Flags, room: int, layer: int, unit: int, generator: np.random.Generator) -> int:
    """Walk from a unit below a layer to an output; what is left of room for weights to keep."""
    for level in range(layer, len(network.shapes)):
        rows, columns = network.shapes[level]
        start = network.starts[level]
        above = _draw(network.weights, start + unit, columns, rows, network.out[level, unit], generator)
        place = start + above * columns + unit
        if room and not kept[place]:
            kept[place] = True
            room -= 1
        unit = above
    return room


@numba.njit(cache=True, nogil=True)
def _down(network: _Network, kept: Flags, room: int, layer: int, unit: int, generator: np.random.Generator) -> int:
    """Walk from a unit above a layer to an input; what is left of room for weights to keep."""
    for level in range(layer, -1, -1):
        columns = network.shapes[level, 1]
        start = network.starts[level] + unit * columns
        unit = _draw(network.weights, start, 1, columns, network.into[level, unit], generator)
        if room and not kept[start + unit]:
            kept[start + unit] = True
            room -= 1
    return room


@numba.njit(cache=True, nogil=True)
def _walk(network: _Network, kept: Flags, room: int, crossings: int, generator: np.random.Generator) -> int:
    """Walks from inputs and outputs in turn, until there is no room or there were so many crossings a weight."""
    layers, inputs, outputs = len(network.shapes), network.shapes[0, 1], network.shapes[-1, 0]
    for turn in range(crossings * len(kept) // layers):
        if not room:
            break
        if turn % 2 == 0:
            room = _up(network, kept, room, 0, turn // 2 % inputs, generator)
        else:
            room = _down(network, kept, room, layers - 1, turn // 2 % outputs, generator)
    return room


@numba.njit(cache=True, nogil=True)
def _walk_through(network: _Network, kept: Flags, room: int, places: Index, generator: np.random.Generator) -> None:
    """A walk through each of the weights at these places in turn that is not kept yet, until there is no room."""
    for place in places:
        if not room:
            break
        if not kept[place]:
            kept[place] = True
            layer = np.searchsorted(network.starts, place, side="right") - 1
            row, column = divmod(place - network.starts[layer], network.shapes[layer, 1])
            room = _up(network, kept, room - 1, layer + 1, row, generator)
            room = _down(network, kept, room, layer - 1, column, generator)
