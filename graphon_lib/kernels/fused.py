"""Compiled loops: the first layer's distances, and one pass over a tile for each hidden layer.

A tile is an array (blocks, 2, rows, columns). Into a hidden layer come the gap of the pre-activations (see
:mod:`graphon_lib.activations`) and the tangent from the layers below, nothing at the first layer; out go, in place, the
gap of the outputs and D' times the tangent. The cogap is q + q' minus the gap, and where that cancels, it is repaired.

Angles come from an arctangent on [0, tan(pi/8)], a polynomial in its square that the compiler turns into vector code;
half-angle formulas bring every angle there, and none of them cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from graphon_lib.activations import GELU, DualActivation, Erf, Hermite, LeakyReLU

Array = NDArray[np.floating[Any]]
Compiled = TypeVar("Compiled", bound=Callable[..., Any])

# Within rounding of arctan(sqrt(w)) / sqrt(w) on [0, tan(pi/8)^2] (tested); by interpolation at Chebyshev's points.
SINGLE = (0.9999999993712282, -0.33333306893048514, 0.19998183041083206, -0.14239532669648974, 0.10569828806414448,
          -0.06026305227658459)  # fmt: skip
DOUBLE = (1.0, -0.3333333333333312, 0.19999999999940893, -0.14285714279250245, 0.11111110744919658,
          -0.09090896809064027, 0.07692045330902225, -0.06662951813629191, 0.05846878297330872,
          -0.05035102456601552, 0.03796525745386593, -0.017805397205419446)  # fmt: skip

# An angle may move by this many roundings before its defect is computed anew, from differences.
ROUNDINGS = 16.0


def compiled(function: Compiled) -> Compiled:
    """Multiply-add in one rounding and no care for NaN (inputs are checked), but no re-ordering of sums."""
    flags = {"contract", "nnan", "ninf", "nsz"}
    return cast(Compiled, numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=flags)(function))


@compiled
def arctangent(t: Any, f: Any) -> Any:
    """arctan(t) for t in [-tan(pi/8), tan(pi/8)]; f is the precision, numpy.float32 or float64."""
    w = t * t
    if f(1e-10) + f(1) == f(1):
        p = ((((f(SINGLE[5]) * w + f(SINGLE[4])) * w + f(SINGLE[3])) * w + f(SINGLE[2])) * w + f(SINGLE[1])) * w
        return t * (p + f(SINGLE[0]))
    p = (((f(DOUBLE[11]) * w + f(DOUBLE[10])) * w + f(DOUBLE[9])) * w + f(DOUBLE[8])) * w + f(DOUBLE[7])
    p = ((((p * w + f(DOUBLE[6])) * w + f(DOUBLE[5])) * w + f(DOUBLE[4])) * w + f(DOUBLE[3])) * w + f(DOUBLE[2])
    return t * ((p * w + f(DOUBLE[1])) * w + f(DOUBLE[0]))


@compiled
def input_gaps(x: Array, y: Array, row: int, column: int, starts: NDArray[np.int64], gaps: Array) -> None:
    """Half the squared differences of inputs over each group of coordinates: subtracted first, they cannot cancel.

    x, y: (coordinates, inputs), sorted by group; gaps: (groups, rows, columns), overwritten.
    """
    f = x.dtype.type
    groups, rows, columns = gaps.shape
    # Four coordinates at a time, copied: half as many loads and stores of the tile, and rows that begin at 0.
    a, b = np.empty((4, rows), x.dtype), np.empty((4, columns), x.dtype)
    for g in range(groups):
        gaps[g] = f(0)
        for c in range(starts[g], starts[g + 1], 4):
            a[:] = f(0)
            b[:] = f(0)
            for n in range(min(4, starts[g + 1] - c)):
                a[n] = x[c + n, row : row + rows]
                b[n] = y[c + n, column : column + columns]
            for i in range(rows):
                a0, a1, a2, a3 = a[0, i], a[1, i], a[2, i], a[3, i]
                for j in range(columns):
                    d0, d1, d2, d3 = a0 - b[0, j], a1 - b[1, j], a2 - b[2, j], a3 - b[3, j]
                    gaps[g, i, j] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
        gaps[g] *= f(0.5)


@compiled
def repair(
    tile: Array, k: int, row: int, column: int, first: bool, kappa: Any, x: Array, y: Array,
    operator: Array, label: NDArray[np.int64], below_x: Array, below_y: Array, delta: Array,
    apart: Array, together: Array,
) -> None:  # fmt: skip
    """Compute anew the defects of one block that :func:`piecewise_linear` could only get by cancellation.

    A block that sees two inputs as parallel, but of two norms, has gap (sqrt q - sqrt q')^2 / 2 and angle 0.
    Subtracting leaves rounding, and the angle its square root. There the defect sqrt(q q') - s is summed from what the
    block sees: with S = sum_v A_v K_v over units v of signals a_v, b_v and defects of K_v = kappa a_v b_v - delta_v,

        sqrt(Q Q') - S = sqrt(Q Q') / 2 sum_v A_v kappa (a_v / sqrt Q - b_v / sqrt Q')^2 + sum_v A_v delta_v.

    The units are input coordinates at the first layer (delta = 0, kappa = 1), blocks above it. operator[k, label[v]] is
    A_v; below_x, below_y: (units, inputs), the signals; delta: (units, rows, columns).
    """
    f = tile.dtype.type
    rows, columns = apart.shape
    for i in range(rows):
        a = x[0, k, row + i]
        for j in range(columns):
            b = y[0, k, column + j]
            p, near = a * b, apart[i, j] <= together[i, j]
            lost = abs(a - b) * max(a, b) + tile[k, 0, i, j]
            doubt = lost * lost - f(ROUNDINGS * ROUNDINGS) * min(apart[i, j], together[i, j]) * p
            # Above the first layer only a linear phi lets signals be opposite, and its D' has no angle.
            if (near or first) and p > f(0) and doubt > f(0):
                sign, defect = f(1) if near else f(-1), f(0)
                for v in range(label.size):
                    weight = operator[k, label[v]]
                    if weight > f(0):
                        e = below_x[v, row + i] / a - sign * below_y[v, column + j] / b
                        defect += weight * e * e
                defect *= f(0.5) * p * (f(1) if first else kappa)
                if not first:
                    for v in range(label.size):
                        defect += operator[k, v] * delta[v, i, j]
                apart[i, j], together[i, j] = (defect, p + p - defect) if near else (p + p - defect, defect)


@compiled
def piecewise_linear(
    tile: Array, row: int, column: int, first: bool, share: Any, x: Array, y: Array,
    slopes: Array, operator: Array, label: NDArray[np.int64], below_x: Array, below_y: Array, delta: Array, kept: Array,
) -> None:  # fmt: skip
    """LeakyReLU.dual, repaired where a defect is a small difference of large gaps.

    x, y: (2, blocks, inputs), standard deviations and 1 / (sqrt(2) standard deviation). slopes: kappa and c of
    K = kappa s + c (sqrt(q q') sin(theta) - theta s), and the least value of D', kappa - pi c. share: the weight of
    this layer's own term in the tangent.

    operator ... delta: what :func:`repair` needs; kept, (blocks, rows, columns): delta for the next layer.
    """
    f = tile.dtype.type
    kappa, c, least = slopes
    blocks, _, rows, columns = tile.shape
    pi, tolerance = f(np.pi), f(ROUNDINGS * ROUNDINGS)
    apart, together = np.empty((rows, columns), tile.dtype), np.empty((rows, columns), tile.dtype)
    worst = np.empty(columns, tile.dtype)
    for k in range(blocks):
        others, inverses = y[0, k, column : column + columns], y[1, k, column : column + columns]
        worst[:] = f(0)
        for i in range(rows):
            a = x[0, k, row + i]
            for j in range(columns):
                b = others[j]
                p, d, gap = a * b, abs(a - b), tile[k, 0, i, j]
                near = gap - f(0.5) * d * d
                near = near if near > f(0) else f(0)
                near = near if near < p + p else p + p
                far = p + p - near
                apart[i, j] = near
                together[i, j] = far
                # The error of a defect is that of what it was subtracted from; it moves the angle by its root.
                lost = d * (a if a > b else b) + gap
                doubt = lost * lost - tolerance * (near if near < far else far) * p
                worst[j] = doubt if doubt > worst[j] else worst[j]
        if worst.any():
            repair(tile, k, row, column, first, kappa, x, y, operator, label, below_x, below_y, delta, apart, together)
        for i in range(rows):
            a, inverse = x[0, k, row + i], x[1, k, row + i]
            for j in range(columns):
                b = others[j]
                p, d = a * b, a - b
                nearer, farther, below = apart[i, j], together[i, j], tile[k, 1, i, j]
                near = nearer <= farther
                # sin^2 of half the angle to the nearer of 0 and pi; then, by half-angle formulas, a quarter of it.
                z = (nearer if near else farther) * (inverse * inverses[j])
                sine, cosine = np.sqrt(z), np.sqrt(f(1) - z)
                h = f(4) * arctangent(sine / (f(1) + cosine), f)
                s = p - nearer if near else farther - p
                sine = f(2) * p * sine * cosine
                theta = h if near else pi - h
                excess = kappa * nearer - c * (sine - theta * s)
                excess = excess if excess > f(0) else f(0)
                derivative = kappa - c * h if near else least + c * h
                kept[k, i, j] = excess
                tile[k, 0, i, j] = excess + kappa * f(0.5) * d * d
                tile[k, 1, i, j] = derivative * (share * s + (f(0) if first else below))


@compiled
def smooth_erf(tile: Array, row: int, column: int, first: bool, share: Any, x: Array, y: Array) -> None:
    """Erf.dual; x, y: (3, blocks, inputs), standard deviations, sqrt(1 + 2 q), second moments."""
    f = tile.dtype.type
    blocks, _, rows, columns = tile.shape
    for k in range(blocks):
        others, longs, moments = y[0, k, column:][:columns], y[1, k, column:][:columns], y[2, k, column:][:columns]
        for i in range(rows):
            a, long, moment = x[0, k, row + i], x[1, k, row + i], x[2, k, row + i]
            upper, lower = tile[k, 0, i], tile[k, 1, i]
            for j in range(columns):
                b = others[j]
                p, spread = a * b, f(0.5) * (a - b) * (a - b)
                apart, below = upper[j] - spread, lower[j]
                apart = apart if apart > f(0) else f(0)
                apart = apart if apart < p + p else p + p
                together = p + p - apart
                s = p - apart
                root = np.sqrt(f(1) + f(2) * (a * a + b * b) + f(4) * apart * together)
                # tan of half the angle arctan2(2 s, root), then of a quarter.
                u = f(2) * s / (long * longs[j] + root)
                angle = f(4) * arctangent(u / (f(1) + np.sqrt(f(1) + u * u)), f)
                gap = f(0.5) * (moment + moments[j]) - f(2 / np.pi) * angle
                upper[j] = gap if gap > f(0) else f(0)
                lower[j] = f(4 / np.pi) / root * (share * s + (f(0) if first else below))


@compiled
def smooth_gelu(tile: Array, row: int, column: int, first: bool, share: Any, x: Array, y: Array) -> None:
    """GELU.dual; x, y: (3, blocks, inputs), standard deviations, sqrt(1 + q), second moments."""
    f = tile.dtype.type
    blocks, _, rows, columns = tile.shape
    for k in range(blocks):
        others, longs, moments = y[0, k, column:][:columns], y[1, k, column:][:columns], y[2, k, column:][:columns]
        for i in range(rows):
            a, long, moment = x[0, k, row + i], x[1, k, row + i], x[2, k, row + i]
            upper, lower = tile[k, 0, i], tile[k, 1, i]
            for j in range(columns):
                b, other = others[j], longs[j]
                p, spread = a * b, f(0.5) * (a - b) * (a - b)
                apart, below = upper[j] - spread, lower[j]
                apart = apart if apart > f(0) else f(0)
                apart = apart if apart < p + p else p + p
                together = p + p - apart
                s = p - apart
                determinant = f(1) + a * a + b * b + apart * together
                root = np.sqrt(determinant)
                u = s / (long * other + root)
                quadrant = f(0.25) + f(2 / np.pi) * arctangent(u / (f(1) + np.sqrt(f(1) + u * u)), f)
                density = f(0.5 / np.pi) / root
                ratios = f(1) / (long * long) + f(1) / (other * other)
                product = s * quadrant + density * (apart * together + s * s * ratios)
                gap = f(0.5) * (moment + moments[j]) - product
                upper[j] = gap if gap > f(0) else f(0)
                derivative = quadrant + s * density * (ratios + f(1) / determinant)
                lower[j] = derivative * (share * s + (f(0) if first else below))


@compiled
def smooth_hermite(tile: Array, row: int, column: int, first: bool, share: Any, x: Array, y: Array) -> None:
    """Hermite.dual; x, y: (2 + 2 terms, blocks, inputs), standard deviations, second moments, a_k, b_k (THEORY 1)."""
    f = tile.dtype.type
    blocks, _, rows, columns = tile.shape
    terms = (x.shape[0] - 2) // 2
    negligible = f(1e-17) if f(1e-10) + f(1) > f(1) else f(1e-9)
    covariance, r, square = np.empty(columns, tile.dtype), np.empty(columns, tile.dtype), np.empty(columns, tile.dtype)
    half, sums = np.empty(columns, tile.dtype), np.empty((2, columns), tile.dtype)
    for k in range(blocks):
        others, moments = y[0, k, column : column + columns], y[1, k, column : column + columns]
        for i in range(rows):
            a, moment = x[0, k, row + i], x[1, k, row + i]
            for j in range(columns):
                b = others[j]
                p, d = a * b, a - b
                near = tile[k, 0, i, j] - f(0.5) * d * d
                near = near if near > f(0) else f(0)
                covariance[j] = p - (near if near < p + p else p + p)
                r[j] = covariance[j] / p if p > f(0) else f(0)
                square[j] = r[j] * r[j]
            for n in range(2):  # K = sum_k a_k a_k' r^k, D' = sum_k b_k b_k' r^k
                start = 2 + n * terms
                size = np.abs(x[start : start + terms, k, row + i]).max()
                sums[n] = f(0)
                # Odd orders, then even ones, each a polynomial in r^2: half of them vanish if phi is odd or even, and
                # where the variance is small so do the high ones.
                for parity in (1, 0):
                    top = terms - 1 - (terms - 1 - parity) % 2
                    while top >= 0 and abs(x[start + top, k, row + i]) <= negligible * size:
                        top -= 2
                    half[:] = f(0)
                    for order in range(top, -1, -2):
                        value, values = x[start + order, k, row + i], y[start + order, k, column:][:columns]
                        for j in range(columns):
                            half[j] = half[j] * square[j] + value * values[j]
                    for j in range(columns):
                        sums[n, j] += half[j] * r[j] if parity == 1 else half[j]
            for j in range(columns):
                gap, below = f(0.5) * (moment + moments[j]) - sums[0, j], tile[k, 1, i, j]
                tile[k, 0, i, j] = gap if gap > f(0) else f(0)
                tile[k, 1, i, j] = sums[1, j] * (share * covariance[j] + (f(0) if first else below))


PASSES: dict[type, Callable[..., None]] = {Erf: smooth_erf, GELU: smooth_gelu, Hermite: smooth_hermite}


def features(phi: DualActivation, q: Array) -> Array:
    """What the compiled pass of an activation needs to know of each block and input, (features, blocks, inputs)."""
    deviation = np.sqrt(q)
    if isinstance(phi, LeakyReLU):
        with np.errstate(divide="ignore"):
            return np.stack([deviation, np.where(q > 0, np.sqrt(0.5) / deviation, 0)])
    if isinstance(phi, Hermite):
        a, b = phi.coefficients(q)
        return np.concatenate([deviation[None], phi.second_moment(q)[None], a, b])
    return np.stack([deviation, np.sqrt(1 + (2 if isinstance(phi, Erf) else 1) * q), phi.second_moment(q)])
