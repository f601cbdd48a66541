"""The cases, one small function each: what it measures becomes rows of the report.

Limits are those of the issue that asked for a fast kernel. Where nothing is said: ReLU, float32, 784 pixels, 2 threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from benchmarks import accuracy, problems
from benchmarks.harness import Peer, Row, alone, median, rounds_of, seconds
from benchmarks.pruners import pruners
from benchmarks.trainers import trainers
from graphon_lib.intervals import fitted_rate

RATIO = "times the peer"


@dataclass(frozen=True)
class Scale:
    """Sizes of all cases; the defaults are those that the limits are meant for."""

    images: int = 1024
    blocks: int = 64
    groups: int = 28
    depth: int = 4
    width: int = 1024
    density: float = 0.1
    series_blocks: int = 16  # of the chain whose activation has no closed form
    empirical_images: int = 256
    masked_images: int = 64  # what the peer can do for a masked network in seconds and not minutes
    many_images: int = 10_000
    chains: int = 100
    networks: int = 200
    network_width: int = 512
    rounds: int = 15
    slow_rounds: int = 3
    image_counts: tuple[int, ...] = (256, 512, 1024, 2048)
    block_counts: tuple[int, ...] = (16, 32, 64, 128)
    depths: tuple[int, ...] = (2, 4, 8)
    pruned_width: int = 2000
    pruned_density: float = 0.2
    pruning_rounds: int = 100
    trained_densities: tuple[float, ...] = (0.5, 0.2, 0.1, 0.05, 0.02)
    training_steps: int = 200


@dataclass(frozen=True)
class Bench:
    """What cases are run with: sizes, the peer, and a folder for the images, which several processes read."""

    scale: Scale
    peer: Peer
    folder: Path

    def file(self, count: int) -> str:
        path = self.folder / f"{count}.npy"
        if not path.exists():
            np.save(path, problems.images(count))
        return str(path)

    def images(self, count: int) -> problems.Images:
        return np.load(self.file(count))

    def problem(self, kernel: str, count: int, **more: Any) -> dict[str, Any]:
        return {
            "kernel": kernel,
            "images": self.file(count),
            "depth": self.scale.depth,
            "width": self.scale.width,
            **more,
        }

    def ratio(
        self, case: str, ours: Callable[[], object], problem: dict[str, Any], rounds: int, asked: float | None = None
    ) -> Iterator[Row]:
        """Our time over the peer's, and both of them; neither is on its first call."""
        ours()
        times = rounds_of(lambda: seconds(ours), lambda: self.peer.seconds(problem), rounds)
        found = median([a / b for a, b in times])
        yield Row(case, RATIO, found.estimate, found.low, found.high, asked)
        for who, values in zip(("ours", "peer"), zip(*times, strict=True), strict=True):
            found = median(values)
            yield Row(f"{case}: {who}", "s", found.estimate, found.low, found.high)


def analytic(
    bench: Bench, case: str, asked: float, *, collapsible: bool = False, dtype: DTypeLike = np.float32
) -> Iterator[Row]:
    scale = bench.scale
    chain = problems.chain(scale.blocks, scale.depth, scale.groups, collapsible=collapsible)
    ours = problems.graphon_call(bench.images(scale.images), chain, dtype=dtype)
    yield from bench.ratio(case, ours, bench.problem("analytic", scale.images, outputs=1), scale.rounds, asked)


def general(bench: Bench) -> Iterator[Row]:
    yield from analytic(bench, "general chain", 6)


def collapsible(bench: Bench) -> Iterator[Row]:
    yield from analytic(bench, "collapsible chain", 1.2, collapsible=True)


def double(bench: Bench) -> Iterator[Row]:
    yield from analytic(bench, "general chain, float64", 15, dtype=np.float64)


def series(bench: Bench) -> Iterator[Row]:
    scale = bench.scale
    arguments = {"blocks": scale.series_blocks, "depth": scale.depth, "groups": scale.groups, "activation": "tanh"}
    yield from own_process(
        f"tanh, {scale.series_blocks} blocks", 30, 2, "graphon", images=bench.file(scale.images), **arguments
    )


def many(bench: Bench) -> Iterator[Row]:
    """The memory beyond the result; and a pair's time against that among the usual number of images."""
    scale, counts = bench.scale, (bench.scale.images, bench.scale.many_images)
    chain = {"blocks": scale.blocks, "depth": scale.depth, "groups": scale.groups}
    few, large = (alone("graphon", images=bench.file(count), activation="relu", **chain) for count in counts)
    beyond = large["peak"] - counts[1] ** 2 * 4 / 1e9
    name = f"{counts[1]} images"
    yield Row(f"{name}: memory beyond the result", "GB", beyond, beyond, beyond, 3)
    yield Row(f"{name}: time", "s", large["seconds"], large["seconds"], large["seconds"])
    pairs = [n * (n + 1) / 2 for n in counts]
    cost = large["seconds"] / pairs[1] / (few["seconds"] / pairs[0])
    yield Row(f"{name}: a pair's time over that among {counts[0]}", "times", cost, cost, cost)


def masked(bench: Bench) -> Iterator[Row]:
    scale, count = bench.scale, bench.scale.masked_images
    ours = problems.empirical_call(bench.images(count), scale.depth, scale.width, scale.density)
    problem = bench.problem("empirical", count, outputs=10, density=scale.density, implementation="NTK_VECTOR_PRODUCTS")
    case = f"empirical NTK, masked, {count} images (vector products)"
    yield from bench.ratio(case, ours, problem, scale.slow_rounds, 1 / 5)


def dense(bench: Bench) -> Iterator[Row]:
    """For context: the peer at its best has an easier problem here, all weights kept."""
    scale, count = bench.scale, bench.scale.empirical_images
    ours = problems.empirical_call(bench.images(count), scale.depth, scale.width, scale.density)
    problem = bench.problem("empirical", count, outputs=10, density=1, implementation="STRUCTURED_DERIVATIVES")
    case = f"empirical NTK, {count} images: ours masked, the peer's dense (structured derivatives)"
    yield from bench.ratio(case, ours, problem, scale.rounds)


def empirical_memory(bench: Bench) -> Iterator[Row]:
    scale = bench.scale
    arguments = {"depth": scale.depth, "width": scale.width, "density": scale.density}
    yield from own_process(
        f"empirical NTK, masked, {scale.images} images",
        None,
        3,
        "empirical",
        images=bench.file(scale.images),
        **arguments,
    )


def growth(bench: Bench) -> Iterator[Row]:
    """Seconds of the general chain as one size grows, and the exponent of the power law through all of them."""
    scale = bench.scale
    usual = {"count": scale.images, "blocks": scale.blocks, "depth": scale.depth}
    sweeps = {"count": scale.image_counts, "blocks": scale.block_counts, "depth": scale.depths}
    labels = {"count": "images", "blocks": "blocks", "depth": "hidden layers"}
    for name, sizes in sweeps.items():
        calls = []
        for size in sizes:
            own = {**usual, name: size}
            chain = problems.chain(own["blocks"], own["depth"], scale.groups)
            calls.append(problems.graphon_call(bench.images(own["count"]), chain))
            calls[-1]()
        times = [[seconds(call) for call in calls] for _ in range(scale.slow_rounds)]
        for size, values in zip(sizes, zip(*times, strict=True), strict=True):
            found = median(values)
            yield Row(f"growth: {size} {labels[name]}", "s", found.estimate, found.low, found.high)
        rate = fitted_rate(np.tile(sizes, scale.slow_rounds), np.ravel(times))
        yield Row(f"growth with {labels[name]}", "exponent", -rate.estimate, -rate.high, -rate.low)


def own_process(
    case: str, most_seconds: float | None, most_memory: float, name: str, **arguments: Any
) -> Iterator[Row]:
    """Time and memory of one call."""
    found = alone(name, **arguments)
    yield Row(f"{case}: time", "s", found["seconds"], found["seconds"], found["seconds"], most_seconds)
    yield Row(f"{case}: memory", "GB", found["peak"], found["peak"], found["peak"], most_memory)


def errors(bench: Bench) -> Iterator[Row]:
    yield from accuracy.accuracy(bench.scale.chains, bench.scale.networks, bench.scale.network_width)


def pruning(bench: Bench) -> Iterator[Row]:
    scale = bench.scale
    yield from pruners(scale.depth, scale.pruned_width, scale.pruned_density, scale.pruning_rounds, scale.slow_rounds)


def training(bench: Bench) -> Iterator[Row]:
    scale = bench.scale
    yield from trainers(scale.depth, scale.width, scale.trained_densities, scale.training_steps, scale.slow_rounds)


CASES: tuple[Callable[[Bench], Iterator[Row]], ...] = (
    errors, general, collapsible, double, series, masked, dense, empirical_memory, growth, many, pruning,
    training,
)  # fmt: skip
