"""Densities of small patterns in a graphon or a mask, and of whole input-to-output paths in a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike

from graphon_lib.graphons.chain import Chain
from graphon_lib.graphons.step import Array, StepGraphon

Motif = Literal["edge", "row_cherry", "column_cherry", "path3", "C4", "K23"]


def path_density(
    chain_or_masks: Chain | Sequence[StepGraphon | torch.Tensor | None] | Mapping[str, torch.Tensor],
) -> float:
    """The share of input-to-output paths that are kept, P, in [0, 1].

    For a chain this is the homomorphism density of the layered path,

    .. math:: P = \\int W_{L+1}(u_{L+1}, u_L) \\cdots W_1(u_1, u_0)\\, du_0 \\cdots du_{L+1},

    and for masks the exact count of kept paths over all paths (THEORY.md, section 4). Dense: 1. Constants c on m of
    the layers: c^m.

    Parameters
    ----------
    chain_or_masks : Chain, sequence of StepGraphon or None, sequence of masks, or dict of masks
        Input to output; masks are (n_l, n_{l-1}), rows the layer's outputs.

    Raises
    ------
    ValueError
        If neighbouring layers do not fit together.
    """
    layers = list(chain_or_masks.values()) if isinstance(chain_or_masks, Mapping) else chain_or_masks
    if isinstance(layers, Chain) or any(g is None or isinstance(g, StepGraphon) for g in layers):
        graphons = Chain.of(cast("Chain | Sequence[StepGraphon | None]", layers)).graphons
        reached = np.ones(graphons[0].values.shape[1])
        for graphon in graphons:
            reached = graphon.values @ (graphon.column_measure * reached)
        return float(graphons[-1].row_measure @ reached)
    masks = [as_mask(cast(ArrayLike, mask), f"masks[{place}]") for place, mask in enumerate(layers)]
    if not masks:
        raise ValueError("masks is empty; pass at least one layer's mask")
    reached = np.ones(masks[0].shape[1])
    for place, mask in enumerate(masks):
        if mask.shape[1] != reached.size:
            raise ValueError(
                f"masks[{place}] has {mask.shape[1]} columns, but masks[{place - 1}] has {reached.size} rows; pass the "
                "masks of one network, input to output"
            )
        # Dividing as we go keeps the number of paths, which grows as the product of the widths, in range.
        reached = (mask @ reached) / mask.shape[1]
    return float(reached.mean())


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

    Parameters
    ----------
    graphon_or_mask : StepGraphon or 0/1 matrix
    motif : str
    unbiased : bool
        For a mask: count distinct vertices only, which is unbiased for the graphon if the vertices' positions in it are
        independent and uniform. The plain density, of homomorphisms, lets vertices coincide.

    Raises
    ------
    ValueError
        If the motif is unknown, ``unbiased`` is asked of a graphon, or the mask is smaller than the motif.
    """
    if motif not in get_args(Motif):
        raise ValueError(f"motif is {motif!r}, but must be one of {list(get_args(Motif))}")
    if isinstance(graphon_or_mask, StepGraphon):
        if unbiased:
            raise ValueError("unbiased=True counts distinct vertices of a finite mask; a graphon needs unbiased=False")
        values, p, q = graphon_or_mask.values, graphon_or_mask.row_measure, graphon_or_mask.column_measure
        drop = 0.0
    else:
        values = as_mask(graphon_or_mask, "graphon_or_mask")
        p, q = (np.full(n, 1.0 / n) for n in values.shape)
        drop = 1.0 if unbiased else 0.0
    R, C = values.shape
    needed = {"edge": (1, 1), "row_cherry": (1, 2), "column_cherry": (2, 1), "K23": (2, 3)}.get(motif, (2, 2))
    if unbiased and (needed[0] > R or needed[1] > C):
        raise ValueError(f"mask has shape {(R, C)}, but unbiased {motif!r} needs at least {needed} distinct vertices")
    row_degree, column_degree = values @ q, p @ values
    # With distinct vertices a second (third) pick among n has one (two) fewer to choose from: d (d - 1/n) n/(n - 1).
    two_rows = R / (R - drop) if drop < R else 1.0
    two_columns = C / (C - drop) if drop < C else 1.0
    if motif == "edge":
        return float(p @ row_degree)
    if motif == "row_cherry":
        return float(p @ (row_degree * (row_degree - drop / C))) * two_columns
    if motif == "column_cherry":
        return float(q @ (column_degree * (column_degree - drop / R))) * two_rows
    if motif == "path3":
        ends = np.outer(p * (row_degree - drop / C), q * (column_degree - drop / R))
        return float((values * ends).sum()) * two_rows * two_columns
    codegree = (values * q) @ values.T
    pairs = codegree * (codegree - drop / C) * two_columns
    if motif == "K23":
        pairs = pairs * (codegree - 2 * drop / C) * (C / (C - 2 * drop))
    both = float(p @ pairs @ p)
    if unbiased:
        both -= float((p * p) @ np.diag(pairs))
    return both * two_rows


def as_mask(mask: ArrayLike, name: str) -> Array:
    """A mask (rows, columns) as a float64 array of zeros and ones.

    Raises
    ------
    ValueError
        If it is not a non-empty matrix of zeros and ones.
    """
    array = np.asarray(cast(Any, mask).cpu() if isinstance(mask, torch.Tensor) else mask)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"{name} has shape {array.shape}, but a mask is a non-empty matrix (outputs, inputs) of a layer"
        )
    if array.dtype != np.bool_ and not ((array == 0) | (array == 1)).all():
        raise ValueError(f"{name} has entries other than 0 and 1; pass weights != 0 if these are pruned weights")
    return array.astype(np.float64)
