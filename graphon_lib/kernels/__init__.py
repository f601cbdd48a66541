"""The Graphon NTK and NNGP: kernels of masked networks in the limit of infinite width.

For the network z^(l) = sigma_w / sqrt(n_{l-1}) (M^(l) * omega^(l)) phi(z^(l-1)) with omega ~ N(0, 1), no biases, and
masks M^(l) whose limits are the graphons W^(l) of one chain (Proposition 1 and Theorem 1 of the paper):

.. math::
    S_1(u) &= \\sigma_w^2 \\sum_j W_1(u, j)\\, x_j x'_j / d \\\\
    S_{l+1}(u) &= \\sigma_w^2 \\int W_{l+1}(u, v)\\, K_l(v)\\, dv, \\qquad K_l = E[\\phi(a)\\phi(b)] \\\\
    \\Theta_1 &= S_1, \\qquad
    \\Theta_{l+1}(u) = S_{l+1}(u) + \\sigma_w^2 \\int W_{l+1}(u, v)\\, D'_l(v)\\, \\Theta_l(v)\\, dv,
    \\qquad D'_l = E[\\phi'(a)\\phi'(b)],

with (a, b) the Gaussian pair of covariance S_l(v). The kernel is the mean of Theta_{L+1} over the outputs. Summed
out, this is S_{L+1} plus, for each layer l, the integral of G_l S_l with the backward factors G_l of Theorem 1: the
same number in one pass instead of two. For step graphons every integral is a finite sum, so the result is exact.

Read on in this order: ``reduction`` (which blocks need computing), ``recursion`` (the layers, on one tile of the
kernel), ``fused`` (the same compiled, with ``piecewise_linear``, ``smooth`` and ``arithmetic``), ``tiles`` (all tiles:
threads, cluster, files), ``analytic`` and ``second_moment`` (the public functions).
"""

from graphon_lib.kernels.analytic import graphon_nngp, graphon_ntk
from graphon_lib.kernels.second_moment import SecondMoment, second_moment_ntk

__all__ = ["SecondMoment", "graphon_nngp", "graphon_ntk", "second_moment_ntk"]
