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
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.spatial.distance import cdist
from tqdm import tqdm

from graphon_lib.activations import ACTIVATIONS, Array, DualActivation
from graphon_lib.graphons import Chain, StepGraphon

# Elements of one working array, blocks x pairs of inputs: small enough that a layer's handful of them stays in cache.
TILE_ELEMENTS = 2**18


def graphon_ntk(
    inputs: ArrayLike,
    chain: Chain | Sequence[StepGraphon | None],
    *,
    other: ArrayLike | None = None,
    activation: str | DualActivation = "relu",
    weight_variance: float = 2.0,
    dtype: DTypeLike = np.float64,
) -> NDArray[np.floating[Any]]:
    """The Graphon NTK: how training the kept weights couples the outputs on two inputs, at infinite width.

    Parameters
    ----------
    inputs : (N, d) array
    chain : Chain, or sequence of StepGraphon and None (an unpruned layer)
        L + 1 graphons, input to output. ``[None] * (L + 1)`` is the dense network.
    other : (M, d) array, optional
        Second set of inputs; default: the first one again, and the kernel is exactly symmetric.
    activation : {"relu", "erf"} or DualActivation
    weight_variance : float
        sigma_w^2 > 0; 2 is He's initialisation for ReLU, the paper's text has 1.
    dtype : float64 or float32
        Of the arithmetic and the result.

    Returns
    -------
    (N, M) array
        The mean over outputs of Theta.

    Raises
    ------
    ValueError
        If inputs are not finite matrices of equal d, the chain does not fit together or was made for another d, or an
        argument is out of its range.
    TypeError
        If activation is neither a name nor a DualActivation.

    References
    ----------
    Pham et al. (NeurIPS 2025), Theorem 1; all-ones graphons give the NTK of Jacot et al. (2018).
    """
    return _kernels(inputs, chain, other, activation, weight_variance, dtype)[1]


def graphon_nngp(
    inputs: ArrayLike,
    chain: Chain | Sequence[StepGraphon | None],
    *,
    other: ArrayLike | None = None,
    activation: str | DualActivation = "relu",
    weight_variance: float = 2.0,
    dtype: DTypeLike = np.float64,
) -> NDArray[np.floating[Any]]:
    """The covariance of the outputs of a masked network at initialisation, at infinite width: S_{L+1}.

    Parameters, result and errors as :func:`graphon_ntk`.

    References
    ----------
    Pham et al. (NeurIPS 2025), Proposition 1; all-ones graphons give the NNGP of Lee et al. (2018).
    """
    return _kernels(inputs, chain, other, activation, weight_variance, dtype)[0]


def _kernels(
    inputs: ArrayLike,
    chain: Chain | Sequence[StepGraphon | None],
    other: ArrayLike | None,
    activation: str | DualActivation,
    weight_variance: float,
    dtype: DTypeLike,
) -> tuple[Array, Array]:
    x = _matrix("inputs", inputs)
    y = x if other is None else _matrix("other", other)
    if y.shape[1] != x.shape[1]:
        raise ValueError(
            f"other has {y.shape[1]} coordinates, but inputs have {x.shape[1]}; both go through one network"
        )
    if not (np.isfinite(weight_variance) and weight_variance > 0):
        raise ValueError(f"weight_variance is {weight_variance!r}, but must be a positive number, such as 2 (He)")
    if np.dtype(dtype) not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f"dtype is {np.dtype(dtype)}, but must be float64 or float32")
    phi = _dual(activation)
    chain = Chain.of(chain)
    labels = chain.input_labels(x.shape[1])
    # Theta(x, x') = |x| |x'| Theta(x/|x|, x'/|x'|) for homogeneous phi: parallel inputs then have gap 0, exactly.
    scale_x, scale_y = (_norms(z) if phi.homogeneous else np.ones((len(z), 1)) for z in (x, y))
    input_blocks = chain.graphons[0].values.shape[1]
    x_parts, y_parts = (_by_block(z, labels, input_blocks) for z in (x / scale_x, y / scale_y))
    # W_l times the measure of its columns and sigma_w^2: every integral of the recursion is one product.
    operators = [(weight_variance * g.values * g.column_measure).astype(dtype) for g in chain.graphons]
    operators[0] = (weight_variance * chain.graphons[0].values / x.shape[1]).astype(dtype)
    mean_output = chain.graphons[-1].row_measure.astype(dtype)
    variances_x = _variances(x_parts, operators, phi)
    variances_y = variances_x if other is None else _variances(y_parts, operators, phi)

    nngp, ntk = (np.empty((len(x), len(y)), dtype=dtype) for _ in range(2))
    side = max(1, int(np.sqrt(TILE_ELEMENTS / max(max(operator.shape) for operator in operators))))
    tiles = list(_tiles(len(x), len(y), side, symmetric=other is None))
    for rows, columns in tqdm(tiles, desc="kernel", unit="tile", disable=None, delay=2, leave=False):
        covariance, tangent = _tile(
            [part[rows] for part in x_parts],
            [part[columns] for part in y_parts],
            [q[:, rows] for q in variances_x],
            [q[:, columns] for q in variances_y],
            operators,
            phi,
        )
        for kernel, values in ((nngp, covariance), (ntk, tangent)):
            tile = np.tensordot(mean_output, values, axes=1) * (scale_x[rows] * scale_y[columns].T)
            kernel[rows, columns] = tile
    if other is None:
        for kernel in (nngp, ntk):
            # Only tiles on and below the diagonal were computed.
            kernel[:] = np.tril(kernel) + np.tril(kernel, -1).T
    return nngp, ntk


def _tile(
    x_parts: list[Array],
    y_parts: list[Array],
    variances_x: list[Array],
    variances_y: list[Array],
    operators: list[Array],
    phi: DualActivation,
) -> tuple[Array, Array]:
    """S_{L+1} and Theta_{L+1}, each (output blocks, rows, columns), for one tile of pairs of inputs."""
    dtype = operators[0].dtype
    # Half the squared differences (sums) of two inputs over each input block; cdist subtracts before it squares.
    gap, cogap = (
        _apply(operators[0], np.stack([cdist(a, sign * b, "sqeuclidean") for a, b in zip(x_parts, y_parts, strict=True)]
                                      ).astype(dtype) / 2)
        for sign in (1, -1)
    )  # fmt: skip
    covariance = (cogap - gap) / 2  # S_1
    tangent = covariance  # Theta_1
    for layer, operator in enumerate(operators[1:]):
        q, q_other = variances_x[layer][:, :, None], variances_y[layer][:, None, :]
        gap, derivative = phi.dual(q, q_other, gap, cogap)
        gap, propagated = _apply(operator, gap), _apply(operator, derivative * tangent)
        both = variances_x[layer + 1][:, :, None] + variances_y[layer + 1][:, None, :]
        cogap = both - gap
        covariance = both / 2 - gap  # S_{l+1}
        tangent = covariance + propagated  # Theta_{l+1}
    return covariance, tangent


def _variances(parts: list[Array], operators: list[Array], phi: DualActivation) -> list[Array]:
    """The variances S_l(u; x, x) of all layers, each (blocks, N)."""
    variances = [operators[0] @ np.stack([(part**2).sum(axis=1) for part in parts]).astype(operators[0].dtype)]
    for operator in operators[1:]:
        variances.append(operator @ phi.second_moment(variances[-1]))
    return variances


def _apply(operator: Array, values: Array) -> Array:
    return (operator @ values.reshape(len(values), -1)).reshape(-1, *values.shape[1:])


def _tiles(rows: int, columns: int, side: int, *, symmetric: bool) -> Iterator[tuple[slice, slice]]:
    for r, c in itertools.product(range(0, rows, side), range(0, columns, side)):
        if not symmetric or c <= r:
            yield slice(r, min(r + side, rows)), slice(c, min(c + side, columns))


def _by_block(x: Array, labels: NDArray[np.int64], blocks: int) -> list[Array]:
    return [np.ascontiguousarray(x[:, labels == block]) for block in range(blocks)]


def _norms(x: Array) -> Array:
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return cast(Array, np.where(norms > 0, norms, 1.0))


def _matrix(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}, but must be a non-empty matrix (N inputs, d coordinates)")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinity; drop or repair these inputs first")
    return array


def _dual(activation: str | DualActivation) -> DualActivation:
    if isinstance(activation, str) and activation not in ACTIVATIONS:
        raise ValueError(f"activation is {activation!r}, but must be one of {sorted(ACTIVATIONS)}, or a DualActivation")
    dual = ACTIVATIONS[activation] if isinstance(activation, str) else activation
    if not isinstance(dual, DualActivation):
        raise TypeError(
            f"activation is a {type(dual).__name__}, but must be one of {sorted(ACTIVATIONS)}, or an object with the "
            "members of graphon_lib.activations.DualActivation"
        )
    return dual
