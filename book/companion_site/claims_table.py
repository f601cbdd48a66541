"""The ledger of claims on the site: the page of all, the table below each chapter, and ``claims.json`` at the root."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from companion_site.provenance import runs
from companion_site.provenance_notes import breakable, commits, moment, note
from graphon_lib.claims import MIME_TYPE, Evidence, read_ledger
from graphon_lib.claims.table import html_table, verdict_badge, verdict_counts

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["MIME_TYPE", "ClaimsDirective", "VerdictsDirective", "chapter_table", "check_links", "write_json"]

logger = logging.getLogger(__name__)


def chapter_table(records: Sequence[dict[str, Any]]) -> nodes.raw:
    """The claims that a chapter records, as they stand in its output; links lead to figures of the same page."""
    entries = [Evidence.of(record).entry() for record in records]
    return nodes.raw(text=html_table(entries, lambda entry: "#" + entry["link"].split("#")[1]), format="html")


class VerdictsDirective(SphinxDirective):
    """``{verdicts}``: how many of the ledger's claims have which verdict, each count a link to the first of them."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Read the notebooks and count their claims."""
        page = self.env.app.builder.get_relative_uri(self.env.docname, "claims")
        return [nodes.raw(text=_counts(self._entries(), page), format="html")]

    def _entries(self) -> list[dict[str, Any]]:
        notebooks = _notebooks(self.env.srcdir)
        for notebook in notebooks:
            self.env.note_dependency(str(notebook))
        evidence = read_ledger(notebooks)
        if not evidence:
            raise self.error(
                f"{self.name} found no evidence in the {len(notebooks)} notebooks of chapters/, but needs at least "
                "one; execute the notebooks with `make book`"
            )
        return [one.entry() for one in evidence]


class ClaimsDirective(VerdictsDirective):
    """``{claims}``: the ledger of all chapters, read from the notebooks in ``chapters/``, with a count of verdicts."""

    def run(self) -> list[nodes.Node]:
        """Read the notebooks and lay out their claims."""
        entries = self._entries()
        table = html_table(entries, lambda entry: entry["link"])
        made = {
            "Code": "<code>python -m graphon_lib claims</code>",
            "Numbers": "recorded at the ends of the chapters; nothing was computed for this page",
            "Runs": ", ".join(
                f"{breakable(run.name)} {moment(run.started)} at {commits([run.commit])}"
                for run in runs(Path(self.env.srcdir, "chapters"))
            ),
        }
        return [nodes.raw(text=f"{_counts(entries)}\n{table}", format="html"), note(made)]


def _counts(entries: Sequence[dict[str, Any]], page: str = "") -> str:
    first = {entry["verdict"]: entry["id"] for entry in reversed(entries)}
    items = "".join(
        f'<li><a href="{page}#claim-{first[verdict]}"><strong>{count}</strong> {verdict_badge(verdict)}</a></li>\n'
        for verdict, count in verdict_counts(entries).items()
    )
    return f'<ul class="verdict-counts">\n{items}</ul>'


def check_links(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn, once all pages are read, of evidence that names a figure which its chapter does not have."""
    figures = env.domains["std"].anonlabels
    for one in read_ledger(_notebooks(env.srcdir)):
        page = one.entry()["link"].split(".html")[0]
        if figures.get(one.cell, ("",))[0] != page:
            logger.warning("evidence on %s names the figure %r, which is not on the page %s", one.claim, one.cell, page)


def write_json(app: Sphinx, error: Exception | None) -> None:
    """Write ``claims.json`` at the root of the built site: a list of objects, see :meth:`Evidence.entry`."""
    evidence = [] if error or app.builder.format != "html" else read_ledger(_notebooks(app.srcdir))
    if evidence:
        text = json.dumps([one.entry() for one in evidence], indent=2, ensure_ascii=False, allow_nan=False)
        Path(app.outdir, "claims.json").write_text(text + "\n", encoding="utf8")


def _notebooks(source: str | Path) -> list[Path]:
    return sorted(Path(source, "chapters").glob("*.ipynb"))
