"""The ledger: verdicts follow from the rules, and what is recorded comes back from an executed notebook as it was."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphon_lib.claims import CLAIMS, MIME_TYPE, VERDICTS, Claim, Evidence, Test, ledger, read_ledger, says, verdict
from graphon_lib.claims.table import SIGNS, html_table, number, text_table
from graphon_lib.intervals import Interval

ORDER = ("not reproduced", "reproduced with a qualification", "reproduced")
finite = st.floats(-1e6, 1e6)
numbers = st.one_of(finite, st.sampled_from([math.nan, math.inf, -math.inf]))
sides = st.sampled_from(["above", "below"])
tests_of_a_claim = st.lists(st.tuples(finite, sides), min_size=1, max_size=4).map(
    lambda drawn: tuple(Test(f"test {i}", "x", threshold, side, "y") for i, (threshold, side) in enumerate(drawn))
)


def claim_of(tests: tuple[Test, ...], beyond: bool = False) -> Claim:
    return Claim("C0", "title", "statement.", "where", "notebook", tests, beyond)


def interval(estimate: float, half: float) -> Interval:
    return Interval(estimate, estimate - half, estimate + half)


def passing(test: Test, margin: float = 1.0) -> Interval:
    """An interval that lies beyond the threshold; before it for a negative margin."""
    return interval(test.threshold + (2 * margin if test.side == "above" else -2 * margin), 0.5)


def evidence_on(claim: str, margins: Sequence[float] = (), sentence: str = "It is 3 & < 4.") -> Evidence:
    """Of each test, passed but where its margin is negative; margins not given are 1."""
    tests = CLAIMS[claim].tests
    margins = [*margins, *[1.0] * len(tests)][: len(tests)]
    statistics = {test.name: passing(test, margin) for test, margin in zip(tests, margins, strict=True)}
    return Evidence(claim, statistics, sentence, f"fig-{claim.lower()}")


recorded_evidence = st.lists(
    st.builds(
        evidence_on,
        st.sampled_from(list(CLAIMS)),
        st.lists(st.floats(-9, 9), max_size=4),
        st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1).filter(str.strip),
    ),
    min_size=1,
    unique_by=lambda evidence: evidence.claim,
)


def notebook(path: Path, *bundles: dict[str, Any]) -> Path:
    """An executed notebook with one output a bundle, and the kinds of cells and outputs without one."""
    outputs = [{"output_type": "display_data", "data": bundle, "metadata": {}} for bundle in bundles]
    printed = {"output_type": "stream", "name": "stdout", "text": "✓"}
    cells = [
        {"cell_type": "markdown", "source": "text"},
        {"cell_type": "code", "source": "1", "outputs": [printed, *outputs]},
    ]
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}, allow_nan=False), encoding="utf-8")
    return path


# The rules


@given(tests=tests_of_a_claim, data=st.data(), beyond=st.booleans())
def test_a_verdict_follows_from_which_tests_are_passed(tests, data, beyond):
    passed = data.draw(st.lists(st.booleans(), min_size=len(tests), max_size=len(tests)))
    statistics = {test.name: passing(test, 1.0 if ok else -1.0) for test, ok in zip(tests, passed, strict=True)}
    by_hand = (
        ("beyond the paper" if all(passed) else "not reproduced")
        if beyond
        else "reproduced"
        if all(passed)
        else "reproduced with a qualification"
        if passed[0]
        else "not reproduced"
    )
    assert verdict(claim_of(tests, beyond), statistics) == by_hand


@given(tests=tests_of_a_claim, data=st.data())
def test_a_better_statistic_never_makes_a_worse_verdict(tests, data):
    claim = claim_of(tests)
    before = {test.name: interval(data.draw(finite), data.draw(st.floats(0, 10))) for test in tests}
    better = data.draw(st.sampled_from(tests))
    step = data.draw(st.floats(0, 1e6)) * (1 if better.side == "above" else -1)
    was = before[better.name]
    moved = Interval(was.estimate + step, was.low + step, was.high + step)
    after = before | {better.name: moved}
    assert ORDER.index(verdict(claim, after)) >= ORDER.index(verdict(claim, before))
    # Knowing it less well, around the same estimate, never makes a better one.
    vague = before | {better.name: Interval(was.estimate, was.low - abs(step), was.high + abs(step))}
    assert ORDER.index(verdict(claim, vague)) <= ORDER.index(verdict(claim, before))


@given(tests=tests_of_a_claim, data=st.data(), beyond=st.booleans())
def test_what_is_not_measured_is_never_reproduced(tests, data, beyond):
    statistics = {test.name: passing(test) for test in tests}
    lost = data.draw(st.sampled_from(tests)).name
    claim = claim_of(tests, beyond)
    without = {name: one for name, one in statistics.items() if name != lost}
    assert verdict(claim, without) == "undecided"
    bad = data.draw(st.tuples(numbers, numbers, numbers).filter(lambda three: not all(map(math.isfinite, three))))
    assert verdict(claim, statistics | {lost: Interval(*bad)}) == "undecided"


@given(threshold=finite, side=sides, estimate=finite, half=st.floats(0, 1e6))
def test_a_test_is_passed_by_the_whole_interval_beyond_the_threshold(threshold, side, estimate, half):
    one = interval(estimate, half)
    beyond = min(one.low, one.high) > threshold if side == "above" else max(one.low, one.high) < threshold
    assert Test("t", "x", threshold, side, "y").passes(one) == beyond
    assert not Test("t", "x", threshold, side, "y").passes(interval(threshold, half))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Test("t", "x", 1.0, "over", "y"), "side of test 't' is 'over', but must be 'above' or 'below'"),
        (lambda: Test("t", "x", math.nan, "above", "y"), "threshold of test 't' is nan, but must be a finite number"),
        (lambda: claim_of(()), "tests of C0 are named [], but must be one or more, each with its own name"),
        (lambda: claim_of((Test("t", "x", 1.0, "above", "y"),) * 2), "tests of C0 are named ['t', 't'], but"),
        (
            lambda: verdict(claim_of((Test("t", "x", 1.0, "above", "y"),)), {"u": interval(1, 0)}),
            "statistics of C0 has 'u', but its tests are ['t']; see CLAIMS",
        ),
    ],
)
def test_impossible_rules(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


# The claims


def test_every_claim_is_there_with_its_notebook_and_its_tests():
    assert list(CLAIMS) == [f"C{number}" for number in range(1, 12)] + [f"B{number}" for number in range(1, 5)]
    for key, claim in CLAIMS.items():
        assert claim.id == key
        assert claim.beyond == (key[0] == "B")
        assert claim.statement.endswith(".")
        assert claim.where
        assert len(claim.title) < 50
        assert not claim.title.endswith(".")
        assert all(len(test.name) < 40 and test.measure and test.reason.endswith(".") for test in claim.tests)
    notebooks = [claim.notebook for claim in CLAIMS.values() if not claim.beyond]
    assert notebooks == sorted(notebooks)
    assert {claim.notebook for claim in CLAIMS.values()} == {
        "01_mask_convergence",
        "02_graphon_estimation",
        "03_graphon_ntk",
        "04_spectra_and_training",
    }


# Evidence


def test_an_entry_has_what_the_site_publishes():
    claim = CLAIMS["C4"]
    entry = evidence_on("C4", [1.0, 1.0, -1.0, 1.0]).entry()
    first = passing(claim.tests[0])
    assert {key: entry[key] for key in ("id", "claim", "where", "verdict", "link", "beyond")} == {
        "id": "C4",
        "claim": claim.statement,
        "where": claim.where,
        "verdict": "reproduced with a qualification",
        "link": "chapters/02_graphon_estimation.html#fig-c4",
        "beyond": False,
    }
    assert entry["test"] == f"{claim.tests[0].measure}: {claim.tests[0].side} {claim.tests[0].threshold:g}"
    assert entry["statistic"] == pytest.approx(first.estimate, rel=1e-5)
    assert entry["interval"] == pytest.approx([first.low, first.high], rel=1e-5)
    assert [test["passed"] for test in entry["tests"]] == [True, True, False, True]
    assert [test["threshold"] for test in entry["tests"]] == [test.threshold for test in claim.tests]


@pytest.mark.parametrize("value", [math.nan, Interval(1.0, math.nan, 2.0), Interval(1.0, -math.inf, 2.0), None])
def test_what_is_not_measured_is_null_and_undecided(value):
    statistics = {} if value is None else {CLAIMS["C7"].tests[0].name: value}
    entry = Evidence("C7", statistics, "Too little.", "fig-x").entry()
    assert (entry["statistic"], entry["interval"], entry["verdict"]) == (None, None, "undecided")
    assert entry["tests"][0]["passed"] is None
    json.dumps(entry, allow_nan=False)


@pytest.mark.parametrize("exact", [3, 3.0, np.float32(3), np.int64(3), np.float64(3)])
def test_a_number_is_an_interval_of_its_own(exact):
    test = CLAIMS["C7"].tests[0]
    assert Evidence("C7", {test.name: exact}, "3.", "fig-x").entry()["interval"] == [3.0, 3.0]


def test_six_digits_are_kept_and_the_verdict_is_theirs():
    test = CLAIMS["C7"].tests[0]
    entry = Evidence("C7", {test.name: Interval(1.23456789, 1.0000001, 1.9999999)}, "1.", "fig-x").entry()
    assert (entry["statistic"], entry["interval"]) == (1.23457, [1.0, 2.0])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("C12", {}, "1", "f"), ValueError, "claim is 'C12', but must be one of ['C1', 'C2'"),
        (("C1", {}, "  ", "f"), ValueError, "sentence of C1 is empty, but must be one with the numbers measured"),
        (("C1", {}, "1", ""), ValueError, "cell of C1 is empty, but must be the name of the figure that shows it"),
        (("C1", {"none": 1.0}, "1", "f"), ValueError, "statistics of C1 has 'none', but its tests are ['steps that"),
        (("C1", {"steps that fall": "1"}, "1", "f"), TypeError, "is '1', but must be an Interval or a number"),
        (("C1", {"steps that fall": True}, "1", "f"), TypeError, "of C1 is True, but must be an Interval or a number"),
        (
            ("C1", {"steps that fall": Interval(1.0, 2.0, 0.5)}, "1", "f"),
            ValueError,
            "statistic 'steps that fall' of C1 has the interval 2.0 to 0.5, but low must not be above high; swap them",
        ),
    ],
)
def test_impossible_evidence(arguments, error, message, tmp_path):
    with pytest.raises(error, match=re.escape(message)):
        Evidence(*arguments)


def test_impossible_ledgers():
    with pytest.raises(ValueError, match="evidence is empty; pass at least one Evidence"):
        ledger()
    with pytest.raises(ValueError, match="evidence has C1 twice, but a claim has one verdict; keep one of them"):
        ledger(evidence_on("C1"), evidence_on("C2"), evidence_on("C1"))


# How it looks


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.99812, "0.998"), (74.149, "74.1"), (-15.7, "−15.7"), (1e-15, "1e−15"), (2.5e-6, "2.5e−6"), (1, "1"), (0, "0")],
)
def test_numbers_are_written_as_a_reader_would(value, written):
    assert number(value) == written


def test_a_ledger_shows_as_text():
    text = repr(ledger(evidence_on("B1"), evidence_on("C4", [1.0, 1.0, 1.0, -1.0])))
    lines = text.splitlines()
    assert lines[0] == "1 reproduced with a qualification, 1 beyond the paper"
    assert lines[2] == f"C4  ≈ reproduced with a qualification: {CLAIMS['C4'].title}"
    assert lines[3] == "      passed: slope over block −2 (−2.5 to −1.5), to be below 0"
    assert lines[6].startswith("      failed: block over slope −2 (−2.5 to −1.5), to be above 0")
    assert lines[7] == "      It is 3 & < 4."
    assert f"B1  + beyond the paper: {CLAIMS['B1'].title}" in lines
    assert max(map(len, lines)) <= 112
    assert "not measured, to be" in text_table([Evidence("C7", {}, "1.", "f").entry()])


def test_a_ledger_shows_as_an_accessible_table_that_unfolds():
    bundle = ledger(evidence_on("B1"), evidence_on("C4"))._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", MIME_TYPE}
    table = ElementTree.fromstring(bundle["text/html"])
    assert table.find("caption").text
    assert [cell.get("scope") for cell in table.findall("thead/tr/th")] == ["col"] * 3
    papers, books = table.findall("tbody")
    assert [group.find("tr/th").text for group in (papers, books)] == ["Claims of the paper", "Beyond the paper"]
    (row,) = papers.findall("tr[@class='claim']")
    head, said, measured = row
    assert (head.tag, head.get("scope"), row.get("id")) == ("th", "row", "claim-C4")
    assert "".join(head.find("details/summary").itertext()) == f"C4 {CLAIMS['C4'].title}"
    more = "".join(head.find("details/div").itertext())
    for part in (
        CLAIMS["C4"].statement,
        CLAIMS["C4"].where,
        "It is 3 & < 4.",
        *(t.measure for t in CLAIMS["C4"].tests),
    ):
        assert part in more
    badge = said.find("span")
    assert badge.get("class") == "verdict verdict-reproduced"
    assert "".join(badge.itertext()) == "✓ reproduced"
    assert badge.find("span").get("aria-hidden") == "true"
    assert "".join(measured.itertext()) == "slope over block −2 (−2.5 to −1.5), to be below 0"
    assert not table.findall(".//a")
    linked = ElementTree.fromstring(html_table([evidence_on("C4").entry()], lambda entry: f"x&{entry['id']}"))
    assert [a.get("href") for a in linked.findall(".//a")] == ["x&C4"]


def test_each_verdict_has_a_sign_of_its_own():
    assert list(SIGNS) == list(VERDICTS)
    assert len(set(SIGNS.values())) == len(VERDICTS)


# Through a notebook


@given(recorded=recorded_evidence)
def test_what_is_recorded_is_read_back_in_the_order_of_the_claims(tmp_path_factory, recorded):
    folder = tmp_path_factory.mktemp("notebooks")
    by_notebook: dict[str, list[Evidence]] = {}
    for one in recorded:
        by_notebook.setdefault(CLAIMS[one.claim].notebook, []).append(one)
    paths = [notebook(folder / f"{name}.ipynb", ledger(*of)._repr_mimebundle_()) for name, of in by_notebook.items()]
    found = read_ledger([*map(str, paths), notebook(folder / "silent.ipynb")])
    expected = sorted(recorded, key=lambda one: list(CLAIMS).index(one.claim))
    assert [one.entry() for one in found] == [one.entry() for one in expected]


def test_no_verdict_is_stored_so_that_none_can_be_typed(tmp_path):
    bundle = ledger(evidence_on("C4", [-1.0]))._repr_mimebundle_()
    assert not any(verdict in json.dumps(bundle[MIME_TYPE]) for verdict in VERDICTS)
    bundle[MIME_TYPE][0]["verdict"] = "reproduced"
    (found,) = read_ledger([notebook(tmp_path / "02_graphon_estimation.ipynb", bundle)])
    assert found.entry()["verdict"] == "not reproduced"


def test_a_missing_notebook_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"notebook .*absent.ipynb is not there; execute it first"):
        read_ledger([tmp_path / "absent.ipynb"])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": 3}', '{"cells": ["x"]}', "\x00"])
def test_a_file_that_is_no_notebook_is_named(tmp_path, content):
    (tmp_path / "torn.ipynb").write_text(content)
    with pytest.raises(ValueError, match=r"torn.ipynb is no notebook; restore it, or make it again with `make noteb"):
        read_ledger([tmp_path / "torn.ipynb"])


@pytest.mark.parametrize(
    "record",
    [
        {"claim": "C4", "verdict": "supported", "evidence": "as of old"},
        {"claim": "C4", "statistics": {"renamed": [1, 1, 1]}, "sentence": "1.", "cell": "f"},
        {"claim": "C4", "statistics": {"slope over block": [1, 1]}, "sentence": "1.", "cell": "f"},
        {"claim": "C4", "statistics": {"slope over block": ["a", "b", "c"]}, "sentence": "1.", "cell": "f"},
        {"claim": "C4", "statistics": 3, "sentence": "1.", "cell": "f"},
        "C4",
    ],
)
def test_what_an_older_version_recorded_is_to_be_executed_again(tmp_path, record):
    path = notebook(tmp_path / "02_graphon_estimation.ipynb", {MIME_TYPE: [record]})
    with pytest.raises(
        ValueError, match=r"estimation.ipynb records what is no evidence of this version .*; execute it ag"
    ):
        read_ledger([path])


def test_a_claim_recorded_twice_or_elsewhere_is_named(tmp_path):
    bundle = ledger(evidence_on("C1"))._repr_mimebundle_()
    with pytest.raises(ValueError, match="C1 is recorded in 01_mask_convergence twice; remove one of them"):
        read_ledger([notebook(tmp_path / "01_mask_convergence.ipynb", bundle, bundle)])
    with pytest.raises(ValueError, match="C1 is recorded in one, but belongs to 01_mask_convergence; record it there"):
        read_ledger([notebook(tmp_path / "one.ipynb", bundle)])


# What the book says


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


# On the site


def counts_on_a_page(folder: Path, directives: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Build a page of these directives, beside the notebooks in the folder's chapters/."""
    configuration = 'extensions = ["companion_site"]\nexclude_patterns = ["chapters"]\n'
    (folder / "conf.py").write_text(configuration, encoding="utf8")
    (folder / "index.rst").write_text(f"Ledger\n======\n\n{directives}\n", encoding="utf8")
    command = [sys.executable, "-m", "sphinx", "-q", *options, "-b", "html", str(folder), str(folder / "out")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_site_counts_the_verdicts_and_each_count_leads_to_a_claim_that_has_it(tmp_path):
    (tmp_path / "chapters").mkdir()
    bundle = ledger(evidence_on("C1"), evidence_on("C2", [-1.0]), evidence_on("C3"))._repr_mimebundle_()
    notebook(tmp_path / "chapters" / "01_mask_convergence.ipynb", bundle)
    build = counts_on_a_page(tmp_path, ".. verdicts::")
    assert build.returncode == 0, build.stderr
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf8")
    counts = re.findall(r'<li><a href="([^"]*)"><strong>(\d+)</strong> <span class="verdict verdict-([a-z-]+)"', page)
    assert counts == [
        ("claims.html#claim-C1", "2", "reproduced"),
        ("claims.html#claim-C2", "1", "not-reproduced"),
    ]


def test_verdicts_without_evidence_stop_the_build(tmp_path):
    build = counts_on_a_page(tmp_path, ".. verdicts::", "-W")
    assert build.returncode != 0
    assert "verdicts found no evidence in the 0 notebooks of chapters/, but needs at least one" in build.stderr
    assert "execute the notebooks with `make book`" in build.stderr


def test_what_the_landing_page_says_in_words_is_what_the_ledger_says():
    project = Path(__file__).parents[1]
    page = " ".join((project / "book" / "intro.md").read_text(encoding="utf8").split())
    found = {one.claim: one.entry()["verdict"] for one in read_ledger(sorted((project / "notebooks").glob("0*.ipynb")))}
    for sentence, claims, said in [
        ("The kernel follows from the graphon as the paper says.", ("C5", "C6", "C7"), "reproduced"),
        (
            "What does not hold is the last step, from the kernel's spectrum to training",
            ("C10", "C11"),
            "not reproduced",
        ),
        ("for ReLU networks the limit forgets most of what tells the methods apart", ("B1",), "beyond the paper"),
    ]:
        assert sentence in page
        assert {found[claim] for claim in claims} == {said}
    # Counts and measurements come from the ledger and from notes below figures; what is left are names of chapters.
    prose = re.sub(r"```.*?```|`[^`]*`|\{[^}]*\}", " ", page.replace("chapters 1 and 2", ""))
    assert re.findall(r"(?<![\w.])\d+(?!\. )", prose) == []
