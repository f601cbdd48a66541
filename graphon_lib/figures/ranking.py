"""Figures of what ranks networks: rank correlations with early loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graphon_lib.figures.style import canvas, styled

_LOOKS = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "D"), ("#000000", "^"))


@styled
def rank_correlations(table: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Rank correlation of numbers with early loss, with intervals, a panel a setting.

    Parameters
    ----------
    table : DataFrame
        ``panel``, ``number``, ``group`` (told apart by colour; at most four), ``correlation``, ``low``, ``high``.
    names : dict
        What the axis calls each number, in its order.
    """
    panels, groups = list(table["panel"].unique()), list(table["group"].unique())
    figure, axes = canvas(1, len(panels), 1.8 + 2.4 * len(panels), 0.36 * len(names) + 1.4, sharey=True, sharex=True)
    for panel, name in zip(axes[0], panels, strict=True):
        for place, (group, (colour, marker)) in enumerate(zip(groups, _LOOKS, strict=False)):
            shown = table[(table["panel"] == name) & (table["group"] == group)].set_index("number").reindex(list(names))
            places = np.arange(len(names)) + 0.22 * (place - (len(groups) - 1) / 2)
            panel.hlines(places, shown["low"], shown["high"], color=colour, linewidth=2)
            panel.plot(shown["correlation"], places, marker, color=colour, label=group)
        panel.axvline(0, color="black", linewidth=0.8)
        panel.set(title=name, xlim=(-1.05, 1.05), xlabel="rank correlation\nwith early loss")
    axes[0, 0].set_yticks(range(len(names)), list(names.values()))
    axes[0, 0].invert_yaxis()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


@styled
def ranking_grid(table: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Rank correlations of numbers (rows) in several settings (columns), as a coloured table.

    Parameters
    ----------
    table : DataFrame
        ``number``, ``setting`` and ``correlation``.
    names : dict
        What the rows are called, in their order.
    """
    wide = table.pivot(index="number", columns="setting", values="correlation")
    wide = wide.reindex(index=list(names), columns=list(table["setting"].unique()))
    figure, axes = canvas(1, 1, min(7.0, 2.4 + 0.46 * wide.shape[1]), 0.32 * wide.shape[0] + 2.4)
    panel = axes[0, 0]
    image = panel.imshow(wide, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
    for row, column in np.ndindex(wide.shape):
        value = wide.iloc[row, column]
        if np.isfinite(value):
            colour = "white" if abs(value) > 0.75 else "black"
            panel.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8.5)
    panel.set_xticks(range(wide.shape[1]), list(wide.columns), rotation=90)
    panel.set_yticks(range(wide.shape[0]), list(names.values()))
    panel.grid(visible=False)
    figure.colorbar(image, ax=panel, label="rank correlation with early loss", location="bottom", aspect=40)
    return figure
