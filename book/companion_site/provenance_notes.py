"""The note below each figure and table, "How this was made": its code, its numbers, its parameters, its run."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from docutils import nodes

from companion_site.provenance import Cell, Parameter, Run, Source
from graphon_lib.sweeps.sources import source_of

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# More commits than these are named by the first and the last.
COMMITS = 3
UNRECORDED = "where they are from is not recorded: it was not <code>make book</code> that executed the notebook"


def add_notes(app: Sphinx, doctree: nodes.document) -> None:
    """Put a note below each figure and table of an executed notebook, and below pictures with a record beside them."""
    docname = app.env.docname
    run: Run | None = None
    for cell in list(doctree.findall(lambda node: _is(node, "cell_code"))):
        run = run or Run(Path(app.env.doc2path(docname)))
        place, anchor = cell["cell_index"], None
        for part in cell.children:
            if _is(part, "cell_code_source"):
                anchor = anchor_of(docname, run.cells[place])
                part.children[0]["ids"].append(anchor)
            elif _is(part, "cell_code_output"):
                for output in filter(_shows, list(part)):
                    _put_below(output, cell_note(run, place, anchor))
    for image in list(doctree.findall(nodes.image)):
        record = Path(app.srcdir, image["uri"]).with_suffix(".json")
        if record.exists():
            app.env.note_dependency(str(record))
            _put_below(image.parent, record_note(json.loads(record.read_text(encoding="utf8"))))


def anchor_of(docname: str, cell: Cell) -> str:
    """The id that the code of a cell has on its page."""
    return f"{nodes.make_id(docname)}-cell-{cell.count}"


def cell_note(run: Run, place: int, anchor: str | None) -> nodes.raw:
    """The note on what a cell of a notebook shows; ``anchor`` is the id of its code on the page, if that is there."""
    cell = run.cells[place]
    code = breakable(f"{run.file}, cell {cell.count}")
    if anchor is not None:
        code = f'<a href="#{anchor}">{code}</a>'
    return note(
        {
            "Code": f"{code}, which took {cell.seconds:.3g} s",
            "Numbers": numbers(run.sources(place)) if run.recorded else UNRECORDED,
            "Parameters": ", ".join(shown(p) for p in run.parameters if p.name != "seed"),
            "Seed": ", ".join(shown(p) for p in run.parameters if p.name == "seed"),
            "Run": f"{moment(run.started)}, at {commits([run.commit])}",
        }
    )


def record_note(record: Mapping[str, Any]) -> nodes.raw:
    """The note on a picture of which the program that drew it left a record."""
    return note(
        {
            "Code": f"<code>{breakable(record['code'])}</code>, which took {record['seconds']:.3g} s",
            "Numbers": numbers(record["sources"]),
            "Parameters": ", ".join(shown(Parameter(*item, item[1])) for item in record["parameters"].items()),
            "Seed": str(record["seed"]),
            "Run": f"{moment(datetime.fromisoformat(record['started']))}, at {commits([record['commit']])}",
        }
    )


def store_note(code: str, rows: pd.DataFrame, folder: Path) -> nodes.raw:
    """The note on what a program of the site made of the rows of a store when the site was built."""
    made = {
        "Code": f"<code>{breakable(code)}</code>, when the site was built",
        "Numbers": stored([source_of(rows, folder)]),
    }
    return note(made)


def note(entries: Mapping[str, str]) -> nodes.raw:
    """A note of terms and what stands in HTML for each; empty ones are left out."""
    listed = "".join(f"<dt>{term}</dt><dd>{text}</dd>" for term, text in entries.items() if text)
    text = f'<details class="provenance"><summary>How this was made</summary><dl>{listed}</dl></details>'
    return nodes.raw("", text, format="html")


def numbers(sources: Sequence[Source]) -> str:
    """Which rows of which stores were read, and what was computed."""
    if not sources:
        return "computed in this run, none read from a store"
    return f"{stored(sources)}. What else it shows was computed in this run."


def stored(sources: Sequence[Source]) -> str:
    """Which rows of which stores were read; a store that was read more than once stands once."""
    told = []
    for folder in dict.fromkeys(source["folder"] for source in sources):
        of_folder = [source for source in sources if source["folder"] == folder]
        computed = sum(source["computed"] for source in of_folder)
        rows = sum(source["rows"] for source in of_folder)
        readings = f" in {len(of_folder)} readings" if len(of_folder) > 1 else ""
        now = f", {computed:,} of them computed in this run" if computed else ""
        told.append(
            f"{rows:,} rows of <code>{breakable(folder)}</code>{readings}{now}, computed {days(of_folder)} "
            f"at {commits(commit for source in of_folder for commit in source['commits'])}"
        )
    return "; ".join(told)


def days(sources: Iterable[Source]) -> str:
    """On which days rows were computed."""
    dates = sorted(date for source in sources for date in source["dates"])
    return f"on {dates[0]}" if dates[0] == dates[-1] else f"from {dates[0]} to {dates[-1]}"


def commits(found: Iterable[str]) -> str:
    """Commits in short."""
    names = [f"<code>{html.escape(short(commit))}</code>" for commit in dict.fromkeys(found)]
    if len(names) > COMMITS:
        return f"{len(names)} commits from {names[0]} to {names[-1]}"
    return f"commit{'s' * (len(names) > 1)} {', '.join(names)}"


def short(commit: str) -> str:
    """The first seven digits of a commit's forty, and what stands behind them, such as "-dirty"."""
    return commit[:7] + commit[40:]


def shown(parameter: Parameter) -> str:
    """A parameter and its value, marked if the run changed it."""
    code = f"<code>{parameter.name} = {html.escape(repr(parameter.value))}</code>"
    if not parameter.changed:
        return code
    return f"<mark>{code}</mark> (changed from <code>{html.escape(repr(parameter.default))}</code>)"


def breakable(path: str) -> str:
    """A path as HTML that may go on in another line behind its slashes and underscores."""
    return html.escape(path).replace("/", "/<wbr>").replace("_", "_<wbr>")


def moment(time: datetime | None) -> str:
    """A date and a time of the day."""
    return "at an unknown time" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"


def _put_below(node: nodes.Element, note: nodes.raw) -> None:
    node.parent.insert(node.parent.index(node) + 1, note)


def _is(node: nodes.Node, element: str) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == element


def _shows(output: nodes.Element) -> bool:
    """Whether an output of a cell is a figure or a table, and not text or a glued number."""
    raw = " ".join(node.astext() for node in output.findall(nodes.raw))
    return any(output.findall(nodes.image)) or any(
        mark in raw for mark in ("<table", "<svg", "<img", 'class="plotly-figure"')
    )
