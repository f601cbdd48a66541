"""A Plotly figure as HTML: its data as JSON inside the page, drawn by a script that comes with the site."""

from __future__ import annotations

import html
import json
import re
from typing import Any

MIME_TYPE = "application/vnd.plotly.v1+json"


def figure_html(figure: dict[str, Any], label: str | None = None) -> str:
    """The HTML of one figure.

    Parameters
    ----------
    figure : dict
        What Plotly stores in a notebook: ``data``, ``layout``, and perhaps ``frames``.
    label : str, optional
        What a screen reader says of it. Without it the figure's title is read.

    Returns
    -------
    str
        A ``<div>`` with the data in a JSON script beside it. A fixed width is dropped, so that the figure fits a phone;
        background colours are dropped, so that it follows the page's light or dark theme.
    """
    layout = {k: v for k, v in figure.get("layout", {}).items() if k not in {"width", "paper_bgcolor", "plot_bgcolor"}}
    title = layout.get("title")
    if isinstance(title, dict):
        title = title.get("text")
    label = label or re.sub(r"<[^>]*>", " ", title or "") or "Interactive figure"
    content = {"data": figure.get("data", []), "layout": layout, "frames": figure.get("frames", [])}
    # "</" would end the script element early, wherever in a label it stands.
    body = json.dumps(content, separators=(",", ":")).replace("</", "<\\/")
    height = int(layout.get("height") or 450)
    return (
        f'<div class="plotly-figure" role="group" aria-label="{html.escape(label)}" style="min-height: {height}px">'
        f'<script type="application/json">{body}</script>'
        "<noscript>This interactive figure needs JavaScript.</noscript></div>"
    )
