"""The notebooks: text and notebook agree, every cell was executed in order, and what they say holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from companion_site.reference import PICTURES, from_text, without_pictures

from graphon_lib.claims import CLAIMS, read_ledger
from graphon_lib.sweeps.sources import MIME_TYPE

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = [
    "01_mask_convergence",
    "02_graphon_estimation",
    "03_graphon_ntk",
    "04_spectra_and_training",
    "05_your_own_network",
]
notebook = pytest.mark.parametrize("name", NAMES)


def stored(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(name: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in stored(name).cells if cell.cell_type == "code"]


def text_outputs(name: str) -> str:
    return "".join(output.get("text", "") for cell in code_cells(name) for output in cell.outputs)


def test_these_are_all_notebooks():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES
    assert sorted(path.stem for path in FOLDER.glob("*.md")) == NAMES


@notebook
def test_text_source_and_notebook_agree(name):
    source, kept = from_text(FOLDER / f"{name}.md"), stored(name)
    assert [(c.cell_type, c.source, c.metadata) for c in kept.cells] == [
        (c.cell_type, c.source, c.metadata) for c in source.cells
    ]
    assert kept.metadata.jupytext.formats == "ipynb,md:myst"


@notebook
def test_every_code_cell_was_executed_in_order(name):
    counts = [cell.execution_count for cell in code_cells(name)]
    assert counts == list(range(1, len(counts) + 1))


@notebook
def test_only_text_outputs_are_stored_and_no_errors(name):
    for cell in code_cells(name):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert not (output.output_type == "stream" and output.name == "stderr"), output.text
            assert not {*PICTURES, MIME_TYPE} & set(output.get("data", {}))


@notebook
def test_every_sentence_of_the_book_holds(name):
    assert "✗" not in text_outputs(name)
    assert "✓" in text_outputs(name)


@notebook
def test_parameters_come_first_and_are_checked_at_once(name):
    first, second = code_cells(name)[:2]
    assert first.metadata.tags == ["parameters"]
    assert "= check(\n    globals()," in second.source
    declared = set(re.findall(r"^(\w+) = ", first.source, re.MULTILINE))
    checked = set(re.findall(r"^    (\w+)=", second.source.split("= check(")[1].split("\n)")[0], re.MULTILINE))
    assert declared == checked


@notebook
def test_nothing_is_defined_in_a_notebook(name):
    for cell in code_cells(name):
        assert not re.search(r"^\s*(def|class) ", cell.source, re.MULTILINE), cell.source


@notebook
def test_every_picture_has_alt_text_and_a_caption(name):
    drawn = [
        cell for cell in code_cells(name) if re.search(r"^figures\.[a-z_]+\((?s:.*)\)(\.show\(\))?$", cell.source, re.M)
    ]
    assert drawn
    for cell in drawn:
        look = cell.metadata.mystnb
        assert len(look.image.alt) > 40
        assert len(look.figure.caption) > 40


def test_every_claim_is_measured_and_has_a_verdict():
    entries = [one.entry() for one in read_ledger(FOLDER / f"{name}.ipynb" for name in NAMES)]
    assert [entry["id"] for entry in entries] == list(CLAIMS)
    for entry in entries:
        assert entry["verdict"] != "undecided"
        assert "nan" not in entry["evidence"]


def test_pictures_and_run_times_are_dropped_from_references():
    output = nbformat.v4.new_output("display_data", {"text/plain": "<Figure>", "image/png": "AAAA"})
    cell = nbformat.v4.new_code_cell(
        "x", outputs=[output], metadata={"execution": {"iopub.status.idle": "now"}, "tags": []}
    )
    kept = without_pictures(nbformat.v4.new_notebook(cells=[cell]))
    assert json.loads(json.dumps(kept.cells[0].outputs[0].data)) == {"text/plain": "<Figure>"}
    assert kept.cells[0].metadata == {"tags": []}
