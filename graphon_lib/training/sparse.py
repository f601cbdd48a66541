"""Linear layers that compute with their kept weights only, for the time of a training.

A layer of weights W under a mask keeps a vector of parameters, one for each kept weight, row by row. For a batch of its
inputs, as columns of a matrix h, and the gradients g of its outputs,

    outputs = W h,        gradient of h = W^T g,        gradient of w_ij = sum over the batch of g_i h_j,

each in time proportional to (kept weights) x (batch), where the dense products take time for all of them. So does the
optimiser, for which the other weights do not exist.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.autograd.function import once_differentiable

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Pattern:
    """Which weights are kept, row by row: those of output i from ``inputs[row_starts[i] : row_starts[i + 1]]``.

    The same by columns, for the transpose, whose k-th weight is the one of number ``by_columns[k]`` by rows.
    """

    shape: torch.Size
    places: torch.Tensor  # of the kept weights among all, row by row
    row_starts: Indices
    inputs: Indices
    column_starts: Indices
    outputs: Indices
    by_columns: Indices

    @classmethod
    def of(cls, mask: torch.Tensor) -> Pattern:
        rows, inputs = mask.numpy().nonzero()
        by_columns = np.argsort(inputs, kind="stable")
        return cls(
            mask.shape,
            torch.from_numpy(rows * mask.shape[1] + inputs),
            _starts(rows, mask.shape[0]),
            inputs.astype(np.uint32),
            _starts(inputs[by_columns], mask.shape[1]),
            rows[by_columns].astype(np.uint32),
            by_columns,
        )


def _starts(lines: Indices, count: int) -> Indices:
    """Where each of the lines begins in their sorted numbers."""
    return np.searchsorted(lines, np.arange(count + 1))


class SparseLinear(nn.Linear):
    """An ``nn.Linear`` while it is trained: its parameter is ``kept_weights``, and ``weight`` can only be read."""

    pattern: Pattern
    pool: ThreadPoolExecutor
    kept_weights: nn.Parameter

    @staticmethod
    def replace(layer: nn.Linear, mask: torch.Tensor, pool: ThreadPoolExecutor) -> None:
        """Makes a sparse layer of an ordinary one, in place: whatever holds the layer need not know.

        It computes with as many threads of the pool as torch has at the time; numbers do not depend on how many.
        """
        weight, pattern = layer.weight, Pattern.of(mask)
        kept = weight.detach().flatten()[pattern.places]
        layer.__class__ = SparseLinear
        sparse = cast(SparseLinear, layer)
        sparse.pattern, sparse.pool = pattern, pool
        sparse.kept_weights = nn.Parameter(kept, requires_grad=weight.requires_grad)

    def restore(self) -> None:
        """Makes it an ordinary layer again."""
        weight = self.weight.detach()
        del self.pattern, self.pool, self.kept_weights
        self.__class__ = nn.Linear  # type: ignore[assignment]
        with torch.no_grad():
            self.weight.copy_(weight)

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override]
        """All weights, pruned ones as zeros; gradients flow to those kept."""
        flat = self.kept_weights.new_zeros(self.pattern.shape.numel())
        return flat.index_put((self.pattern.places,), self.kept_weights).view(self.pattern.shape)

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        if signal.ndim != 2 or signal.shape[1] != self.in_features or signal.dtype != self.kept_weights.dtype:
            return super().forward(signal)
        outputs = _product_of(signal, self.kept_weights, self.pattern, self.pool)
        return outputs if self.bias is None else outputs + self.bias


class _Product(torch.autograd.Function):
    """(batch, inputs) signals to (batch, outputs), both with the batch innermost in memory, which loops run over."""

    @staticmethod
    def forward(
        ctx: Any, signal: torch.Tensor, weights: torch.Tensor, pattern: Pattern, pool: ThreadPoolExecutor
    ) -> torch.Tensor:
        signal = signal.T.contiguous()
        ctx.save_for_backward(signal, weights)
        ctx.pattern, ctx.pool = pattern, pool
        outputs = _columns(signal.shape[1], pattern.shape[0], weights)
        _shared(pool, _product, pattern.row_starts, pattern.inputs, weights.numpy(), signal.numpy(), outputs.T.numpy())
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None, None]:
        signal, weights = ctx.saved_tensors
        pattern, back = ctx.pattern, gradient.T.contiguous().numpy()
        of_signal = of_weights = None
        if ctx.needs_input_grad[0]:
            of_signal = _columns(signal.shape[1], pattern.shape[1], weights)
            values = weights.numpy()[pattern.by_columns]
            _shared(ctx.pool, _product, pattern.column_starts, pattern.outputs, values, back, of_signal.T.numpy())
        if ctx.needs_input_grad[1]:
            of_weights = torch.empty_like(weights)
            _shared(ctx.pool, _correlate, pattern.row_starts, pattern.inputs, back, signal.numpy(), of_weights.numpy())
        return of_signal, of_weights, None, None


_product_of = cast(Callable[..., torch.Tensor], _Product.apply)


def _shared(pool: ThreadPoolExecutor, loop: Callable[..., None], starts: Indices, *arrays: Array | Indices) -> None:
    """Runs a loop over lines, of which each thread has a stretch with its share of the kept weights."""
    threads = torch.get_num_threads()
    cuts = np.searchsorted(starts, np.linspace(0, starts[-1], threads + 1)[1:-1])
    ends = [0, *cuts.tolist(), starts.size - 1]
    others = [pool.submit(loop, *stretch, starts, *arrays) for stretch in itertools.pairwise(ends[1:])]
    loop(0, ends[1], starts, *arrays)
    for other in others:
        other.result()


def _columns(batch: int, features: int, like: torch.Tensor) -> torch.Tensor:
    """Not the transpose of a tensor: what comes next may write in place, which autograd forbids in such views."""
    return torch.empty_strided((batch, features), (1, batch), dtype=like.dtype)


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _product(first: int, last: int, starts: Indices, kept: Indices, weights: Array, signal: Array, out: Array) -> None:
    """out_i = sum over the kept weights of line i of weight times signal_j: four of them a pass over the batch."""
    batch = signal.shape[1]
    for i in range(first, last):
        for b in range(batch):
            out[i, b] = 0
        k, end = starts[i], starts[i + 1]
        while k + 4 <= end:
            w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
            j0, j1, j2, j3 = kept[k], kept[k + 1], kept[k + 2], kept[k + 3]
            for b in range(batch):
                out[i, b] = (
                    out[i, b] + w0 * signal[j0, b] + w1 * signal[j1, b] + w2 * signal[j2, b] + w3 * signal[j3, b]
                )
            k += 4
        while k < end:
            w0, j0 = weights[k], kept[k]
            for b in range(batch):
                out[i, b] += w0 * signal[j0, b]
            k += 1


# Sums over the batch may be re-ordered, or they could not be vector instructions.
@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _correlate(
    first: int, last: int, starts: Indices, kept: Indices, gradient: Array, signal: Array, out: Array
) -> None:
    """out_k = sum over the batch of gradient_i times signal_j, for the k-th kept weight, from j to i."""
    zero = signal.dtype.type(0)
    for i in range(first, last):
        k, end = starts[i], starts[i + 1]
        while k + 4 <= end:
            j0, j1, j2, j3 = kept[k], kept[k + 1], kept[k + 2], kept[k + 3]
            s0 = s1 = s2 = s3 = zero
            for b in range(signal.shape[1]):
                s0 += gradient[i, b] * signal[j0, b]
                s1 += gradient[i, b] * signal[j1, b]
                s2 += gradient[i, b] * signal[j2, b]
                s3 += gradient[i, b] * signal[j3, b]
            out[k], out[k + 1], out[k + 2], out[k + 3] = s0, s1, s2, s3
            k += 4
        while k < end:
            j0, s0 = kept[k], zero
            for b in range(signal.shape[1]):
                s0 += gradient[i, b] * signal[j0, b]
            out[k] = s0
            k += 1
