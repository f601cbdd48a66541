"""Terms of the glossary, linked where a page first uses them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def link_terms(app: Sphinx, doctree: nodes.document) -> None:
    """Link the first use of each term on a page to the glossary; the glossary's own page is left as it is.

    What is linked stands in the setting ``linked_terms``, a dict from a term of the glossary to its spellings. Only
    running text is searched: not headings, captions, tables, links, code or formulas. A term that the glossary lacks is
    a broken reference, which Sphinx warns of.
    """
    spelt = {spelling: term for term, spellings in app.config.linked_terms.items() for spelling in spellings}
    if not spelt or next(doctree.findall(addnodes.glossary), None):
        return
    # The longest first, or "step graphon" would be read as "graphon"; whole words, and no part of a hyphenated one.
    choices = "|".join(r"\s+".join(map(re.escape, one.split())) for one in sorted(spelt, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w-])(?:{choices})(?![\w-])")
    linked: set[str] = set()
    for text in running_texts(doctree):
        pieces: list[nodes.Node] = []
        end = 0
        for match in pattern.finditer(text):
            term = spelt[" ".join(match[0].split())]
            if term in linked:
                continue
            linked.add(term)
            pieces += [nodes.Text(text[end : match.start()]), term_link(app.env.docname, term, match[0])]
            end = match.end()
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(text[end:])])


def running_texts(doctree: nodes.document) -> list[nodes.Text]:
    """The texts of paragraphs outside tables, in order, with nothing but emphasis between text and paragraph."""
    texts = []
    for paragraph in doctree.findall(nodes.paragraph):
        if not is_within(paragraph, nodes.table):
            for part in [paragraph, *paragraph.findall(nodes.emphasis), *paragraph.findall(nodes.strong)]:
                join_lines(part)
            texts += [text for text in paragraph.findall(nodes.Text) if is_plain(text)]
    return texts


def join_lines(part: nodes.Element) -> None:
    """Make one text of neighbours, since MyST makes a text of each line, and terms do not end with it."""
    for text in [child for child in part.children if isinstance(child, nodes.Text)]:
        place = part.index(text)
        if place and isinstance(part[place - 1], nodes.Text):
            part[place - 1 : place + 1] = [nodes.Text(part[place - 1] + text)]


def is_plain(text: nodes.Text) -> bool:
    """Whether a text is its paragraph's own or emphasised in it, rather than a link, code or a formula."""
    node = text.parent
    while isinstance(node, nodes.emphasis | nodes.strong):
        node = node.parent
    return isinstance(node, nodes.paragraph)


def is_within(node: nodes.Node | None, kind: type[nodes.Node]) -> bool:
    """Whether a node or one that holds it is of a kind."""
    while node is not None and not isinstance(node, kind):
        node = node.parent
    return node is not None


def term_link(page: str, term: str, spelling: str) -> addnodes.pending_xref:
    """A reference to a term of the glossary, under the words that stand in the text."""
    target = {"refdomain": "std", "reftype": "term", "reftarget": term, "refexplicit": True, "refwarn": True}
    return addnodes.pending_xref("", nodes.inline(spelling, spelling, classes=["std-term"]), refdoc=page, **target)
