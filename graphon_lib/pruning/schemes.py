"""How many weights each layer keeps, and Random masks that keep so many: uniform, ERK, or as another method's masks."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from graphon_lib.networks import Masks, check_masks, prunable_layers
from graphon_lib.pruning.selection import kept_count

SCHEMES = ("uniform", "erk")

# Told apart from the streams of other modules, as theirs are: masks must not depend on the weights of an equal seed.
_STREAM = 0x6C617965


def layer_counts(model: nn.Module, scheme: str, density: float) -> dict[str, int]:
    """How many weights each layer keeps, ``kept_count(density, total)`` in all.

    Parameters
    ----------
    model : nn.Module
    scheme : {"uniform", "erk"}
        ``"uniform"``: the same density in each layer. ``"erk"`` (Erdos-Renyi-kernel): densities proportional to
        (n_in + n_out) / (n_in n_out), as in Mocanu et al. (Nature Communications 2018), and for kernels of h by w to
        (n_in + n_out + h + w) / (n_in n_out h w), as in Evci et al. (ICML 2020).
        Layers for which this would be more than all their weights are kept whole, and the others share the rest.
    density : float in (0, 1]

    Returns
    -------
    dict from parameter name to int
        What is between two whole numbers is rounded up in the layers of largest remainder.

    Raises
    ------
    ValueError
        If scheme is unknown, or density out of its range.
    """
    if scheme not in SCHEMES:
        raise ValueError(
            f"scheme is {scheme!r}, but must be one of {list(SCHEMES)}; for the densities of other masks pass "
            "counts_of(model, masks) to random_masks"
        )
    if not 0 < density <= 1:
        raise ValueError(f"density is {density!r}, but must be in (0, 1]; it is the kept share, 1 - sparsity")
    layers = prunable_layers(model)
    sizes = [layer.weight.numel() for layer in layers.values()]
    shares = [sum(layer.weight.shape) for layer in layers.values()] if scheme == "erk" else sizes
    return dict(zip(layers, _apportion(kept_count(density, sum(sizes)), shares, sizes), strict=True))


def counts_of(model: nn.Module, masks: Mapping[str, ArrayLike | torch.Tensor]) -> dict[str, int]:
    """How many weights of each layer are kept by masks, another method's for instance; all of one that has no mask.

    Raises
    ------
    ValueError
        If masks are not the model's.
    """
    return {name: int(mask.count_nonzero()) for name, mask in check_masks(model, masks).items()}


def random_masks(model: nn.Module, counts: Mapping[str, int], seed: int) -> Masks:
    """Masks that keep exactly ``counts`` weights of each layer, all sets of so many being equally likely.

    Parameters
    ----------
    model : nn.Module
    counts : mapping from parameter name to int
        Of :func:`layer_counts` or :func:`counts_of`.
    seed : int

    Returns
    -------
    dict from parameter name to bool tensor (outputs, inputs) of the layer

    Raises
    ------
    ValueError
        If counts do not name the prunable layers, or one is not a whole number from 0 to the layer's size.
    """
    layers = prunable_layers(model)
    if set(counts) != set(layers):
        raise ValueError(f"counts names {list(counts)}, but must have a number for each of {list(layers)}")
    generator = np.random.default_rng(np.random.SeedSequence((seed, _STREAM)))
    masks: Masks = {}
    for name, layer in layers.items():
        size, count = layer.weight.numel(), counts[name]
        if isinstance(count, bool) or not isinstance(count, numbers.Integral) or not 0 <= count <= size:
            raise ValueError(f"counts[{name!r}] is {count!r}, but must be a whole number from 0 to the layer's {size}")
        mask = np.zeros(size, dtype=np.bool_)
        mask[generator.choice(size, int(count), replace=False, shuffle=False)] = True
        masks[name] = torch.from_numpy(mask).view(layer.weight.shape).to(layer.weight.device)
    return masks


def _apportion(kept: int, shares: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """``kept`` in all, in proportion to shares, none above its size: in whole numbers, so without rounding errors."""
    whole: set[int] = set()
    rest, total = kept, sum(shares)
    while over := [i for i in range(len(sizes)) if i not in whole and rest * shares[i] > sizes[i] * total]:
        # With these kept whole the others' part grows, so none of them would come back below its size.
        whole.update(over)
        rest, total = kept - sum(sizes[i] for i in whole), sum(shares) - sum(shares[i] for i in whole)
    counts, remainders = list(sizes), {}
    for i in set(range(len(sizes))) - whole:
        counts[i], remainders[i] = divmod(rest * shares[i], total)
    up = sorted(remainders, key=lambda i: (-remainders[i], i))
    for i in itertools.islice(up, kept - sum(counts)):
        counts[i] += 1
    return counts
