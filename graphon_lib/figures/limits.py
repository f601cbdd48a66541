"""Figures of chapter 3: Gaussian pre-activations, finite kernels near their limit, and the collapse."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from graphon_lib.figures.style import NULL_COLOUR, canvas, logarithmic, styled

POSITION_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")


@styled
def preactivation_histograms(samples: np.ndarray, variances: np.ndarray, positions: list[str]) -> Figure:
    """Pre-activations of neurons in several positions beside the limit's Gaussians (Proposition 1).

    Parameters
    ----------
    samples : (positions, draws) array
    variances : (positions,) array
        Of the limit.
    """
    figure, axes = canvas(1, len(positions), 1.6 * len(positions) + 0.4, 2.4, sharey=True, sharex=True)
    bound = 3.5 * np.sqrt(max(variances))
    grid = np.linspace(-bound, bound, 200)
    for panel, values, variance, position, colour in zip(
        axes[0], samples, variances, positions, POSITION_COLOURS, strict=False
    ):
        panel.hist(values, bins=np.linspace(-bound, bound, 41), density=True, color=colour, alpha=0.55)
        panel.plot(grid, stats.norm.pdf(grid, scale=np.sqrt(variance)), color="black", label="limit")
        panel.set_title(position)
        panel.set_xlabel("pre-activation")
    axes[0, 0].set_ylabel("density")
    axes[0, 0].legend(loc="upper left", handlelength=1)
    return figure


@styled
def kernel_convergence(sweeps: dict[str, pd.DataFrame], rates: dict[str, float]) -> Figure:
    """Distance of finite networks' kernels to the Graphon NTK against width, with the fitted rate (Theorem 1)."""
    figure, axes = canvas(1, 1, 4.8, 4.2)
    panel = axes[0, 0]
    for (name, sweep), colour, marker in zip(sweeps.items(), POSITION_COLOURS, "osDv", strict=False):
        widths = np.array(sorted(sweep["width"].unique()))
        panel.plot(sweep["width"], sweep["error"], marker, color=colour, alpha=0.35, markeredgewidth=0)
        mean = sweep.groupby("width")["error"].mean().to_numpy()
        label = f"{name}: error ~ n^{-rates[name]:.2f}"
        panel.plot(widths, mean, marker=marker, color=colour, label=label)
    reference = mean[0] * (widths / widths[0]) ** -0.5
    panel.plot(widths, reference, color=NULL_COLOUR, linestyle="--", label="slope -1/2")
    panel.set(xlabel="width n", ylabel="relative error of the kernel")
    logarithmic(panel, widths)
    figure.legend(loc="outside lower center", ncols=1)
    return figure


@styled
def collapse_scatter(pairs: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Entries of Graphon NTKs over those of path density times the dense kernel, by dense entry: a line at 1 if they
    collapse."""
    figure, axes = canvas(1, 1, 4.8, 4.0)
    panel = axes[0, 0]
    for (name, (dense, ratio)), colour, marker in zip(pairs.items(), POSITION_COLOURS, "osDv", strict=False):
        panel.plot(dense, ratio, marker, markersize=3, color=colour, alpha=0.5, markeredgewidth=0, label=name)
    panel.axhline(1, color="black", linewidth=0.8)
    panel.set(xlabel="entry of the dense kernel", ylabel="Graphon NTK / (P × dense NTK)")
    figure.legend(loc="outside lower center", ncols=1, markerscale=2)
    return figure
