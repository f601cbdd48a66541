"""Chains: the graphons of all layers of one network, input to output, on common labels.

Position u of a hidden layer means the same neurons as rows of the graphon below it and as columns of the graphon above.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from graphon_lib.arguments import array, room, whole
from graphon_lib.graphons.step import MEASURE_TOLERANCE, Array, StepGraphon, bernoulli, block_labels, mask_generator


@dataclass(frozen=True, eq=False)
class Chain:
    """The graphons of a network's layers, input to output, jointly labelled.

    Parameters
    ----------
    graphons : sequence of StepGraphon or None, at least two
        One a layer, each (blocks of the layer's outputs, blocks of its inputs); None is an unpruned layer. Row blocks
        of one graphon are the column blocks of the next. A side with a single block fits any partition.
    input_blocks : (d,) int array, optional
        The first graphon's column block of each input coordinate. Default: coordinates are split in order, each block
        taking its measure's share of them.

    Raises
    ------
    ValueError
        If there are fewer than two graphons, neighbouring blocks do not match, or input_blocks does not fit.
    TypeError
        If an entry is neither a StepGraphon nor None.
    """

    graphons: tuple[StepGraphon, ...]
    input_blocks: NDArray[np.int64] | None = None

    def __init__(self, graphons: Sequence[StepGraphon | None], input_blocks: ArrayLike | None = None) -> None:
        if not isinstance(graphons, Iterable):
            raise TypeError(
                f"chain is a {type(graphons).__name__}, but must be a Chain, or a sequence of StepGraphon or None"
            )
        given = list(graphons)
        if len(given) < 2:
            raise ValueError(
                f"chain has {len(given)} graphon(s), but a network with a hidden layer has at least 2 layers"
            )
        for place, graphon in enumerate(given):
            if graphon is not None and not isinstance(graphon, StepGraphon):
                raise TypeError(
                    f"chain[{place}] is a {type(graphon).__name__}, but each layer is a StepGraphon, or None if "
                    "unpruned; wrap an array as StepGraphon(values), or turn masks into a chain with estimate_chain"
                )
        interfaces = [_side(given[0], "column_measure")]
        for place, (below, above) in enumerate(itertools.pairwise(given)):
            rows, columns = _side(below, "row_measure"), _side(above, "column_measure")
            if rows.size > 1 and columns.size > 1:
                same = rows.size == columns.size and np.allclose(rows, columns, rtol=0, atol=MEASURE_TOLERANCE)
                if not same:
                    raise ValueError(
                        f"chain[{place}] has {rows.size} row blocks and chain[{place + 1}] has {columns.size} column "
                        "blocks, but both label the same hidden layer: number and measures must agree; "
                        "estimate_chain labels all layers jointly"
                    )
            interfaces.append(rows if rows.size > 1 else columns)
        interfaces.append(_side(given[-1], "row_measure"))
        if input_blocks is not None:
            labels, interfaces[0] = _checked_labels(input_blocks, interfaces[0])
            object.__setattr__(self, "input_blocks", labels)
        object.__setattr__(
            self,
            "graphons",
            tuple(
                StepGraphon(np.broadcast_to(1.0 if g is None else g.values, (rows.size, columns.size)), rows, columns)
                for g, columns, rows in zip(given, interfaces, interfaces[1:], strict=False)
            ),
        )

    @classmethod
    def of(cls, chain: Chain | Sequence[StepGraphon | None]) -> Chain:
        """A chain, or a plain sequence of graphons and None as one."""
        return chain if isinstance(chain, Chain) else cls(chain)

    @property
    def depth(self) -> int:
        """The number of hidden layers L; the chain has L + 1 graphons."""
        return len(self.graphons) - 1

    def input_labels(self, inputs: int) -> NDArray[np.int64]:
        """The first graphon's column block of each of ``inputs`` coordinates.

        Raises
        ------
        ValueError
            If the chain was made for another number of coordinates.
        """
        whole("inputs", inputs, 1)
        if self.input_blocks is None:
            room("inputs", inputs, 24 * int(inputs))
            return block_labels(self.graphons[0].column_measure, inputs)
        if self.input_blocks.size != inputs:
            raise ValueError(
                f"inputs have {inputs} coordinates, but the chain's input_blocks label {self.input_blocks.size}; "
                "pass inputs of the network that the chain was estimated from"
            )
        return self.input_blocks

    def density(self) -> list[float]:
        """The kept fraction of each layer, input to output."""
        return [graphon.density() for graphon in self.graphons]

    def sample(self, widths: Sequence[int], seed: int = 0) -> list[torch.Tensor]:
        """Random masks, one a layer, that share one order of the neurons in each hidden layer.

        Parameters
        ----------
        widths : sequence of int
            Vertices in each layer of neurons, inputs first: L + 2 numbers, such as (784, 500, 500, 10).

        Raises
        ------
        ValueError
            If there are not L + 2 widths, or one is below 1.
        """
        counts = array("widths", widths)
        if counts.shape != (len(self.graphons) + 1,) or counts.dtype.kind not in "iu" or counts.min() < 1:
            raise ValueError(
                f"widths is {counts.tolist()}, but this chain has {len(self.graphons)} layers: pass "
                f"{len(self.graphons) + 1} whole numbers of at least 1, from inputs to outputs"
            )
        widths = counts.tolist()
        for below, above in itertools.pairwise(widths):
            room("widths", widths, 24 * below * above)
        generator = mask_generator(seed)
        labels = [self.input_labels(widths[0])]
        labels += [block_labels(g.row_measure, n) for g, n in zip(self.graphons, widths[1:], strict=True)]
        return [
            bernoulli(graphon.values[np.ix_(above, below)], generator)
            for graphon, below, above in zip(self.graphons, labels, labels[1:], strict=False)
        ]


def _side(graphon: StepGraphon | None, side: Literal["row_measure", "column_measure"]) -> Array:
    return np.ones(1) if graphon is None else cast(Array, getattr(graphon, side))


def _checked_labels(input_blocks: ArrayLike, measure: Array) -> tuple[NDArray[np.int64], Array]:
    labels = array("input_blocks", input_blocks)
    if labels.ndim != 1 or labels.size == 0 or not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise ValueError(
            f"input_blocks has shape {labels.shape} and type {labels.dtype}, but must be one non-negative whole number "
            "for each input coordinate: its column block in the first graphon"
        )
    if labels.max() >= max(labels.size, measure.size):
        raise ValueError(
            f"input_blocks names block {labels.max()}, but there are {labels.size} coordinates and {measure.size} "
            "column blocks; count blocks from 0"
        )
    shares = np.bincount(labels, minlength=measure.size) / labels.size
    if measure.size > 1 and not (
        shares.size == measure.size and np.allclose(shares, measure, rtol=0, atol=MEASURE_TOLERANCE)
    ):
        raise ValueError(
            f"input_blocks puts the input coordinates into {shares.size} blocks with largest share {shares.max():.4g}, "
            f"but the first graphon has {measure.size} column blocks with largest measure {measure.max():.4g}; give it "
            "column_measure = np.bincount(input_blocks) / len(input_blocks)"
        )
    return labels.astype(np.int64), shares
