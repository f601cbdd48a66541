"""Dual activations: what a layer's nonlinearity does to Gaussian pre-activations.

For centred Gaussians (a, b) with variances q, q' and covariance s, a kernel needs two expectations,

.. math:: K = E[\\phi(a) \\phi(b)], \\qquad D' = E[\\phi'(a) \\phi'(b)].

Covariances lose their digits where a and b are nearly equal or nearly opposite: that is where kernels of similar images
live, and where ReLU's derivative has a kink. So a pair is described here by its *gaps*,

.. math:: \\gamma = \\tfrac12 E(a - b)^2 = \\tfrac12 (q + q') - s, \\qquad
          \\bar\\gamma = \\tfrac12 E(a + b)^2 = \\tfrac12 (q + q') + s,

which are sums of squares at the first layer, pass through a layer's average as covariances do, and never cancel. A dual
activation takes the gaps and returns the gap of the outputs, (E phi(a)^2 + E phi(b)^2)/2 - K, beside D'.

To add an activation, write one class with these three members and name it in ``ACTIVATIONS``.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

# float64, or float32 where a kernel is asked for in it.
Array = NDArray[np.floating[Any]]


@runtime_checkable
class DualActivation(Protocol):
    """The expectations of one activation function under Gaussian pre-activations.

    Attributes
    ----------
    homogeneous : bool
        Whether phi(t z) = t phi(z) for t > 0. Kernels of such activations are computed on unit inputs.
    """

    homogeneous: bool

    def second_moment(self, q: Array) -> Array:
        """E[phi(a)^2] for a of variance q >= 0; any shape."""

    def dual(self, q: Array, q_other: Array, gap: Array, cogap: Array) -> tuple[Array, Array]:
        """The gap of the outputs, and D' = E[phi'(a) phi'(b)]; all arguments broadcast together."""


def _defects(q: Array, q_other: Array, gap: Array, cogap: Array) -> tuple[Array, Array]:
    """sqrt(q q') - s and sqrt(q q') + s, zero at parallel and at opposite; rounding below zero is cut off."""
    spread = 0.5 * (np.sqrt(q) - np.sqrt(q_other)) ** 2
    return np.maximum(gap - spread, 0), np.maximum(cogap - spread, 0)


class ReLU:
    """phi(z) = max(z, 0): the arc-cosine kernels of degree 1 and 0 (Cho and Saul 2009), through the angle's half.

    With r = s / sqrt(q q') = cos(theta): K = sqrt(q q') (sin theta + (pi - theta) cos theta) / (2 pi) and
    D' = (pi - theta) / (2 pi). Two neurons without input (q = 0) have theta = 0.
    """

    homogeneous = True

    def second_moment(self, q: Array) -> Array:
        return 0.5 * q

    def dual(self, q: Array, q_other: Array, gap: Array, cogap: Array) -> tuple[Array, Array]:
        apart, together = _defects(q, q_other, gap, cogap)
        # tan(theta / 2)^2 = (1 - r) / (1 + r): exact to rounding at every angle, where arccos(r) keeps half the digits.
        theta = 2 * np.arctan2(np.sqrt(apart), np.sqrt(together))
        s = 0.5 * (cogap - gap)
        # K = s / 2 + (sqrt(q q') sin(theta) - theta s) / (2 pi), and the gap of the outputs is (q + q') / 4 - K.
        gap_out = 0.5 * gap - (np.sqrt(apart * together) - theta * s) / (2 * np.pi)
        return np.maximum(gap_out, 0), 0.5 - theta / (2 * np.pi)


class Erf:
    """phi(z) = erf(z): the arcsine kernel (Williams 1997, eq. 11) and its derivative dual.

    K = (2 / pi) arcsin(2 s / sqrt((1 + 2 q)(1 + 2 q'))) and D' = (4 / pi) / sqrt((1 + 2 q)(1 + 2 q') - 4 s^2).
    """

    homogeneous = False

    def second_moment(self, q: Array) -> Array:
        # arcsin(2 q / (1 + 2 q)), which loses digits in large q.
        return (2 / np.pi) * np.arctan2(2 * q, np.sqrt(1 + 4 * q))

    def dual(self, q: Array, q_other: Array, gap: Array, cogap: Array) -> tuple[Array, Array]:
        apart, together = _defects(q, q_other, gap, cogap)
        # (1 + 2 q)(1 + 2 q') - 4 s^2, with q q' - s^2 as the product of the defects: no cancellation.
        root = np.sqrt(1 + 2 * (q + q_other) + 4 * apart * together)
        covariance = (2 / np.pi) * np.arctan2(cogap - gap, root)
        gap_out = 0.5 * (self.second_moment(q) + self.second_moment(q_other)) - covariance
        return np.maximum(gap_out, 0), (4 / np.pi) / root


ACTIVATIONS: dict[str, DualActivation] = {"relu": ReLU(), "erf": Erf()}
