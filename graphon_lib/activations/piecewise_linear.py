"""Leaky ReLU, and with it ReLU, the identity and the absolute value: one slope on each side of zero."""

from __future__ import annotations

import math

from graphon_lib.activations.dual import Numbers, defects, namespace
from graphon_lib.arguments import LARGEST, number

_ALLOWED = f"a finite number, at most {LARGEST:.0e} in size; 0 is ReLU, 0.01 the usual leak"


class LeakyReLU:
    """phi(z) = z for z > 0 and alpha z otherwise: the arc-cosine kernels of degree 1 and 0, through the angle's half.

    With cos(theta) = s / sqrt(q q'), kappa = (1 + alpha^2) / 2 and c = (1 - alpha)^2 / (2 pi),

    .. math:: K = \\kappa s + c (\\sqrt{q q'} \\sin\\theta - \\theta s), \\qquad D' = \\kappa - c\\, \\theta.

    Two neurons without input (q = 0) have theta = 0.

    Parameters
    ----------
    negative_slope : float
        alpha, any finite number: 0 is ReLU, 1 the identity, -1 the absolute value.

    Raises
    ------
    ValueError
        If negative_slope is not a finite number.

    References
    ----------
    Cho and Saul (2009), *Kernel Methods for Deep Learning*, for alpha = 0. In general
    phi(z) = (1 + alpha)/2 z + (1 - alpha)/2 abs(z), whose two parts are uncorrelated.
    """

    homogeneous = True

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = number("negative_slope", negative_slope, _ALLOWED)
        if abs(self.negative_slope) > LARGEST:
            raise ValueError(f"negative_slope is {negative_slope!r}, but must be {_ALLOWED}")
        self._kappa = (1 + self.negative_slope**2) / 2
        self._c = (1 - self.negative_slope) ** 2 / (2 * math.pi)

    def second_moment(self, q: Numbers) -> Numbers:
        return self._kappa * q

    def dual(self, q: Numbers, q_other: Numbers, gap: Numbers, cogap: Numbers) -> tuple[Numbers, Numbers]:
        xp = namespace(gap)
        apart, together = defects(q, q_other, gap, cogap)
        # tan(theta / 2)^2 = (1 - r) / (1 + r): exact to rounding at every angle, where arccos(r) keeps half the digits.
        theta = 2 * xp.arctan2(xp.sqrt(apart), xp.sqrt(together))
        s = 0.5 * (cogap - gap)
        # The gap of the outputs is kappa (q + q') / 2 - K.
        gap_out = self._kappa * gap - self._c * (xp.sqrt(apart * together) - theta * s)
        return xp.clip(gap_out, 0, None), self._kappa - self._c * theta


def ReLU() -> LeakyReLU:  # noqa: N802
    """phi(z) = max(z, 0)."""
    return LeakyReLU(0.0)


def Linear() -> LeakyReLU:  # noqa: N802
    """phi(z) = z: gaps pass unchanged, and D' is exactly 1."""
    return LeakyReLU(1.0)
