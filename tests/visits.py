"""A visit to a page of the built site: what goes wrong, what the page shows in each theme and width, what it weighs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import BrowserContext, Page, TimeoutError

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
THEMES = ("light", "dark")
# The theme is there, formulas are typeset, figures are drawn, colours have arrived where they were going.
SETTLED = """theme => document.documentElement.dataset.theme === theme
  && (!window.MathJax?.startup || document.documentElement.dataset.mathDone)
  && [...document.querySelectorAll(".plotly-figure")].every(box => box.querySelector(".js-plotly-plot .main-svg"))
  && document.getAnimations().every(animation => animation.playState !== "running")"""
# Raw formulas and typeset ones; what a figure has drawn; how far the page reaches beyond the screen. A formula has the
# colour of the words around it, so axe need not judge each of its thousand letters.
MEASURE = """() => ({
  theme: document.documentElement.dataset.theme,
  formulas: document.querySelectorAll(".math").length,
  typeset: document.querySelectorAll(".math mjx-container").length,
  failed: [...document.querySelectorAll("mjx-merror, [data-mjx-error]")].map(node => node.outerHTML),
  raw: [...document.querySelectorAll(".math")].map(node => node.innerText).filter(text => /\\\\[([]/.test(text)),
  coloured: [...document.querySelectorAll(".math mjx-container")].filter(formula =>
    getComputedStyle(formula).color !== getComputedStyle(formula.parentElement).color).map(node => node.innerText),
  figures: [...document.querySelectorAll(".plotly-figure")].map(box => ({
    label: box.getAttribute("aria-label"),
    traces: box.querySelector(".js-plotly-plot")?._fullData.filter(trace => trace.visible).length || 0,
    marks: box.querySelectorAll(".main-svg .trace path, .main-svg image, .hm image, .point, canvas").length,
  })),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""
JUDGE = """async (beyond) => {
  // Without preloading, axe fetches nothing: it would look for imported style sheets in the wrong place.
  const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const exclude = ["mjx-container", ...beyond].map(one => [one]);
  const found = await axe.run({ exclude }, { runOnly: rules, preload: false });
  return found.violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
    `${id} at ${target.join(" ")}: ${failureSummary.split("\\n")[1].trim()}`));
}"""
# Layout shifts count in bursts, as browsers report them: the worst burst is the page's.
OBSERVE = """
window.shifts = [];
new PerformanceObserver(list => {
  for (const { startTime, value, hadRecentInput } of list.getEntries()) {
    if (hadRecentInput) continue;
    const burst = window.shifts.at(-1);
    if (burst && startTime - burst.last < 1000 && startTime - burst.first < 5000) {
      burst.value += value; burst.last = startTime;
    } else window.shifts.push({ first: startTime, last: startTime, value });
  }
}).observe({ type: "layout-shift", buffered: true });
"""
WEIGH = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const assets = performance.getEntriesByType("resource");
  const spared = assets.filter(({ name }) => /mathjax|[.](woff2?|ttf)/.test(name));
  const bytes = entries => entries.reduce((sum, entry) => sum + entry.encodedBodySize, 0);
  return {
    requests: 1 + assets.length,
    bytes: bytes([page, ...assets]),
    lean: bytes([page, ...assets]) - bytes(spared),
    elements: document.querySelectorAll("body *:not(mjx-container *)").length,
    shift: Math.max(0, ...window.shifts.map(burst => burst.value)),
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
  };
}"""


@dataclass
class Visit:
    """What went wrong while a page was open, what it shows in each theme and width, and what it weighs."""

    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    shows: dict[str, dict[str, Any]] = field(default_factory=dict)
    violations: dict[str, list[str]] = field(default_factory=dict)
    weighs: dict[str, float] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """Every complaint, in words; empty for a page that is as it should be."""
        found = [f"asks another host for {url}" for url in self.foreign]
        found += [f"gets {failure}" for failure in self.failed]
        found += [f"logs the error {error}" for error in self.errors]
        found += [f"{view}: {problem}" for view, shows in self.shows.items() for problem in problems_in(shows, view)]
        return found + [f"{view}: violates {one}" for view, several in self.violations.items() for one in several]


def problems_in(shows: dict[str, Any], view: str) -> list[str]:
    """What is wrong with the page in one view, such as "phone dark"."""
    found = [] if shows["theme"] == view.split()[1] else [f"is in the {shows['theme']} theme"]
    found += [f"has a formula in error: {node}" for node in shows["failed"]]
    found += [f"shows a formula as its source: {text}" for text in shows["raw"]]
    found += [f"has a formula in another colour: {text}" for text in shows["coloured"]]
    if shows["formulas"] != shows["typeset"]:
        found.append(f"has {shows['formulas']} formulas but {shows['typeset']} typeset")
    for figure in shows["figures"]:
        if not (figure["traces"] and figure["marks"]):
            found.append(f"has a Plotly figure without marks: {figure['label']}")
    if shows["overflow"] > 0:
        found.append(f"is {shows['overflow']} px wider than the screen")
    return found


def visit(browser: BrowserContext, address: str, *, thorough: bool = False) -> Visit:
    """Open a page on a phone in light, let it settle, switch to dark, and report.

    A thorough visit weighs the page, looks at it on a desktop too, and has axe judge each of the four views.
    """
    report = Visit()
    page = browser.new_page()
    local = address.split("/")[2]
    page.on("request", lambda r: report.foreign.append(r.url) if foreign(r.url, local) else None)
    page.on("response", lambda r: report.failed.append(f"status {r.status} for {r.url}") if r.status >= 400 else None)
    page.on("requestfailed", lambda r: report.failed.append(f"{r.failure} for {r.url}"))
    page.on("console", lambda message: report.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: report.errors.append(str(error)))
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="light")
    page.add_init_script(OBSERVE)
    page.goto(address)
    views = [("phone", PHONE), ("desktop", DESKTOP)] if thorough else [("phone", PHONE)]
    for device, size in views:
        page.set_viewport_size(size)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            settle(page, theme)
            report.weighs = report.weighs or page.evaluate(WEIGH)
            report.shows[f"{device} {theme}"] = page.evaluate(MEASURE)
            if thorough:
                # Axe is slow on a long article: it is judged once a theme and width, what is around it in each view.
                seen = [] if (device == "phone") == (theme == "light") else [".bd-article"]
                report.violations[f"{device} {theme}"] = judge(page, *seen)
    page.close()
    return report


def settle(page: Page, theme: str) -> None:
    """Wait until a page has settled; what does not in this time is found wanting by what is measured next."""
    with contextlib.suppress(TimeoutError):
        page.wait_for_function(SETTLED, arg=theme, timeout=10_000)


def judge(page: Page, *beyond: str) -> list[str]:
    """What axe finds on a page as it stands: a line a violation of WCAG 2.2, levels A and AA.

    What the selectors ``beyond`` name is not judged.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf8"))
    return page.evaluate(JUDGE, list(beyond))


def foreign(url: str, local: str) -> bool:
    """Whether a request leaves the site: it is neither to its own host and port, nor to no host at all."""
    return not url.startswith(("data:", "blob:", "file:")) and url.split("/")[2] != local
