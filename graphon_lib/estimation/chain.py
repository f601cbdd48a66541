"""Masks of one network -> Chain: one labelling a hidden layer, used on both of its sides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from graphon_lib.graphons import Chain, StepGraphon
from graphon_lib.graphons.channels import joined_graphs, kept_positions

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


def estimate_chain(
    masks: Mapping[str, torch.Tensor] | Sequence[torch.Tensor],
    *,
    blocks: int = 64,
    labels: Literal["pairs", "sums"] = "pairs",
) -> Chain:
    """The jointly labelled graphons of a network's masks.

    A hidden neuron has two degrees: the weights kept to it (in) and from it (out). A kernel needs both at the same
    position, so the neurons of each hidden layer are put into blocks over the pair: floor(sqrt(blocks)) groups of equal
    size by in-degree, and each of these into as many by out-degree. Inputs are grouped by out-degree, outputs by
    in-degree. Block averages over such groups keep what in- and out-degree have to do with each other, which sorting
    each mask by itself destroys (THEORY.md, section 3).

    Parameters
    ----------
    masks : dict or sequence of (n_l, n_{l-1}) masks, input to output, at least two
        The neurons of a convolution, (out, in, height, width), are its channels, a kernel position being averaged over;
        so are the pixels of a linear layer on flattened channels. The mask between two of them counts as often as it is
        kept.
    blocks : int
        At most this many blocks a layer of neurons, at least 1; a layer with fewer neurons has one block each.
    labels : {"pairs", "sums"}
        ``"sums"`` is for comparison: hidden neurons in groups of equal size by the sum of their two degrees alone.

    Returns
    -------
    Chain
        With ``input_blocks``: the block of each input coordinate. Layer densities are those of the masks exactly, path
        density nearly.

    Raises
    ------
    ValueError
        If there are fewer than two masks, one is not a matrix of zeros and ones, neighbours do not fit together, or an
        option is not one of those above.

    Notes
    -----
    Assumes that neurons of equal degrees are exchangeable. Structure that degrees do not show is averaged out.
    """
    if isinstance(blocks, bool) or not isinstance(blocks, int | np.integer) or blocks < 1:
        raise ValueError(f"blocks is {blocks!r}, but must be a whole number of at least 1")
    if not isinstance(masks, Iterable):
        raise TypeError(f"masks is a {type(masks).__name__}, but must be the masks of one network, input to output")
    if not isinstance(labels, str) or labels not in ("pairs", "sums"):
        raise ValueError(f"labels is {labels!r}, but must be 'pairs', of in- and out-degree, or 'sums' of the two")
    layers = list(masks.values()) if isinstance(masks, Mapping) else list(masks)
    if len(layers) < 2:
        raise ValueError(f"masks has {len(layers)} layer(s), but a chain needs the masks of at least 2")
    graphs = joined_graphs(layers)
    arrays = [kept_positions(graph).astype(np.float64) for graph in graphs]
    into = [mask.sum(axis=1) for mask in arrays]
    out_of = [mask.sum(axis=0) for mask in arrays]
    groups = [_quantile_groups(out_of[0], blocks)]
    for a, b in zip(into, out_of[1:], strict=False):
        groups.append(_pair_groups(a, b, blocks) if labels == "pairs" else _quantile_groups(a + b, blocks))
    groups.append(_quantile_groups(into[-1], blocks))
    graphons = [
        _block_means(mask, rows, columns, graph.shape[2])
        for mask, graph, rows, columns in zip(arrays, graphs, groups[1:], groups, strict=False)
    ]
    return Chain(graphons, input_blocks=groups[0])


def _quantile_groups(degrees: Array, groups: int) -> Labels:
    """Groups of as nearly equal size as can be, largest degrees first; at most one group a vertex."""
    groups = min(groups, degrees.size)
    ranks = np.empty(degrees.size, dtype=np.int64)
    ranks[np.argsort(-degrees, kind="stable")] = np.arange(degrees.size)
    return np.asarray(ranks * groups // degrees.size, dtype=np.int64)


def _pair_groups(into: Array, out_of: Array, blocks: int) -> Labels:
    if into.size <= blocks:
        return np.arange(into.size)
    outer = math.isqrt(blocks)
    labels = _quantile_groups(into, outer)
    inner = blocks // outer
    pairs = np.empty_like(labels)
    for group in range(outer):
        members = np.flatnonzero(labels == group)
        pairs[members] = group * inner + _quantile_groups(out_of[members], inner)
    return pairs


def _block_means(mask: Array, rows: Labels, columns: Labels, positions: int) -> StepGraphon:
    row_sizes, column_sizes = np.bincount(rows), np.bincount(columns)
    by_row = np.zeros((row_sizes.size, mask.shape[1]))
    np.add.at(by_row, rows, mask)
    sums = np.zeros((column_sizes.size, row_sizes.size))
    np.add.at(sums, columns, by_row.T)
    means = sums.T / (positions * np.outer(row_sizes, column_sizes))
    return StepGraphon(means, row_sizes / rows.size, column_sizes / columns.size)
