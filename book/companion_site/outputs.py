"""How myst-nb shows the two kinds of notebook output that it does not know: Plotly figures and ledger entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes

from companion_site import claims_table, plotly_figures
from companion_site.offline_assets import PLOTLY_SCRIPTS

if TYPE_CHECKING:
    from myst_nb.core.render import MimeData, NbElementRenderer


class OutputRenderer:
    """A plugin of myst-nb's ``mime_renderers`` group."""

    # The second builder makes the page that is printed.
    mime_priority_overrides: ClassVar[Sequence[tuple[str, str, int | None]]] = tuple(
        (builder, mime_type, 1)
        for builder in ("html", "singlehtml")
        for mime_type in (plotly_figures.MIME_TYPE, claims_table.MIME_TYPE)
    )

    @staticmethod
    def handle_mime(renderer: NbElementRenderer, data: MimeData, inline: bool) -> list[nodes.Element] | None:
        """The nodes of an output, or None to leave it to myst-nb."""
        if data.mime_type == plotly_figures.MIME_TYPE:
            for script in PLOTLY_SCRIPTS:
                renderer.add_js_file(script, script, {"defer": "defer"})
            label = data.cell_metadata.get("mystnb", {}).get("image", {}).get("alt")
            return [nodes.raw(text=plotly_figures.figure_html(data.content, label), format="html")]
        if data.mime_type == claims_table.MIME_TYPE:
            return [claims_table.chapter_table(data.content)]
        return None
