"""The ledger of claims as a page: ``{claims}`` lists what the executed chapters recorded, with a count of verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from graphon_lib.claims import MIME_TYPE, VERDICTS, read_ledger

__all__ = ["MIME_TYPE", "ClaimsDirective", "claims_list", "verdict_counts"]


def claims_list(rows: Iterable[dict[str, str]]) -> nodes.bullet_list:
    """One entry a claim: its name and verdict, what it says, the evidence, and where it comes from.

    A list and not a table, since a phone shows it as it is, and a screen reader reads it in order.

    Parameters
    ----------
    rows : iterable of dict
        As :func:`graphon_lib.claims.read_ledger` returns them. Where ``notebook`` is present, a link leads there.
    """
    items = nodes.bullet_list(classes=["claims"])
    for row in rows:
        source = nodes.paragraph("", f"Paper: {row['where']}.", classes=["claim-source"])
        if "notebook" in row:
            source += [nodes.Text(" Examined in "), _chapter(row["notebook"]), nodes.Text(".")]
        head = nodes.paragraph("", "", nodes.strong(text=row["claim"]), nodes.Text(" "), classes=["claim-head"])
        head += _verdict(row["verdict"])
        statement = nodes.paragraph(text=row["statement"], classes=["claim-statement"])
        evidence = nodes.paragraph(text=row["evidence"], classes=["claim-evidence"])
        items += nodes.list_item("", head, statement, evidence, source, classes=["claim"])
    return items


def verdict_counts(rows: Iterable[dict[str, str]]) -> nodes.bullet_list:
    """How many claims have each verdict, best first."""
    counts = Counter(row["verdict"] for row in rows)
    items = nodes.bullet_list(classes=["verdict-counts"])
    for verdict in VERDICTS:
        line = nodes.paragraph("", "", nodes.strong(text=f"{counts[verdict]} "), _verdict(verdict))
        items += nodes.list_item("", line)
    return items


class ClaimsDirective(SphinxDirective):
    """``{claims}``: the ledger of all chapters, read from the notebooks in ``chapters/``."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Read the notebooks and lay out their claims."""
        notebooks = sorted(Path(self.env.srcdir, "chapters").glob("*.ipynb"))
        for notebook in notebooks:
            self.env.note_dependency(str(notebook))
        rows = read_ledger(notebooks)
        if not rows:
            raise self.error(
                f"claims found no verdict in the {len(notebooks)} notebooks of chapters/, but needs at least one; "
                "execute the notebooks with `make book`"
            )
        return [verdict_counts(rows), claims_list(rows)]


def _verdict(verdict: str) -> nodes.inline:
    # The words carry the meaning; the class only colours them.
    return nodes.inline(text=verdict, classes=["verdict", f"verdict-{verdict.replace(' ', '-')}"])


def _chapter(notebook: str) -> addnodes.pending_xref:
    """A link that shows the chapter's title."""
    target = {"refdomain": "std", "reftype": "doc", "reftarget": f"/chapters/{notebook}"}
    return addnodes.pending_xref("", nodes.inline(), refexplicit=False, refwarn=True, **target)
