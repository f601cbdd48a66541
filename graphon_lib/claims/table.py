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
    """For a terminal: how many claims have which verdict, then each with its verdict, tests, and what was measured."""
    lines = [", ".join(f"{count} {verdict}" for verdict, count in verdict_counts(entries).items())]
    for entry in entries:
        lines += ["", f"{entry['id']:4}{SIGNS[entry['verdict']]} {entry['verdict']}: {entry['title']}"]
        for test in entry["tests"]:
            lines.append(f"      {_outcome(test)}: {test['name']} {statistic(test)}, to be {needed(test)}")
        lines += textwrap.wrap(entry["evidence"], _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


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
    # The roles stay when a phone shows rows one below the other.
    return (
        '<table class="claims" role="table">\n<caption>What was claimed, and what was measured here. Open a claim for '
        "its tests.</caption>\n"
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead>\n{groups}</table>'
    )


def _row(entry: Entry, link: Callable[[Entry], str] | None) -> str:
    first = entry["tests"][0]
    told = {key: html.escape(entry[key]) for key in ("id", "title", "claim", "where", "evidence")}
    tests = "".join(
        f'<li class="test-{_outcome(test)}"><strong>{html.escape(test["name"])}</strong>: '
        f"{html.escape(test['measure'])}. {statistic(test)}, to be {needed(test)}: <strong>{_outcome(test)}</strong>. "
        f'<span class="claim-note">{html.escape(test["reason"])}</span></li>\n'
        for test in entry["tests"]
    )
    shown = f'<p><a href="{html.escape(link(entry))}">The figure that shows it</a></p>\n' if link else ""
    return (
        f'<tr role="row" class="claim" id="claim-{told["id"]}"><th scope="row" role="rowheader">'
        f'<details><summary><span class="claim-id">{told["id"]}</span> {told["title"]}</summary>\n'
        f'<div class="claim-more">\n<p>{told["claim"]} <span class="claim-note">{told["where"]}.</span></p>\n'
        f"<ul>\n{tests}</ul>\n<p>{told['evidence']}</p>\n{shown}</div></details></th>"
        f'<td role="cell">{verdict_badge(entry["verdict"])}</td>'
        f'<td role="cell" class="claim-number">{html.escape(first["name"])} <strong>{statistic(first)}</strong>, '
        f"to be {needed(first)}</td></tr>\n"
    )


def verdict_badge(verdict: str) -> str:
    """The verdict's words, which carry the meaning, with a sign and a class to colour them by, which repeat it."""
    name = verdict.replace(" ", "-")
    return f'<span class="verdict verdict-{name}"><span aria-hidden="true">{SIGNS[verdict]}</span> {verdict}</span>'


def _outcome(test: Entry) -> str:
    return "open" if test["passed"] is None else "passed" if test["passed"] else "failed"
