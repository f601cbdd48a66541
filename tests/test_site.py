"""The built site as a reader meets it: every page in Chromium, in light and dark, on a phone, and from disk."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import SITE
from playwright.sync_api import BrowserContext, TimeoutError

BOOK = Path(__file__).parents[1] / "book"
PAGES = sorted(page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html") if "_static" not in page.parts)
CHAPTERS = [page for page in PAGES if page.startswith("chapters/")]
# Raw formulas and typeset ones; what a figure has drawn; how far the page reaches beyond the screen.
MEASURE = """() => ({
  theme: document.documentElement.dataset.theme,
  formulas: document.querySelectorAll(".math").length,
  typeset: document.querySelectorAll(".math mjx-container").length,
  failed: [...document.querySelectorAll("mjx-merror, [data-mjx-error]")].map(node => node.outerHTML),
  raw: [...document.querySelectorAll(".math")].map(node => node.innerText).filter(text => /\\\\[([]/.test(text)),
  figures: [...document.querySelectorAll(".plotly-figure")].map(box => ({
    label: box.getAttribute("aria-label"),
    traces: box.querySelector(".js-plotly-plot")?._fullData.filter(trace => trace.visible).length || 0,
    marks: box.querySelectorAll(".main-svg .trace path, .main-svg image, .hm image, .point, canvas").length,
  })),
  unnamed: [...document.querySelectorAll(".bd-article img:not([alt])")].map(image => image.src),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""
# The theme is there, formulas are typeset, figures are drawn.
SETTLED = """theme => document.documentElement.dataset.theme === theme
  && (!window.MathJax?.startup || document.documentElement.dataset.mathDone)
  && [...document.querySelectorAll(".plotly-figure")].every(box => box.querySelector(".js-plotly-plot .main-svg"))"""


@dataclass
class Visit:
    """What went wrong while a page was open, and what it shows in each theme once it has settled."""

    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    shows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """Every complaint, in words; empty for a page that is as it should be."""
        found = [f"asks another host for {url}" for url in self.foreign]
        found += [f"gets {failure}" for failure in self.failed]
        found += [f"logs the error {error}" for error in self.errors]
        return found + [f"{theme}: {problem}" for theme in self.shows for problem in self.problems_in(theme)]

    def problems_in(self, theme: str) -> list[str]:
        """What is wrong with the page as one theme shows it."""
        shows = self.shows[theme]
        found = [] if shows["theme"] == theme else [f"is in the {shows['theme']} theme"]
        found += [f"has a formula in error: {node}" for node in shows["failed"]]
        found += [f"shows a formula as its source: {text}" for text in shows["raw"]]
        if shows["formulas"] != shows["typeset"]:
            found.append(f"has {shows['formulas']} formulas but {shows['typeset']} typeset")
        for figure in shows["figures"]:
            if not (figure["traces"] and figure["marks"]):
                found.append(f"has a Plotly figure without marks: {figure['label']}")
        found += [f"has an image without a text alternative: {image}" for image in shows["unnamed"]]
        if shows["overflow"] > 0:
            found.append(f"is {shows['overflow']} px wider than the screen")
        return found


def visit(browser: BrowserContext, address: str) -> Visit:
    """Open a page on a phone in light, let it settle, switch to dark, and report."""
    report = Visit()
    page = browser.new_page()
    local = address.split("/")[2]
    page.on("request", lambda r: report.foreign.append(r.url) if foreign(r.url, local) else None)
    page.on("response", lambda r: report.failed.append(f"status {r.status} for {r.url}") if r.status >= 400 else None)
    page.on("requestfailed", lambda r: report.failed.append(f"{r.failure} for {r.url}"))
    page.on("console", lambda message: report.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: report.errors.append(str(error)))
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="light")
    page.goto(address)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        # What does not settle in this time is found wanting by what is measured next.
        with contextlib.suppress(TimeoutError):
            page.wait_for_function(SETTLED, arg=theme, timeout=8000)
        report.shows[theme] = page.evaluate(MEASURE)
    page.close()
    return report


def foreign(url: str, local: str) -> bool:
    """Whether a request leaves the site: it is neither to its own host and port, nor to no host at all."""
    return not url.startswith(("data:", "blob:", "file:")) and url.split("/")[2] != local


@pytest.mark.parametrize("name", PAGES or ["no page"])
def test_page_is_whole(site: str, browser: BrowserContext, name: str) -> None:
    assert visit(browser, f"{site}/{name}").problems() == []


def test_favicon_is_there(site: str, browser: BrowserContext) -> None:
    # A browser without a window asks for no icon, so the link is followed here.
    page = browser.new_page()
    page.goto(f"{site}/{PAGES[0]}")
    address = page.locator("link[rel*=icon]").first.evaluate("link => link.href")
    response = page.request.get(address)
    page.close()
    assert response.ok, f"{address} has status {response.status}"


@pytest.mark.parametrize("name", ["chapters/03_graphon_ntk.html", "explorer.html"])
def test_page_opens_from_disk(site: str, browser: BrowserContext, name: str) -> None:
    report = visit(browser, (SITE / name).as_uri())
    assert report.problems() == []
    assert report.shows["light"]["formulas"] > 0


def test_theme_switch_reaches_page_and_figures(site: str, browser: BrowserContext) -> None:
    name = next((name for name in CHAPTERS if "plotly-figure" in (SITE / name).read_text(encoding="utf8")), None)
    if name is None:
        pytest.skip("no chapter of this site has a Plotly figure")
    page = browser.new_page()
    page.emulate_media(color_scheme="light")
    page.goto(f"{site}/{name}")
    page.wait_for_function(SETTLED, arg="light")
    colour = "() => document.querySelector('.js-plotly-plot')._fullLayout.font.color"
    light = page.evaluate(colour)
    while page.evaluate("() => document.documentElement.dataset.theme") != "dark":
        page.locator(".theme-switch-button:visible").first.click()
    page.wait_for_function(f"light => ({colour})() !== light", arg=light, timeout=5000)
    page.evaluate("() => localStorage.clear()")
    page.close()


def test_search_finds_a_chapter(site: str, browser: BrowserContext) -> None:
    page = browser.new_page()
    page.goto(f"{site}/search.html?q=convergence")
    page.wait_for_selector("ul.search li a", timeout=10_000)
    links = page.locator("ul.search li a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    page.close()
    assert any("chapters/01_mask_convergence.html" in link for link in links), links


@pytest.mark.parametrize("name", CHAPTERS or ["no chapter"])
def test_hidden_code_opens(site: str, browser: BrowserContext, name: str) -> None:
    page = browser.new_page()
    page.route("**/plotly/**", lambda route: route.abort())  # code opens without figures, and sooner
    page.goto(f"{site}/{name}")
    hidden = page.locator("details.hide").first
    code = hidden.locator("pre").first
    assert not code.is_visible()
    hidden.locator("summary").click()
    assert code.is_visible()
    page.close()


@pytest.mark.parametrize("name", CHAPTERS or ["no chapter"])
def test_executed_notebook_can_be_downloaded(site: str, name: str) -> None:
    links = re.findall(r'href="([^"]*\.ipynb)"[^>]*download', (SITE / name).read_text(encoding="utf8"))
    assert len(links) == 1, links
    with urllib.request.urlopen(urllib.parse.urljoin(f"{site}/{name}", links[0])) as response:
        cells = [cell for cell in json.load(response)["cells"] if cell["cell_type"] == "code"]
    assert any(cell["outputs"] for cell in cells)


def test_ledger_shows_each_claim_and_unfolds_by_keyboard(site: str, browser: BrowserContext) -> None:
    from graphon_lib.claims import CLAIMS, read_ledger

    recorded = [one.entry() for one in read_ledger(sorted((BOOK / "chapters").glob("*.ipynb")))]
    page = browser.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site}/claims.html")
    shown = page.locator("table.claims .claim summary").all_inner_texts()
    verdicts = page.locator("table.claims .verdict").all_inner_texts()
    counted = page.locator(".verdict-counts strong").all_inner_texts()
    more = page.locator("table.claims .claim-more").first
    assert not more.is_visible()
    page.locator("table.claims .claim summary").first.focus()
    page.keyboard.press("Enter")
    assert more.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.close()
    assert [entry["id"] for entry in recorded] == list(CLAIMS)
    assert [text.split()[0] for text in shown] == [entry["id"] for entry in recorded]
    assert [text.split(" ", 1)[1] for text in verdicts] == [entry["verdict"] for entry in recorded]
    assert sum(map(int, counted)) == len(recorded)


def test_claims_json_is_the_ledger_and_each_link_leads_to_a_figure(site: str) -> None:
    from graphon_lib.claims import VERDICTS, read_ledger

    def never(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    with urllib.request.urlopen(f"{site}/claims.json") as response:
        entries = json.loads(response.read(), parse_constant=never)
    assert entries == [one.entry() for one in read_ledger(sorted((BOOK / "chapters").glob("*.ipynb")))]
    for entry in entries:
        assert entry["verdict"] in VERDICTS
        low, high = entry["interval"]
        assert low <= high
        assert isinstance(entry["statistic"], float)
        page, anchor = entry["link"].split("#")
        assert f'id="{anchor}"' in (SITE / page).read_text(encoding="utf8"), entry["link"]


def test_ledger_without_evidence_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text('extensions = ["companion_site"]\n', encoding="utf8")
    (tmp_path / "index.rst").write_text("Ledger\n======\n\n.. claims::\n", encoding="utf8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "dummy", str(tmp_path), str(tmp_path / "out")]
    build = subprocess.run(command, capture_output=True, text=True, check=False)
    assert build.returncode != 0
    assert "found no evidence in the 0 notebooks of chapters/" in build.stderr
    assert "execute the notebooks with `make book`" in build.stderr


def test_evidence_that_names_no_figure_of_its_chapter_stops_the_build(tmp_path: Path) -> None:
    from graphon_lib.claims import Evidence, ledger

    (tmp_path / "conf.py").write_text('extensions = ["companion_site"]\n', encoding="utf8")
    (tmp_path / "index.rst").write_text("Ledger\n======\n\n.. claims::\n", encoding="utf8")
    (tmp_path / "chapters").mkdir()
    cell = {"outputs": [{"data": ledger(Evidence("C1", {}, "1.", "fig-none"))._repr_mimebundle_()}]}
    (tmp_path / "chapters" / "01_mask_convergence.ipynb").write_text(json.dumps({"cells": [cell]}), encoding="utf8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "dummy", str(tmp_path), str(tmp_path / "out")]
    build = subprocess.run(command, capture_output=True, text=True, check=False)
    assert build.returncode != 0
    assert "evidence on C1 names the figure 'fig-none', which is not on the page chapters/01_mask" in build.stderr


def test_plotly_figure_fits_any_screen_and_theme() -> None:
    from companion_site.plotly_figures import figure_html

    layout = {"title": {"text": "Rate <b>n</b>"}, "width": 900, "paper_bgcolor": "white", "height": 300}
    written = figure_html({"data": [{"name": "</script>"}], "layout": layout})
    assert 'role="group"' in written
    assert 'aria-label="Rate  n "' in written
    assert "width" not in written
    assert "paper_bgcolor" not in written
    assert "min-height: 300px" in written
    assert written.count("</script>") == 1
    assert 'aria-label="Loss &lt; 1"' in figure_html({}, "Loss < 1")
