"""Cut norm and cut distance, as brackets: both are NP-hard to compute, and what lies between two proven bounds is not
guessed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from graphon_lib.arguments import finite, floats, room
from graphon_lib.graphons import Motif, StepGraphon, homomorphism_densities, ordered_product
from graphon_lib.graphons.masks import compiled
from graphon_lib.graphons.shuffle import check_whole
from graphon_lib.graphons.step import MEASURE_TOLERANCE

Array = NDArray[np.float64]
Sets = NDArray[np.bool_]

# Told apart from the streams of other modules, which hash theirs likewise.
_STREAM = 0x63757473

# Edges of each motif: a counting lemma's constant.
_EDGES: dict[Motif, int] = {"edge": 1, "row_cherry": 2, "column_cherry": 2, "path3": 3, "C4": 4, "K23": 6}

# Far above the rounding of a linear algebra library and of the densities of motifs, far below anything of interest.
_ROUNDING = 1e-12

# Steps of the power method: what they find is a start, not a result.
_POWERS = 12


@dataclass(frozen=True)
class CutBound:
    """What a cut norm or cut distance lies between.

    Attributes
    ----------
    lower, upper : float
        Both proven, up to rounding.
    """

    lower: float
    upper: float


def cut_norm(
    a: StepGraphon | ArrayLike, b: StepGraphon | ArrayLike | None = None, *, starts: int = 8, seed: int = 0
) -> CutBound:
    r"""The cut norm of ``a``, or of ``a - b`` as they are labelled (Frieze and Kannan 1999; Lovász 2012, section 8.2),

    .. math:: \|D\|_\square = \sup_{S, T} \Bigl| \int_{S \times T} D(x, y)\, dx\, dy \Bigr|.

    *From below*: the integral over the best S x T found. Given T, the best S is known: the rows whose integrals over T
    are positive (negative, for the other sign). So S and T take turns until the integral stays; then single rows and
    columns change sides, each judged by the best set for it. This from all rows, all columns, the signs of the leading
    singular vector, and random sets. For a step function, unions of blocks suffice.

    *From above*: the lesser of two bounds.

    1. The integral of the positive part of D, or of the negative part if that is larger.
    2. A quarter of :math:`|\int D| + \|D 1\|_1 + \|D^T 1\|_1 + \sigma`, with :math:`\sigma` the operator norm of D on
       L2. For :math:`1_S = (1 + s) / 2` and :math:`1_T = (1 + t) / 2`, the integral is a quarter of
       :math:`\langle 1, D 1 \rangle + \langle s, D 1 \rangle + \langle D^T 1, t \rangle + \langle s, D t \rangle`,
       and s and t, with values -1 and 1, have norm 1. None of the four terms exceeds :math:`\sigma`, the usual bound,
       and if a and b are alike in density and degrees, three of them are small.

    Parameters
    ----------
    a, b : StepGraphon, or (R, C) array of any finite values on equal blocks
    starts : int
        Random sets to start from, at least 0.
    seed : int
        Of the random sets.

    Raises
    ------
    ValueError, TypeError
        If a is not a finite non-empty matrix, b is not on the grid of a, or starts or seed is not a whole number of at
        least 0.
    """
    check_whole("starts", starts)
    check_whole("seed", seed)
    values, p, q = _parts("a", a)
    room("starts", starts, 16.0 * starts * values.shape[1])
    if b is not None:
        other, *measures = _parts("b", b)
        if other.shape != values.shape or not all(
            np.allclose(mine, yours, rtol=0, atol=MEASURE_TOLERANCE)
            for mine, yours in zip((p, q), measures, strict=True)
        ):
            raise ValueError(
                f"b has blocks {other.shape}, but a {values.shape}, or their measures differ; estimate both with the "
                "same number of blocks"
            )
        values = values - other
    mass = values * np.outer(p, q)
    turned = np.ascontiguousarray(mass.T)
    rows, columns = _best_sets(mass, turned, _first_columns(mass, turned, starts, seed))
    return CutBound(abs(_sum(mass[rows][:, columns])), _above(values, p, q))


def cut_distance(a: StepGraphon, b: StepGraphon) -> CutBound:
    r"""The cut distance: the cut norm of a - b with the rows and the columns of b relabelled, separately, at best.

    .. math:: \delta_\square(a, b) = \inf_{\varphi, \psi} \| a - b^{\varphi, \psi} \|_\square

    *From above*: :func:`cut_norm`'s upper bound for the best of several orders of the blocks of b: as they come, sorted
    like a's by their degrees, and from each of these, rows and columns assigned in turns so that the L2 distance falls.

    *From below*, whatever the relabelling, the larger of:

    1. With f and g the degree functions of a and b along one side, decreasing rearrangements f* and g*: the integral of
       the positive part of f* - g*, or of g* - f*. For S the rows where :math:`f > g \circ \varphi` and T all columns,
       the cut norm is at least :math:`\int (f - g \circ \varphi)^+`; and :math:`\int h(f - g \circ \varphi)`, h convex,
       is least for rearrangements in the same order.
    2. A motif's difference of densities over its number of edges, by the counting lemma (Lovász 2012, lemma 10.23,
       which holds with the sides kept apart): edges of the motif go over from a to b one at a time, and given the
       other vertices, each changes the density by :math:`\int (a - b)(x, y) f(x) g(y)` with f, g in [0, 1].

    Parameters
    ----------
    a, b : StepGraphon
        On one grid of equal blocks, as :func:`estimate_graphon` gives.

    Raises
    ------
    ValueError
        If the graphons are not on one grid of equal blocks.
    TypeError
        If a or b is not a StepGraphon.
    """
    for name, graphon in (("a", a), ("b", b)):
        if not isinstance(graphon, StepGraphon):
            raise TypeError(f"{name} is a {type(graphon).__name__}, but must be a StepGraphon; wrap an array as one")
        equal = all(np.ptp(measure) <= MEASURE_TOLERANCE for measure in (graphon.row_measure, graphon.column_measure))
        if not equal or graphon.values.shape != a.values.shape:
            raise ValueError(
                f"{name} has {graphon.values.shape} blocks, but must have those of a, {a.values.shape}, all equal "
                "along each axis, so that they can change places; estimate both with the same number of blocks"
            )
    candidates = [b.values, _sorted_like(a.values, b.values)]
    candidates += [_assigned(a.values, candidate) for candidate in candidates]
    upper = min(_above(a.values - candidate, a.row_measure, a.column_measure) for candidate in candidates)
    lower = max(_apart(_degrees(f), _degrees(g)) for f, g in ((a.values, b.values), (a.values.T, b.values.T)))
    of_a, of_b = homomorphism_densities(a), homomorphism_densities(b)
    for motif, edges in _EDGES.items():
        lower = max(lower, abs(of_a[motif] - of_b[motif]) / edges - _ROUNDING)
    # Where they meet, rounding may put them a hair the wrong way round.
    return CutBound(min(lower, upper), upper)


def _parts(name: str, graphon: StepGraphon | ArrayLike) -> tuple[Array, Array, Array]:
    if isinstance(graphon, StepGraphon):
        return graphon.values, graphon.row_measure, graphon.column_measure
    values = floats(name, graphon)
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(
            f"{name} has shape {values.shape}, and must be a StepGraphon or a non-empty matrix of finite numbers; "
            "remove NaN and infinity"
        )
    finite(name, values)
    rows, columns = values.shape
    return values, np.full(rows, 1 / rows), np.full(columns, 1 / columns)


def _sum(values: Array) -> float:
    """Correctly rounded, whatever the order."""
    return math.fsum(values.ravel().tolist())


def _degrees(values: Array) -> Array:
    """The mean of each row, on equal blocks: equal for rows with the same values in any order."""
    return np.array([math.fsum(row) / len(row) for row in values.tolist()])


def _above(values: Array, p: Array, q: Array) -> float:
    mass = values * np.outer(p, q)
    parts = max(_sum(mass[mass > 0]), -_sum(mass[mass < 0]))
    norm = float(np.linalg.norm(values * np.sqrt(np.outer(p, q)), 2))
    degrees = sum(float(np.abs(mass.sum(axis=axis)).sum()) for axis in (0, 1))
    return min(parts, (1 + _ROUNDING) * (abs(float(mass.sum())) + degrees + norm) / 4)


def _apart(f: Array, g: Array) -> float:
    gaps = (np.sort(f) - np.sort(g)) / f.size
    return max(_sum(gaps[gaps > 0]), -_sum(gaps[gaps < 0]))


def _sorted_like(a: Array, b: Array) -> Array:
    """b with its rows and columns in the order of a's, by degree."""
    places = [np.empty(count, np.int64) for count in a.shape]
    for place, f, g in zip(places, (a, a.T), (b, b.T), strict=True):
        place[np.argsort(-_degrees(f), kind="stable")] = np.argsort(-_degrees(g), kind="stable")
    return b[np.ix_(*places)]


def _assigned(a: Array, b: Array) -> Array:
    """b with its rows and columns assigned to a's in turns, each time at best for the L2 distance."""
    reached = -math.inf
    while True:
        # The distance falls as the inner product grows: the norms stay.
        for _ in range(2):
            likeness = ordered_product(a, np.ascontiguousarray(b.T))
            b = b[linear_sum_assignment(likeness, maximize=True)[1]]
            a, b = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
        product = _sum(a * b)
        if product <= reached:
            return b
        reached = product


def _first_columns(mass: Array, turned: Array, starts: int, seed: int) -> Sets:
    """The sets of columns to start from, (starts + 5, C)."""
    generator = np.random.default_rng(np.random.SeedSequence((seed, _STREAM)))
    random_sets = generator.random((starts, mass.shape[1])) < 0.5
    of_all_rows = ordered_product(np.ones((1, len(mass))), mass)
    leading = generator.random((1, mass.shape[1])) - 0.5
    for _ in range(_POWERS):
        leading = ordered_product(ordered_product(leading, turned), mass)
        leading /= np.abs(leading).max() or 1.0
    everything = np.ones_like(leading, dtype=np.bool_)
    return np.concatenate([random_sets, everything, of_all_rows > 0, of_all_rows < 0, leading > 0, leading < 0])


@compiled
def _best_sets(mass: Array, turned: Array, first_columns: Sets) -> tuple[Sets, Sets]:
    """The rows and columns with the largest integral found, of either sign; ``turned`` is mass transposed."""
    best, best_rows, best_columns = 0.0, np.zeros(len(mass), np.bool_), np.zeros(len(turned), np.bool_)
    for sign in (1.0, -1.0):
        above, below = sign * mass, sign * turned
        for start in range(len(first_columns)):
            columns, reached, before = first_columns[start], 0.0, -1.0
            while reached > before:
                rows = _integrals(below, columns) > 0
                by_column = _integrals(above, rows)
                columns = by_column > 0
                before, reached = reached, np.maximum(by_column, 0.0).sum()
                if reached <= before:
                    _flip(above, below, rows)
                    columns = _integrals(above, rows) > 0
                    reached = _flip(below, above, columns)
            if reached > best:
                best, best_rows, best_columns = reached, _integrals(below, columns) > 0, columns
    return best_rows, best_columns


@compiled
def _flip(mass: Array, turned: Array, rows: Sets) -> float:
    """Rows change sides, one at a time, while that raises the integral over them and the columns that are best for
    them, which is returned."""
    by_column = _integrals(mass, rows)
    reached = float(np.maximum(by_column, 0.0).sum())
    while True:
        after = np.zeros(rows.size)
        step = np.where(rows, -1.0, 1.0)
        for j in range(by_column.size):
            for i in range(rows.size):
                after[i] += max(by_column[j] + step[i] * turned[j, i], 0.0)
        row = after.argmax()
        rows[row] = not rows[row]
        # Anew, so that the value is one of the set, and cannot creep up around a circle by rounding.
        by_column = _integrals(mass, rows)
        flipped = float(np.maximum(by_column, 0.0).sum())
        if flipped <= reached:
            rows[row] = not rows[row]
            return reached
        reached = flipped


@compiled
def _integrals(mass: Array, kept: Sets) -> Array:
    """The sum of the kept rows, first row first."""
    total = np.zeros(mass.shape[1])
    for i in range(kept.size):
        if kept[i]:
            for j in range(total.size):
                total[j] += mass[i, j]
    return total
