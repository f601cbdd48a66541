"""Densities of small patterns in a graphon or a mask, and of whole input-to-output paths in a network.

Those of masks are counted in whole numbers and divided once, those of graphons summed in a fixed order: neither depends
on the machine, its number of threads or its linear algebra.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike

from graphon_lib.arguments import array, one_of
from graphon_lib.graphons.chain import Chain
from graphon_lib.graphons.channels import averaged, joined_graphs, kept_positions
from graphon_lib.graphons.masks import BoolArray, as_bool_mask, codegrees, degrees, kept_sums, ordered_product
from graphon_lib.graphons.step import Array, StepGraphon

Motif = Literal["edge", "row_cherry", "column_cherry", "path3", "C4", "K23"]
MOTIFS: tuple[Motif, ...] = get_args(Motif)

# How many rows and columns each motif has.
_VERTICES = {
    "edge": (1, 1),
    "row_cherry": (1, 2),
    "column_cherry": (2, 1),
    "path3": (2, 2),
    "C4": (2, 2),
    "K23": (2, 3),
}


def path_density(
    chain_or_masks: Chain | Sequence[StepGraphon | torch.Tensor | None] | Mapping[str, torch.Tensor],
) -> float:
    """The share of input-to-output paths that are kept, P, in [0, 1].

    For a chain this is the homomorphism density of the layered path,

    .. math:: P = \\int W_{L+1}(u_{L+1}, u_L) \\cdots W_1(u_1, u_0)\\, du_0 \\cdots du_{L+1},

    and for masks the exact count of kept paths over all paths (THEORY.md, section 4). Dense: 1. Constants c on m of
    the layers: c^m. A path through a convolution takes a channel and a kernel position: layers average over positions
    each by itself, so the share of such paths is that of the averaged graphs. Residual connections, which masks do not
    show, are not counted.

    Parameters
    ----------
    chain_or_masks : Chain, sequence of StepGraphon or None, sequence of masks, or dict of masks
        Input to output; masks are (n_l, n_{l-1}), rows the layer's outputs, or (out, in, height, width). The columns
        of a linear layer behind a convolution may be pairs (channel, pixel), as ``nn.Flatten`` has them.

    Raises
    ------
    ValueError
        If neighbouring layers do not fit together.
    """
    if not isinstance(chain_or_masks, Chain | Iterable):
        raise TypeError(
            f"chain_or_masks is a {type(chain_or_masks).__name__}, but must be a Chain, or the graphons or masks of "
            "one network, input to output"
        )
    layers = (
        chain_or_masks
        if isinstance(chain_or_masks, Chain)
        else list(chain_or_masks.values() if isinstance(chain_or_masks, Mapping) else chain_or_masks)
    )
    if isinstance(layers, Chain) or any(g is None or isinstance(g, StepGraphon) for g in layers):
        graphons = Chain.of(cast("Chain | Sequence[StepGraphon | None]", layers)).graphons
        reached = np.ones(graphons[0].values.shape[1])
        for graphon in graphons:
            reached = graphon.values @ (graphon.column_measure * reached)
        return float(graphons[-1].row_measure @ reached)
    graphs = joined_graphs(cast(Sequence[ArrayLike], layers))
    if not graphs:
        raise ValueError("masks is empty; pass at least one layer's mask")
    masks = [kept_positions(graph) for graph in graphs]
    # From the outputs down, so that every sum runs along the mask's memory. Whole numbers, exact below 2^53; a power of
    # two taken out keeps them in range without rounding.
    paths, taken = np.ones(masks[-1].shape[0]), 0
    for mask in reversed(masks):
        paths = kept_sums(mask, paths)
        shift = math.frexp(paths.max())[1]
        paths, taken = np.ldexp(paths, -shift), taken + shift
    choices = [masks[0].shape[1], *(len(mask) for mask in masks), *(graph.shape[2] for graph in graphs)]
    return float(Fraction(math.fsum(paths.tolist())) * Fraction(2) ** taken / math.prod(choices))


def homomorphism_density(graphon_or_mask: StepGraphon | ArrayLike, motif: Motif, unbiased: bool = False) -> float:
    """The chance that a small bipartite pattern, thrown at random into a graphon or mask, lands on kept entries only.

    With W(x, y), rows x and columns y drawn independently (Lovász 2012, section 7.2):

    ==================  =========================================================================
    motif               density
    ==================  =========================================================================
    ``edge``            E W(x, y)
    ``row_cherry``      E W(x, y) W(x, y'): two columns that share a row
    ``column_cherry``   E W(x, y) W(x', y): two rows that share a column
    ``path3``           E W(x, y) W(x', y) W(x', y')
    ``C4``              E W(x, y) W(x', y) W(x', y') W(x, y')
    ``K23``             E of the product over two rows and three columns
    ==================  =========================================================================

    A mask's density is the correctly rounded quotient of two whole numbers.

    Parameters
    ----------
    graphon_or_mask : StepGraphon or 0/1 matrix
        Or the mask of a convolution, (out, in, height, width): each edge then lands on a kernel position of its own,
        so this is the density in the graphon that averages over positions.
    motif : str
    unbiased : bool
        For a mask: count distinct vertices only, which is unbiased for the graphon if the vertices' positions in it are
        independent and uniform. The plain density, of homomorphisms, lets vertices coincide.

    Raises
    ------
    ValueError
        If the motif is unknown, ``unbiased`` is asked of a graphon, or the mask is smaller than the motif.
    """
    one_of("motif", motif, MOTIFS)
    return _densities(graphon_or_mask, [motif], unbiased)[motif]


def homomorphism_densities(graphon_or_mask: StepGraphon | ArrayLike, unbiased: bool = False) -> dict[Motif, float]:
    """The density of every motif of :func:`homomorphism_density`, at the cost of the dearest.

    Raises
    ------
    ValueError
        If ``unbiased`` is asked of a graphon, or the mask has fewer than 2 rows or 3 columns then.
    """
    return _densities(graphon_or_mask, MOTIFS, unbiased)


def _densities(graphon_or_mask: StepGraphon | ArrayLike, motifs: Sequence[Motif], unbiased: bool) -> dict[Motif, float]:
    if not isinstance(graphon_or_mask, StepGraphon) and array("graphon_or_mask", graphon_or_mask).ndim == 4:
        graphon_or_mask = averaged(graphon_or_mask, "graphon_or_mask")
    if not isinstance(unbiased, bool):
        raise TypeError(f"unbiased is {unbiased!r}, but must be True or False")
    if not isinstance(graphon_or_mask, StepGraphon):
        return _of_mask(as_bool_mask(graphon_or_mask, "graphon_or_mask"), motifs, unbiased)
    if unbiased:
        raise ValueError("unbiased=True counts distinct vertices of a finite mask; a graphon needs unbiased=False")
    return _of_graphon(graphon_or_mask, motifs)


def _of_graphon(graphon: StepGraphon, motifs: Sequence[Motif]) -> dict[Motif, float]:
    W, p, q = graphon.values, graphon.row_measure, graphon.column_measure
    rows, columns = ordered_product(W, q[:, None])[:, 0], ordered_product(p[None], W)[0]
    pairs = shared = np.empty((0, 0))
    if "C4" in motifs or "K23" in motifs:
        pairs, shared = np.outer(p, p), ordered_product(W * q, np.ascontiguousarray(W.T))
    integrals: dict[Motif, Callable[[], Array]] = {
        "edge": lambda: p * rows,
        "row_cherry": lambda: p * rows * rows,
        "column_cherry": lambda: q * columns * columns,
        "path3": lambda: np.outer(p * rows, q * columns) * W,
        "C4": lambda: pairs * shared * shared,
        "K23": lambda: pairs * shared * shared * shared,
    }
    return {motif: math.fsum(integrals[motif]().ravel().tolist()) for motif in motifs}


def _of_mask(mask: BoolArray, motifs: Sequence[Motif], unbiased: bool) -> dict[Motif, float]:
    R, C = mask.shape
    rows, columns = degrees(mask)
    # With distinct vertices a second (third) pick among n has one (two) fewer to choose from.
    drop = int(unbiased)
    pairs = codegrees(mask[rows > 0]) if "C4" in motifs or "K23" in motifs else []

    def over_pairs(picks: int) -> int:
        """Over all pairs of rows, the choices of ``picks`` columns that both keep."""
        different = 2 * sum(count * _choices(shared, picks, drop) for shared, count in enumerate(pairs))
        return different if unbiased else different + sum(degree**picks for degree in rows.tolist())

    def paths() -> int:
        ends = kept_sums(mask, (rows - drop).astype(np.float64)).astype(np.int64)
        return sum(map(operator.mul, ends.tolist(), (columns - drop).tolist()))

    counts: dict[Motif, Callable[[], int]] = {
        "edge": lambda: int(rows.sum()),
        "row_cherry": lambda: int((rows * (rows - drop)).sum()),
        "column_cherry": lambda: int((columns * (columns - drop)).sum()),
        "path3": paths,
        "C4": lambda: over_pairs(2),
        "K23": lambda: over_pairs(3),
    }
    found: dict[Motif, float] = {}
    for motif in motifs:
        above, below = needed = _VERTICES[motif]
        if unbiased and (above > R or below > C):
            raise ValueError(
                f"graphon_or_mask has shape {(R, C)}, but unbiased {motif!r} needs at least {needed} distinct vertices"
            )
        found[motif] = counts[motif]() / (_choices(R, above, drop) * _choices(C, below, drop))
    return found


def _choices(n: int, picks: int, drop: int) -> int:
    return math.prod(n - drop * pick for pick in range(picks))
