"""The kernel of a pruned network as it stands, from the second moments of the weights it kept (THEORY: section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike, NDArray
from torch import nn

from graphon_lib.activations import as_dual
from graphon_lib.arguments import positive, precision
from graphon_lib.graphons import Chain
from graphon_lib.kernels.analytic import matrix
from graphon_lib.kernels.recursion import prepare
from graphon_lib.kernels.reduction import reduce
from graphon_lib.kernels.tiles import run
from graphon_lib.networks import check_masks, linear_layers


@dataclass(frozen=True, eq=False)
class SecondMoment:
    """A predicted kernel and its scale.

    Attributes
    ----------
    kernel : (N, M) array
        sum_l P_l Theta_l, with Theta_l layer l's term in the dense network's NTK.
    shares : (L + 1,) array
        P_l: the path density with second moments in all layers but l, and the mask in layer l.
    scale : float
        The kernel's diagonal over that of the dense network's. For two equal inputs all terms Theta_l are equal, so
        this is the mean of the shares.
    """

    kernel: NDArray[np.floating[Any]]
    shares: NDArray[np.float64]
    scale: float


def second_moment_ntk(
    model: nn.Module,
    masks: Mapping[str, torch.Tensor] | None,
    inputs: ArrayLike | torch.Tensor,
    *,
    other: ArrayLike | torch.Tensor | None = None,
    activation: str = "relu",
    weight_variance: float = 2.0,
    dtype: DTypeLike = np.float64,
) -> SecondMoment:
    r"""The NTK that a pruned network should have if its mask knows its weights through their size only.

    Pruned weights are not drawn anew: a method that keeps large ones leaves signals larger than its graphon tells.
    Write each weight as sigma_w / sqrt(n_{l-1}) omega and let V_l = M * omega^2, where the graphon has W_l = M.
    Averaged over the signs of the weights, the covariance of the pre-activations is carried by V, layer by layer,

    .. math:: S_{l+1}(i) = \frac{\sigma_w^2}{n_l} \sum_j V_{l+1}(i, j)\, K_l(j),

    and so are the gradients that come back. But the derivative by omega_ij is M_ij times what arrives on both sides:
    layer l's own term has its weights taken out, and counts W_l. For a homogeneous phi and inputs that the first layer
    weighs evenly, each covariance is its position's share times the dense network's, as in the collapse theorem. Each
    layer's term then carries one factor,

    .. math:: \Theta \approx \sum_{l=1}^{L+1} P_l\, \Theta_l^{dense}, \qquad
              P_l = \frac{1^T V_{L+1} \cdots W_l \cdots V_1 1}{n_{L+1} \cdots n_0},

    where for masks independent of the weights E V = W, and all P_l estimate the path density. Exact in expectation at
    large width for masks that depend on the sizes of weights (Random, Magnitude, SynFlow); SNIP and GraSP also look at
    the data and at signs, and what this prediction misses of their kernels is that alignment.

    Parameters
    ----------
    model : nn.Module
        Its ``nn.Linear`` layers in the order in which they act.
    masks : dict of masks or None
        None: the dense network.
    inputs, other : (N, d), (M, d) arrays or tensors
        ``other`` defaults to ``inputs``.
    activation : str
        A positively homogeneous one: "relu", "leaky_relu" or "linear"; others have no such shares.
    weight_variance : float
        sigma_w^2 > 0 of the parametrisation: 2 for ``initialisation="he"``, 1/3 for ``"pytorch"``.
    dtype : float64 or float32

    Raises
    ------
    ValueError
        If masks or inputs do not fit the model, it has convolutions, or activation is not homogeneous.

    References
    ----------
    Not in Pham et al. (NeurIPS 2025), which takes the kept weights as drawn anew.
    """
    phi = as_dual(activation)
    if not phi.homogeneous:
        raise ValueError(
            f"activation is {activation!r}, but must be positively homogeneous: 'relu', 'leaky_relu' or 'linear'; "
            "only there does each layer's term carry one factor"
        )
    weight_variance = positive("weight_variance", weight_variance, "a positive number, such as 2 (He)")
    dtype = precision("dtype", dtype)
    layers, masks = linear_layers(model, "second_moment_ntk"), check_masks(model, masks)
    x = matrix("inputs", inputs)
    first = next(iter(layers.values()))
    y = None if other is None else matrix("other", other)
    for name, z in (("inputs", x), ("other", x if y is None else y)):
        if z.shape[1] != first.in_features:
            raise ValueError(
                f"{name} has {z.shape[1]} coordinates, but the model's first layer takes {first.in_features}"
            )
    with torch.no_grad():
        kept = [masks[name].double() for name in layers]
        second = [
            mask * layer.weight.double() ** 2 * (layer.in_features / weight_variance)
            for mask, layer in zip(kept, layers.values(), strict=True)
        ]
        # P_l = (what reaches layer l's inputs under V) W_l (what leaves its outputs under V), with means for sums.
        reached, left = (
            [torch.ones(first.in_features, dtype=torch.float64)],
            [torch.ones(len(kept[-1]), dtype=torch.float64)],
        )
        for v in second[:-1]:
            reached.append(v @ reached[-1] / v.shape[1])
        for v in second[:0:-1]:
            left.append(left[-1] @ v / v.shape[0])
        pairs = zip(kept, reached, reversed(left), strict=True)
        shares = np.array([float(above @ w @ below) / w.numel() for w, below, above in pairs])
    if not np.isfinite(shares).all():
        raise ValueError(
            f"weight_variance is {weight_variance:g}, and for it the weights of model are so large that their second "
            "moments leave the range of double precision; pass the variance that the weights were drawn with"
        )
    dense = reduce(Chain([None] * len(layers)), x.shape[1], weight_variance=weight_variance, homogeneous=True)
    kernel = run(prepare(x, y, dense, phi, dtype, shares=shares))
    return SecondMoment(kernel, shares, float(shares.mean()))
