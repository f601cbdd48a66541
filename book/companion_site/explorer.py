"""The interactive explorer of the masks' store: ``{explorer}``, its controls, and the data that its script draws."""

from __future__ import annotations

import base64
import html
import json
import shutil
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from companion_site.offline_assets import PLOTLY_SCRIPTS
from companion_site.provenance_notes import store_note
from graphon_lib.figures.style import METHOD_COLOURS, METHOD_NAMES, NULL_COLOUR, percent_sparse
from graphon_lib.sweeps import Grid, Store, read_distances, read_summaries
from graphon_lib.sweeps.summary import GROUP, KINDS, group_of

if TYPE_CHECKING:
    from sphinx.application import Sphinx

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
GRID = NOTEBOOKS / "sweeps" / "masks.yaml"
STORE = NOTEBOOKS / "results" / "masks"
REMEDY = "compute what is missing with `make sweep CONFIG=notebooks/sweeps/masks.yaml`"

SCRIPTS = ("explorer/masks.js", "explorer/explorer.js")
PAIRS = ("widest", "doubling")
# Cells are kept to this share of their mask's density, or to a 255th of the largest cell where that is more: finer
# steps would show the noise of the mean, which takes room and cannot be seen.
RESOLUTION = 0.02

KIND_LABELS = {"mask": "the mask", "erdos_renyi": "structureless (Erdős–Rényi)", "equal_degrees": "equal degrees"}
SCALE_LABELS = {"relative": "over the mask's density", "share": "share kept"}
PLOTS = {
    "histogram": ("Sorted histogram", "Heat map of the mean degree-sorted histogram"),
    "degrees": ("Degrees", "Curves of the sorted degrees of rows and columns, with those of structureless masks"),
    "distances": ("Distances", "Distances between histograms against the width, with those of structureless masks"),
}


class ExplorerDirective(SphinxDirective):
    """``{explorer}``: controls and three plots, with their scripts on this page only."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Lay out what can be chosen, as the grid lists it."""
        self.env.note_dependency(str(GRID))
        self.env.metadata[self.env.docname]["explorer"] = True
        chapter = self.env.app.builder.get_relative_uri(self.env.docname, "chapters/01_mask_convergence")
        made = store_note("book/companion_site/explorer.py", Store(STORE).rows(), STORE)
        return [nodes.raw(text=explorer_html(Grid.from_yaml(GRID), chapter), format="html"), made]


def write_scripts(app: Sphinx) -> None:
    """Write the explorer's data and script into the site; first of all, so that pages link to what they hold."""
    if app.builder.format != "html":
        return
    data, script = (Path(app.outdir, "_static", name) for name in SCRIPTS)
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text(f"window.graphonExplorer = {json.dumps(explorer_data(STORE, Grid.from_yaml(GRID)))};\n")
    shutil.copyfile(Path(__file__).with_name("explorer.js"), script)


def load_scripts(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Load Plotly and the explorer on the explorer's page."""
    if "explorer" in (context.get("meta") or {}):
        for script in (*PLOTLY_SCRIPTS, *SCRIPTS):
            app.add_js_file(script, defer="defer")


def explorer_data(folder: Path, grid: Grid) -> dict[str, Any]:
    """What the explorer draws: the mean histograms of a store, and the mean distances between them.

    Returns
    -------
    dict
        ``masks`` maps "method depth layer density" to lists with an entry a width: ``trials``, ``density`` (of the
        mask), ``steps`` (one for each of ``kinds``), ``distances`` (by pair and kind; None where there are none).
        ``packed`` holds all histograms in that order, (masks, widths, kinds, blocks, blocks): bytes, each to be
        multiplied by its step; each row less the row above it, modulo 256, deflated, in base 64.

    Raises
    ------
    ExtensionError
        If the store lacks a configuration of the grid, or the grid varies what the explorer has no control for.
    """
    groups = dict.fromkeys(group_of(trial) for trial in grid.trials_of())
    if len(groups) > len(grid.methods) * len(grid.depths) * len(grid.densities):
        raise ExtensionError(
            f"explorer got the grid {grid.name!r} of {len(groups)} groups, but tells them apart by method, depth and "
            "density only; give its other fields one value each, or the explorer a control for them"
        )
    try:
        rows = read_summaries(folder).to_dict("records")
        distances = read_distances(folder).groupby([*GROUP, "width", "layer", "kind", "pair"])["euclidean"].mean()
    except FileNotFoundError as error:
        raise ExtensionError(f"explorer has nothing to show: {error}; {REMEDY}") from None
    summaries = {tuple(row[name] for name in (*GROUP, "width")): row for row in rows}
    wanted = [(*group, width) for group in groups for width in grid.widths]
    lacking = [cell for cell in wanted if cell not in summaries]
    if lacking:
        raise ExtensionError(
            f"explorer found no summary of {len(lacking)} of {len(wanted)} configurations in {folder}, such as "
            f"{dict(zip((*GROUP, 'width'), lacking[0], strict=True))}; {REMEDY}"
        )
    means = distances.to_dict()
    masks, pixels = {}, []
    for group in groups:
        about = dict(zip(GROUP, group, strict=True))
        of_widths = [(*group, width) for width in grid.widths]
        cells = [summaries[cell] for cell in of_widths]
        for layer in range(1, about["depth"]):
            values = np.array([[cell[f"{kind}_mean"][layer - 1] for kind in KINDS] for cell in cells])
            steps, of_mask = quantised(values)
            pixels.append(of_mask)
            masks[f"{about['method']} {about['depth']} {layer} {about['density']:g}"] = {
                "trials": [cell["trials"] for cell in cells],
                "density": _short(values[:, 0].mean(axis=(1, 2))),
                "steps": steps.tolist(),
                "distances": {
                    pair: {kind: _short(means.get((*cell, layer, kind, pair)) for cell in of_widths) for kind in KINDS}
                    for pair in PAIRS
                },
            }
    return {
        "blocks": grid.blocks,
        "widths": grid.widths,
        "kinds": KINDS,
        "colours": {method: METHOD_COLOURS[method] for method in grid.methods},
        "nullColour": NULL_COLOUR,
        "masks": masks,
        "packed": packed(np.array(pixels)),
    }


def quantised(histograms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps (..., kinds) and whole numbers (..., kinds, blocks, blocks) of bytes, whose product is near the histograms.

    No cell is off by more than half a step: 1 % of the density of the first kind, or a 510th of the largest cell.
    """
    density = histograms[..., :1, :, :].mean(axis=(-2, -1))
    steps = np.maximum(histograms.max(axis=(-2, -1)) / 255, RESOLUTION * density)
    # A mask that keeps nothing has no scale; rounded up, so that no cell exceeds 255 steps.
    steps = np.where(steps > 0, np.ceil(steps * 1e7) / 1e7, 1.0)
    return steps, np.rint(histograms / steps[..., None, None]).astype(np.uint8)


def packed(pixels: np.ndarray) -> str:
    """Bytes (..., rows, columns) as text: sorted histograms change little from row to row, so differences deflate."""
    differences = np.diff(pixels, axis=-2, prepend=np.uint8(0))
    return base64.b64encode(zlib.compress(differences.tobytes(), 9)).decode()


def explorer_html(grid: Grid, chapter: str) -> str:
    """The controls, the plots' places and a line for what they show; without scripts, a link to the chapter."""
    depths = {str(depth): f"{depth}" for depth in grid.depths}
    layers = {str(layer): f"{layer} and {layer + 1}" for layer in range(1, max(grid.depths))}
    sparsities = {f"{density:g}": percent_sparse(density) for density in grid.densities}
    plots = "".join(
        f'<div class="plotly-figure" data-plot="{name}" role="group" aria-label="{label}">'
        f'<p class="explorer-title">{title}</p><div></div></div>'
        for name, (title, label) in PLOTS.items()
    )
    return (
        '<form class="explorer" aria-label="Explorer of pruning masks" autocomplete="off" hidden>'
        '<div class="explorer-choices">'
        + _select("method", "Method", {method: METHOD_NAMES[method] for method in grid.methods}, "snip")
        + _select("depth", "Hidden layers", depths, "2")
        + _select("layer", "Mask between layers", layers, "1")
        + _select("density", "Pruned", sparsities, "0.1")
        + "</div>"
        + _radios("kind", "Heat map of", KIND_LABELS)
        + _radios("scale", "Scale", SCALE_LABELS)
        + f'<label class="explorer-width"><span>Width</span><input type="range" name="width" min="0" '
        f'max="{len(grid.widths) - 1}" step="1" value="{len(grid.widths) // 2}"><output></output></label>'
        f'<div class="explorer-plots">{plots}</div><p class="explorer-says" role="status"></p></form>'
        f'<noscript><p>The explorer needs JavaScript. <a href="{html.escape(chapter)}">Chapter 1</a> shows the same '
        "histograms, degrees and distances as pictures.</p></noscript>"
    )


def _select(name: str, label: str, options: dict[str, str], chosen: str) -> str:
    inner = "".join(
        f'<option value="{value}"{" selected" * (value == chosen)}>{html.escape(text)}</option>'
        for value, text in options.items()
    )
    return f'<label><span>{label}</span><select name="{name}">{inner}</select></label>'


def _radios(name: str, legend: str, options: dict[str, str]) -> str:
    inner = "".join(
        f'<label><input type="radio" name="{name}" value="{value}"{" checked" * first}>{html.escape(text)}</label>'
        for value, text in options.items()
        for first in [value == next(iter(options))]
    )
    return f"<fieldset><legend>{legend}</legend>{inner}</fieldset>"


def _short(values: Iterable[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.5g}") for value in values]
