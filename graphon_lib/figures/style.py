"""How the book's figures look: one colour, marker and name for each method, everywhere; type legible on a phone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

P = ParamSpec("P")

# Okabe and Ito's palette for the paper's methods and PHEW, told apart by all common kinds of colour vision, and colours
# of Paul Tol's for the others; markers say it again without colour.
METHOD_COLOURS = {
    "dense": "#000000",
    "random": "#0072B2",
    "magnitude": "#CC79A7",
    "snip": "#D55E00",
    "grasp": "#E69F00",
    "synflow": "#009E73",
    "phew": "#56B4E9",
    "force": "#8C510A",
    "trained_magnitude": "#882255",
    "lottery_ticket": "#AA4499",
    "random_uniform": "#332288",
    "random_erk": "#999933",
}
METHOD_MARKERS = {
    "dense": "*",
    "random": "o",
    "magnitude": "v",
    "snip": "s",
    "grasp": "^",
    "synflow": "D",
    "phew": "P",
    "force": "X",
    "trained_magnitude": "<",
    "lottery_ticket": ">",
    "random_uniform": "h",
    "random_erk": "d",
}
METHOD_NAMES = {
    "dense": "Dense",
    "random": "Random",
    "magnitude": "Magnitude",
    "snip": "SNIP",
    "grasp": "GraSP",
    "synflow": "SynFlow",
    "phew": "PHEW",
    "force": "FORCE",
    "trained_magnitude": "Magnitude after training",
    "lottery_ticket": "Lottery ticket",
    "random_uniform": "Random, uniform layers",
    "random_erk": "Random, ERK layers",
}
NULL_COLOUR = "#767676"
GRAPHON_COLOURS = "viridis"

_STYLE: Any = {
    "figure.dpi": 200,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "legend.fontsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "legend.frameon": False,
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the book's style, leaving matplotlib's global settings as they were found."""

    @functools.wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return in_style


def canvas(rows: int, columns: int, width: float, height: float, **layout: Any) -> tuple[Figure, np.ndarray]:
    """A figure and its (rows, columns) axes; sizes in inches.

    The figure is closed for pyplot at once, so that a notebook shows it once, where it is named.
    """
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=(width, height), layout="constrained", squeeze=False, **layout
        )
    plt.close(figure)
    return figure, axes


def line_style(method: str) -> dict[str, Any]:
    """Colour, marker and label of a method's line."""
    return {"color": METHOD_COLOURS[method], "marker": METHOD_MARKERS[method], "label": METHOD_NAMES[method]}


def percent_sparse(density: float) -> str:
    """How the book names a density: by its sparsity, such as "90 %"."""
    return f"{100 * (1 - density):.3g} %"


def mean_and_range(axes: Axes, x: Any, values: np.ndarray, **style: Any) -> None:
    """The mean over trials (first axis of ``values``) as a line, their range as a band; NaN is left out."""
    trials = pd.DataFrame(values)
    axes.plot(x, trials.mean(), **style)
    axes.fill_between(x, trials.min(), trials.max(), color=style["color"], alpha=0.15, linewidth=0)


def logarithmic(axes: Axes, ticks: Any) -> None:
    """Logarithmic axes with plain numbers: ``ticks`` along x, and 1, 2, 5 of each decade along y."""
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.minorticks_off()
