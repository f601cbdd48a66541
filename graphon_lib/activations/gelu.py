"""The Gaussian error linear unit."""

from __future__ import annotations

import math

from graphon_lib.activations.dual import Numbers, defects, namespace


class GELU:
    """phi(z) = z Phi(z) with Phi the normal distribution function: torch's ``nn.GELU()``, not its tanh approximation.

    With :math:`\\Delta = (1 + q)(1 + q') - s^2`, :math:`J = 1 / (2 \\pi \\sqrt\\Delta)` and
    :math:`P = E[\\Phi(a) \\Phi(b)] = \\tfrac14 + \\arctan(s / \\sqrt\\Delta) / (2 \\pi)`,

    .. math::
        K &= s P + J \\left( q q' - s^2 + \\frac{s^2}{1 + q} + \\frac{s^2}{1 + q'} \\right) \\\\
        D' &= P + s J \\left( \\frac1{1 + q} + \\frac1{1 + q'} + \\frac1\\Delta \\right).

    Gaussian integration by parts, E[a f] = q E[df/da] + s E[df/db], takes the factors a and b out of E[a b Phi Phi] and
    leaves P and Gaussian integrals: J is the density of (a + z, b + z') at zero, z and z' independent normal.
    """

    homogeneous = False

    def second_moment(self, q: Numbers) -> Numbers:
        xp = namespace(q)
        # K at s = q = q', where Delta = 1 + 2 q.
        root = xp.sqrt(1 + 2 * q)
        angle: Numbers = xp.arctan2(root, -q)
        moment: Numbers = q / (2 * math.pi) * (angle + 2 * q / ((1 + q) * root))
        return moment

    def dual(self, q: Numbers, q_other: Numbers, gap: Numbers, cogap: Numbers) -> tuple[Numbers, Numbers]:
        xp = namespace(gap)
        apart, together = defects(q, q_other, gap, cogap)
        s = 0.5 * (cogap - gap)
        # q q' - s^2 as the product of the defects: no cancellation.
        residual = apart * together
        delta = 1 + q + q_other + residual
        root = xp.sqrt(delta)
        # 2 pi P: a quarter turn beyond arctan(s / root), as one angle, which keeps its digits where s is very negative.
        turn = xp.arctan2(root, -s)
        inverse = 1 / (1 + q) + 1 / (1 + q_other)
        covariance = (s * turn + (residual + s * (s * inverse)) / root) / (2 * math.pi)
        gap_out = 0.5 * (self.second_moment(q) + self.second_moment(q_other)) - covariance
        return xp.clip(gap_out, 0, None), (turn + s * (inverse + 1 / delta) / root) / (2 * math.pi)
