"""Step graphons: a function on the unit square that is constant on the blocks of a grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from graphon_lib.arguments import floats, number, room, whole

Array = NDArray[np.float64]

# Measures that should agree come from counts over the same total, so anything beyond rounding is a real mismatch.
MEASURE_TOLERANCE = 1e-9

# Told apart from the streams of other modules, which hash theirs likewise: weights and masks must be independent.
_STREAM = 0x6D61736B


@dataclass(frozen=True, eq=False)
class StepGraphon:
    """A graphon that is constant on the blocks of a grid.

    Parameters
    ----------
    values : (R, C) array in [0, 1]
        ``values[r, c]`` is the chance that a weight from column block c to row block r is kept.
    row_measure, column_measure : (R,), (C,) arrays, optional
        The share of the row (column) vertices in each block; non-negative, sum 1. Default: equal shares.

    Raises
    ------
    ValueError
        If values are not a non-empty finite matrix in [0, 1], or a measure does not fit it.
    """

    values: Array
    row_measure: Array = field(default=cast(Array, None))
    column_measure: Array = field(default=cast(Array, None))

    def __post_init__(self) -> None:
        values = floats("values", self.values)
        if values.ndim != 2 or values.size == 0:
            raise ValueError(f"values has shape {values.shape}, but must be a non-empty matrix (row blocks, columns)")
        # Written so that NaN fails too. Rounding may carry an average of ones a hair above 1.
        if not ((values >= 0) & (values <= 1 + 1e-12)).all():
            worst = values[~((values >= 0) & (values <= 1 + 1e-12))][0]
            raise ValueError(f"values contains {worst}, but a graphon is a probability: clip or rescale it to [0, 1]")
        object.__setattr__(self, "values", np.minimum(values, 1.0))  # a copy
        object.__setattr__(self, "row_measure", _measure("row_measure", self.row_measure, values.shape[0]))
        object.__setattr__(self, "column_measure", _measure("column_measure", self.column_measure, values.shape[1]))

    @classmethod
    def constant(cls, c: float) -> StepGraphon:
        """The constant graphon c in [0, 1]: one block; the limit of pruning at random with density c."""
        if not 0 <= number("c", c, "a number in [0, 1]") <= 1:
            raise ValueError(f"c is {c!r}, but must be a number in [0, 1]")
        return cls(np.full((1, 1), float(c)))

    @classmethod
    def from_function(cls, f: Callable[[Array, Array], ArrayLike], blocks: int | tuple[int, int]) -> StepGraphon:
        """The step graphon of the block means of ``f(u, v)`` over equal blocks of [0, 1]^2.

        Parameters
        ----------
        f : callable
            Takes arrays u (n, 1) and v (1, m) of positions in (0, 1), row and column, and returns values in [0, 1]
            that broadcast to (n, m).
        blocks : int or (int, int)
            Blocks along rows and columns, at least 1.
        """
        pair = blocks if isinstance(blocks, tuple) and len(blocks) == 2 else (blocks, blocks)
        try:
            rows, columns = (whole("blocks", count, 1) for count in pair)
        except ValueError:
            raise ValueError(
                f"blocks is {blocks!r}, but must be at least 1 along each axis: a whole number, or a pair"
            ) from None
        room("blocks", blocks, 8.0 * 16 * rows * columns)
        # Four Gauss-Legendre nodes an axis and block: exact for polynomials up to degree 7.
        nodes, weights = np.polynomial.legendre.leggauss(4)
        nodes, weights = (nodes + 1) / 2, weights / 2
        u = ((np.arange(rows)[:, None] + nodes) / rows).reshape(-1, 1)
        v = ((np.arange(columns)[:, None] + nodes) / columns).reshape(1, -1)
        try:
            fine = np.broadcast_to(floats("f(u, v)", f(u, v)), (u.size, v.size))
            return cls(np.einsum("racb,a,b->rc", fine.reshape(rows, 4, columns, 4), weights, weights))
        except Exception as error:
            raise ValueError(
                f"f is {f!r}, of which no graphon can be made: {error}; pass a function that takes arrays (n, 1) and "
                "(1, m), to values in [0, 1]"
            ) from error

    def density(self) -> float:
        """The integral of the graphon: the kept fraction, in [0, 1]."""
        return float(self.row_measure @ self.values @ self.column_measure)

    def l2_norm(self) -> float:
        """The square root of the integral of W^2."""
        return float(np.sqrt(self.row_measure @ self.values**2 @ self.column_measure))

    def l2_distance(self, other: StepGraphon) -> float:
        """The L2 norm of the difference of two graphons on one grid, as they are labelled: the paper's Euclidean
        distance of histograms, over the number of blocks along an axis.

        Raises
        ------
        ValueError
            If the two have different blocks.
        """
        if not isinstance(other, StepGraphon):
            raise TypeError(f"other is a {type(other).__name__}, but must be a StepGraphon; wrap an array as one")
        same = self.values.shape == other.values.shape and all(
            np.allclose(a, b, rtol=0, atol=MEASURE_TOLERANCE)
            for a, b in ((self.row_measure, other.row_measure), (self.column_measure, other.column_measure))
        )
        if not same:
            raise ValueError(
                f"other has blocks {other.values.shape}, but this graphon {self.values.shape}, or their measures "
                "differ; estimate both with the same number of blocks"
            )
        return float(np.sqrt(self.row_measure @ (self.values - other.values) ** 2 @ self.column_measure))

    def sample(self, rows: int, columns: int, seed: int = 0) -> torch.Tensor:
        """A random mask (rows, columns), bool: each entry kept independently with the graphon's chance.

        Row i sits at position (i + 1/2) / rows and likewise for columns, so the mask comes in the graphon's own order;
        permute its rows and columns for an exchangeable one.

        Raises
        ------
        ValueError
            If rows or columns is below 1.
        """
        for name, count in (("rows", rows), ("columns", columns)):
            whole(name, count, 1)
        room("(rows, columns)", (rows, columns), 24 * int(rows) * int(columns))
        r, c = block_labels(self.row_measure, rows), block_labels(self.column_measure, columns)
        return bernoulli(self.values[np.ix_(r, c)], mask_generator(seed))


def block_labels(measure: Array, vertices: int) -> NDArray[np.int64]:
    """The block of each of ``vertices`` vertices at positions (i + 1/2) / vertices, blocks lying side by side."""
    positions = (np.arange(vertices) + 0.5) / vertices
    labels = np.searchsorted(np.cumsum(measure), positions, side="right")
    # Rounding of the cumulative sum may leave the last position beyond it.
    return np.asarray(np.minimum(labels, np.flatnonzero(measure)[-1]), dtype=np.int64)


def mask_generator(seed: int) -> torch.Generator:
    """The random generator of sampled masks: never the stream from which weights of the same seed were drawn.

    Raises
    ------
    ValueError
        If seed is no whole number of at least 0.
    """
    whole("seed", seed)
    return torch.Generator().manual_seed(int(np.random.SeedSequence((seed, _STREAM)).generate_state(1)[0]))


def bernoulli(chances: Array, generator: torch.Generator) -> torch.Tensor:
    """Independent kept (True) or not (False) entries with the given chances; one float64 draw an entry."""
    return torch.rand(chances.shape, generator=generator, dtype=torch.float64) < torch.from_numpy(chances)


def _measure(name: str, measure: ArrayLike | None, blocks: int) -> Array:
    if measure is None:
        return np.full(blocks, 1.0 / blocks)
    array = floats(name, measure).copy()
    if array.shape != (blocks,) or not (array >= 0).all() or not abs(array.sum() - 1) <= MEASURE_TOLERANCE:
        raise ValueError(
            f"{name} has shape {array.shape} and sum {array.sum():.6g}, but must be {blocks} non-negative shares that "
            "sum to 1, one a block"
        )
    return array
