"""The Graphon NTK and NNGP of a chain, in the limit of infinite width."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike, NDArray

from graphon_lib.activations import DualActivation, Hermite, as_dual
from graphon_lib.arguments import finite, floats, positive, precision
from graphon_lib.graphons import Chain, StepGraphon
from graphon_lib.kernels.recursion import Plan, prepare
from graphon_lib.kernels.reduction import reduce
from graphon_lib.kernels.tiles import run

logger = logging.getLogger(__name__)

# The relative error of one layer's dual activations above which a Hermite series warns.
TOLERANCE = 1e-6

Kernel = NDArray[np.floating[Any]]
Activation = str | DualActivation | Callable[[Any], Any]


def graphon_ntk(
    inputs: ArrayLike | torch.Tensor,
    chain: Chain | Sequence[StepGraphon | None],
    *,
    other: ArrayLike | torch.Tensor | None = None,
    activation: Activation = "relu",
    weight_variance: float = 2.0,
    dtype: DTypeLike = np.float64,
    out: Kernel | str | Path | None = None,
    client: Any = None,
    device: str | torch.device | None = None,
) -> Kernel:
    """The Graphon NTK: how training the kept weights couples the outputs on two inputs, at infinite width.

    Parameters
    ----------
    inputs : (N, d) array or tensor
    chain : Chain, or sequence of StepGraphon and None (an unpruned layer)
        L + 1 graphons, input to output. ``[None] * (L + 1)`` is the dense network.
    other : (M, d) array or tensor, optional
        Second set of inputs; default: the first one again, and the kernel is exactly symmetric.
    activation : str, DualActivation or callable
        A name in :data:`graphon_lib.activations.ACTIVATIONS` ("relu", "erf", "gelu", "tanh" ...), an object with closed
        forms of its own, or any elementwise function, which is taken through its Hermite series.
    weight_variance : float
        sigma_w^2 > 0; 2 is He's initialisation for ReLU, the paper's text has 1.
    dtype : float64 or float32
        Of the arithmetic and the result. float32 is about twice as fast, and within 1e-5 of the largest entry.
    out : array, memory map, or name of a .npy file, optional
        Where the result goes. A file is filled tile by tile, beside a list ``<name>.tiles`` of those that are done: the
        same call, made again after an interruption, computes the missing ones only.
    client : distributed.Client, optional
        A Dask cluster whose workers share the tiles. The numbers are those of the call without, bit by bit.
    device : str or torch.device, optional
        Compute there, with torch ("cuda"); default: the device of inputs that are tensors on a GPU, and else this
        processor, by compiled code.

    Returns
    -------
    (N, M) array
        The mean over outputs of Theta; a memory map where ``out`` names a file. Beyond it, memory holds the inputs,
        their variances (N x blocks x layers numbers), and a few megabytes a thread; for a Hermite series, which has
        twice its terms of numbers for each variance, those of 4096 inputs.

    Raises
    ------
    ValueError
        If inputs are not finite matrices of equal d, the chain does not fit together or was made for another d, out
        does not fit or holds another kernel, or an argument is out of its range.
    TypeError
        If activation is neither a name, a DualActivation nor a function, or out is none of the above.

    Warns
    -----
    UserWarning
        If the bound on a Hermite series' relative error (:meth:`graphon_lib.activations.Hermite.truncation_error`)
        exceeds 1e-6; the bound itself goes to the log, at level INFO.

    References
    ----------
    Pham et al. (NeurIPS 2025), Theorem 1; all-ones graphons give the NTK of Jacot et al. (2018).
    """
    return _kernel(inputs, chain, other, activation, weight_variance, dtype, out, client, device, tangent=True)


def graphon_nngp(
    inputs: ArrayLike | torch.Tensor,
    chain: Chain | Sequence[StepGraphon | None],
    *,
    other: ArrayLike | torch.Tensor | None = None,
    activation: Activation = "relu",
    weight_variance: float = 2.0,
    dtype: DTypeLike = np.float64,
    out: Kernel | str | Path | None = None,
    client: Any = None,
    device: str | torch.device | None = None,
) -> Kernel:
    """The covariance of the outputs of a masked network at initialisation, at infinite width: S_{L+1}.

    Parameters, result, errors and warnings as :func:`graphon_ntk`.

    References
    ----------
    Pham et al. (NeurIPS 2025), Proposition 1; all-ones graphons give the NNGP of Lee et al. (2018).
    """
    return _kernel(inputs, chain, other, activation, weight_variance, dtype, out, client, device, tangent=False)


def _kernel(
    inputs: ArrayLike | torch.Tensor,
    chain: Chain | Sequence[StepGraphon | None],
    other: ArrayLike | torch.Tensor | None,
    activation: Activation,
    weight_variance: float,
    dtype: DTypeLike,
    out: Kernel | str | Path | None,
    client: Any,
    device: str | torch.device | None,
    *,
    tangent: bool,
) -> Kernel:
    x = matrix("inputs", inputs)
    y = None if other is None else matrix("other", other)
    if y is not None and y.shape[1] != x.shape[1]:
        raise ValueError(
            f"other has {y.shape[1]} coordinates, but inputs have {x.shape[1]}; both go through one network"
        )
    weight_variance = positive("weight_variance", weight_variance, "a positive number, such as 2 (He)")
    dtype = precision("dtype", dtype)
    if device is None and isinstance(inputs, torch.Tensor) and inputs.device.type != "cpu":
        device = inputs.device
    phi = as_dual(activation)
    reduced = reduce(Chain.of(chain), x.shape[1], weight_variance=weight_variance, homogeneous=phi.homogeneous)
    place = None if device is None else str(torch.device(device))
    plan = prepare(x, y, reduced, phi, dtype, tangent=tangent, device=place)
    if isinstance(phi, Hermite):
        plan = replace(plan, phi=_resolved(phi, plan))
    return run(plan, out=out, client=client)


def _resolved(phi: Hermite, plan: Plan) -> Hermite:
    """The series with the terms that the plan's variances need; says how exact it is."""
    variances = np.concatenate([q.ravel() for q in (*plan.variances_x[:-1], *plan.variances_y[:-1])])
    series, error = phi.resolved(variances, TOLERANCE)
    found = f"the Hermite series of {phi.function} to order {series.terms} has a relative error of at most {error:.1e}"
    logger.info(found)
    if error > TOLERANCE:
        warnings.warn(
            f"{found} a layer, not {TOLERANCE:.0e}: variances reach {variances.max():.2g}, or the function has a kink; "
            "scale the inputs down, or pass activation=Hermite(function, terms=...) with more terms",
            stacklevel=4,
        )
    return series


def matrix(name: str, values: ArrayLike | torch.Tensor) -> NDArray[np.float64]:
    """Inputs as a float64 matrix (N, d); ValueError where they are none, or not finite."""
    found = floats(name, values)
    if found.ndim != 2 or found.size == 0:
        raise ValueError(f"{name} has shape {found.shape}, but must be a non-empty matrix (N inputs, d coordinates)")
    return finite(name, found)
