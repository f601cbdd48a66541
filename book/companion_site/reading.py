"""What stands at the top of a chapter: how long it takes to read, and what one needs to know before."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Adults read plain prose at 240 words a minute; prose with formulas takes longer.
WORDS_A_MINUTE = 200
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def open_chapter(app: Sphinx, doctree: nodes.document) -> None:
    """Write a page's reading time and needs below its title, if the setting ``what_you_need`` has the page.

    The setting is a dict from a page to a sentence, in which ``[words](page)`` is a link to another page.
    """
    page = app.env.docname
    title = next(doctree.findall(nodes.title), None)
    if page not in app.config.what_you_need or title is None:
        return
    minutes = math.ceil(prose_words(doctree) / WORDS_A_MINUTE)
    time = f"{minutes} minute{'s' * (minutes > 1)} to read."
    paragraph = nodes.paragraph("", "", nodes.strong(time, time), nodes.Text(" What you need: "))
    # Splitting at a pattern with two groups gives text, words, page, text, words, page, ..., text.
    text, *links = _LINK.split(app.config.what_you_need[page])
    paragraph += nodes.Text(text)
    for words, target, after in zip(links[::3], links[1::3], links[2::3], strict=True):
        paragraph += [page_link(page, target, words), nodes.Text(after)]
    title.parent.insert(title.parent.index(title) + 1, nodes.container("", paragraph, classes=["reading"]))


def prose_words(doctree: nodes.document) -> int:
    """The words of paragraphs, headings and captions; a formula within them is one word, code cells are not read."""
    prose = (nodes.paragraph, nodes.title, nodes.caption, nodes.term)
    words = 0
    for block in doctree.findall(lambda node: isinstance(node, prose)):
        for node in block.findall():
            if isinstance(node, nodes.math):
                words += 1
            elif isinstance(node, nodes.Text) and not isinstance(node.parent, nodes.math):
                words += len(node.split())
    return words


def page_link(page: str, target: str, words: str) -> addnodes.pending_xref:
    """A reference from one page to another; Sphinx warns if there is none of that name."""
    kind = {"refdomain": "std", "reftype": "doc", "reftarget": f"/{target}", "refexplicit": True, "refwarn": True}
    return addnodes.pending_xref("", nodes.inline(words, words), refdoc=page, **kind)
