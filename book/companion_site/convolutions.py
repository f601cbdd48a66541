"""The study of convolutions, on the page: ``{convolutions} histograms``, ``curves``, ``positions``, ``numbers``
or ``rows``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from docutils import nodes
from matplotlib.figure import Figure
from sphinx.util.docutils import SphinxDirective

from companion_site.benchmark import table
from companion_site.provenance_notes import store_note
from graphon_lib.channel_convergence import channel_curves, channel_numbers, position_maps
from graphon_lib.figures import METHOD_NAMES, histogram_grid, percent_sparse, position_grid, width_curves
from graphon_lib.intervals import Interval
from graphon_lib.sweeps.convolutions import BLOCKS
from graphon_lib.sweeps.study import read_study

RESULTS = Path(__file__).parents[2] / "notebooks" / "results" / "convolutions" / "convolutions"

COLUMNS = {
    "paths": "kept paths / product of densities",
    "chain": "paths of the estimated chain / exact",
    "together": "two positions of a pair kept / by chance",
    "ends": "last position / first",
    "dead": "channels without a weight",
}


class ConvolutionsDirective(SphinxDirective):
    """A figure, with the content for its caption, a table, or a sentence."""

    required_arguments: ClassVar[int] = 1
    has_content: ClassVar[bool] = True

    def run(self) -> list[nodes.Node]:
        """Read the rows and lay out the part that the argument names."""
        part = self.arguments[0]
        if part not in {*FIGURES, "numbers", "rows"}:
            known = sorted({*FIGURES, "numbers", "rows"})
            raise self.error(f"convolutions has the argument {part!r}, but must be one of {known}")
        try:
            rows = read_study(RESULTS)
        except FileNotFoundError as error:
            raise self.error(str(error)) from None
        for path in RESULTS.glob("*.parquet"):
            self.env.note_dependency(str(path))
        if part == "rows":
            return [rows_sentence(rows)]
        shown = self._figure(part, FIGURES[part](rows)) if part in FIGURES else numbers_table(rows)
        return [shown, store_note("book/companion_site/convolutions.py", rows, RESULTS)]

    def _figure(self, part: str, drawn: Figure) -> nodes.figure:
        # Beside the executed chapters: made at each build, and ignored by git.
        target = Path(self.env.srcdir, "chapters", f"convolutions_{part}.svg")
        target.parent.mkdir(exist_ok=True)
        drawn.savefig(target, metadata={"Date": None})
        alternative, *caption = " ".join(self.content).split(" | ")
        image = nodes.image(uri=f"/chapters/{target.name}", alt=alternative)
        shown, _ = self.parse_inline(" | ".join(caption), lineno=self.lineno)
        return nodes.figure("", image, nodes.caption("", "", *shown), ids=[f"convolutions-{part}"])


def histograms(rows: pd.DataFrame) -> Figure:
    """Mean sorted histograms of the sparsest networks, a row a method and a column a number of channels."""
    sparsest = rows[rows["density"] == rows["density"].min()]
    order = sorted(sparsest["method"].unique(), key=list(METHOD_NAMES).index)
    sparsest = sparsest.sort_values(["method", "width"], key=lambda c: c.map(order.index) if c.name == "method" else c)
    blocks = [np.reshape(histogram, (BLOCKS, BLOCKS)) for histogram in sparsest["histogram"]]
    return histogram_grid(sparsest.assign(histogram=blocks), columns="width")


def curves(rows: pd.DataFrame) -> Figure:
    """Distances from flat and to twice the channels, against channels."""
    return width_curves(channel_curves(rows), log=False)


def positions(rows: pd.DataFrame) -> Figure:
    """Densities of the kernel's positions in the sparsest networks."""
    return position_grid(position_maps(rows, rows["density"].min()))


FIGURES: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "histograms": histograms,
    "curves": curves,
    "positions": positions,
}


def numbers_table(rows: pd.DataFrame) -> nodes.table:
    """What the widest networks keep."""
    lines = [
        [
            f"{METHOD_NAMES[row['method']]}, {percent_sparse(row['density'])} pruned",
            *(str(row[name]) if isinstance(row[name], Interval) else "no path is kept" for name in COLUMNS),
        ]
        for row in channel_numbers(rows).to_dict("records")
    ]
    return table(("masks", *COLUMNS.values()), lines)


def rows_sentence(rows: pd.DataFrame) -> nodes.paragraph:
    """Where the numbers come from."""
    days = sorted({time[:10] for time in rows["time"]})
    commits = ", ".join(sorted({commit[:10] for commit in rows["commit"]}))
    minutes = rows["run_time"].sum() / 60
    text = (
        f"From {len(rows)} networks, {rows['trial'].nunique()} of each kind, in {minutes:.0f} minutes of one core on "
        f"{' to '.join(dict.fromkeys([days[0], days[-1]]))} at commit {commits}."
    )
    return nodes.paragraph(text=text)
