"""The whole book as one PDF with tags and an outline: Sphinx's single page, printed by Chromium.

``make book`` runs ``python -m companion_site.pdf CHROMIUM`` where it finds one. The PDF says nothing that the site does
not: code is left out, other folded details are open, and what moves stands still.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from companion_site.archives import ARCHIVES, BOOK, PDF, Origin, origin

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A4 less the margins of print.css: what is measured on the screen is then what is printed.
PRINTED_WIDTH = 643
SETTLED = "() => window.MathJax?.startup?.promise.then(() => document.fonts.ready).then(() => true)"


def single_page() -> Path:
    """Build the book as one page, from what Sphinx read when it built the site, and return the page."""
    options = ("-n", "--keep-going", "--quiet", "--builder", "singlehtml")
    subprocess.run([Path(sys.executable).with_name("jupyter-book"), "build", *options, str(BOOK)], check=True)
    return BOOK / "_build" / "singlehtml" / "intro.html"


def print_page(source: Path, target: Path, executable: str, of: Origin) -> None:
    """Print a page as :func:`single_page` builds it.

    Parameters
    ----------
    source : Path
        The page.
    target : Path
        The PDF to write, with the date of the commit: equal pages give equal files, save for the browser's own changes.
    executable : str
        The path of Chromium.
    of : Origin
        What the title page names.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": PRINTED_WIDTH, "height": 1000}, color_scheme="light")
        page.emulate_media(media="print")
        page.goto(source.resolve().as_uri())
        page.wait_for_function(SETTLED, timeout=180_000)
        _prepare(page, of)
        printed = page.pdf(outline=True, tagged=True, print_background=True, prefer_css_page_size=True)
        browser.close()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(dated(printed, of.time))


def dated(printed: bytes, time: datetime) -> bytes:
    """A PDF with another date of creation, of the same length: the table of offsets at its end stays true."""
    return re.sub(rb"(Date \(D:)\d{14}(?=\+00'00'\))", rb"\g<1>" + f"{time:%Y%m%d%H%M%S}".encode(), printed)


def _prepare(page: Page, of: Origin) -> None:
    page.add_style_tag(path=Path(__file__).with_name("print.css"))
    page.add_script_tag(path=Path(str(files("plotly") / "package_data" / "plotly.min.js")))
    page.add_script_tag(path=Path(__file__).with_name("print.js"))
    page.evaluate("of => window.preparePrint(of)", {"commit": of.commit, "date": f"{of.time:%d %B %Y}"})


def main() -> None:
    """Write the PDF with the Chromium whose path is the first argument."""
    print_page(single_page(), ARCHIVES / PDF, sys.argv[1], origin())


if __name__ == "__main__":
    main()
