"""Figures of chapter 3: Gaussian pre-activations and where they are not, finite kernels, and the collapse."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from graphon_lib.figures.style import METHOD_NAMES, NULL_COLOUR, canvas, logarithmic, styled

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#000000")
MARKERS = "osDv^P"

ACTIVATION_NAMES = {"relu": "ReLU"}


@styled
def preactivation_histograms(samples: Mapping[str, np.ndarray], variances: Mapping[str, float]) -> Figure:
    """Pre-activations of neurons in several positions beside the limit's Gaussians (Proposition 1).

    Parameters
    ----------
    samples : dict from position to (draws,) array
    variances : dict from position to float
        Of the limit.
    """
    figure, axes = canvas(1, len(samples), 1.6 * len(samples) + 0.4, 2.4)
    for panel, (position, values), colour in zip(axes[0], samples.items(), COLOURS, strict=False):
        deviation = np.sqrt(variances[position])
        bound = 3.5 * deviation
        grid = np.linspace(-bound, bound, 200)
        panel.hist(values, bins=np.linspace(-bound, bound, 41), density=True, color=colour, alpha=0.55)
        panel.plot(grid, stats.norm.pdf(grid, scale=deviation), color="black", label="limit")
        panel.set_title(position)
        panel.set_xlabel("pre-activation")
        panel.set_yticks([])
    axes[0, 0].set_ylabel("density")
    axes[0, 0].legend(loc="upper left", handlelength=1, borderpad=0)
    return figure


@styled
def kurtosis_by_kept(table: pd.DataFrame) -> Figure:
    """Excess kurtosis of pre-activations by the weights that a neuron keeps, a panel a layer and a marker a position.

    Parameters
    ----------
    table : DataFrame
        ``layer``, ``position``, ``kept``, ``kurtosis`` with ``low`` and ``high``, and ``predicted``, drawn as lines.
    """
    layers = list(table["layer"].unique())
    figure, axes = canvas(1, len(layers), 3.1 * len(layers) + 0.5, 3.6, sharex=True, sharey=True)
    # What is not told from zero has no place on a logarithmic axis.
    lowest = 0.01
    for panel, layer in zip(axes[0], layers, strict=True):
        of_layer = table[table["layer"] == layer]
        for (position, group), colour, marker in zip(
            of_layer.groupby("position", sort=False), COLOURS, MARKERS, strict=False
        ):
            ends = group[["low", "high"]].clip(lower=lowest).to_numpy().T
            panel.vlines(group["kept"], *ends, color=colour, linewidth=1.2)
            shown = group["kurtosis"].where(group["kurtosis"] > lowest)
            panel.plot(group["kept"], shown, marker, color=colour, label=position)
            panel.plot(group["kept"], group["predicted"], color=colour, linewidth=1)
        panel.set(title=f"layer {layer}", xlabel="weights that a neuron keeps")
        logarithmic(panel, [1, 10, 100, 1000])
    # The panels share it: only now does the axis reach as high as any of them.
    axes[0, 0].set(ylabel="excess kurtosis", ylim=(lowest, 1.3 * table[["high", "predicted"]].max().max()))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@styled
def few_weights(table: pd.DataFrame) -> Figure:
    """Neurons by the exact number of weights that they keep: excess kurtosis beside 15 / k, and the share of neurons at
    exactly zero beside 2^-k, with the distance to the Gaussian.

    Parameters
    ----------
    table : DataFrame
        ``kept``, ``kurtosis``, ``zero`` and ``distance``, a row a trial.
    """
    figure, axes = canvas(1, 2, 6.8, 3.4)
    means = table.groupby("kept")[["kurtosis", "zero", "distance"]].mean()
    k = means.index.to_numpy(dtype=float)
    grid = np.geomspace(k.min(), k.max(), 100)
    left, right = axes[0]
    left.plot(grid, 15 / grid, color=NULL_COLOUR, label="15 / k")
    left.plot(k, means["kurtosis"], "o", color=COLOURS[0], label="excess kurtosis")
    logarithmic(left, k)
    right.plot(grid, 2.0**-grid, color=NULL_COLOUR, label="1 / 2^k")
    right.plot(k, means["distance"], "s-", color=COLOURS[4], label="distance to the Gaussian")
    right.plot(k, means["zero"], "o", color=COLOURS[0], label="share at exactly zero")
    right.set_xscale("log")
    right.set_xticks(k, [f"{count:g}" for count in k])
    right.minorticks_off()
    right.set_ylim(0, None)
    for panel, name in ((left, "excess kurtosis"), (right, "share, distance")):
        panel.set(xlabel="weights kept, k", ylabel=name)
        panel.legend(loc="upper right")
    return figure


@styled
def kernel_convergence(table: pd.DataFrame, error: str = "frobenius") -> Figure:
    """Distance of finite networks' kernels to the Graphon NTK against width: a panel an activation, a line a chain.

    Parameters
    ----------
    table : DataFrame
        ``activation``, ``shape``, ``width`` and the error, a row a trial.
    """
    activations, shapes = list(table["activation"].unique()), list(table["shape"].unique())
    figure, axes = canvas(1, len(activations), 3.1 * len(activations) + 0.5, 4.4, sharey=True)
    widths = np.array(sorted(table["width"].unique()))
    for panel, activation in zip(axes[0], activations, strict=True):
        chosen = table[table["activation"] == activation]
        for shape, colour, marker in zip(shapes, COLOURS, MARKERS, strict=False):
            group = chosen[chosen["shape"] == shape].groupby("width")
            label = METHOD_NAMES.get(shape, shape)
            panel.plot(widths, group[error].mean(), marker=marker, color=colour, label=label)
        start = chosen[chosen["width"] == widths[0]][error].mean()
        panel.plot(widths, start * (widths / widths[0]) ** -0.5, color=NULL_COLOUR, linestyle="--", label="slope −1/2")
        panel.set(title=ACTIVATION_NAMES.get(activation, activation), xlabel="width n")
        logarithmic(panel, widths)
        panel.tick_params(axis="x", rotation=45)
    axes[0, 0].set_ylabel("relative error of the kernel")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


@styled
def error_by_density(table: pd.DataFrame, error: str = "frobenius") -> Figure:
    """Errors of finite kernels of constant graphons, a line a density: against the width, and against the number of
    weights that a neuron keeps."""
    figure, axes = canvas(1, 2, 6.8, 4.2, sharey=True)
    densities = sorted(table["density"].unique(), reverse=True)
    for density, colour, marker in zip(densities, COLOURS[::-1], MARKERS, strict=False):
        means = table[table["density"] == density].groupby("width")[error].mean()
        for panel, x in zip(axes[0], (means.index, density * means.index), strict=True):
            panel.plot(x, means, marker=marker, color=colour, label=f"c = {density:g}")
    _ticks(axes[0, 0], sorted(table["width"].unique()), "width n")
    _ticks(axes[0, 1], [1, 10, 100, 1000], "weights that a neuron keeps, c n")
    axes[0, 0].set_ylabel("relative error of the kernel")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _ticks(panel: Axes, ticks: list[int], label: str) -> None:
    logarithmic(panel, ticks)
    panel.set_xlabel(label)
    panel.tick_params(axis="x", rotation=45)


@styled
def parallel_spectra(eigenvalues: Mapping[str, np.ndarray]) -> Figure:
    """Eigenvalues of kernels by their rank on logarithmic axes: kernels equal up to a factor are parallel lines."""
    figure, axes = canvas(1, 1, 4.8, 3.8)
    panel = axes[0, 0]
    for (name, values), colour, marker in zip(eigenvalues.items(), COLOURS[::-1], MARKERS, strict=False):
        panel.plot(np.arange(1, len(values) + 1), values, marker=marker, markersize=4, color=colour, label=name)
    panel.set(xlabel="rank of the eigenvalue", ylabel="eigenvalue", xscale="log", yscale="log")
    ranks = 2 ** np.arange(int(np.log2(len(values))) + 1)
    panel.set_xticks(ranks, [f"{rank}" for rank in ranks])
    panel.minorticks_off()
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@styled
def collapse_scatter(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Entries of Graphon NTKs over those of path density times the dense kernel, by dense entry: a line at 1 if they
    collapse."""
    figure, axes = canvas(1, 1, 4.8, 4.0)
    panel = axes[0, 0]
    for (name, (dense, ratio)), colour, marker in zip(pairs.items(), COLOURS, MARKERS, strict=False):
        panel.plot(dense, ratio, marker, markersize=3, color=colour, alpha=0.5, markeredgewidth=0, label=name)
    panel.axhline(1, color="black", linewidth=0.8)
    panel.set(xlabel="entry of the dense kernel", ylabel="Graphon NTK / (P × dense NTK)")
    figure.legend(loc="outside lower center", ncols=1, markerscale=2)
    return figure
