"""Networks like a pruned one in some respects and otherwise random: what is left of it when the rest is drawn anew."""

from __future__ import annotations

import numpy as np
from torch import nn

from graphon_lib.estimation import estimate_chain
from graphon_lib.graphons import Chain, degree_preserving_shuffle, uniform_shuffle
from graphon_lib.networks import Masks, mlp

TWINS = ("own", "fresh", "sampled", "layers", "degrees")

# Apart from the streams of weights and masks, which are drawn with the trial's seed itself.
_WEIGHTS, _MASKS = 0x66726573, 0x7477696E


def twin(
    kind: str, model: nn.Sequential, masks: Masks, *, initialisation: str = "he", chain: Chain | None = None, seed: int
) -> tuple[nn.Sequential, Masks]:
    """A network with some of a pruned one's features (THEORY.md, section 6).

    Parameters
    ----------
    kind : {"own", "fresh", "sampled", "layers", "degrees"}
        ``"own"``: the pruned network itself (rung a). All others have fresh weights: ``"fresh"`` on the same masks (b),
        ``"sampled"`` on masks drawn from the estimated chain (c), ``"layers"`` on uniformly random masks of the same
        number of kept weights in each layer (f), ``"degrees"`` on masks with the same number in each row and column,
        otherwise random (g).
    chain : Chain, optional
        For ``"sampled"``; default: the estimate with 64 blocks.
    seed : int
        The trial's.

    Raises
    ------
    ValueError
        If kind is none of these.
    """
    if kind not in TWINS:
        raise ValueError(f"kind is {kind!r}, but must be one of {list(TWINS)}")
    if kind == "own":
        return model, masks
    shapes = [tuple(mask.shape) for mask in masks.values()]
    weights, draw = _seed(seed, _WEIGHTS), _seed(seed, _MASKS)
    (width, inputs), outputs = shapes[0], shapes[-1][0]
    fresh = mlp(len(shapes) - 1, width, inputs=inputs, outputs=outputs, initialisation=initialisation, seed=weights)
    if kind == "fresh":
        return fresh, masks
    if kind == "sampled":
        chain = estimate_chain(masks) if chain is None else chain
        drawn = chain.sample([inputs, *[rows for rows, _ in shapes]], seed=draw)
    else:
        shuffle = uniform_shuffle if kind == "layers" else degree_preserving_shuffle
        drawn = [shuffle(mask, seed=draw + place) for place, mask in enumerate(masks.values())]
    return fresh, dict(zip(masks, drawn, strict=True))


def _seed(seed: int, stream: int) -> int:
    return int(np.random.SeedSequence((seed, stream)).generate_state(1)[0])
