"""What the eigenvalues of a kernel say about training: spectral metrics, alignment with labels, predicted loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import eigh, eigvalsh

from graphon_lib.arguments import STEPS, array, finite, number, whole

Array = np.ndarray | torch.Tensor


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The eigenvalues of a kernel and the four metrics of the paper's Fig. 3.

    Attributes
    ----------
    eigenvalues : float64 array (N,)
        lambda_1 >= lambda_2 >= ... >= lambda_N >= 0; what rounding made negative is zero.
    decay : float
        The exponent alpha of lambda_k ~ k^-alpha: minus the slope of the least-squares line of log lambda_k on log k
        over the numerically positive eigenvalues, lambda_k > N eps lambda_1 with eps of the kernel's dtype.
        Infinite if only lambda_1 is.
    effective_rank : float
        trace / lambda_1, from 1 (one mode holds everything) to N (all modes alike).
    gap : float
        lambda_1 / lambda_2, at least 1. Infinite if lambda_2 is not numerically positive.
    concentration : float
        Share of the trace in the ``top`` largest eigenvalues.
    top : int
        How many eigenvalues ``concentration`` counts.
    """

    eigenvalues: np.ndarray
    decay: float
    effective_rank: float
    gap: float
    concentration: float
    top: int


def spectrum(kernel: Array, *, top: int = 5) -> Spectrum:
    """Eigenvalues and spectral metrics of a kernel (Pham et al. 2025, section 6 and Fig. 3).

    All metrics are invariant to the scale of the kernel and to the order of the inputs.

    Parameters
    ----------
    kernel : array or tensor (N, N), float32 or float64
        Symmetric and positive semidefinite up to rounding, N at least 2.
    top : int
        Number of leading eigenvalues whose share of the trace is the concentration, from 1 to N.

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        If the kernel is not square, finite, symmetric, positive semidefinite and different from zero, or top is out of
        range.
    TypeError
        If the kernel is neither float32 nor float64.
    """
    matrix, epsilon = _symmetric(kernel)
    size = len(matrix)
    top = whole("top", top, 1, size)
    eigenvalues = _semidefinite(eigvalsh(matrix), epsilon)[::-1].copy()
    positive = eigenvalues[eigenvalues > size * epsilon * eigenvalues[0]]
    several = len(positive) > 1
    trace = eigenvalues.sum()
    return Spectrum(
        eigenvalues=eigenvalues,
        decay=_power(positive) if several else math.inf,
        effective_rank=float(trace / eigenvalues[0]),
        gap=float(eigenvalues[0] / eigenvalues[1]) if several else math.inf,
        concentration=float(eigenvalues[:top].sum() / trace),
        top=top,
    )


def alignment(kernel: Array, labels: Array) -> float:
    """Centred alignment of a kernel with the classes: the cosine between the centred kernel and that of the labels.

    With H = I - 11^T/N and one-hot labels Y, <HKH, HYY^T H> / (|HKH| |HYY^T H|) in Frobenius inner product and norm.
    Kernel-target alignment is due to Cristianini, Shawe-Taylor, Elisseeff and Kandola (2001); centring, without which
    a constant added to the kernel hides everything else, to Cortes, Mohri and Rostamizadeh (2012, Definition 4).

    Parameters
    ----------
    kernel : array or tensor (N, N), float32 or float64
        Symmetric.
    labels : array or tensor (N,) of whole numbers
        At least two classes.

    Returns
    -------
    float
        In [-1, 1]; 0 or more for a positive semidefinite kernel, and the same for every positive multiple of it.

    Raises
    ------
    ValueError
        If the kernel is not square, finite and symmetric, is constant, or labels are not N entries of two or more
        classes.
    TypeError
        If the kernel is neither float32 nor float64, or labels are not whole numbers.
    """
    matrix, epsilon = _symmetric(kernel)
    classes = array("labels", labels)
    if classes.shape != (len(matrix),):
        raise ValueError(
            f"labels has shape {classes.shape}, but must be ({len(matrix)},): one class for each row of kernel"
        )
    if classes.dtype.kind not in "iu":
        raise TypeError(f"labels has dtype {classes.dtype}, but classes are whole numbers; convert them")
    names = np.unique(classes)
    if len(names) < 2:
        raise ValueError(f"labels has the single class {names[0]}, but alignment compares classes; pass two or more")
    centred = _centre(matrix)
    norm = np.linalg.norm(centred)
    if norm <= len(matrix) * epsilon * np.linalg.norm(matrix):
        raise ValueError("kernel is constant, so that nothing of it is left to align once centred; pass another kernel")
    one_hot = (classes[:, None] == names).astype(np.float64)
    target = _centre(one_hot @ one_hot.T)
    cosine = np.vdot(centred, target) / (norm * np.linalg.norm(target))
    return float(np.clip(cosine, -1.0, 1.0))


def predicted_loss(kernel: Array, residual: Array, *, steps: int, learning_rate: float) -> np.ndarray:
    r"""The loss curve of full-batch gradient descent on squared loss that a fixed kernel implies.

    The loss is the mean over images, |f - y|^2 / (2N), so its gradient moves the outputs by
    f(t+1) = f(t) - (eta / N) Theta (f(t) - y). In the eigenbasis Theta v_k = lambda_k v_k every mode shrinks by itself:

        loss(t) = sum_k (1 - eta lambda_k / N)^(2t) |v_k . r_0|^2 / (2N),        r_0 = f(0) - y.

    Exact for a model linear in its parameters with kernel Theta = J J^T; for a network it holds while the kernel stays
    as it was (Jacot, Gabriel and Hongler 2018).

    Parameters
    ----------
    kernel : array or tensor (N, N), float32 or float64
        Theta, symmetric and positive semidefinite up to rounding; the same for each output, as in the
        infinite-width limit.
    residual : array or tensor (N,) or (N, C)
        Outputs minus targets before training; the losses of C outputs are added.
    steps : int
        Number of updates, at least 0.
    learning_rate : float
        eta, positive and at most 2N / lambda_1, where gradient descent stops to be stable.

    Returns
    -------
    float64 array (steps + 1,)
        The loss before each update and after the last; it never increases.

    Raises
    ------
    ValueError
        If kernel or residual has a wrong shape or entries that are not finite, kernel is not symmetric, positive
        semidefinite and different from zero, or steps or learning_rate is out of range.
    TypeError
        If the kernel is neither float32 nor float64.
    """
    matrix, epsilon = _symmetric(kernel)
    size = len(matrix)
    start = finite("residual", residual)
    if start.ndim not in (1, 2) or len(start) != size or not start.size:
        raise ValueError(f"residual has shape {start.shape}, but must be ({size},) or ({size}, outputs) as kernel is")
    whole("steps", steps, 0, STEPS)
    rate = number("learning_rate", learning_rate, "positive and finite")
    eigenvalues, modes = eigh(matrix)
    eigenvalues = _semidefinite(eigenvalues, epsilon)
    with np.errstate(over="ignore"):  # of a kernel that is next to zero: any rate serves
        largest = 2 * size / eigenvalues[-1]
    if not 0 < rate <= largest:
        raise ValueError(
            f"learning_rate is {learning_rate!r}, but must be positive and at most 2N / lambda_1 = {largest:.6g}, "
            "beyond which gradient descent diverges; pass a value in that range"
        )
    parts = ((modes.T @ start.reshape(size, -1)) ** 2).sum(axis=1) / (2 * size)
    shrinking = (1 - rate * eigenvalues / size) ** 2
    losses = np.empty(steps + 1)
    for step in range(steps + 1):
        losses[step] = parts.sum()
        parts = parts * shrinking
    return losses


def _symmetric(kernel: Array) -> tuple[np.ndarray, float]:
    """The kernel as an exactly symmetric float64 array, and the machine epsilon of the dtype it came in."""
    given = array("kernel", kernel)
    dtype = kernel.dtype if isinstance(kernel, torch.Tensor) else given.dtype
    if dtype not in (np.float32, np.float64, torch.float32, torch.float64):
        raise TypeError(f"kernel has dtype {dtype}, but must be float32 or float64; convert it")
    epsilon = float(np.finfo(given.dtype).eps)
    matrix = finite("kernel", given)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise ValueError(
            f"kernel has shape {matrix.shape}, but must be (N, N) with N at least 2; pass one set of inputs"
        )
    largest = np.abs(matrix).max()
    difference = np.abs(matrix - matrix.T).max()
    # Half of the digits: what sums over thousands of terms in another order may differ by, and no more.
    if difference > math.sqrt(epsilon) * largest:
        raise ValueError(
            f"kernel is not symmetric: entries differ from their mirror image by up to {difference:.3g} where the "
            f"largest entry is {largest:.3g}; pass a kernel of the inputs with themselves"
        )
    return (matrix + matrix.T) / 2, epsilon


def _semidefinite(eigenvalues: np.ndarray, epsilon: float) -> np.ndarray:
    """Ascending eigenvalues with those that rounding made negative set to zero."""
    smallest, scale = eigenvalues[0], np.abs(eigenvalues).max()
    if scale == 0:
        raise ValueError("kernel is zero, so it has no spectrum; is a layer pruned away entirely?")
    if smallest < -math.sqrt(epsilon) * scale:
        raise ValueError(
            f"kernel has the eigenvalue {smallest:.3g} where the largest in size is {scale:.3g}, but kernels are "
            "positive semidefinite; pass a kernel, not a difference of kernels"
        )
    clipped: np.ndarray = np.maximum(eigenvalues, 0.0)
    return clipped


def _power(eigenvalues: np.ndarray) -> float:
    """Minus the slope of the least-squares line of log lambda_k on log k."""
    ranks = np.log(np.arange(1, len(eigenvalues) + 1))
    ranks -= ranks.mean()
    return float(-(ranks @ np.log(eigenvalues)) / (ranks @ ranks))


def _centre(matrix: np.ndarray) -> np.ndarray:
    """H K H for symmetric K: row and column means taken off."""
    mean = matrix.mean(axis=0)
    centred: np.ndarray = matrix - mean[:, None] - mean[None, :] + mean.mean()
    return centred
