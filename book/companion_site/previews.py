"""Previews of what a link leads to: what sphinx-tippy collects, made fit to be read at a glance and by everyone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import sphinx_tippy
from bs4 import BeautifulSoup

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

# Beside a theorem, a figure or an entry of the bibliography, but not part of what it says.
ASIDE = ".headerlink, .label, .backrefs, details, button, noscript"


def trim_previews(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Trim the previews that sphinx-tippy has just collected from a page."""
    if doctree is not None:
        previews = sphinx_tippy.get_tippy_data(app)["pages"][pagename]["id_to_html"]
        for target, html in previews.items():
            previews[target] = trimmed(html)


def trimmed(html: str) -> str:
    """A preview without ids, which would occur twice on its page, and without what takes a page of its own to show."""
    preview = BeautifulSoup(html, "html.parser")
    for aside in preview.select(ASIDE):
        aside.decompose()
    for plot in preview.select(".plotly-figure"):
        plot.name = "p"
        plot.string = plot["aria-label"]
        plot.attrs = {}
    # Terms and entries stand in a list, a preview alone.
    for term in preview.find_all("dt"):
        term.name = "p"
        term["class"] = "preview-term"
    for meaning in preview.find_all("dd"):
        meaning.name = "div"
    for part in preview.find_all(True):
        for attribute in ("id", "role", "title", "style"):
            part.attrs.pop(attribute, None)
    for image in preview.find_all("img"):
        image["loading"] = "lazy"  # that is, when the preview is opened
    return str(preview)


def drop_caches(app: Sphinx, exception: Exception | None) -> None:
    """Remove the answers of web services that sphinx-tippy keeps in the site: it was told to ask none."""
    for cache in Path(app.outdir).glob("tippy_*_cache.json"):
        cache.unlink()


def name_entries(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Call the bibliography's entries items of its list; the role that Sphinx gives them is deprecated."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')
