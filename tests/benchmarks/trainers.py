"""Training by the arithmetic that the library chooses, against dense arithmetic: weights and gradients times masks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from unittest import mock

from benchmarks.harness import Row, median, rounds_of, seconds
from graphon_lib.data import load_mnist
from graphon_lib.networks import mlp
from graphon_lib.pruning import prune
from graphon_lib.training import masked, train


def trainers(depth: int, width: int, densities: tuple[float, ...], steps: int, repeats: int) -> Iterator[Row]:
    """Our time over that of dense arithmetic, in turns: about 1 where dense arithmetic is ours, too, and less below."""
    model, digits = mlp(depth, width), load_mnist(1000)
    for density in densities:
        ours = partial(train, model, prune(model, "random", density), digits, steps=steps)
        dense = mock.patch.object(masked, "DENSITY", -1)(ours)
        ours()
        times = rounds_of(partial(seconds, ours), partial(seconds, dense), repeats)
        found = median([a / b for a, b in times])
        case = f"training, {depth} hidden layers of {width}, density {density:g}"
        yield Row(case, "times dense arithmetic", found.estimate, found.low, found.high, 1.1)
        for who, values in zip(("ours", "dense arithmetic"), zip(*times, strict=True), strict=True):
            found = median(values)
            yield Row(f"{case}: {who}", "s", found.estimate, found.low, found.high)
