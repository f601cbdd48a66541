"""The built site as a reader meets it: every page in Chromium, in light and dark, on a phone, and from disk."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import nbformat
import pytest
from conftest import SITE
from playwright.sync_api import BrowserContext
from visits import settle, visit

BOOK = Path(__file__).parents[1] / "book"
PAGES = sorted(page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html") if "_static" not in page.parts)
CHAPTERS = [page for page in PAGES if page.startswith("chapters/")]
LANDING = "intro.html"
# What a page may weigh, MathJax and fonts apart; Plotly is 4.8 MB of a page that has a figure to turn or slide.
BUDGET = {"requests": 60, "lean": 4_000_000, "elements": 20_000, "shift": 0.25, "paint": 5000}
PLOTLY_BYTES = 5_000_000
# A page with one fault of each kind that a visit is to find.
FAULTY = """<!doctype html><html lang="en" data-theme="light"><title>Faulty</title><body style="margin:0">
<p style="color:#bbb;background:#fff">Pale</p><img src="none.png"><div style="width:500px">Wide</div>
<span class="math">\\(x\\)</span><script>throw new Error("broken")</script></body></html>"""


@pytest.mark.parametrize("name", PAGES or ["no page"])
def test_page_is_whole_open_to_all_and_light(site: str, browser: BrowserContext, name: str) -> None:
    report = visit(browser, f"{site}/{name}", thorough=True)
    assert report.problems() == []
    assert list(report.violations) == ["phone light", "phone dark", "desktop light", "desktop dark"]
    plotly = PLOTLY_BYTES * ("plotly.min.js" in (SITE / name).read_text(encoding="utf8"))
    limits = BUDGET | {"lean": BUDGET["lean"] + plotly}
    if name == LANDING:
        limits["lean"] = 1_000_000
    exceeded = {what: (report.weighs[what], most) for what, most in limits.items() if report.weighs[what] > most}
    assert exceeded == {}


def test_visit_finds_faults(browser: BrowserContext, tmp_path: Path) -> None:
    (tmp_path / "faulty.html").write_text(FAULTY, encoding="utf8")
    found = "\n".join(visit(browser, (tmp_path / "faulty.html").as_uri(), thorough=True).problems())
    for fault in (
        "gets net::ERR_FILE_NOT_FOUND for file",
        "logs the error broken",
        "phone light: shows a formula as its source",
        "phone light: has 1 formulas but 0 typeset",
        "phone light: is 110 px wider than the screen",
        "phone dark: is in the light theme",
        "phone light: violates color-contrast at p",
        "desktop dark: violates image-alt at img",
    ):
        assert fault in found, found


def test_site_is_light(site: str) -> None:
    total = sum(file.stat().st_size for file in SITE.rglob("*") if file.is_file())
    assert total < 40_000_000


def test_favicon_is_there(site: str, browser: BrowserContext) -> None:
    # A browser without a window asks for no icon, so the link is followed here.
    page = browser.new_page()
    page.goto(f"{site}/{PAGES[0]}")
    address = page.locator("link[rel*=icon]").first.evaluate("link => link.href")
    response = page.request.get(address)
    page.close()
    assert response.ok, f"{address} has status {response.status}"


@pytest.mark.parametrize("name", PAGES or ["no page"])
def test_page_opens_from_disk(site: str, browser: BrowserContext, name: str) -> None:
    assert visit(browser, (SITE / name).as_uri()).problems() == []


def test_theme_switch_reaches_page_and_figures(site: str, browser: BrowserContext) -> None:
    name = next((name for name in CHAPTERS if "plotly-figure" in (SITE / name).read_text(encoding="utf8")), None)
    if name is None:
        pytest.skip("no chapter of this site has a Plotly figure")
    page = browser.new_page()
    page.emulate_media(color_scheme="light")
    page.goto(f"{site}/{name}")
    settle(page, "light")
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
    recorded = ledger(Evidence("C1", {}, "1.", "fig-none"))._repr_mimebundle_()
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", recorded)])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "chapters" / "01_mask_convergence.ipynb")
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


def test_terms_stand_in_one_column_and_what_they_mean_in_another(site: str, browser: BrowserContext) -> None:
    page = browser.new_page()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{site}/notation.html")
    terms, meanings = (
        page.locator(f".bd-article dl:is(.myst, .glossary) > {kind}").evaluate_all(
            "nodes => nodes.map(node => Math.round(node.getBoundingClientRect().left))"
        )
        for kind in ("dt", "dd")
    )
    page.close()
    assert len(set(terms)) == 1
    assert len(set(meanings)) == 1
    assert terms[0] < meanings[0]
