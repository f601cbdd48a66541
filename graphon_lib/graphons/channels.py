"""Masks of convolutions as graphs between channels: an edge for every kernel position.

A *channel graph* is an array (outputs, inputs, positions): one bipartite graph for each kernel position, all on the
same channels. A linear layer has one position. Behind a convolution that is flattened, it has as many as there are
pixels, since its columns are pairs (channel, pixel), channel first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from numpy.typing import ArrayLike

from graphon_lib.arguments import array
from graphon_lib.graphons.masks import BoolArray, Counts, as_bool_mask
from graphon_lib.graphons.step import StepGraphon


def channel_graphs(masks: Mapping[str, ArrayLike | torch.Tensor]) -> dict[str, torch.Tensor]:
    """The masks of one network as graphs between channels, one for each kernel position.

    Position p of the graph is ``graph[:, :, p]``, a mask as any linear layer has; ``graph.double().mean(2)`` averages
    over positions, the values of a :class:`StepGraphon` with a block for each channel.

    Parameters
    ----------
    masks : dict from parameter name to mask, input to output
        (outputs, inputs) of linear layers, (out, in, height, width) of convolutions.

    Returns
    -------
    dict from parameter name to bool tensor (outputs, inputs, positions)
        Positions of a kernel in the order of its rows. A linear layer behind a convolution of C channels has one input
        for each channel, and a position for each of the pixels that ``nn.Flatten`` puts behind each other.

    Raises
    ------
    ValueError
        If masks are not of zeros and ones, or neighbouring layers do not fit together.
    """
    graphs = joined_graphs([*masks.values()])
    return {name: torch.from_numpy(graph.copy()) for name, graph in zip(masks, graphs, strict=True)}


def joined_graphs(masks: Sequence[ArrayLike | torch.Tensor]) -> list[BoolArray]:
    """The channel graphs (outputs, inputs, positions) of neighbouring layers, input to output.

    Raises
    ------
    ValueError
        If a mask is none, or a layer has not as many inputs as the one before it has outputs.
    """
    graphs: list[BoolArray] = []
    spatial = False
    for place, mask in enumerate(masks):
        graph = as_graph(mask, f"masks[{place}]")
        convolution = array(f"masks[{place}]", mask).ndim > 2
        if graphs:
            channels, columns = len(graphs[-1]), graph.shape[1]
            if spatial and not convolution and columns % channels == 0:
                graph = graph.reshape(len(graph), channels, columns // channels)
            elif columns != channels:
                raise ValueError(
                    f"masks[{place}] has {columns} columns, but masks[{place - 1}] has {channels} rows; pass the masks "
                    "of one network, input to output"
                )
        spatial = convolution
        graphs.append(graph)
    return graphs


def as_graph(mask: ArrayLike | torch.Tensor, name: str) -> BoolArray:
    """One mask as a bool array (outputs, inputs, positions); all axes from the third on are positions.

    Raises
    ------
    ValueError, TypeError
        If it has fewer than two axes, is empty, or has entries other than zeros and ones.
    """
    entries = array(name, mask)
    if entries.ndim <= 2:
        return as_bool_mask(entries, name)[:, :, None]
    if entries.size == 0:
        raise ValueError(
            f"{name} has shape {entries.shape}, but the mask of a convolution is a non-empty array (outputs, inputs, "
            "kernel positions)"
        )
    # A matrix with the same entries, which is checked as any mask is.
    rows = as_bool_mask(entries.reshape(entries.shape[0], -1), name)
    return rows.reshape(*entries.shape[:2], -1)


def kept_positions(graph: BoolArray) -> BoolArray | Counts:
    """For each pair of an output and an input, at how many positions it is kept: of a linear layer, its mask."""
    return graph[:, :, 0] if graph.shape[2] == 1 else graph.sum(axis=2)


def averaged(mask: ArrayLike | torch.Tensor, name: str) -> StepGraphon:
    """The graphon of the shares of kernel positions that are kept, a block for each channel."""
    return StepGraphon(as_graph(mask, name).mean(axis=2))
