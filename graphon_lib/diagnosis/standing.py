"""Where a network stands among the book's, and what theirs say on how its training would begin."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from graphon_lib.diagnosis.book import (
    APART,
    MAIN,
    SIZES,
    WIDTH,
    BookNetwork,
    Setting,
    book_networks,
    densities_of,
    expected_loss,
    line_through,
    peers_at,
    spread_of_scales,
)
from graphon_lib.diagnosis.network import Network
from graphon_lib.diagnosis.number import Number, shown
from graphon_lib.diagnosis.report import Standing

# No network of the book begins below 0.99 of ln(classes), the loss of one that cannot tell classes apart.
LEARNT = 0.95

# Methods that prune each layer by itself keep a few weights more or fewer than asked for.
ROUNDING = 0.01

INITIALISATIONS = {"he": "He's", "pytorch": "PyTorch's"}


def setting_of(network: Network, weights_of: str | None) -> Setting | None:
    """The setting of the book that the network is in, but for what is between its layers; None if in none."""
    widths = network.widths
    if widths is None or weights_of is None or any(width != WIDTH for width in widths[1:-1]):
        return None
    for setting in dict.fromkeys(each.setting for each in book_networks()):
        same = setting.depth == len(widths) - 2 and setting.initialisation == weights_of
        if same and SIZES[setting.data] == (widths[0], widths[-1]):
            return setting
    return None


def networks_in(setting: Setting) -> list[BookNetwork]:
    """Those of the book in a setting."""
    return [each for each in book_networks() if each.setting == setting]


def described(setting: Setting) -> str:
    """A setting in words."""
    data = {"mnist": "MNIST digits", "indian_pines": "Indian Pines"}[setting.data]
    return (
        f"{setting.depth} hidden layers of {WIDTH} ReLUs without biases, {INITIALISATIONS[setting.initialisation]} "
        f"weights, {data}"
    )


def standing_of(network: Network, density: Number, weights_of: str | None) -> Standing:
    """The book's methods at the density of the network, or the nearest that they have."""
    setting = setting_of(network, weights_of)
    networks = networks_in(setting or MAIN)
    known = densities_of(networks)
    kept = float(density.value or 0.0)
    nearest = min(max(kept, known[0]), known[-1])
    notes = []
    if setting is None:
        notes.append(f"the book's networks have {described(MAIN)}, and these numbers change with depth and width")
    if nearest != kept:
        notes.append(
            f"the book's densities go from {known[0]:g} to {known[-1]:g}, so the nearest is shown, and this network's "
            f"is {shown(kept)}"
        )
    return Standing(setting or MAIN, nearest, tuple(peers_at(nearest, networks)), "; ".join(notes))


def obstacles_to(
    network: Network,
    weights_of: str | None,
    totals: Mapping[str, Number],
    kernel_scale: Number,
    classes: int,
) -> tuple[str, ...]:
    """All reasons why the book's evidence on early training does not bear on a network; none if it does."""
    found = [f"the book's networks are stacks of linear layers, but {departure}" for departure in network.departures]
    found += [f"the book's networks have no {feature}" for feature in network.beside]
    if network.activation is not None and network.activation.name != "relu" and len(network.masks) > 1:
        found.append(f"the book's networks have ReLUs, and this one {network.activation.name}")
    if weights_of is None:
        found.append(
            "its weights cannot be a draw of He's or of PyTorch's initialisation (they are trained, or of another "
            "scale), and the book's networks are pruned and judged at initialisation"
        )
    loss = totals["initial_loss"].value
    if loss is not None and loss < LEARNT * math.log(classes):
        found.append(
            f"its loss on these targets is {shown(loss)}, chance's {shown(math.log(classes))}: it has been trained, "
            "and the book's networks are judged at initialisation"
        )
    setting = setting_of(network, weights_of)
    alike = any(setting_of(network, initialisation) for initialisation in INITIALISATIONS)
    if not alike:
        widths = "-".join(map(str, network.widths)) if network.widths else "no such stack"
        found.append(
            f"the book has digits in networks of 3, 4 or 6 hidden layers of {WIDTH} neurons, and Indian Pines (200 "
            f"inputs, 16 classes) in 4; this one is {widths}"
        )
    elif setting is None and weights_of is not None:
        found.append(f"the book has no networks of {INITIALISATIONS[weights_of]} weights in this shape")
    if setting is None or found:
        return tuple(found)
    return tuple(_outside(networks_in(setting), totals, kernel_scale))


def _outside(networks: list[BookNetwork], totals: Mapping[str, Number], kernel_scale: Number) -> list[str]:
    """Why a network in a setting of the book lies outside the range of its networks."""
    density, scale = totals["density"].value, totals["second_moment_scale"].value
    known = densities_of(networks)
    if density is None or not known[0] * (1 - ROUNDING) <= density <= known[-1] * (1 + ROUNDING):
        return [
            f"the book's networks in its setting keep from {known[0]:g} to {known[-1]:g} of their weights, "
            f"and it {totals['density']}"
        ]
    if not scale:
        return ["no path of kept weights leads from its inputs to its outputs"]
    peers = peers_at(density, networks)
    x, _ = line_through(peers)
    low, high = np.exp(x[[0, -1]])
    beyond = max(low / scale, scale / high)
    if beyond > spread_of_scales():
        side, end = ("below the smallest", low) if scale < low else ("above the largest", high)
        return [
            f"its second-moment scale, {shown(scale)}, lies {side} of the book's at its sparsity, {shown(end)}, by a "
            f"factor of {shown(beyond)}"
        ]
    alike = [each for each in networks if each.method != APART]
    largest = max(each.kernel_scale / each.second_moment_scale for each in alike)
    if kernel_scale.value is None or kernel_scale.value / scale > largest * spread_of_scales():
        excess = "not known" if kernel_scale.value is None else f"{shown(kernel_scale.value / scale)} times as large"
        apart = [each for each in networks if each.method == APART]
        ratios = [each.relative_loss for each in apart]
        return [
            f"its kernel is {excess} as its second moments say; of the book's networks only GraSP's exceed "
            f"{shown(largest)}, and their early losses are {shown(min(ratios))} to {shown(max(ratios))} times Random's"
        ]
    return []


def early_loss(standing: Standing, second_moment_scale: Number, obstacles: tuple[str, ...]) -> Number:
    """Early loss over Random's at equal sparsity: from the book's networks, if they bear on this one."""
    if obstacles or second_moment_scale.value is None:
        return Number.unknown("; ".join(obstacles) or second_moment_scale.note)
    expected = expected_loss(second_moment_scale.value, standing.peers)
    return Number(
        expected.estimate,
        expected.low,
        expected.high,
        f"as far as the same rule missed in any of {expected.misses} cases, in each of which a method was left out",
    )
