"""Pruning against what the original programs do: SynFlow against their loop, the others against a full sort."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from original_programs import original

from benchmarks.harness import Row, median, rounds_of, seconds
from graphon_lib.data import load_mnist
from graphon_lib.networks import mlp
from graphon_lib.pruning import prune

SORTED = ("snip", "grasp", "magnitude", "random")


def pruners(depth: int, width: int, density: float, rounds: int, repeats: int) -> Iterator[Row]:
    """Our time over the other's, in turns; limits are those of the issue that asked for fast pruners."""
    model, digits = mlp(depth, width, initialisation="pytorch"), load_mnist(100)
    given = {"inputs": digits.inputs, "targets": digits.labels, "rounds": rounds}
    scores = torch.cat([parameter.detach().abs().flatten() for parameter in model.parameters()])
    pairs = {"synflow": (partial(original, model, "synflow", density, rounds), "the original loop", 0.1)}
    pairs |= {method: (partial(torch.sort, scores), "a full sort of the scores", 0.5) for method in SORTED}
    for method, (other, name, asked) in pairs.items():
        ours = partial(prune, model, method, density, **given)
        ours()
        times = rounds_of(partial(seconds, ours), partial(seconds, other), repeats)
        found = median([a / b for a, b in times])
        case = f"pruning, {method}, {depth} hidden layers of {width}"
        yield Row(case, f"times {name}", found.estimate, found.low, found.high, asked)
        for who, values in zip(("ours", name), zip(*times, strict=True), strict=True):
            found = median(values)
            yield Row(f"{case}: {who}", "s", found.estimate, found.low, found.high)
