"""The ledger: each claim of the paper, what the book measured of it, and the verdict."""

from __future__ import annotations

import html
import itertools
import json
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

VERDICTS = ("supported", "partly supported", "not supported", "undecided")
MIME_TYPE = "application/vnd.graphon.claims+json"


@dataclass(frozen=True)
class Claim:
    """One claim of Pham et al. (NeurIPS 2025, arXiv 2510.17515), in our words.

    Attributes
    ----------
    id : str
        C1 to C11, in the order of the notebooks.
    statement : str
        What is claimed.
    where : str
        Where in the paper.
    notebook : str
        Stem of the notebook that records the verdict.
    """

    id: str
    statement: str
    where: str
    notebook: str


CLAIMS: dict[str, Claim] = {
    claim.id: claim
    for claim in (
        Claim(
            "C1",
            "With method and sparsity fixed, the degree-sorted 64 x 64 density histogram of a hidden mask comes "
            "steadily closer, in Euclidean distance, to the one at width 2000 as the width grows.",
            "Section 4.3; Fig. 1 (right), Fig. 4",
            "01_mask_convergence",
        ),
        Claim(
            "C2",
            "The limit depends on the method: Random, SNIP, GraSP and SynFlow each arrive at a graphon of their own.",
            "Section 4.3; Fig. 1",
            "01_mask_convergence",
        ),
        Claim(
            "C3",
            "The masks of Random and of Magnitude pruning tend to constant graphons.",
            "Section 4.3; Appendix C, Fig. 10",
            "01_mask_convergence",
        ),
        Claim(
            "C4",
            "The density of SNIP and GraSP masks varies smoothly over the unit square; SynFlow's is a block with sharp "
            "edges, and many of its neurons are gone.",
            "Section 4.3; Figs. 5-9",
            "02_graphon_estimation",
        ),
        Claim(
            "C5",
            "In the wide limit pre-activations are centred Gaussian processes, and through the graphon their "
            "covariance depends on where the neuron stands.",
            "Proposition 1",
            "03_graphon_ntk",
        ),
        Claim(
            "C6",
            "As the width grows, the NTK of a network with a graphon's masks settles on a kernel without randomness, "
            "the Graphon NTK.",
            "Theorem 1",
            "03_graphon_ntk",
        ),
        Claim(
            "C7",
            "A constant graphon c multiplies the dense NTK by a power of c: all eigenvalues shrink alike, and modes "
            "keep their speeds relative to each other.",
            "Section 5.3; Appendix B",
            "03_graphon_ntk",
        ),
        Claim(
            "C8",
            "The sparser a randomly pruned network is, the slower it trains; dense networks are usually the fastest.",
            "Appendix D, Fig. 11",
            "04_spectra_and_training",
        ),
        Claim(
            "C9",
            "At equal sparsity, networks pruned by SNIP and SynFlow bring the training loss down faster than randomly "
            "pruned ones in the first 200 steps.",
            "Section 6; Fig. 2",
            "04_spectra_and_training",
        ),
        Claim(
            "C10",
            "Sparsity leaves the spectral metrics of Random as they are, while under SNIP and SynFlow the top "
            "eigenvalues of the Graphon NTK take a growing share of the trace and the effective rank falls.",
            "Section 6; Fig. 3",
            "04_spectra_and_training",
        ),
        Claim(
            "C11",
            "The spectrum of the Graphon NTK goes along with how training proceeds, so that a mask can be judged "
            "without training it.",
            "Section 6",
            "04_spectra_and_training",
        ),
    )
}


@dataclass(frozen=True)
class Verdict:
    """What one notebook concludes about one claim.

    Attributes
    ----------
    claim : str
        A key of ``CLAIMS``.
    verdict : {"supported", "partly supported", "not supported", "undecided"}
    evidence : str
        A sentence with the numbers that were measured.

    Raises
    ------
    ValueError
        If claim or verdict is unknown, or evidence is empty.
    """

    claim: str
    verdict: str
    evidence: str

    def __post_init__(self) -> None:
        if self.claim not in CLAIMS:
            raise ValueError(f"claim is {self.claim!r}, but must be one of {list(CLAIMS)}")
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict is {self.verdict!r}, but must be one of {list(VERDICTS)}")
        if not self.evidence.strip():
            raise ValueError(f"evidence for {self.claim} is empty, but must be a sentence with the numbers measured")

    def row(self) -> dict[str, str]:
        """The verdict beside the claim: claim, statement, where, verdict, evidence."""
        claim = CLAIMS[self.claim]
        return {
            "claim": claim.id,
            "statement": claim.statement,
            "where": claim.where,
            "verdict": self.verdict,
            "evidence": self.evidence,
        }


class Ledger:
    """Verdicts in the order of the claims. A notebook shows it as a table and keeps it for :func:`read_ledger`."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        order = list(CLAIMS)
        self.verdicts = tuple(sorted(verdicts, key=lambda verdict: order.index(verdict.claim)))
        if not self.verdicts:
            raise ValueError("verdicts is empty; pass at least one Verdict")
        for earlier, later in itertools.pairwise(self.verdicts):
            if earlier.claim == later.claim:
                raise ValueError(f"verdicts has {later.claim} twice, but a claim has one verdict; keep one of them")

    def __repr__(self) -> str:
        widths = (5, 16, 40, 44)
        lines = []
        for cells in [_HEADINGS, *map(_cells, self.rows())]:
            wrapped = [textwrap.wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
            for number in range(max(map(len, wrapped))):
                pieces = [column[number] if number < len(column) else "" for column in wrapped]
                lines.append("  ".join(map(str.ljust, pieces, widths)).rstrip())
            lines.append("  ".join("-" * width for width in widths))
        return "\n".join(lines[:-1])

    def rows(self) -> list[dict[str, str]]:
        """One dict a claim: claim, statement, where, verdict, evidence."""
        return [verdict.row() for verdict in self.verdicts]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        heads = "".join(f'<th scope="col">{heading}</th>' for heading in _HEADINGS)
        body = ""
        for row in self.rows():
            claim, *cells = map(html.escape, _cells(row))
            body += f'<tr><th scope="row">{claim}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"
        table = (
            '<table class="claims">\n<caption>The paper\'s claims and what was measured here</caption>\n'
            f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"
        )
        return {"text/plain": repr(self), "text/html": table, MIME_TYPE: self.rows()}


_HEADINGS = ("Claim", "Verdict", "What the paper says", "What was measured")


def _cells(row: dict[str, str]) -> tuple[str, str, str, str]:
    return row["claim"], row["verdict"], f"{row['statement']} ({row['where']})", row["evidence"]


def ledger(*verdicts: Verdict) -> Ledger:
    """Record verdicts: the last expression of a notebook's last cell.

    Raises
    ------
    ValueError
        If there is none, or two on the same claim.
    """
    return Ledger(verdicts)


def read_ledger(paths: Iterable[str | Path]) -> list[dict[str, str]]:
    """The verdicts recorded in executed notebooks, in the order of the claims.

    Parameters
    ----------
    paths : iterable of str or Path
        Notebooks (.ipynb). One that records nothing adds nothing.

    Returns
    -------
    list of dict
        claim, statement, where, verdict, evidence, and notebook (the file's stem).

    Raises
    ------
    FileNotFoundError
        If a notebook is missing.
    ValueError
        If a claim is recorded twice, or a claim or verdict is unknown.
    """
    found: dict[str, dict[str, str]] = {}
    for path in map(Path, paths):
        if not path.is_file():
            raise FileNotFoundError(f"notebook {path} is not there; execute it first, or leave it out of paths")
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                for entry in output.get("data", {}).get(MIME_TYPE, []):
                    verdict = Verdict(entry["claim"], entry["verdict"], entry["evidence"])
                    if verdict.claim in found:
                        raise ValueError(
                            f"{verdict.claim} is recorded in {found[verdict.claim]['notebook']} and again in "
                            f"{path.stem}, but a claim has one verdict; remove one of them"
                        )
                    found[verdict.claim] = {**verdict.row(), "notebook": path.stem}
    return [found[claim] for claim in CLAIMS if claim in found]


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
