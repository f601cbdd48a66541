"""How a verdict follows from what was measured: a rule that was there before the numbers, and is never overruled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from graphon_lib.intervals import Interval

REPRODUCED = "reproduced"
QUALIFIED = "reproduced with a qualification"
NOT_REPRODUCED = "not reproduced"
BEYOND = "beyond the paper"
UNDECIDED = "undecided"

# Best first. The last is for runs with other parameters, which may measure too little to say.
VERDICTS = (REPRODUCED, QUALIFIED, NOT_REPRODUCED, BEYOND, UNDECIDED)


@dataclass(frozen=True)
class Test:
    """One number that a claim stands or falls with, and the threshold that it has to be beyond.

    Attributes
    ----------
    name : str
        A word or two, unique within the claim.
    measure : str
        What is measured, in words.
    threshold : float
    side : {"above", "below"}
        Where the whole interval has to lie for the test to be passed.
    reason : str
        Why there, in a sentence that does not know the outcome.

    Raises
    ------
    ValueError
        If side is neither, or the threshold is not finite.
    """

    # Not a class of tests, whatever pytest thinks of its name.
    __test__ = False

    name: str
    measure: str
    threshold: float
    side: Literal["above", "below"]
    reason: str

    def __post_init__(self) -> None:
        if self.side not in ("above", "below"):
            raise ValueError(f"side of test {self.name!r} is {self.side!r}, but must be 'above' or 'below'")
        if not math.isfinite(self.threshold):
            raise ValueError(f"threshold of test {self.name!r} is {self.threshold}, but must be a finite number")

    def passes(self, interval: Interval) -> bool:
        """Whether the whole interval lies on the right side of the threshold; on it is not beyond it."""
        nearest = interval.low if self.side == "above" else interval.high
        return nearest > self.threshold if self.side == "above" else nearest < self.threshold


@dataclass(frozen=True)
class Claim:
    """One claim, in our words.

    Attributes
    ----------
    id : str
        C1 to C11 of Pham et al. (NeurIPS 2025, arXiv 2510.17515), B1 to B4 of this book.
    title : str
        The claim in a few words.
    statement : str
        What is claimed.
    where : str
        Where in the paper, or in the book.
    notebook : str
        Stem of the notebook that measures it.
    tests : tuple of Test
        The first is what the claim says; the others, what it would be understood to say, too.
    beyond : bool
        Whether the claim is the book's and not the paper's.

    Raises
    ------
    ValueError
        If there is no test, or two have one name.
    """

    id: str
    title: str
    statement: str
    where: str
    notebook: str
    tests: tuple[Test, ...]
    beyond: bool = False

    def __post_init__(self) -> None:
        names = [test.name for test in self.tests]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"tests of {self.id} are named {names}, but must be one or more, each with its own name")


def measured(interval: Interval | None) -> bool:
    """Whether there is a number: an estimate and both ends, all finite."""
    return interval is not None and all(map(math.isfinite, (interval.estimate, interval.low, interval.high)))


def verdict(claim: Claim, statistics: Mapping[str, Interval]) -> str:
    """What follows for a claim from the statistics of its tests.

    *Undecided* if a test was not measured, or to no finite number. Otherwise, of the paper's claims: *not reproduced*
    if the first test fails, *reproduced* if all are passed, *reproduced with a qualification* between. A claim of the
    book is *beyond the paper* if all are passed, and *not reproduced* if not.

    Parameters
    ----------
    claim : Claim
    statistics : dict from the name of a test to its Interval

    Raises
    ------
    ValueError
        If a statistic belongs to no test of the claim.
    """
    names = [test.name for test in claim.tests]
    unknown = [name for name in statistics if name not in names]
    if unknown:
        raise ValueError(f"statistics of {claim.id} has {unknown[0]!r}, but its tests are {names}; see CLAIMS")
    if not all(measured(statistics.get(name)) for name in names):
        return UNDECIDED
    passed = [test.passes(statistics[test.name]) for test in claim.tests]
    if claim.beyond:
        return BEYOND if all(passed) else NOT_REPRODUCED
    return REPRODUCED if all(passed) else QUALIFIED if passed[0] else NOT_REPRODUCED
