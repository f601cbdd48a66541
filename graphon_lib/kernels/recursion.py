"""The recursion on one tile of pairs of inputs, all layers, so that nothing larger than a tile is ever held.

A tile's numbers depend on its place alone: not on which thread, process or run computes it, or beside which others.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from graphon_lib.activations import DualActivation, LeakyReLU
from graphon_lib.kernels import fused
from graphon_lib.kernels.reduction import Reduced

Array = NDArray[np.floating[Any]]

# Pairs of inputs on one side of a tile: the unit of work, of progress and of resuming.
SIDE = 128
# Inputs whose features are made together, a multiple of SIDE; and how many such panels are kept.
PANEL, PANELS = 8 * SIDE, 4
# Blocks x pairs of inputs handled at once: a layer's few arrays of this many elements stay in a core's cache.
WORKING_ELEMENTS = 2**17


@dataclass(frozen=True, eq=False)
class Plan:
    """All that a tile needs to know; plain arrays, so that it travels to other processes.

    Attributes
    ----------
    x, y : (coordinates, N), (coordinates, M) arrays
        Inputs as columns, merged coordinates scaled, sorted by group.
    starts : (groups + 1,) int array
        Where each group's coordinates begin in x and y.
    operators : list of arrays
        As in :class:`Reduced`; for homogeneous phi divided by their largest entries, whose product is ``scale``.
    variances_x, variances_y : list of arrays
        S_l(u; x, x) of each layer, (blocks, N), in float64; the last, (1, N), is the outputs'.
    shares : (L + 1,) array
        The weight of each layer's own term in the tangent: ones for the NTK.
    scale, scale_x, scale_y : float, (N,), (M,) arrays
        What the kernel, its rows and its columns are multiplied by at the end.
    tangent : bool
        Whether the kernel is the NTK or the NNGP.
    symmetric : bool
        Whether y is x: only tiles on and below the diagonal are computed.
    """

    x: Array
    y: Array
    starts: NDArray[np.int64]
    operators: Sequence[Array]
    variances_x: Sequence[Array]
    variances_y: Sequence[Array]
    shares: Array
    scale: float
    scale_x: Array
    scale_y: Array
    phi: DualActivation
    tangent: bool
    symmetric: bool
    device: str | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return self.x.shape[1], self.y.shape[1]

    @functools.cached_property
    def _panels(self) -> dict[tuple[str, int], tuple[Array, Array, Array]]:
        return {}

    def panel(self, side: str, start: int) -> tuple[Array, Array, Array]:
        """What the compiled passes need of PANEL inputs of side "x" or "y": columns, features, outputs' variances.

        The last few panels are kept: a Hermite series has hundreds of features a block, too many for all inputs.
        """
        side = "x" if self.symmetric else side
        with _panel_lock:
            if (side, start) not in self._panels:
                inputs, variances = (self.x, self.variances_x) if side == "x" else (self.y, self.variances_y)
                those = slice(start, start + PANEL)
                with one_thread():
                    features = fused.features(self.phi, np.concatenate([q[:, those] for q in variances[:-1]]))
                found = (np.ascontiguousarray(inputs[:, those]), features, variances[-1][0, those])
                while len(self._panels) >= PANELS:
                    del self._panels[next(iter(self._panels))]
                self._panels[side, start] = tuple(array.astype(inputs.dtype) for array in found)  # type: ignore[assignment]
            return self._panels[side, start]


def prepare(
    x: Array, y: Array | None, reduced: Reduced, phi: DualActivation, dtype: Any, *, shares: Array | None = None,
    tangent: bool = True, device: str | None = None,
) -> Plan:  # fmt: skip
    """Sort and scale the inputs, and send their variances through all layers."""
    order = np.argsort(reduced.groups, kind="stable")
    order = order[reduced.groups[order] >= 0]
    counts = np.bincount(reduced.groups[order], minlength=reduced.operators[0].shape[1])
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    operators, scale = list(reduced.operators), 1.0
    if phi.homogeneous:
        # Theta(x, x') = |x| |x'| Theta(x/|x|, x'/|x'|): parallel inputs then have gap 0, exactly. Likewise each layer.
        largest = [max(float(operator.max(initial=0.0)), 1e-300) for operator in operators]
        operators = [operator / size for operator, size in zip(operators, largest, strict=True)]
        scale = math.prod(largest)
    sides = []
    for name, z in (("inputs", x),) if y is None else (("inputs", x), ("other", y)):
        z = z * reduced.coordinate_scale
        norms = np.linalg.norm(z, axis=1) if phi.homogeneous else np.ones(len(z))
        columns = np.ascontiguousarray((z / np.where(norms > 0, norms, 1)[:, None])[:, order].T)
        squares = np.zeros((len(counts), len(z)))
        np.add.at(squares, np.repeat(np.arange(len(counts)), counts), columns**2)
        with one_thread(), np.errstate(over="ignore", invalid="ignore"):
            variances = [operators[0] @ squares]
            for operator in operators[1:]:
                variances.append(operator @ phi.second_moment(variances[-1]))
        if not all(np.isfinite([scale, *(float(q.max(initial=0.0)) for q in variances)])):
            raise ValueError(
                f"{name}, weight_variance or activation is so large that variances leave the range of double "
                "precision; scale it down"
            )
        sides.append((columns.astype(dtype), variances, norms))
    (a, variances_x, scale_x), (b, variances_y, scale_y) = sides[0], sides[-1]
    return Plan(
        a, b, starts, [np.ascontiguousarray(operator, dtype) for operator in operators], variances_x, variances_y,
        np.ones(len(operators)) if shares is None else shares, scale, scale_x, scale_y, phi, tangent, y is None, device,
    )  # fmt: skip


def compute(plan: Plan, row: int, column: int) -> Array:
    """The kernel of the inputs row ... row + SIDE and column ... column + SIDE, as far as there are so many."""
    rows, columns = (slice(at, min(at + SIDE, n)) for at, n in zip((row, column), plan.shape, strict=True))
    values = np.zeros((rows.stop - row, columns.stop - column), plan.x.dtype)
    if plan.operators[-1].shape[1] == 0:  # no path: dropped by the reduction
        return values
    on_diagonal = plan.symmetric and row == column
    if plan.device is not None or type(plan.phi) not in fused.KINDS:
        values[:] = _general(plan, rows, columns)
    else:
        dtype, slopes = plan.x.dtype, np.zeros(3, plan.x.dtype)
        if isinstance(plan.phi, LeakyReLU):
            alpha = plan.phi.negative_slope
            slopes[:] = (1 + alpha**2) / 2, (1 - alpha) ** 2 / (2 * np.pi), alpha
        blocks = np.array([plan.operators[0].shape[1], *(len(operator) for operator in plan.operators)])
        operators = np.concatenate([operator.ravel() for operator in plan.operators])
        r, c = row % PANEL, column % PANEL
        (x, features_x, output_x), (y, features_y, output_y) = plan.panel("x", row - r), plan.panel("y", column - c)
        with one_thread():
            fused.through_layers(
                values, r, c, *_working_shape(int(blocks.max())), on_diagonal, plan.tangent,
                fused.KINDS[type(plan.phi)], slopes, plan.shares.astype(dtype), plan.starts, x, y, blocks, operators,
                features_x, features_y, output_x, output_y,
            )  # fmt: skip
    if on_diagonal:
        values = np.tril(values) + np.tril(values, -1).T
    with np.errstate(over="ignore", invalid="ignore"):
        values *= (np.outer(plan.scale_x[rows], plan.scale_y[columns]) * plan.scale).astype(values.dtype)
    if not np.isfinite(values).all():
        raise FloatingPointError(
            f"the kernel of inputs {row} to {rows.stop - 1} leaves the range of {values.dtype}; scale inputs or "
            "weight_variance down, or pass dtype=np.float64"
        )
    return values


def _working_shape(blocks: int) -> tuple[int, int]:
    """Rows and columns handled at once: powers of two, which divide a tile."""
    pairs = 2 ** int(np.clip(np.log2(WORKING_ELEMENTS / blocks), 6, 2 * np.log2(SIDE)))
    width = min(SIDE, 2 ** (pairs.bit_length() // 2))
    return pairs // width, width


def _general(plan: Plan, rows: slice, columns: slice) -> Array:
    """The same for activations that bring no compiled pass, and on other devices: whole arrays at a time."""
    device = plan.device or "cpu"

    def there(array: Array) -> Any:
        # An activation written for numpy need not know torch.
        array = np.ascontiguousarray(array, dtype=plan.x.dtype)
        return array if plan.device is None else torch.from_numpy(array).to(device)

    variances_x = [there(q[:, rows, None]) for q in plan.variances_x]
    variances_y = [there(q[:, None, columns]) for q in plan.variances_y]
    operators = [there(operator) for operator in plan.operators]
    gaps = np.empty((2, len(plan.starts) - 1, rows.stop - rows.start, columns.stop - columns.start), plan.x.dtype)
    for sign, array in zip((1, -1), gaps, strict=True):
        fused.input_gaps(plan.x, sign * plan.y, rows.start, columns.start, plan.starts, array)

    pairs = (rows.stop - rows.start) * (columns.stop - columns.start)

    def apply(operator: Any, values: Any) -> Any:
        return (operator @ values.reshape(len(values), pairs)).reshape(len(operator), *values.shape[1:])

    gap, cogap = (apply(operators[0], there(array)) for array in gaps)
    covariance = (cogap - gap) / 2  # S_1
    tangent = float(plan.shares[0]) * covariance
    for layer, operator in enumerate(operators[1:]):
        gap, derivative = plan.phi.dual(variances_x[layer], variances_y[layer], gap, cogap)
        gap, propagated = apply(operator, gap), apply(operator, derivative * tangent)
        both = variances_x[layer + 1] + variances_y[layer + 1]
        cogap = both - gap
        covariance = both / 2 - gap  # S_{l+1}
        tangent = float(plan.shares[layer + 1]) * covariance + propagated
    kernel = (tangent if plan.tangent else covariance)[0]
    return np.asarray(kernel if plan.device is None else kernel.cpu().numpy())


_lock, _users, _restore = threading.Lock(), 0, contextlib.ExitStack()
_panel_lock = threading.Lock()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep matrix products to one thread, whose sums have one order; it is tiles that run side by side.

    Holds for the whole process while anyone is inside; who leaves last puts back what was.
    """
    global _users, _restore
    with _lock:
        if _users == 0:
            _restore = contextlib.ExitStack()
            _restore.enter_context(_blas().limit(limits=1))  # numpy's and scipy's
            _restore.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _restore.close()


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
