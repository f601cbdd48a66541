"""How each figure and table was made: what is found out, what the pages say, and where their links lead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from companion_site.dataflow import cells_behind
from companion_site.provenance import KEY, Parameter, Run, declared, runs
from companion_site.provenance_notes import commits, numbers, shown
from companion_site.runs import stores_html
from conftest import SITE
from playwright.sync_api import BrowserContext

BOOK = Path(__file__).parents[1] / "book"
CHAPTERS = [page.relative_to(SITE).as_posix() for page in sorted(SITE.glob("chapters/*.html"))] or ["no chapter"]
SHOWS = ":is(img, table, svg, .plotly-figure)"


def source(
    folder: str, rows: int, *, computed: int = 0, day: str = "2026-10-01", commit: str = "a" * 40
) -> dict[str, Any]:
    return {"folder": folder, "rows": rows, "computed": computed, "dates": [day, day], "commits": [commit]}


def executed(path: Path, cells: list[tuple[str, list[dict[str, Any]]]], **metadata: Any) -> Run:
    """A run whose first cell declares parameters, as papermill and the book leave it."""
    notebook = nbformat.v4.new_notebook(metadata=metadata)
    for number, (code, sources) in enumerate(cells):
        cell = nbformat.v4.new_code_cell(code, execution_count=number + 1, metadata={KEY: sources})
        cell.metadata.papermill = {"duration": 1.5 * number}
        notebook.cells += [nbformat.v4.new_markdown_cell("Words."), cell]
    notebook.cells[1].metadata.tags = ["parameters"]
    nbformat.write(notebook, path)
    return Run(path)


@pytest.mark.parametrize(
    ("code", "behind"),
    [
        (["a = 1", "b = a", "c = b"], {0, 1, 2}),
        (["a = 1", "b = 2", "c = b"], {1, 2}),
        (["a = 1", "a = 2", "c = a"], {1, 2}),
        (["a = 1", "if True:\n    a = 2", "c = a"], {0, 1, 2}),
        (["a = 1", "if a:\n    b = 1\nelse:\n    b = 2", "c = b"], {0, 1, 2}),
        (["a = {}", "a['x'] = 1", "c = a"], {0, 1, 2}),
        (["a = []", "a.append(1)", "c = a"], {0, 1, 2}),
        (["a = {}", "a['x'].y.update(b=1)", "c = a"], {0, 1, 2}),
        (["a = 1", "b = 2", "a.merge(b)", "c = a"], {0, 3}),
        (["a = 1", "a += 1", "c = a"], {0, 1, 2}),
        (["a = 1", "b = 2", "a = 3\nc = a + b"], {1, 2}),
        (["a = 1", "b = 2", "c = [a for a in b]"], {1, 2}),
        (["a = 1", "b = 2", "c = sorted(b, key=lambda a: a)"], {1, 2}),
        (["a = 1", "b = 2", "c = {a: b for b in (1, 2) for a in (b,)}"], {2}),
        (["import a\nx = a.f()", "b = 2", "a.show()\nc = b"], {1, 2}),
        (["a = 1", "for a in (1, 2):\n    print(a)", "c = a"], {1, 2}),
        (["a = 1", "while a:\n    b = 1", "c = b"], {0, 1, 2}),
        (["a = 1", "try:\n    b = a\nexcept ValueError:\n    pass", "c = b"], {0, 1, 2}),
        (["a = 1", "%matplotlib inline\nb: int = a", "print(c := b)"], {0, 1, 2}),
    ],
)
def test_cells_build_on_those_that_set_what_they_use(code: list[str], behind: set[int]) -> None:
    assert cells_behind(code)[-1] == behind


def test_sources_come_through_the_cells_that_a_figure_builds_on(tmp_path: Path) -> None:
    stored, other = source("notebooks/results/a", 5), source("notebooks/results/b", 7)
    run = executed(
        tmp_path / "x.ipynb",
        [
            ("seed = 0", []),
            ("table = studied(one)", [stored]),
            ("other = studied(two)", [other]),
            ("means = table.mean()", []),
            ("figures.draw(means)", []),
            ("figures.draw(means, other)", []),
            ("figures.draw(3)", []),
        ],
    )
    places = [place for place, cell in run.cells.items() if "draw" in run._notebook.cells[place].source]
    assert [run.sources(place) for place in places] == [[stored], [stored, other], []]
    assert [run.cells[place].count for place in places] == [5, 6, 7]
    assert [run.cells[place].seconds for place in places] == [6.0, 7.5, 9.0]


def test_a_changed_parameter_is_marked(tmp_path: Path) -> None:
    code = "widths = [100, 200]  # of layers\ntrials = 3\nname = 'a'\nrate = 1 / 2"
    run = executed(
        tmp_path / "x.ipynb",
        [(code, [])],
        papermill={"parameters": {"widths": "[100,200]", "trials": 5}, "start_time": "2026-10-01T01:02:03+00:00"},
        **{KEY: {"defaults": {"widths": [100, 200], "trials": 3, "name": "b", "rate": "1 / 2"}}},
    )
    assert declared(run._notebook) == {"widths": [100, 200], "trials": 3, "name": "a", "rate": "1 / 2"}
    assert {p.name: p.changed for p in run.parameters} == {"widths": False, "trials": True, "name": True, "rate": False}
    assert shown(Parameter("trials", 3, 3)) == "<code>trials = 3</code>"
    assert shown(Parameter("trials", 5, 3)) == "<mark><code>trials = 5</code></mark> (changed from <code>3</code>)"
    assert "&lt;b&gt;" in shown(Parameter("name", "<b>", ""))


def test_what_nobody_recorded_is_said_to_be_unknown(tmp_path: Path) -> None:
    run = executed(tmp_path / "x.ipynb", [("seed = 0", [])])
    assert (run.recorded, run.outcome, run.commit, run.started, run.versions) == (False, "unknown", "unknown", None, {})
    by_papermill = {"start_time": "2026-10-01T01:02:03+00:00", "duration": 3.0, "exception": True}
    run = executed(tmp_path / "x.ipynb", [("seed = 0", [])], papermill=by_papermill)
    assert (run.recorded, run.outcome, run.seconds) == (False, "failed", 3.0)


def test_numbers_say_what_was_stored_and_what_was_computed() -> None:
    assert numbers([]) == "computed in this run, none read from a store"
    twice = [source("notebooks/results/a", 5), source("notebooks/results/a", 7, day="2026-11-02", commit="b" * 40)]
    assert numbers(twice) == (
        "12 rows of <code>notebooks/<wbr>results/<wbr>a</code> in 2 readings, computed from 2026-10-01 to 2026-11-02 "
        "at commits <code>aaaaaaa</code>, <code>bbbbbbb</code>. What else it shows was computed in this run."
    )
    now = numbers([source("notebooks/runs/a", 1200, computed=40, commit="c" * 40 + "-dirty")])
    assert "1,200 rows" in now
    assert "40 of them computed in this run" in now
    assert "commit <code>ccccccc-dirty</code>" in now
    assert commits(letter * 40 for letter in "abcd") == "4 commits from <code>aaaaaaa</code> to <code>ddddddd</code>"


def test_stores_are_listed_with_their_rows() -> None:
    table = BeautifulSoup(stores_html(BOOK.parent / "notebooks" / "results"), "html.parser")
    lines = {row.code.text: [cell.text for cell in row.select("td")] for row in table.select("tbody tr")}
    assert lines["masks"][0] == "15,600"
    assert {"training/ladder", "estimation/recovery", "limits/gaussian"} <= lines.keys()
    rows = sum(int(cells[0].replace(",", "")) for cells in lines.values())
    assert table.select_one("tfoot td").text == f"{rows:,}"


def page(name: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / name).read_text(encoding="utf8"), "html.parser")


def notes_below(output: Tag) -> int:
    """How many notes follow before something else is shown."""
    count = 0
    for sibling in output.find_next_siblings():
        if "provenance" not in sibling.get("class", []):
            break
        count += 1
    return count


@pytest.mark.parametrize("name", CHAPTERS)
def test_each_figure_and_table_of_a_chapter_has_one_note(site: str, name: str) -> None:
    outputs = page(name).select(".cell_output > :not(details.provenance)")
    showing = [output for output in outputs if output.select(SHOWS) or output.css.match(SHOWS)]
    assert showing
    for output in outputs:
        assert notes_below(output) == (output in showing), str(output)[:300]


@pytest.mark.parametrize("name", CHAPTERS)
def test_each_note_leads_to_code_on_its_page_and_says_all(site: str, name: str) -> None:
    soup = page(name)
    (run,) = [run for run in runs(BOOK / "chapters") if run.name == Path(name).stem]
    counts = []
    for note in soup.select("details.provenance"):
        said = {term.text: term.find_next_sibling("dd").text for term in note.select("dt")}
        assert list(said) == ["Code", "Numbers", "Parameters", "Seed", "Run"]
        code = soup.select_one(note.select_one("a")["href"])
        assert code.find_parent(class_="cell_input") is not None
        assert code.find_parent(class_="cell") is note.find_parent(class_="cell")
        counts.append(int(note.select_one("a").text.split()[-1]))
        assert all(f"{p.name} = " in said["Parameters"] + said["Seed"] for p in run.parameters)
        assert f"{run.started:%Y-%m-%d %H:%M} UTC, at commit {run.commit[:7]}" in said["Run"]
    assert counts == sorted(counts)


@pytest.mark.parametrize("name", ["intro", "explorer", "kernel_numerics", "convolutions", "claims"])
def test_pictures_and_tables_of_other_pages_have_notes(site: str, name: str) -> None:
    soup = page(f"{name}.html")
    notes = soup.select("article details.provenance")
    figures = soup.select("article :is(figure, form.explorer, table.benchmark, table.claims)")
    assert len(notes) == len(figures) > 0
    for note in notes:
        assert {"Code", "Numbers"} <= {term.text for term in note.select("dt")}


def test_a_link_opens_the_fold_of_the_code(site: str, browser: BrowserContext) -> None:
    tab = browser.new_page()
    tab.route("**/plotly/**", lambda route: route.abort())
    tab.goto(f"{site}/{CHAPTERS[0]}")
    note = tab.locator("details.provenance").first
    code = tab.locator(note.locator("a").get_attribute("href"))
    assert not code.is_visible()
    note.locator("summary").focus()
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_function("() => document.querySelector(':target')?.checkVisibility()", timeout=5000)
    assert code.is_visible()
    tab.goto(f"{site}/runs.html")
    link = tab.locator(".run a[href*='#']").first
    anchor = link.get_attribute("href").split("#")[1]
    link.click()
    tab.wait_for_selector(f"#{anchor}", state="visible", timeout=10_000)
    tab.close()


def test_the_page_of_runs_has_all_chapters(site: str) -> None:
    soup = page("runs.html")
    listed = {part.h3.a.text: part for part in soup.select(".run")}
    assert [f"chapters/{name}.html" for name in listed] == CHAPTERS
    for run in runs(BOOK / "chapters"):
        said = {term.text: term.find_next_sibling("dd").text for term in listed[run.name].select("dt")}
        assert said["Outcome"] == "completed"
        assert said["When"] == f"{run.started:%Y-%m-%d %H:%M} UTC"
        assert len(listed[run.name].select("mark")) == sum(p.changed for p in run.parameters)
        assert all(f"{p.name} = " in said["Parameters"] for p in run.parameters)
        assert "torch" in said["Versions"]
    assert soup.select_one("table.stores")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("chapters", "runs found no executed notebook in chapters/; execute the notebooks with `make book`"),
        ("all", "runs has the argument 'all', but must be 'chapters' or 'stores'"),
    ],
)
def test_a_page_of_runs_that_cannot_be_stops_the_build(tmp_path: Path, argument: str, message: str) -> None:
    (tmp_path / "conf.py").write_text('extensions = ["companion_site"]\n', encoding="utf8")
    (tmp_path / "index.rst").write_text(f"Runs\n====\n\n.. runs:: {argument}\n", encoding="utf8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "dummy", str(tmp_path), str(tmp_path / "out")]
    build = subprocess.run(command, capture_output=True, text=True, check=False)
    assert build.returncode != 0
    assert message in build.stderr
