"""A hidden layer of (leaky) ReLU, on one tile: the compiled form of ``LeakyReLU.dual``, and more exact."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphon_lib.kernels.arithmetic import Array, arctangent, compiled

# An angle may move by this many roundings before its defect is computed anew, from differences.
ROUNDINGS = 16.0


@compiled
def from_defects(
    nearer: Any,
    farther: Any,
    d: Any,
    p: Any,
    inverse: Any,
    below: Any,
    kappa: Any,
    c: Any,
    least: Any,
    share: Any,
    f: Any,
) -> tuple[Any, Any, Any]:
    """Of one pair: the outputs' defect and gap, and the tangent passed on; from sqrt(q q') - s and sqrt(q q') + s."""
    near = nearer <= farther
    # sin^2 of half the angle to the nearer of 0 and pi; then, by half-angle formulas, a quarter of it.
    z = (nearer if near else farther) * inverse
    sine, cosine = np.sqrt(z), np.sqrt(f(1) - z)
    h = f(4) * arctangent(sine / (f(1) + cosine), f)
    s = p - nearer if near else farther - p
    sine = f(2) * p * sine * cosine
    theta = h if near else f(np.pi) - h
    defect = kappa * nearer - c * (sine - theta * s)
    defect = defect if defect > f(0) else f(0)
    derivative = kappa - c * h if near else least + c * h
    return defect, defect + kappa * f(0.5) * d * d, derivative * (share * s + below)


@compiled
def piecewise_linear(
    gaps: Array, tangents: Array, row: int, column: int, first: bool, share: Any, x: Array, y: Array, at: int,
    slopes: Array, operator: Array, label: NDArray[np.int64], below_x: Array, below_y: Array,
    defects_below: Array, defects: Array, gaps_out: Array, tangents_out: Array,
) -> None:  # fmt: skip
    """LeakyReLU.dual, repaired where a defect is a small difference of large gaps.

    gaps, tangents: (blocks, rows, columns), of the inputs from row and column on. x, y: (2, all blocks, inputs),
    standard deviations and 1 / (sqrt(2) standard deviation), this layer's from block ``at`` on. slopes: kappa and c of
    K = kappa s + c (sqrt(q q') sin(theta) - theta s), and the least value of D', kappa - pi c. share: the weight of
    this layer's own term in the tangent. operator ... defects_below: what :func:`exact_defect` needs; defects: the same
    for the next layer.
    """
    f = gaps.dtype.type
    kappa, c, least = slopes
    blocks, rows, columns = gaps.shape
    tolerance = f(ROUNDINGS * ROUNDINGS)
    worst = np.empty(columns, gaps.dtype)
    for k in range(blocks):
        others, inverses = y[0, at + k, column : column + columns], y[1, at + k, column : column + columns]
        for j in range(columns):
            worst[j] = f(0)
        for i in range(rows):
            a, inverse = x[0, at + k, row + i], x[1, at + k, row + i]
            for j in range(columns):
                b = others[j]
                p, d, gap = a * b, abs(a - b), gaps[k, i, j]
                below = f(0) if first else tangents[k, i, j]
                near = gap - f(0.5) * d * d
                near = near if near > f(0) else f(0)
                near = near if near < p + p else p + p
                far = p + p - near
                # The error of a defect is that of what it was subtracted from; it moves the angle by its root.
                lost = d * (a if a > b else b) + gap
                doubt = lost * lost - tolerance * (near if near < far else far) * p
                worst[j] = doubt if doubt > worst[j] else worst[j]
                defects[k, i, j], gaps_out[k, i, j], tangents_out[k, i, j] = from_defects(
                    near, far, d, p, inverse * inverses[j], below, kappa, c, least, share, f
                )
        if not worst.any():
            continue
        for i in range(rows):
            a = x[0, at + k, row + i]
            for j in range(columns):
                b = others[j]
                p, d, gap = a * b, abs(a - b), gaps[k, i, j]
                near = min(max(gap - f(0.5) * d * d, f(0)), p + p)
                is_near = near <= p
                doubt = (d * max(a, b) + gap) ** 2 - tolerance * min(near, p + p - near) * p
                # Above the first layer only a linear phi lets signals be opposite, and its D' has no angle.
                if doubt > f(0) and p > f(0) and (is_near or first):
                    defect = exact_defect(
                        k, i, j, row, column, a, b, f(1) if is_near else f(-1), first, kappa,
                        operator, label, below_x, below_y, defects_below,
                    )  # fmt: skip
                    near, far = (defect, p + p - defect) if is_near else (p + p - defect, defect)
                    inverse, below = x[1, at + k, row + i] * inverses[j], f(0) if first else tangents[k, i, j]
                    defects[k, i, j], gaps_out[k, i, j], tangents_out[k, i, j] = from_defects(
                        near, far, d, p, inverse, below, kappa, c, least, share, f
                    )


@compiled
def exact_defect(
    k: int, i: int, j: int, row: int, column: int, a: Any, b: Any, sign: Any, first: bool, kappa: Any,
    operator: Array, label: NDArray[np.int64], below_x: Array, below_y: Array, defects_below: Array,
) -> Any:  # fmt: skip
    """The defect sqrt(q q') - sign s of one pair in block k, where subtracting would leave rounding alone.

    A block that sees two inputs as parallel, but of two norms, has gap (sqrt q - sqrt q')^2 / 2 and angle 0. There the
    defect is summed from what the block sees: with S = sum_v A_v K_v over units v of signals a_v, b_v and defects
    delta_v of K_v = kappa a_v b_v - delta_v,

        sqrt(Q Q') - S = sqrt(Q Q') / 2 sum_v A_v kappa (a_v / sqrt Q - b_v / sqrt Q')^2 + sum_v A_v delta_v.

    The units are input coordinates at the first layer (delta = 0, kappa = 1), blocks above it. operator[k, label[v]] is
    A_v; below_x, below_y: (units, inputs), the signals; defects_below: (units, rows, columns); a, b: sqrt Q, sqrt Q'.
    """
    f = operator.dtype.type
    spread, carried = f(0), f(0)
    for v in range(label.size):
        weight = operator[k, label[v]]
        if weight > f(0):
            e = below_x[v, row + i] / a - sign * below_y[v, column + j] / b
            spread += weight * e * e
            if not first:
                carried += weight * defects_below[v, i, j]
    return f(0.5) * a * b * (f(1) if first else kappa) * spread + carried
