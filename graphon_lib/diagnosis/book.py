"""The book's own networks, to compare with: numbers of each before training, and how its training began.

``book.csv`` and ``ledger.json`` come with the library, so that they are there outside the project's folder, too;
:mod:`graphon_lib.diagnosis.ship` makes them from the stores of results and the executed notebooks.
"""

from __future__ import annotations

import csv
import functools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

# What GraSP keeps raises the kernel far beyond what the sizes of the weights say, and its training starts at losses of
# tens to thousands: similar to the others in second moments, and in nothing else (claim B4).
APART = "grasp"


class Setting(NamedTuple):
    """What networks must have in common to be compared in their training."""

    data: str
    depth: int
    initialisation: str


@dataclass(frozen=True)
class BookNetwork:
    """One pruned network of the book, of hidden layers of 1024 ReLUs without biases.

    Attributes
    ----------
    setting : Setting
    method : str
    density : float
    trial : int
    second_moment_scale, path_density : float
    kernel_scale, limit_scale : float
        The mean of the diagonal of its kernel, and of the Graphon NTK of its estimated chain, over that of the dense
        Graphon NTK on the same images.
    relative_loss : float
        Early loss (mean over 200 steps of Adam at 1e-3) over that of Random of equal density and seed.
    layer_densities : tuple of float
        Of the first trial's network.
    """

    setting: Setting
    method: str
    density: float
    trial: int
    second_moment_scale: float
    path_density: float
    kernel_scale: float
    limit_scale: float
    relative_loss: float
    layer_densities: tuple[float, ...]


MAIN = Setting("mnist", 4, "he")
WIDTH = 1024
SIZES = {"mnist": (784, 10), "indian_pines": (200, 16)}


@functools.cache
def book_networks() -> tuple[BookNetwork, ...]:
    """All networks of the table."""
    with (files(__package__) / "book.csv").open(encoding="utf-8") as lines:
        return tuple(_network(row) for row in csv.DictReader(lines))


def _network(row: dict[str, str]) -> BookNetwork:
    numbers = {name: float(row[name]) for name in NUMBERS}
    return BookNetwork(
        Setting(row["data"], int(row["depth"]), row["initialisation"]),
        row["method"],
        float(row["density"]),
        int(row["trial"]),
        **numbers,
        layer_densities=tuple(map(float, row["layer_densities"].split())),
    )


NUMBERS = ("second_moment_scale", "path_density", "kernel_scale", "limit_scale", "relative_loss")


@functools.cache
def shipped_ledger() -> dict[str, dict[str, Any]]:
    """What the ledger says on the claims that bear on a diagnosis: id -> title, statement, verdict, evidence."""
    found: dict[str, dict[str, Any]] = json.loads((files(__package__) / "ledger.json").read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Peers:
    """One method's networks of one setting, interpolated to a density.

    Attributes
    ----------
    method : str
    ranges : dict from a name in ``NUMBERS`` to (lowest, geometric mean, highest) over the networks
    layer_densities : tuple of float
    networks : int
        How many at each of the book's densities that were used, at least.
    """

    method: str
    ranges: dict[str, tuple[float, float, float]]
    layer_densities: tuple[float, ...]
    networks: int


def densities_of(networks: Iterable[BookNetwork]) -> list[float]:
    """The densities that occur, rising."""
    return sorted({network.density for network in networks})


def peers_at(density: float, networks: Sequence[BookNetwork]) -> list[Peers]:
    """Each method's networks at a density within the range of ``networks``: between two densities of the book, numbers
    are interpolated linearly, logarithm against logarithm."""
    known = densities_of(networks)
    below = max((d for d in known if d <= density), default=known[0])
    above = min((d for d in known if d >= density), default=known[-1])
    share = 0.0 if below == above else math.log(density / below) / math.log(above / below)
    found = []
    for method in dict.fromkeys(network.method for network in networks):
        ends = [[n for n in networks if n.method == method and n.density == d] for d in (below, above)]
        if not all(ends):
            continue
        ranges = {}
        for number in NUMBERS:
            logs = [np.log([getattr(network, number) for network in end]) for end in ends]
            low, middle, high = (
                float(np.exp((1 - share) * of(logs[0]) + share * of(logs[1]))) for of in (np.min, np.mean, np.max)
            )
            ranges[number] = (low, middle, high)
        layers = np.log([end[0].layer_densities for end in ends])
        mixed = tuple(np.exp((1 - share) * layers[0] + share * layers[1]).tolist())
        found.append(Peers(method, ranges, mixed, min(map(len, ends))))
    return found


@dataclass(frozen=True)
class Expected:
    """Early loss over Random's at equal sparsity, for a network of some second-moment scale.

    Attributes
    ----------
    estimate, low, high : float
    misses : int
        On how many cases, each a method left out at one density, the interval rests.
    """

    estimate: float
    low: float
    high: float
    misses: int


def line_through(peers: Sequence[Peers]) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of second-moment scale, rising, and of relative loss, a point a method; GraSP apart."""
    means = sorted(
        (peer.ranges["second_moment_scale"][1], peer.ranges["relative_loss"][1])
        for peer in peers
        if peer.method != APART
    )
    x, y = np.log(np.array(means)).T
    return x, y


def expected_loss(second_moment_scale: float, peers: Sequence[Peers]) -> Expected:
    """What the book's networks of similar second-moment scale lead one to expect, within their range.

    The estimate lies on the line through the methods' means. Its interval reaches as far as that line ever missed a
    method that was left out, anywhere in the book: a conformal interval (Vovk, Gammerman and Shafer 2005) over methods.
    No level is claimed, for only Magnitude and SNIP lie in the middle of a line, so that the misses are of these two.
    """
    x, y = line_through(peers)
    middle = float(np.interp(math.log(second_moment_scale), x, y))
    found = misses()
    widest = max(map(abs, found))
    return Expected(math.exp(middle), math.exp(middle - widest), math.exp(middle + widest), len(found))


@functools.cache
def misses() -> tuple[float, ...]:
    """By how much, in its logarithm, the relative loss of each method in the middle of a line misses the line through
    the others; where a density has neighbours on both sides, it is left out, too, and the line interpolated."""
    found = []
    for setting in dict.fromkeys(network.setting for network in book_networks()):
        networks = [n for n in book_networks() if n.setting == setting and n.method != APART]
        known = densities_of(networks)
        for density in known:
            inside = known[0] < density < known[-1]
            actual = {peer.method: peer for peer in peers_at(density, networks)}
            others = peers_at(density, [n for n in networks if not (inside and n.density == density)])
            by_scale = sorted(actual, key=lambda method: actual[method].ranges["second_moment_scale"][1])
            for method in by_scale[1:-1]:
                x, y = line_through([peer for peer in others if peer.method != method])
                scale, loss = (actual[method].ranges[name][1] for name in ("second_moment_scale", "relative_loss"))
                found.append(math.log(loss) - float(np.interp(math.log(scale), x, y)))
    return tuple(found)


@functools.cache
def spread_of_scales() -> float:
    """The largest factor by which second-moment scales of two networks of one method, density and setting differ."""
    networks = sorted(book_networks(), key=_cell)
    return max(
        max(a.second_moment_scale, b.second_moment_scale) / min(a.second_moment_scale, b.second_moment_scale)
        for a, b in pairwise(networks)
        if _cell(a) == _cell(b)
    )


def _cell(network: BookNetwork) -> tuple[Setting, str, float]:
    return network.setting, network.method, network.density
