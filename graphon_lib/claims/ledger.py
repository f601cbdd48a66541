"""What notebooks measured: recorded as evidence, shown as a table, read back from executed notebooks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from graphon_lib.claims.paper import CLAIMS
from graphon_lib.claims.rules import measured, verdict
from graphon_lib.claims.table import html_table, text_table
from graphon_lib.intervals import Interval

MIME_TYPE = "application/vnd.graphon.claims+json"

# Of what is recorded: fewer than another processor's arithmetic would change, more than any verdict turns on.
DIGITS = 6


@dataclass(frozen=True)
class Evidence:
    """What a notebook measured for one claim. The verdict is none of its business: it follows.

    Attributes
    ----------
    claim : str
        A key of ``CLAIMS``.
    statistics : dict
        From the name of a test of the claim to its Interval, or to a number that is exact; kept to six digits. A test
        that is missing, or whose numbers are not finite, leaves the claim undecided.
    sentence : str
        What was measured, with the numbers.
    cell : str
        Name of the figure that shows it: its anchor on the chapter's page.

    Raises
    ------
    ValueError
        If the claim is unknown, a statistic belongs to none of its tests or has its ends the wrong way round, or
        sentence or cell is empty.
    TypeError
        If a statistic is neither an Interval nor a number.
    """

    claim: str
    statistics: Mapping[str, Interval | float]
    sentence: str
    cell: str
    intervals: Mapping[str, Interval] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.claim not in CLAIMS:
            raise ValueError(f"claim is {self.claim!r}, but must be one of {list(CLAIMS)}")
        object.__setattr__(self, "intervals", {name: self._interval(name) for name in self.statistics})
        verdict(CLAIMS[self.claim], self.intervals)
        if not self.sentence.strip():
            raise ValueError(f"sentence of {self.claim} is empty, but must be one with the numbers measured")
        if not self.cell.strip():
            raise ValueError(f"cell of {self.claim} is empty, but must be the name of the figure that shows it")

    def _interval(self, name: str) -> Interval:
        value = self.statistics[name]
        if isinstance(value, Real) and not isinstance(value, bool):
            value = Interval(*[float(value)] * 3)
        if not isinstance(value, Interval):
            raise TypeError(f"statistic {name!r} of {self.claim} is {value!r}, but must be an Interval or a number")
        if value.low > value.high:
            raise ValueError(
                f"statistic {name!r} of {self.claim} has the interval {value.low} to {value.high}, but low must not be "
                "above high; swap them"
            )
        return Interval(*(float(f"{x:.{DIGITS}g}") for x in (value.estimate, value.low, value.high)))

    def entry(self) -> dict[str, Any]:
        """The claim, its tests, what was measured and the verdict, as ``claims.json`` has them.

        Of a test that was not measured, statistic and interval are None. ``statistic``, ``interval`` and ``test`` are
        those of the first test; ``tests`` has all of them.
        """
        claim = CLAIMS[self.claim]
        tests = []
        for test in claim.tests:
            interval = self.intervals.get(test.name)
            found = interval if interval is not None and measured(interval) else None
            tests.append(
                {
                    "name": test.name,
                    "measure": test.measure,
                    "side": test.side,
                    "threshold": test.threshold,
                    "reason": test.reason,
                    "statistic": found.estimate if found else None,
                    "interval": [found.low, found.high] if found else None,
                    "passed": test.passes(found) if found else None,
                }
            )
        return {
            "id": claim.id,
            "title": claim.title,
            "claim": claim.statement,
            "where": claim.where,
            "test": f"{tests[0]['measure']}: {tests[0]['side']} {tests[0]['threshold']:g}",
            "statistic": tests[0]["statistic"],
            "interval": tests[0]["interval"],
            "verdict": verdict(claim, self.intervals),
            "link": f"chapters/{claim.notebook}.html#{self.cell}",
            "beyond": claim.beyond,
            "tests": tests,
            "evidence": self.sentence,
        }

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Evidence:
        """What :meth:`record` kept."""
        statistics = {name: Interval(*numbers) for name, numbers in record["statistics"].items()}
        return cls(record["claim"], statistics, record["sentence"], record["cell"])

    def record(self) -> dict[str, Any]:
        """What is kept in the notebook: numbers, and no verdict."""
        return {
            "claim": self.claim,
            "statistics": {name: [i.estimate, i.low, i.high] for name, i in self.intervals.items() if measured(i)},
            "sentence": self.sentence,
            "cell": self.cell,
        }


class Ledger:
    """Evidence in the order of the claims. A notebook shows it as a table and keeps it for :func:`read_ledger`."""

    def __init__(self, evidence: Iterable[Evidence]) -> None:
        order = list(CLAIMS)
        self.evidence = tuple(sorted(evidence, key=lambda one: order.index(one.claim)))
        if not self.evidence:
            raise ValueError("evidence is empty; pass at least one Evidence")
        for earlier, later in itertools.pairwise(self.evidence):
            if earlier.claim == later.claim:
                raise ValueError(f"evidence has {later.claim} twice, but a claim has one verdict; keep one of them")

    def entries(self) -> list[dict[str, Any]]:
        """See :meth:`Evidence.entry`."""
        return [one.entry() for one in self.evidence]

    def __repr__(self) -> str:
        return text_table(self.entries())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            "text/plain": repr(self),
            "text/html": html_table(self.entries()),
            MIME_TYPE: [one.record() for one in self.evidence],
        }


def ledger(*evidence: Evidence) -> Ledger:
    """Record evidence: the last expression of a notebook's last cell.

    Raises
    ------
    ValueError
        If there is none, or two on the same claim.
    """
    return Ledger(evidence)


def read_ledger(paths: Iterable[str | Path]) -> list[Evidence]:
    """The evidence recorded in executed notebooks, in the order of the claims.

    Parameters
    ----------
    paths : iterable of str or Path
        Notebooks (.ipynb). One that records nothing adds nothing.

    Raises
    ------
    FileNotFoundError
        If a notebook is missing.
    ValueError
        If a file is no notebook, a claim is recorded twice or in another notebook than its own, or a record is not
        what :func:`ledger` writes.
    """
    found: dict[str, Evidence] = {}
    for path in map(Path, paths):
        for record in _records(path):
            try:
                evidence = Evidence.of(record)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path} records what is no evidence of this version ({type(error).__name__}: {error}); execute it "
                    "again with `make notebooks`"
                ) from None
            if CLAIMS[evidence.claim].notebook != path.stem:
                raise ValueError(
                    f"{evidence.claim} is recorded in {path.stem}, but belongs to {CLAIMS[evidence.claim].notebook}; "
                    "record it there"
                )
            if evidence.claim in found:
                raise ValueError(f"{evidence.claim} is recorded in {path.stem} twice; remove one of them")
            found[evidence.claim] = evidence
    return [found[claim] for claim in CLAIMS if claim in found]


def _records(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"notebook {path} is not there; execute it first, or leave it out of paths")
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        outputs = itertools.chain.from_iterable(cell.get("outputs", []) for cell in cells)
        return [record for output in outputs for record in output.get("data", {}).get(MIME_TYPE, [])]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(f"{path} is no notebook; restore it, or make it again with `make notebooks`") from None


def says(sentence: str, holds: bool | np.bool_) -> None:
    """Print a sentence of the book, ticked if it holds in this run.

    What the book's prose relies on stands in such a line of the published notebooks, and their tests fail on any line
    that comes out otherwise. With other parameters a sentence may fail: that is a result, so the run goes on.

    Parameters
    ----------
    sentence : str
        What the prose says, in numbers.
    holds : bool
        Whether it is so.

    Raises
    ------
    TypeError
        If holds is not a bool: a number or an array would pass unnoticed.
    """
    if not isinstance(holds, bool | np.bool_):
        raise TypeError(f"holds is {holds!r}, but must be True or False; compare, and reduce arrays with .all()")
    print(f"✓ {sentence}" if holds else f"✗ does not hold in this run: {sentence}")
