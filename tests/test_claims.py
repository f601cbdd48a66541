"""The ledger: what it accepts, how it looks, and that it comes back from an executed notebook as it was."""

import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphon_lib.claims import CLAIMS, MIME_TYPE, VERDICTS, Verdict, ledger, read_ledger, says

FIRST = Verdict("C1", "supported", "The distance falls from 3.2 to 1.1 & stays < 1.2.")
LAST = Verdict("C10", "partly supported", "The share is 0.42 at sparsity 0.9 and 0.40 for the dense network.")

verdicts = st.lists(
    st.builds(
        Verdict,
        claim=st.sampled_from(list(CLAIMS)),
        verdict=st.sampled_from(VERDICTS),
        evidence=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1).filter(str.strip),
    ),
    min_size=1,
    unique_by=lambda verdict: verdict.claim,
)


def notebook(path, *bundles):
    """An executed notebook with one output a bundle, and the kinds of cells and outputs without one."""
    outputs = [{"output_type": "display_data", "data": bundle, "metadata": {}} for bundle in bundles]
    printed = {"output_type": "stream", "name": "stdout", "text": "✓"}
    cells = [
        {"cell_type": "markdown", "source": "text"},
        {"cell_type": "code", "source": "1", "outputs": [printed, *outputs]},
    ]
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}), encoding="utf-8")
    return path


def test_every_claim_of_the_paper_is_there_with_its_notebook():
    assert list(CLAIMS) == [f"C{number}" for number in range(1, 12)]
    assert all(claim.id == key for key, claim in CLAIMS.items())
    notebooks = [claim.notebook for claim in CLAIMS.values()]
    assert notebooks == sorted(notebooks)
    assert set(notebooks) == {
        "01_mask_convergence",
        "02_graphon_estimation",
        "03_graphon_ntk",
        "04_spectra_and_training",
    }
    assert all(claim.statement.endswith(".") and claim.where for claim in CLAIMS.values())


def test_a_ledger_shows_as_text():
    text = repr(ledger(LAST, FIRST))
    assert text.index("C1 ") < text.index("C10")
    assert max(map(len, text.splitlines())) <= 112
    columns = text.splitlines()
    assert re.split("  +", columns[0]) == ["Claim", "Verdict", "What the paper says", "What was measured"]
    evidence = " ".join(line[67:].strip() for line in columns if not line.startswith("-----"))
    assert FIRST.evidence in evidence
    assert LAST.evidence in evidence


def test_a_ledger_shows_as_an_accessible_table():
    bundle = ledger(LAST, FIRST)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", MIME_TYPE}
    table = ElementTree.fromstring(bundle["text/html"])
    assert table.find("caption").text
    assert [cell.get("scope") for cell in table.findall("thead/tr/th")] == ["col"] * 4
    rows = table.findall("tbody/tr")
    assert [(row[0].tag, row[0].get("scope"), row[0].text) for row in rows] == [
        ("th", "row", "C1"),
        ("th", "row", "C10"),
    ]
    assert [row[1].text for row in rows] == ["supported", "partly supported"]
    assert [row[3].text for row in rows] == [FIRST.evidence, LAST.evidence]
    assert CLAIMS["C1"].statement in rows[0][2].text
    assert CLAIMS["C1"].where in rows[0][2].text


@settings(deadline=None)
@given(recorded=verdicts, split=st.integers(0, 11))
def test_what_is_recorded_is_read_back_in_the_order_of_the_claims(tmp_path_factory, recorded, split):
    folder = tmp_path_factory.mktemp("notebooks")
    halves = [half for half in (recorded[:split], recorded[split:]) if half]
    paths = [
        notebook(folder / f"part_{number}.ipynb", ledger(*half)._repr_mimebundle_())
        for number, half in enumerate(halves)
    ]
    found = read_ledger([*map(str, paths), notebook(folder / "silent.ipynb")])
    where = {verdict: f"part_{number}" for number, half in enumerate(halves) for verdict in half}
    expected = sorted(recorded, key=lambda verdict: int(verdict.claim[1:]))
    assert found == [
        {
            "claim": verdict.claim,
            "statement": CLAIMS[verdict.claim].statement,
            "where": CLAIMS[verdict.claim].where,
            "verdict": verdict.verdict,
            "evidence": verdict.evidence,
            "notebook": where[verdict],
        }
        for verdict in expected
    ]


def test_a_missing_notebook_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"notebook .*absent.ipynb is not there; execute it first"):
        read_ledger([tmp_path / "absent.ipynb"])


def test_a_claim_recorded_twice_is_named_with_both_notebooks(tmp_path):
    bundle = ledger(FIRST)._repr_mimebundle_()
    one, two = notebook(tmp_path / "one.ipynb", bundle), notebook(tmp_path / "two.ipynb", bundle)
    with pytest.raises(ValueError, match="C1 is recorded in one and again in two, but a claim has one verdict"):
        read_ledger([one, two])
    with pytest.raises(ValueError, match="C1 is recorded in one and again in one"):
        read_ledger([notebook(one, bundle, bundle)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("C12", "supported", "1"), "claim is 'C12', but must be one of ['C1', 'C2'"),
        (("C1", "proved", "1"), "verdict is 'proved', but must be one of ['supported', 'partly supported',"),
        (("C1", "supported", "  "), "evidence for C1 is empty, but must be a sentence with the numbers measured"),
    ],
)
def test_impossible_verdicts(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        Verdict(*arguments)
    row = dict(zip(("claim", "verdict", "evidence"), arguments, strict=True))
    with pytest.raises(ValueError, match=re.escape(message)):
        read_ledger([notebook(tmp_path / "old.ipynb", {MIME_TYPE: [row]})])


def test_impossible_ledgers():
    with pytest.raises(ValueError, match="verdicts is empty; pass at least one Verdict"):
        ledger()
    with pytest.raises(ValueError, match="verdicts has C1 twice, but a claim has one verdict; keep one of them"):
        ledger(FIRST, LAST, Verdict("C1", "undecided", "2"))


@pytest.mark.parametrize("true", [True, np.bool_(True), np.float64(2) > 1])
def test_what_holds_is_ticked(true, capsys):
    says("The loss falls by 12 %.", true)
    assert capsys.readouterr().out == "✓ The loss falls by 12 %.\n"


@pytest.mark.parametrize("false", [False, np.bool_(False)])
def test_what_does_not_hold_is_said(false, capsys):
    says("The loss falls.", false)
    assert capsys.readouterr().out == "✗ does not hold in this run: The loss falls.\n"


@pytest.mark.parametrize("value", [1, 0.0, "yes", None, np.array([True, True]), torch.tensor(True)])
def test_only_a_bool_says_whether_it_holds(value):
    with pytest.raises(
        TypeError, match=r"holds is .*, but must be True or False; compare, and reduce arrays with .all\(\)"
    ):
        says("Anything.", value)
