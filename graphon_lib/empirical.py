"""The neural tangent kernel of one finite masked network, over its kept weights only."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from torch import nn
from tqdm import tqdm

from graphon_lib.arguments import array, positive, tensor
from graphon_lib.networks import check_masks, forward, linear_layers

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.integer[Any]]
Loop = TypeVar("Loop", bound=Callable[..., Any])

# One piece of work: this many neurons' sum over a tile of this many inputs squared. What a neuron needs of a tile stays
# in cache; fewer neurons would share the work more evenly, and cost a tile's addition each.
TILE, NEURONS = 256, 64

# Loops run over multiples of this many inputs, zeros added, so that all their steps are vector instructions.
LANES = 16


def empirical_ntk(
    model: nn.Module,
    masks: Mapping[str, torch.Tensor] | None,
    inputs: ArrayLike | torch.Tensor,
    *,
    other: ArrayLike | torch.Tensor | None = None,
    outputs: Sequence[int] | None = None,
    weight_variance: float = 2.0,
) -> NDArray[np.float64]:
    """The NTK of a masked network in NTK parametrisation, averaged over outputs.

    A weight w = sigma_w / sqrt(n_in) omega of the model is a scaled standard Gaussian omega of the theory, so

    .. math:: \\Theta(x, x') = \\frac1{|O|} \\sum_{o \\in O} \\sum_l \\frac{\\sigma_w^2}{n_{l-1}}
              \\sum_{ij} M^{(l)}_{ij}\\, \\delta^o_i(x)\\, \\delta^o_i(x')\\, h_j(x)\\, h_j(x'),

    with h the layer's inputs and delta^o the gradient of output o with respect to the layer's outputs. The sum runs
    neuron by neuron: the (N, number of weights) Jacobian is never built, and a neuron costs its kept weights only, for
    those pairs of inputs where its gradients are not zero (one in four, where it is a ReLU active on half of them).

    Parameters
    ----------
    model : nn.Module
        Each ``nn.Linear`` acts once, on a matrix (N, features); outputs are a matrix (N, C). Unchanged.
    masks : dict of masks or None
        A layer without one keeps all its weights; None: the dense network.
    inputs, other : (N, d), (M, d) arrays or tensors
        ``other`` defaults to ``inputs``.
    outputs : sequence of int, optional
        Which outputs to average over; default: all.
    weight_variance : float
        sigma_w^2 > 0 of the parametrisation: 2 for ``initialisation="he"``, 1/3 for ``"pytorch"``.

    Returns
    -------
    (N, M) float64 array

    Raises
    ------
    ValueError
        If inputs do not fit the model or are not finite, outputs are out of range, or the model has another structure,
        such as convolutions.
    """
    weight_variance = positive("weight_variance", weight_variance, "a positive number, such as 2 (He)")
    layers, masks = linear_layers(model, "empirical_ntk"), check_masks(model, masks)
    first = next(iter(layers.values()))
    x = _inputs("inputs", inputs, first.weight)
    backward_x, forward_x = _signals(model, layers, masks, "inputs", x, outputs)
    if other is None:
        backward_y, forward_y = backward_x, forward_x
    else:
        backward_y, forward_y = _signals(model, layers, masks, "other", _inputs("other", other, first.weight), outputs)

    kernel = np.zeros((forward_x[0].shape[1], forward_y[0].shape[1]))
    pieces: list[_Piece] = []
    for place, (name, layer) in enumerate(layers.items()):
        delta_x, delta_y, h_x, h_y = backward_x[place], backward_y[place], forward_x[place], forward_y[place]
        scale = weight_variance / (layer.in_features * delta_x.shape[1])
        if masks[name].all():
            # All neurons of an unpruned layer see the same inputs: one Gram matrix serves them all.
            gram = (delta_x.flatten(0, 1).T @ delta_y.flatten(0, 1)).double() * (h_x.T @ h_y)
            with np.errstate(invalid="ignore", over="ignore"):  # refused below
                kernel += scale * gram.cpu().numpy()
        else:
            signals = [signal.cpu().numpy() for signal in (delta_x, delta_y, h_x, h_y)]
            pieces += _pieces(signals, csr_array(masks[name].cpu().numpy()), scale, symmetric=other is None)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        # Added in the order of the pieces, whoever finishes first: the number of threads does not show.
        sums = pool.map(_Piece.sum, pieces)
        progress = tqdm(sums, total=len(pieces), desc="empirical NTK", disable=None, delay=2, leave=False)
        for piece, part in zip(pieces, progress, strict=True):
            with np.errstate(invalid="ignore", over="ignore"):
                kernel[piece.row :, piece.column :][: len(part), : part.shape[1]] += part
    if not np.isfinite(kernel).all():
        raise ValueError(
            "inputs, other or the weights of model are so large that the kernel leaves the range of the model's "
            "precision; scale them down, or pass model.double()"
        )
    if other is None:
        # Tiles above the diagonal were left out, and float32 products may differ in the last digit across it.
        kernel = np.tril(kernel) + np.tril(kernel, -1).T
    return kernel


class _Piece(NamedTuple):
    """Some neurons of a masked layer, and a tile of pairs of inputs."""

    signals: Sequence[Array]  # delta of both sides, (n_l, |O|, N) and (n_l, |O|, M); h of both, (n_{l-1}, N or M)
    kept: csr_array  # the mask
    scale: float
    neurons: range
    row: int
    column: int
    lower: bool  # only pairs on and below the diagonal

    def sum(self) -> NDArray[np.float64]:
        delta_x, delta_y, h_x, h_y = self.signals
        tile = np.zeros((min(TILE, h_x.shape[1] - self.row), min(TILE, h_y.shape[1] - self.column)))
        _sum_over_neurons(
            delta_x, delta_y, h_x, h_y, self.kept.indptr, self.kept.indices,
            self.neurons.start, self.neurons.stop, self.row, self.column, self.lower, tile,
        )  # fmt: skip
        return self.scale * tile


def _pieces(signals: Sequence[Array], kept: csr_array, scale: float, *, symmetric: bool) -> Iterator[_Piece]:
    neurons, _, rows = signals[0].shape
    for row, column in itertools.product(range(0, rows, TILE), range(0, signals[1].shape[2], TILE)):
        if column <= row or not symmetric:
            for first in range(0, neurons, NEURONS):
                group = range(first, min(first + NEURONS, neurons))
                yield _Piece(signals, kept, scale, group, row, column, symmetric and row == column)


def _compiled(function: Loop) -> Loop:
    """Multiply-add in one rounding, but no re-ordering of sums."""
    return cast(Loop, numba.njit(nogil=True, cache=True, fastmath={"contract"})(function))


@_compiled
def _sum_over_neurons(
    delta_x: Array, delta_y: Array, h_x: Array, h_y: Array, starts: Indices, kept: Indices,
    first: int, last: int, row: int, column: int, lower: bool, tile: Array,
) -> None:  # fmt: skip
    """Adds to tile (rows, columns) the sum over neurons i of delta_i(x) . delta_i(x') times h_kept(x) . h_kept(x')."""
    outputs = np.arange(delta_x.shape[1])
    most = outputs.size
    for i in range(first, last):
        most = max(most, starts[i + 1] - starts[i])
    # Room for rows up to a multiple of 4, and for columns up to a multiple of LANES.
    left = np.empty((2, most + 3, tile.shape[0] + LANES), h_x.dtype)
    right = left if lower else np.empty((2, most + 3, tile.shape[1] + LANES), h_x.dtype)
    sums = np.empty((2, 4, tile.shape[1] + LANES), h_x.dtype)
    for i in range(first, last):
        inputs = kept[starts[i] : starts[i + 1]]
        active_x = _active(delta_x[i], row, tile.shape[0])
        active_y = active_x if lower else _active(delta_y[i], column, tile.shape[1])
        if inputs.size == 0 or active_x.size == 0 or active_y.size == 0:
            continue
        _gather(delta_x[i], outputs, row, active_x, left[0])
        _gather(h_x, inputs, row, active_x, left[1])
        if not lower:
            _gather(delta_y[i], outputs, column, active_y, right[0])
            _gather(h_y, inputs, column, active_y, right[1])
        for a in range(0, active_x.size, 4):
            count = min(a + 4, active_y.size) if lower else active_y.size
            _four_rows(left[0], right[0], outputs.size, a, count, sums[0])
            _four_rows(left[1], right[1], inputs.size, a, count, sums[1])
            for k in range(min(4, active_x.size - a)):
                line = tile[active_x[a + k]]
                for b in range(count):
                    line[active_y[b]] += sums[0, k, b] * sums[1, k, b]


@_compiled
def _active(delta: Array, start: int, count: int) -> Indices:
    """Which of ``count`` inputs from ``start`` on move an output through this neuron."""
    active = np.zeros(count, np.bool_)
    for o in range(delta.shape[0]):
        for a in range(count):
            active[a] |= delta[o, start + a] != 0
    return np.flatnonzero(active)


@_compiled
def _gather(values: Array, rows: Indices, start: int, columns: Indices, out: Array) -> None:
    """out = values[rows][:, start + columns], then zeros up to multiples of four rows and LANES columns."""
    for r in range(rows.size):
        for c in range(columns.size):
            out[r, c] = values[rows[r], start + columns[c]]
        out[r, columns.size : columns.size + LANES] = 0
    out[rows.size : rows.size + 3, : columns.size + LANES] = 0


@_compiled
def _four_rows(left: Array, right: Array, terms: int, first: int, count: int, out: Array) -> None:
    """out[k, b] = sum over t of left[t, first + k] right[t, b], k < 4, b < count; both are zero beyond the terms."""
    count = (count + LANES - 1) // LANES * LANES
    p0, p1, p2, p3 = out[0, :count], out[1, :count], out[2, :count], out[3, :count]
    out[:, :count] = 0
    for t in range(0, terms, 4):
        r0, r1, r2, r3 = right[t, :count], right[t + 1, :count], right[t + 2, :count], right[t + 3, :count]
        a0, b0, c0, d0 = left[t, first], left[t, first + 1], left[t, first + 2], left[t, first + 3]
        a1, b1, c1, d1 = left[t + 1, first], left[t + 1, first + 1], left[t + 1, first + 2], left[t + 1, first + 3]
        a2, b2, c2, d2 = left[t + 2, first], left[t + 2, first + 1], left[t + 2, first + 2], left[t + 2, first + 3]
        a3, b3, c3, d3 = left[t + 3, first], left[t + 3, first + 1], left[t + 3, first + 2], left[t + 3, first + 3]
        for b in range(count):
            w, x, y, z = r0[b], r1[b], r2[b], r3[b]
            p0[b] += a0 * w + a1 * x + a2 * y + a3 * z
            p1[b] += b0 * w + b1 * x + b2 * y + b3 * z
            p2[b] += c0 * w + c1 * x + c2 * y + c3 * z
            p3[b] += d0 * w + d1 * x + d2 * y + d3 * z


@torch.enable_grad()
def _signals(
    model: nn.Module,
    layers: dict[str, nn.Linear],
    masks: dict[str, torch.Tensor],
    side: str,
    inputs: torch.Tensor,
    outputs: Sequence[int] | None,
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """For each layer, delta (n_l, |O|, N): the outputs' gradients by its outputs; and its inputs h (n_{l-1}, N)."""
    seen: dict[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]] = {layer: [] for layer in layers.values()}

    def note(layer: nn.Module, given: tuple[torch.Tensor, ...], result: torch.Tensor) -> torch.Tensor:
        seen[layer].append((given[0].detach(), result))
        return result.clone()  # what follows may act in place, as nn.ReLU(inplace=True) does

    hooks = [layer.register_forward_hook(note) for layer in layers.values()]
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        # Tracked even where the caller has frozen all weights: gradients are taken by the layers' outputs.
        result = forward(model, masks, inputs.detach().requires_grad_())
    except RuntimeError as error:
        raise ValueError(
            f"{side} has shape {tuple(inputs.shape)}, which model cannot take: {str(error).splitlines()[0]}; pass what "
            "its forward pass takes"
        ) from None
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    for name, layer in layers.items():
        calls = seen[layer]
        if len(calls) != 1 or calls[0][0].ndim != 2 or result.ndim != 2:
            raise ValueError(
                f"layer {name!r} acts {len(calls)} times in the forward pass, or {side} of shape {tuple(inputs.shape)} "
                "do not reach it as a matrix (N, features); empirical_ntk needs each linear layer to act once, on a "
                "matrix"
            )
    chosen = np.arange(result.shape[1]) if outputs is None else array("outputs", outputs)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not chosen.size or not _within(chosen, result.shape[1]):
        raise ValueError(f"outputs is {outputs!r}, but must name at least one of the model's {result.shape[1]} outputs")
    z = [seen[layer][0][1] for layer in layers.values()]
    gradients = [torch.autograd.grad(result[:, o].sum(), z, retain_graph=True) for o in chosen.tolist()]
    delta = [torch.stack([g.T for g in layer_gradients], dim=1) for layer_gradients in zip(*gradients, strict=True)]
    h = [seen[layer][0][0].T.contiguous() for layer in layers.values()]
    # Loops are compiled for single and double precision.
    precision = torch.promote_types(h[0].dtype, torch.float32)
    return [signal.to(precision) for signal in delta], [signal.to(precision) for signal in h]


def _within(places: NDArray[Any], count: int) -> bool:
    return bool(places.min() >= 0 and places.max() < count)


def _inputs(name: str, values: ArrayLike | torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    batch = tensor(name, values)
    if batch.ndim < 2 or batch.numel() == 0:
        raise ValueError(f"{name} has shape {tuple(batch.shape)}, but must hold at least one input, as (N, d)")
    if batch.ndim == 2 and batch.shape[1] != weight.shape[1]:
        raise ValueError(
            f"{name} has {batch.shape[1]} coordinates, but the model's first layer takes {weight.shape[1]}"
        )
    if not torch.isfinite(batch).all():
        raise ValueError(f"{name} contains NaN or infinity; drop or repair these entries first")
    return batch.to(weight)
