"""The page of runs: ``{runs} chapters``, what this copy of the book executed, and ``{runs} stores``, what it read."""

from __future__ import annotations

import html
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from companion_site.provenance import Run, runs
from companion_site.provenance_notes import anchor_of, breakable, moment, short, shown
from graphon_lib.sweeps.study import read_study

RESULTS = Path(__file__).parents[2] / "notebooks" / "results"
SLOWEST = 3


class RunsDirective(SphinxDirective):
    """One part of the page."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Lay out the part that the argument names."""
        part = self.arguments[0]
        if part not in {"chapters", "stores"}:
            raise self.error(f"runs has the argument {part!r}, but must be 'chapters' or 'stores'")
        text = self._chapters() if part == "chapters" else stores_html(RESULTS)
        return [nodes.raw("", text, format="html")]

    def _chapters(self) -> str:
        folder = Path(self.env.srcdir, "chapters")
        found = runs(folder)
        if not found:
            raise self.error("runs found no executed notebook in chapters/; execute the notebooks with `make book`")
        for run in found:
            self.env.note_dependency(str(folder / f"{run.name}.ipynb"))
        return "".join(map(self._run_html, found))

    def _run_html(self, run: Run) -> str:
        docname = f"chapters/{run.name}"
        page = self.env.app.builder.get_relative_uri(self.env.docname, docname)
        file = page.split("#")[0]  # none in a book of one page
        slowest = sorted(run.cells.values(), key=lambda cell: cell.seconds, reverse=True)[:SLOWEST]
        entries = {
            "Outcome": run.outcome,
            "When": moment(run.started),
            "Took": f"{run.seconds:.0f} s",
            "Slowest": ", ".join(
                f'<a href="{file}#{anchor_of(docname, cell)}">cell {cell.count}</a> ({cell.seconds:.1f} s)'
                for cell in slowest
            ),
            "Parameters": ", ".join(map(shown, run.parameters)),
            "Executed": f"<code>{breakable(run.file)}</code>",
            "Commit": f"<code>{html.escape(short(run.commit))}</code>",
            "Versions": ", ".join(f"{name} {version}" for name, version in sorted(run.versions.items())) or "unknown",
        }
        listed = "".join(f"<dt>{term}</dt><dd>{text}</dd>" for term, text in entries.items())
        return f'<div class="run"><h3><a href="{page}">{html.escape(run.name)}</a></h3><dl>{listed}</dl></div>'


def stores_html(results: Path) -> str:
    """A table of all stores below a folder: rows, days, commits, and hours that one core took."""
    # Histograms of single trials are working data, and not all are kept.
    folders = sorted({path.parent for path in results.rglob("part-*.parquet")} - set(results.rglob("histograms")))
    lines, total = [], [0, 0.0]
    for folder in folders:
        rows = read_study(folder)
        if (folder / "sweeps.json").exists():  # a sweep keeps a row of a trial that failed, and says why in it
            rows = rows[rows["error"].isna()]
        hours = rows["run_time"].sum() / 3600
        days = sorted({time[:10] for time in rows["time"]})
        commits = [short(commit) for commit in rows.sort_values("time")["commit"].unique()]
        total = [total[0] + len(rows), total[1] + hours]
        lines.append(
            f'<tr><th scope="row"><code>{breakable(folder.relative_to(results).as_posix())}</code>'
            f"<p>{html.escape(', '.join(commits))}</p></th><td>{len(rows):,}</td><td>{hours:.2f}</td>"
            f"<td>{' to '.join(dict.fromkeys([days[0], days[-1]]))}</td></tr>"
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("store, at commits", "rows", "hours", "computed"))
    foot = f'<tr><th scope="row">all</th><td>{total[0]:,}</td><td>{total[1]:.1f}</td><td></td></tr>'
    return (
        f'<table class="table stores"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody>'
        f"<tfoot>{foot}</tfoot></table>"
    )
