"""Any activation function, through its Hermite (Mehler) series."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

from graphon_lib.activations.dual import Array, Numbers, defects, namespace
from graphon_lib.arguments import floats

# Variances times quadrature nodes handled at once: a few arrays of 8 MB.
_CHUNK_ELEMENTS = 2**20
# Below this variance phi(sqrt(q) z) - phi(0) has few digits left. Derivatives are taken at this one instead, which
# moves D' by 1e-6 phi'' phi' at most, and not at all at q = 0.
_SMALLEST_VARIANCE = 1e-12
# Their quadrature takes a gigabyte.
_TERMS = 2048
_PROBE = np.arange(-16, 17) / 8


class Hermite:
    """The dual of an elementwise function phi by its Hermite series, for phi without closed forms.

    With the orthonormal Hermite polynomials h_k, the coefficients a_k(q) = E[phi(sqrt(q) z) h_k(z)], z standard normal,
    b_k(q) the same of phi', and r = s / sqrt(q q'), Mehler's formula is

    .. math:: K = \\sum_k a_k(q)\\, a_k(q')\\, r^k, \\qquad D' = \\sum_k b_k(q)\\, b_k(q')\\, r^k.

    The series is cut, and all energy beyond is taken to sit at the last two orders, what is even in z at the even one:
    K stays positive semi-definite, and exact at equal and at opposite inputs. The smoother phi(sqrt(q) z), the fewer
    terms are needed; after a kink or a step the error falls as a power of ``terms`` only. :meth:`truncation_error`
    bounds it.

    Parameters
    ----------
    function : callable
        phi, from an array (or a torch tensor) of double precision to one of the same shape, element by element:
        ``np.tanh``, ``torch.nn.functional.mish``, ``nn.Softplus()``, ``lambda z: z**3``. Which of the two is tried.
    terms : int, optional
        The highest order, from 4 to 2048. Default: 64, or what :meth:`resolved` finds the variances at hand to need.

    Raises
    ------
    TypeError
        If function takes neither arrays nor tensors.
    ValueError
        If its values are not finite or not elementwise, or terms is out of range.

    References
    ----------
    Mehler (1866); Daniely, Frostig and Singer (2016), *Toward Deeper Understanding of Neural Networks*, section 4.
    """

    homogeneous = False

    def __init__(self, function: Callable[[Any], Any], terms: int | None = None) -> None:
        self.adaptive = terms is None
        terms = 64 if terms is None else terms
        if isinstance(terms, bool) or not isinstance(terms, int | np.integer) or not 4 <= terms <= _TERMS:
            raise ValueError(
                f"terms is {terms!r}, but must be a whole number of at least 4 and at most {_TERMS}, or None for as "
                "many as needed"
            )
        self.function = function
        self.terms = int(terms)
        self._takes_tensors = _takes_tensors(function)
        values = self._evaluate(_PROBE.copy())
        if not np.allclose(self._evaluate(_PROBE[10:30].copy()), values[10:30], rtol=1e-12, atol=1e-12):
            raise ValueError(
                f"function is {function!r}, whose value at a number depends on the numbers beside it or on chance; an "
                "activation acts on each number by itself, and always alike (call .eval() on a module)"
            )
        self._at_zero = float(values[_PROBE == 0][0])

    def second_moment(self, q: Numbers) -> Numbers:
        variances = _to_numpy(q)
        flat, moments = variances.ravel(), np.empty(variances.size)
        _, weights, _, _ = _basis(self._nodes)
        for part in _chunks(flat.size, self._nodes):
            up, down = self._at_nodes(flat[part], self._nodes)
            moments[part] = (up**2 + down**2) @ weights**2
        return _like(moments.reshape(variances.shape), q)

    def dual(self, q: Numbers, q_other: Numbers, gap: Numbers, cogap: Numbers) -> tuple[Numbers, Numbers]:
        xp = namespace(gap)
        (a, b), (a_other, b_other) = ([_like(c, v) for c in self.coefficients(_to_numpy(v))] for v in (q, q_other))
        apart, _ = defects(q, q_other, gap, cogap)
        length = xp.sqrt(q) * xp.sqrt(q_other)
        # 1 - r; a neuron without input (q = 0) has correlation 0 with all.
        distance = xp.where(length > 0, xp.clip(apart / xp.where(length > 0, length, 1.0), 0, 2), 1.0)
        r = 1 - distance
        # The gap is half of sum_k (a_k - a_k')^2, plus sum_k a_k a_k' (1 - r^k), which 1 - r divides: no cancellation.
        spread, beyond, quotient, derivative = (xp.zeros_like(r) for _ in range(4))
        for k in range(self.terms, 0, -1):
            spread = spread + (a[k] - a_other[k]) ** 2
            beyond = beyond + a[k] * a_other[k]
            quotient = quotient * r + beyond
            derivative = derivative * r + b[k] * b_other[k]
        spread = spread + (a[0] - a_other[0]) ** 2
        return xp.clip(0.5 * spread + distance * quotient, 0, None), derivative * r + b[0] * b_other[0]

    def coefficients(self, q: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The coefficients a_k(q) and b_k(q) of phi and phi', for variances of any shape.

        Returns
        -------
        a, b : (terms + 1, *q.shape) arrays
            K = sum_k a_k(q) a_k(q') r^k and D' = sum_k b_k(q) b_k(q') r^k, over all rows. Each of the last two rows is
            the root of the energy of all orders from its own on that are even (odd) with it. So the error of K is at
            most 2 sum_k a_k(q) a_k(q') abs(r)^k over these two, and likewise of D', where the energy beyond twice
            ``terms`` is extrapolated.
        """
        variances = np.asarray(q, dtype=np.float64)
        a, b = self._coefficients(variances.ravel(), self._nodes)
        return a.reshape(len(a), *variances.shape), b.reshape(len(b), *variances.shape)

    def truncation_error(self, q: Array) -> float:
        """The largest bound over variances q on the error of K and D', relative to their values for equal inputs.

        Twice the share of energy beyond the series, plus the error of the quadrature, which is estimated by twice the
        change of the coefficients when the nodes are doubled.
        """
        variances, worst = np.asarray(q, dtype=np.float64).ravel(), 0.0
        for part in _chunks(variances.size, 2 * self._nodes):
            coarse, fine = (self._coefficients(variances[part], nodes) for nodes in (self._nodes, 2 * self._nodes))
            for found, better in zip(coarse, fine, strict=True):
                energy = (better**2).sum(axis=0)
                energy[energy == 0] = 1.0
                beyond = (found[-2:] ** 2).sum(axis=0) / energy
                change = 2 * np.sqrt(((found - better) ** 2).sum(axis=0) / energy)
                worst = max(worst, float((2 * beyond + 2 * change + change**2).max()))
        return worst

    def resolved(self, q: Array, tolerance: float) -> tuple[Hermite, float]:
        """The series with as many terms as variances q need, and its :meth:`truncation_error`; not above 512 terms.

        If ``terms`` was given, that many. The bound is taken at 16 variances spread over those of q.
        """
        positive = np.asarray(q, dtype=np.float64)[np.asarray(q) > 0]
        if not positive.size:
            return self, 0.0
        probe = np.geomspace(positive.min(), positive.max(), 16)
        for terms in (32, 64, 128, 256, 512) if self.adaptive else (self.terms,):
            series = Hermite(self.function, terms)
            error = series.truncation_error(probe)
            if error <= tolerance:
                break
        return series, error

    @property
    def _nodes(self) -> int:
        return max(256, 4 * self.terms)

    def _coefficients(self, q: NDArray[np.float64], nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        _, weights, even, odd = _basis(nodes)
        a, b = (np.empty((self.terms + 1, q.size)) for _ in range(2))
        tails = [slice(start, None, 2) for start in (self.terms - 1, self.terms)]
        for part in _chunks(q.size, nodes):
            size = np.maximum(q[part], _SMALLEST_VARIANCE)
            # Less phi(0), which belongs to order 0 alone and would drown the others where q is small.
            up, down = (values - self._at_zero for values in self._at_nodes(size, nodes))
            series = np.empty((nodes, len(size)))
            series[0::2] = even @ ((up + down) * weights).T
            series[1::2] = odd @ ((up - down) * weights).T
            a[:-2, part] = series[: self.terms - 1]
            a[-2:, part] = [np.sqrt((series[tail] ** 2).sum(axis=0)) for tail in tails]
            # Below the smallest variance phi is taken to be linear on each side of zero.
            a[:, part] *= np.sqrt(q[part] / size)
            a[0, part] += self._at_zero
            # The derivative of h_k is sqrt(k) h_{k-1}.
            series = series[1 : 2 * self.terms + 1] * np.sqrt(np.arange(1, 2 * self.terms + 1)[:, None] / size)
            b[:-2, part] = series[: self.terms - 1]
            b[-2:, part] = [np.sqrt(_extrapolated(series[tail.start % 2 :: 2] ** 2, tail.start // 2)) for tail in tails]
        return a, b

    def _at_nodes(self, q: NDArray[np.float64], nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """phi at sqrt(q) z and at -sqrt(q) z for the positive nodes z, each (q.size, nodes / 2)."""
        points = np.sqrt(q)[:, None] * _basis(nodes)[0]
        return self._evaluate(points.copy()), self._evaluate(-points)

    def _evaluate(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        shape, largest = z.shape, float(np.abs(z).max(initial=0.0))
        if self._takes_tensors:
            with torch.no_grad():
                values = floats("function's value", self.function(torch.from_numpy(z)))
        else:
            values = floats("function's value", self.function(z))
        if values.shape != shape:
            raise ValueError(
                f"function is {self.function!r}, which turns shape {shape} into {values.shape}; an activation gives "
                "one number for each"
            )
        if not np.isfinite(values).all():
            raise ValueError(
                f"function is {self.function!r}, which is not finite everywhere between {-largest:.3g} and "
                f"{largest:.3g}, where pre-activations fall; pass a form that does not overflow there"
            )
        return values


def _takes_tensors(function: Callable[[Any], Any]) -> bool:
    try:
        floats("its value", function(_PROBE.copy()))
        return False
    except Exception:
        pass
    try:
        with torch.no_grad():
            floats("its value", function(torch.from_numpy(_PROBE.copy())))
        return True
    except Exception as error:
        raise TypeError(
            f"function is {function!r}, which takes neither numpy arrays nor torch tensors of double precision "
            f"({error}); wrap a function of single numbers in np.vectorize, call .double() on a module"
        ) from error


def _extrapolated(energies: NDArray[np.float64], start: int) -> NDArray[np.float64]:
    """The sum from ``start`` on of energies (orders of one parity, q), known to twice ``start`` only.

    What an octave has over what the one below has is carried on: next to nothing for a smooth phi. For a kink it is
    sqrt(1/2), and for a Lipschitz phi it must fall below 1.
    """
    below, octave = (energies[part].sum(axis=0) for part in (slice(start // 2, start), slice(start, 2 * start)))
    ratio = octave / np.where(below > 0, below, np.inf)
    total: NDArray[np.float64] = octave / (1 - np.minimum(ratio, np.sqrt(0.5)))
    return total


@functools.lru_cache(maxsize=4)
def _basis(nodes: int) -> tuple[NDArray[np.float64], ...]:
    """Gauss-Hermite quadrature with an even number of nodes, folded: the positive nodes z, sqrt(weight), and
    sqrt(weight) h_k(z) for even k and for odd k, (nodes / 2, nodes / 2) each; all up to one sign a node.

    These are eigenvalues and eigenvectors of the Jacobi matrix (Golub and Welsch 1969). The recurrence in k would
    start from sqrt(weight), which vanishes in double precision beyond z = 38, that is from 400 nodes on.
    """
    z, vectors = eigh_tridiagonal(np.zeros(nodes), np.sqrt(np.arange(1.0, nodes)))
    vectors = vectors[:, nodes // 2 :]
    return z[nodes // 2 :], vectors[0], np.ascontiguousarray(vectors[0::2]), np.ascontiguousarray(vectors[1::2])


def _chunks(size: int, nodes: int) -> Iterator[slice]:
    step = _CHUNK_ELEMENTS // nodes + 1
    return (slice(start, start + step) for start in range(0, size, step))


def _to_numpy(array: Array | torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(array.detach().cpu() if isinstance(array, torch.Tensor) else array, dtype=np.float64)


def _like(values: NDArray[np.float64], like: Numbers) -> Numbers:
    """Values in the library, the precision and on the device of ``like``."""
    if isinstance(like, torch.Tensor):
        return torch.as_tensor(values, dtype=like.dtype, device=like.device)
    return values.astype(like.dtype)
