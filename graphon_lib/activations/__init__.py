"""Dual activations: what a layer's nonlinearity does to Gaussian pre-activations.

For centred Gaussians (a, b) with variances q, q' and covariance s, a kernel needs two expectations,

.. math:: K = E[\\phi(a) \\phi(b)], \\qquad D' = E[\\phi'(a) \\phi'(b)].

Covariances lose their digits where a and b are nearly equal or nearly opposite: that is where kernels of similar images
live, and where ReLU's derivative has a kink. So a pair is described here by its *gaps*,

.. math:: \\gamma = \\tfrac12 E(a - b)^2 = \\tfrac12 (q + q') - s, \\qquad
          \\bar\\gamma = \\tfrac12 E(a + b)^2 = \\tfrac12 (q + q') + s,

which are sums of squares at the first layer, pass through a layer's average as covariances do, and never cancel. A dual
activation takes the gaps and returns the gap of the outputs, (E phi(a)^2 + E phi(b)^2)/2 - K, beside D'.

To add an activation:

1. Any function is one already: ``graphon_ntk(..., activation=torch.nn.functional.mish)`` takes its Hermite series.
2. For closed forms, write a class with the three members of :class:`DualActivation` in a file of its own here, with
   the functions of ``namespace(gap)``, so that it runs on tensors too.
3. Name it in ``ACTIVATIONS``, and its layer in ``graphon_lib.networks.ACTIVATION_LAYERS``.
4. Name phi and its derivative in ``PHI`` of ``tests/test_activations.py``, which then proves it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from graphon_lib.activations.dual import Array as Array
from graphon_lib.activations.dual import DualActivation as DualActivation
from graphon_lib.activations.erf import Erf as Erf
from graphon_lib.activations.gelu import GELU as GELU
from graphon_lib.activations.hermite import Hermite as Hermite
from graphon_lib.activations.piecewise_linear import LeakyReLU as LeakyReLU
from graphon_lib.activations.piecewise_linear import Linear as Linear
from graphon_lib.activations.piecewise_linear import ReLU as ReLU


def silu(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """z times its logistic function, which torch calls ``nn.SiLU``."""
    values: NDArray[np.float64] = z * expit(z)
    return values


ACTIVATIONS: dict[str, DualActivation] = {
    "relu": ReLU(),
    "leaky_relu": LeakyReLU(0.01),
    "linear": Linear(),
    "erf": Erf(),
    "gelu": GELU(),
    "tanh": Hermite(np.tanh),
    "sigmoid": Hermite(expit),
    "silu": Hermite(silu),
}


def as_dual(activation: str | DualActivation | Callable[[Any], Any]) -> DualActivation:
    """The dual activation of a name in ``ACTIVATIONS``, of a dual activation itself, or of any elementwise function.

    Raises
    ------
    ValueError
        If the name is unknown, or as :class:`Hermite` for a function.
    TypeError
        If activation is none of these.
    """
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation is {activation!r}, but must be one of {sorted(ACTIVATIONS)}, or a DualActivation, or a "
                "function such as torch.nn.functional.mish"
            )
        return ACTIVATIONS[activation]
    # A class has the members that its objects have, and can be called.
    if not isinstance(activation, type):
        if isinstance(activation, DualActivation):
            return activation
        if callable(activation):
            return Hermite(activation)
    raise TypeError(
        f"activation is a {type(activation).__name__}, but must be one of {sorted(ACTIVATIONS)}, or an object with the "
        "members of graphon_lib.activations.DualActivation, or a function such as torch.nn.functional.mish"
    )
