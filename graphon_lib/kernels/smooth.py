"""A hidden layer of a smooth activation, on one tile: compiled forms of the ``dual`` of each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphon_lib.kernels.arithmetic import Array, arctangent, compiled


@compiled
def smooth_erf(
    gaps: Array, tangents: Array, row: int, column: int, first: bool, share: Any, x: Array, y: Array, at: int,
    gaps_out: Array, tangents_out: Array,
) -> None:  # fmt: skip
    """Erf.dual; x, y: (3, all blocks, inputs), standard deviations, sqrt(1 + 2 q), second moments."""
    f = gaps.dtype.type
    blocks, rows, columns = gaps.shape
    for k in range(blocks):
        others, longs, moments = (
            y[0, at + k, column:][:columns],
            y[1, at + k, column:][:columns],
            y[2, at + k, column:][:columns],
        )
        for i in range(rows):
            a, long, moment = x[0, at + k, row + i], x[1, at + k, row + i], x[2, at + k, row + i]
            upper, lower = gaps[k, i], tangents[k, i]
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
                gaps_out[k, i, j] = gap if gap > f(0) else f(0)
                tangents_out[k, i, j] = f(4 / np.pi) / root * (share * s + (f(0) if first else below))


@compiled
def smooth_gelu(
    gaps: Array, tangents: Array, row: int, column: int, first: bool, share: Any, x: Array, y: Array, at: int,
    gaps_out: Array, tangents_out: Array,
) -> None:  # fmt: skip
    """GELU.dual; x, y: (3, all blocks, inputs), standard deviations, sqrt(1 + q), second moments."""
    f = gaps.dtype.type
    blocks, rows, columns = gaps.shape
    for k in range(blocks):
        others, longs, moments = (
            y[0, at + k, column:][:columns],
            y[1, at + k, column:][:columns],
            y[2, at + k, column:][:columns],
        )
        for i in range(rows):
            a, long, moment = x[0, at + k, row + i], x[1, at + k, row + i], x[2, at + k, row + i]
            upper, lower = gaps[k, i], tangents[k, i]
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
                gaps_out[k, i, j] = gap if gap > f(0) else f(0)
                derivative = quadrant + s * density * (ratios + f(1) / determinant)
                tangents_out[k, i, j] = derivative * (share * s + (f(0) if first else below))


@compiled
def smooth_hermite(
    gaps: Array, tangents: Array, row: int, column: int, first: bool, share: Any, x: Array, y: Array, at: int,
    gaps_out: Array, tangents_out: Array,
) -> None:  # fmt: skip
    """Hermite.dual; x, y: (2 + 2 terms, all blocks, inputs), standard deviations, second moments, a_k, b_k."""
    f = gaps.dtype.type
    blocks, rows, columns = gaps.shape
    terms = (x.shape[0] - 2) // 2
    negligible = f(1e-17) if f(1e-10) + f(1) > f(1) else f(1e-9)
    covariance, r, square = np.empty(columns, gaps.dtype), np.empty(columns, gaps.dtype), np.empty(columns, gaps.dtype)
    half, sums = np.empty(columns, gaps.dtype), np.empty((2, columns), gaps.dtype)
    for k in range(blocks):
        others, moments = y[0, at + k, column : column + columns], y[1, at + k, column : column + columns]
        for i in range(rows):
            a, moment = x[0, at + k, row + i], x[1, at + k, row + i]
            for j in range(columns):
                b = others[j]
                p, d = a * b, a - b
                near = gaps[k, i, j] - f(0.5) * d * d
                near = near if near > f(0) else f(0)
                covariance[j] = p - (near if near < p + p else p + p)
                r[j] = covariance[j] / p if p > f(0) else f(0)
                square[j] = r[j] * r[j]
            for n in range(2):  # K = sum_k a_k a_k' r^k, D' = sum_k b_k b_k' r^k
                start = 2 + n * terms
                size = f(0)
                for order in range(terms):
                    size = max(size, abs(x[start + order, at + k, row + i]))
                for j in range(columns):
                    sums[n, j] = f(0)
                # Odd orders, then even ones, each a polynomial in r^2: half of them vanish if phi is odd or even, and
                # where the variance is small so do the high ones.
                for parity in (1, 0):
                    top = terms - 1 - (terms - 1 - parity) % 2
                    while top >= 0 and abs(x[start + top, at + k, row + i]) <= negligible * size:
                        top -= 2
                    for j in range(columns):
                        half[j] = f(0)
                    for order in range(top, -1, -2):
                        value, values = x[start + order, at + k, row + i], y[start + order, at + k, column:][:columns]
                        for j in range(columns):
                            half[j] = half[j] * square[j] + value * values[j]
                    for j in range(columns):
                        sums[n, j] += half[j] * r[j] if parity == 1 else half[j]
            for j in range(columns):
                gap, below = f(0.5) * (moment + moments[j]) - sums[0, j], tangents[k, i, j]
                gaps_out[k, i, j] = gap if gap > f(0) else f(0)
                tangents_out[k, i, j] = sums[1, j] * (share * covariance[j] + (f(0) if first else below))
