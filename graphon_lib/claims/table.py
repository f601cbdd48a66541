"""The ledger as a table to take in at a glance and unfold: in a terminal, in a notebook, on a page."""

from __future__ import annotations

import html
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from graphon_lib.claims.rules import BEYOND, NOT_REPRODUCED, QUALIFIED, REPRODUCED, UNDECIDED, VERDICTS

Entry = dict[str, Any]

SIGNS = {REPRODUCED: "✓", QUALIFIED: "≈", NOT_REPRODUCED: "✗", BEYOND: "+", UNDECIDED: "?"}
_WIDTH = 112


def number(value: float) -> str:
    """Three significant digits, as a reader would write them: 0.998, 74.1, 5e-16."""
    return f"{value:.3g}".replace("-", "−").replace("e−0", "e−")


def statistic(test: Entry) -> str:
    """``0.49 (0.44 to 0.53)``, or ``0.49`` where the interval is that number, or ``not measured``."""
    if test["statistic"] is None:
        return "not measured"
    low, high = test["interval"]
    return number(test["statistic"]) + (f" ({number(low)} to {number(high)})" if low < high else "")


def needed(test: Entry) -> str:
    """``above 0.9``."""
    return f"{test['side']} {number(test['threshold'])}"


def verdict_counts(entries: Sequence[Entry]) -> dict[str, int]:
    """How many claims have each verdict that occurs, best first."""
    counts = Counter(entry["verdict"] for entry in entries)
    return {verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]}


def text_table(entries: Sequence[Entry]) -> str:
    """For a terminal: a line a claim with its verdict, and below it tests and evidence."""
    lines = []
    for entry in entries:
        lines.append(f"{entry['id']:4}{SIGNS[entry['verdict']]} {entry['verdict']}: {entry['title']}")
        told = [f"{entry['claim']} ({entry['where']})"]
        for test in entry["tests"]:
            outcome = {True: "passed", False: "failed", None: "open"}[test["passed"]]
            told.append(f"{outcome}: {test['measure']}: {statistic(test)}, to be {needed(test)}")
        for line in [*told, entry["evidence"]]:
            lines += textwrap.wrap(line, _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 6)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdict_counts(entries).items())
    return "\n".join([*lines, f"{len(entries)} claims: {counts}"])


def html_table(entries: Sequence[Entry], link: Callable[[Entry], str] | None = None) -> str:
    """For a page: a row a claim, which unfolds; claims beyond the paper in a group of their own.

    Parameters
    ----------
    entries : list of dict
        As :meth:`graphon_lib.claims.Evidence.entry` has them.
    link : callable, optional
        From an entry to the address of the cell that shows it. Without it there is no link.
    """
    heads = "".join(f'<th scope="col" role="columnheader">{head}</th>' for head in ("Claim", "Verdict", "Measured"))
    groups = ""
    for beyond, heading in ((False, "Claims of the paper"), (True, "Beyond the paper")):
        rows = "".join(_row(entry, link) for entry in entries if entry["beyond"] is beyond)
        if rows:
            groups += (
                '<tbody role="rowgroup">\n<tr role="row" class="claim-group"><th scope="rowgroup" role="rowheader" '
                f'colspan="3">{heading}</th></tr>\n{rows}</tbody>\n'
            )
    return (
        '<table class="claims" role="table">\n<caption>What was claimed, and what was measured here</caption>\n'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead>\n{groups}</table>'
    )


def _row(entry: Entry, link: Callable[[Entry], str] | None) -> str:
    first = entry["tests"][0]
    tests = "".join(
        f'<li class="test-{_word(test)}">{html.escape(test["measure"])}: <strong>{statistic(test)}</strong>, to be '
        f"{needed(test)}: <em>{_word(test)}</em>. {html.escape(test['reason'])}</li>\n"
        for test in entry["tests"]
    )
    title = html.escape(entry["title"])
    shown = f'<p><a href="{html.escape(link(entry))}">See the figure</a></p>\n' if link else ""
    return (
        f'<tr role="row" class="claim" id="claim-{entry["id"]}">'
        f'<th scope="row" role="rowheader"><details><summary><b>{entry["id"]}</b> {title}</summary>\n'
        f'<div class="claim-more">\n<p>{html.escape(entry["claim"])} <span class="claim-where">'
        f"{html.escape(entry['where'])}.</span></p>\n<ul>\n{tests}</ul>\n"
        f"<p>{html.escape(entry['evidence'])}</p>\n{shown}</div></details></th>"
        f'<td role="cell">{_verdict(entry["verdict"])}</td>'
        f'<td role="cell" class="claim-number">{html.escape(first["name"])} <strong>{statistic(first)}</strong>, '
        f"to be {needed(first)}</td></tr>\n"
    )


def _verdict(verdict: str) -> str:
    # The words carry the meaning; sign and colour repeat it.
    return (
        f'<span class="verdict verdict-{verdict.replace(" ", "-")}"><span aria-hidden="true">{SIGNS[verdict]}</span> '
        f"{verdict}</span>"
    )


def _word(test: Entry) -> str:
    return {True: "passed", False: "failed", None: "open"}[test["passed"]]
