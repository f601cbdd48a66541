"""The error function."""

from __future__ import annotations

import math

from graphon_lib.activations.dual import Numbers, defects, namespace


class Erf:
    """phi(z) = erf(z): the arcsine kernel (Williams 1997, eq. 11) and its derivative dual.

    K = (2 / pi) arcsin(2 s / sqrt((1 + 2 q)(1 + 2 q'))) and D' = (4 / pi) / sqrt((1 + 2 q)(1 + 2 q') - 4 s^2).
    """

    homogeneous = False

    def second_moment(self, q: Numbers) -> Numbers:
        xp = namespace(q)
        # arcsin(2 q / (1 + 2 q)), which loses digits in large q.
        angle: Numbers = xp.arctan2(2 * q, xp.sqrt(1 + 4 * q))
        return (2 / math.pi) * angle

    def dual(self, q: Numbers, q_other: Numbers, gap: Numbers, cogap: Numbers) -> tuple[Numbers, Numbers]:
        xp = namespace(gap)
        apart, together = defects(q, q_other, gap, cogap)
        # (1 + 2 q)(1 + 2 q') - 4 s^2, with q q' - s^2 as the product of the defects: no cancellation.
        root = xp.sqrt(1 + 2 * (q + q_other) + 4 * apart * together)
        covariance = (2 / math.pi) * xp.arctan2(cogap - gap, root)
        gap_out = 0.5 * (self.second_moment(q) + self.second_moment(q_other)) - covariance
        return xp.clip(gap_out, 0, None), (4 / math.pi) / root
