"""A diagnosis as HTML: a fragment for notebooks, and a file that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable

from matplotlib.figure import Figure

from graphon_lib.diagnosis.report import Diagnosis
from graphon_lib.diagnosis.words import Section, Table, sections
from graphon_lib.figures.diagnosis import graphons_by_layer, standing_among

DPI = 110

# Colours are the page's own, so that the report is as legible on a dark page as on a light one; pictures bring their
# white ground along.
_STYLE = """<style>
.diagnosis { line-height: 1.5; overflow-wrap: anywhere; }
.diagnosis :is(h2, h3, p, li, caption, th, td) { color: inherit; }
.diagnosis .wide { overflow-x: auto; margin: 1rem 0; overflow-wrap: normal; }
.diagnosis table { border-collapse: collapse; font-size: 0.9em; }
.diagnosis caption { text-align: left; padding: 0.3rem 0; font-style: italic; }
.diagnosis th, .diagnosis td { text-align: left; vertical-align: top; padding: 0.25rem 0.7rem 0.25rem 0;
  border-bottom: 1px solid; background: none; color: inherit; font-variant-numeric: tabular-nums; }
.diagnosis img { max-width: 100%; height: auto; background: white; }
.diagnosis .reasons { font-size: 0.9em; }
</style>
"""

_PAGE_STYLE = """<style>
:root { color-scheme: light dark; }
body { font-family: system-ui, sans-serif; background: Canvas; color: CanvasText; max-width: 62rem; margin: 0 auto;
  padding: 1rem; }
</style>
"""


def page(of: Diagnosis) -> str:
    """One file: no script, nothing fetched."""
    title = f"Diagnosis: {html.escape(of.model)}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n{_PAGE_STYLE}</head>\n<body>\n<main>\n<h1>{title}</h1>\n{_body(of, 2)}</main>\n"
        "</body>\n</html>\n"
    )


def fragment(of: Diagnosis) -> str:
    """The same without what makes it a page, its headings below those of a notebook's sections."""
    return _body(of, 3)


def _body(of: Diagnosis, level: int) -> str:
    return f'<div class="diagnosis">\n{_STYLE}{"".join(_section(of, one, level) for one in sections(of))}</div>\n'


def _section(of: Diagnosis, section: Section, level: int) -> str:
    parts = [f"<h{level}>{html.escape(section.title)}</h{level}>\n"]
    parts += [f"<p>{html.escape(paragraph)}</p>\n" for paragraph in section.paragraphs]
    if section.points:
        parts.append(f"<ul>\n{''.join(f'<li>{html.escape(point)}</li>' for point in section.points)}\n</ul>\n")
    parts += [_table(table) for table in section.tables]
    if section.picture:
        parts.append(PICTURES[section.picture](of))
    return "".join(parts)


def _table(table: Table) -> str:
    heads = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in table.columns)
    rows = ""
    for first, *cells in table.rows:
        told = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        rows += f'<tr><th scope="row">{html.escape(first)}</th>{told}</tr>\n'
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in table.reasons)
    caption = html.escape(table.caption)
    # Whatever scrolls has to be within reach of the keyboard, and to have a name then.
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{caption}">\n<table>\n'
        f"<caption>{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
        + (f'<p class="reasons">Not known, because:</p>\n<ol class="reasons">{reasons}</ol>\n' if reasons else "")
    )


def _graphons(of: Diagnosis) -> str:
    figure = graphons_by_layer({layer.name: layer.graphon for layer in of.layers})
    told = "; ".join(
        f"{layer.name}, density {layer.density}, from {layer.graphon.values.max():.2g} in its densest block to "
        f"{layer.graphon.values.min():.2g} in its sparsest"
        for layer in of.layers
    )
    return _picture(figure, f"The sorted histogram of each layer's mask: {told}.")


def _standing(of: Diagnosis) -> str:
    scale = of.totals["second_moment_scale"].value
    loss = of.early_loss
    expected = (
        None if loss.value is None or loss.low is None or loss.high is None else (loss.value, loss.low, loss.high)
    )
    ranges = {
        peer.method: (peer.ranges["second_moment_scale"], peer.ranges["relative_loss"]) for peer in of.standing.peers
    }
    figure = standing_among(ranges, scale, expected)
    here = "is not known and not drawn" if scale is None else f"is {of.totals['second_moment_scale']}"
    below = f"Its expected early loss is {loss}." if expected else "Its early loss is not known."
    told = (
        "Early loss over Random's against second-moment scale, a point a method of the book at equal sparsity. "
        f"The scale of this network {here}. {below}"
    )
    return _picture(figure, told)


def _picture(figure: Figure, alt: str) -> str:
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=DPI, metadata={"Software": None})
    data = base64.b64encode(held.getvalue()).decode("ascii")
    return f'<p><img alt="{html.escape(alt, quote=True)}" src="data:image/png;base64,{data}"></p>\n'


PICTURES: dict[str, Callable[[Diagnosis], str]] = {"graphons": _graphons, "standing": _standing}
