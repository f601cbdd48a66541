"""What ``make benchmark`` measured, on the page: ``{benchmark} accuracy``, ``ratios``, ``growth`` or ``machine``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter
from sphinx.util.docutils import SphinxDirective

from companion_site.provenance_notes import commits, note
from graphon_lib.figures.style import canvas, styled

RESULTS = Path(__file__).parents[2] / "notebooks" / "results" / "benchmark.json"
GROWTH = "growth: "
SIZES = ("images", "blocks", "hidden layers")

Case = dict[str, Any]


class BenchmarkDirective(SphinxDirective):
    """One part of the stored results, as a table, a figure or a sentence."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Read the results and lay out the part that the argument names."""
        part = self.arguments[0]
        parts = {"accuracy": accuracy_table, "ratios": ratio_table}
        allowed = sorted({*parts, "growth", "machine"})
        if part not in allowed:
            raise self.error(f"benchmark has the argument {part!r}, but must be one of {allowed}")
        if not RESULTS.exists():
            raise self.error(f"benchmark found no {RESULTS.name} in notebooks/results; measure with `make benchmark`")
        self.env.note_dependency(str(RESULTS))
        results = json.loads(RESULTS.read_text())
        if part == "machine":
            return [machine_sentence(results)]
        shown = self._growth(results["cases"]) if part == "growth" else parts[part](results)
        return [shown, benchmark_note(results["machine"])]

    def _growth(self, cases: Sequence[Case]) -> nodes.figure:
        # Beside the executed chapters: made at each build, and ignored by git.
        target = Path(self.env.srcdir, "chapters", "kernel_growth.svg")
        target.parent.mkdir(exist_ok=True)
        growth_figure(cases).savefig(target, metadata={"Date": None})
        exponents = [
            f"{interval(case)} with {case['case'].removeprefix('growth with ')}"
            for case in cases
            if case["unit"] == "exponent"
        ]
        caption = (
            "Seconds for one kernel as one size grows and the others stay, on logarithmic axes. Exponents of the power "
            f"laws through them, with 95 % intervals: {'; '.join(exponents)}."
        )
        image = nodes.image(uri="/chapters/kernel_growth.svg", alt=caption)
        return nodes.figure("", image, nodes.caption(text=caption), ids=["kernel-growth"])


def accuracy_table(results: dict[str, Any]) -> nodes.table:
    """Errors against references, double and single precision side by side where both were measured."""
    rows: dict[str, list[str]] = {}
    for case in results["cases"]:
        if case["unit"] == "relative error":
            name, precision = case["case"].rsplit(": ", 1)
            rows.setdefault(name, ["", ""])[precision == "float32"] = f"{case['value']:.0e}"
        elif case["unit"] == "standard errors":
            rows[case["case"]] = [f"{case['value']:.1f} standard errors", ""]
    return table(("reference", "float64", "float32"), [[name, *cells] for name, cells in rows.items()])


def ratio_table(results: dict[str, Any]) -> nodes.table:
    """Ratios, with the seconds of both behind them, and seconds and gigabytes, each beside what was asked of it."""
    cases = {case["case"]: case for case in results["cases"]}
    rows = []
    for name, case in cases.items():
        if case["unit"] in {"times the peer", "s", "GB", "times"} and not name.startswith(
            (GROWTH, *_contestants(cases))
        ):
            value = f"{interval(case)} {case['unit']}"
            if f"{name}: peer" in cases:
                value += f" ({cases[f'{name}: ours']['value']:.2g} s, {cases[f'{name}: peer']['value']:.2g} s)"
            rows.append([name, value, asked(case)])
    return table(("case", "median and 95 % interval", "asked"), rows)


def _contestants(cases: Iterable[str]) -> list[str]:
    return [name for name in cases if name.endswith((": ours", ": peer"))]


def machine_sentence(results: dict[str, Any]) -> nodes.paragraph:
    """With what the numbers came about."""
    facts = results["machine"]
    versions = {**facts["versions"], **facts["peer"]}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = (
        f"Measured on {facts['date']} with {facts['threads']} threads of {facts['processor']}, "
        f"Python {facts['python']}, {listed}, at commit {facts['commit']}."
    )
    return nodes.paragraph(text=text)


def benchmark_note(facts: dict[str, Any]) -> nodes.raw:
    """How the numbers came about."""
    return note(
        {
            "Code": "<code>make benchmark</code>, the folder <code>tests/benchmarks</code>",
            "Numbers": f"<code>notebooks/results/{RESULTS.name}</code>; nothing was measured for this page",
            "Parameters": f"<code>threads = {facts['threads']}</code>",
            "Run": f"{facts['date']}, at {commits([facts['commit']])}",
        }
    )


@styled
def growth_figure(cases: Iterable[Case]) -> Figure:
    """Seconds against images, blocks and hidden layers, one panel above the other, as a phone has room for."""
    figure, axes = canvas(len(SIZES), 1, 4.4, 6.0, sharey=True)
    points = [case for case in cases if case["case"].startswith(GROWTH)]
    for axis, size in zip(axes[:, 0], SIZES, strict=True):
        own = [case for case in points if case["case"].endswith(f" {size}")]
        x = [float(case["case"].split()[1]) for case in own]
        middle = [case["value"] for case in own]
        spread = [[case["value"] - case["low"] for case in own], [case["high"] - case["value"] for case in own]]
        axis.errorbar(x, middle, yerr=spread, marker="o", color="#0072B2", capsize=2)
        axis.set(xscale="log", yscale="log", xlabel=size, ylabel="seconds")
        axis.set_xticks(x, [f"{value:g}" for value in x])
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    return figure


def interval(case: Case) -> str:
    """A value, and its interval where there is one."""
    value = f"{case['value']:.3g}"
    return value if case["low"] == case["high"] else f"{value} [{case['low']:.3g}, {case['high']:.3g}]"


def asked(case: Case) -> str:
    """The limit that the value had to keep."""
    return "" if case["asked"] is None else f"at most {case['asked']:g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> nodes.table:
    """A table of text."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *(_row(row) for row in rows))
    return nodes.table("", group, classes=["benchmark"])


def _row(cells: Sequence[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph(text=cell)) for cell in cells))
