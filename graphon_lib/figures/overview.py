"""The picture of the landing page and the README: what the masks look like, and what ranks them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graphon_lib.figures.masks import draw_histogram
from graphon_lib.figures.style import METHOD_NAMES, styled
from graphon_lib.figures.training import draw_start_against


@styled
def overview(masks: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Sorted histograms of the widest masks, a panel a method, above early loss against second-moment scale."""
    methods = list(masks["method"].unique())
    # Narrow, so that its words can still be read on a phone.
    figure = plt.figure(figsize=(4.8, 4.9), layout="constrained")
    plt.close(figure)
    rows = figure.add_gridspec(2, 1, height_ratios=(1, 3))
    above, below = figure.add_subfigure(rows[0]), figure.add_subfigure(rows[1])
    widest = masks[masks["width"] == masks["width"].max()]
    for panel, method in zip(above.subplots(1, len(methods)), methods, strict=True):
        draw_histogram(panel, np.mean(widest.loc[widest["method"] == method, "histogram"].tolist(), axis=0))
        panel.set_title(METHOD_NAMES[method])
    panel = below.subplots()
    draw_start_against(panel, training, "second_moment_scale", "second-moment scale of the pruned network")
    panel.set_ylabel("mean loss, first steps")
    below.legend(loc="outside lower center", ncols=3)
    return figure
