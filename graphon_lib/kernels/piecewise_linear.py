"""A hidden layer of (leaky) ReLU, in place on one tile: the compiled form of ``LeakyReLU.dual``, and more exact."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphon_lib.kernels.arithmetic import Array, arctangent, compiled

# An angle may move by this many roundings before its defect is computed anew, from differences.
ROUNDINGS = 16.0


@compiled
def repair(
    gaps: Array, k: int, row: int, column: int, first: bool, kappa: Any, x: Array, y: Array, at: int,
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
    f = gaps.dtype.type
    rows, columns = apart.shape
    for i in range(rows):
        a = x[0, at + k, row + i]
        for j in range(columns):
            b = y[0, at + k, column + j]
            p, near = a * b, apart[i, j] <= together[i, j]
            lost = abs(a - b) * max(a, b) + gaps[k, i, j]
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
    gaps: Array, tangents: Array, row: int, column: int, first: bool, share: Any, x: Array, y: Array, at: int,
    slopes: Array, operator: Array, label: NDArray[np.int64], below_x: Array, below_y: Array, delta: Array, kept: Array,
) -> None:  # fmt: skip
    """LeakyReLU.dual, repaired where a defect is a small difference of large gaps.

    gaps, tangents: (blocks, rows, columns), of the inputs from row and column on. x, y: (2, all blocks, inputs),
    standard deviations and 1 / (sqrt(2) standard deviation), this layer's from block ``at`` on. slopes: kappa and c of
    K = kappa s + c (sqrt(q q') sin(theta) - theta s), and the least value of D', kappa - pi c. share: the weight of
    this layer's own term in the tangent.

    operator ... delta: what :func:`repair` needs; kept, (blocks, rows, columns): delta for the next layer.
    """
    f = gaps.dtype.type
    kappa, c, least = slopes
    blocks, rows, columns = gaps.shape
    pi, tolerance = f(np.pi), f(ROUNDINGS * ROUNDINGS)
    apart, together = np.empty((rows, columns), gaps.dtype), np.empty((rows, columns), gaps.dtype)
    worst = np.empty(columns, gaps.dtype)
    for k in range(blocks):
        others, inverses = y[0, at + k, column : column + columns], y[1, at + k, column : column + columns]
        for j in range(columns):
            worst[j] = f(0)
        for i in range(rows):
            a = x[0, at + k, row + i]
            for j in range(columns):
                b = others[j]
                p, d, gap = a * b, abs(a - b), gaps[k, i, j]
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
            repair(
                gaps, k, row, column, first, kappa, x, y, at, operator, label, below_x, below_y, delta, apart, together
            )
        for i in range(rows):
            a, inverse = x[0, at + k, row + i], x[1, at + k, row + i]
            for j in range(columns):
                b = others[j]
                p, d = a * b, a - b
                nearer, farther, below = apart[i, j], together[i, j], tangents[k, i, j]
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
                gaps[k, i, j] = excess + kappa * f(0.5) * d * d
                tangents[k, i, j] = derivative * (share * s + (f(0) if first else below))
