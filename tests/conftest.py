"""Settings of all tests, and what those of the site share: its address, and a browser."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from companion_site.pdf import CHROMIUM_FLAGS
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

# The same examples on every run and machine, and no limit on an example's time: machines are shared.
settings.register_profile("companion", deadline=None, derandomize=True)
settings.load_profile("companion")

SITE = Path(__file__).parents[1] / "book" / "_build" / "html"


def unavailable(sentence: str) -> None:
    """Skip, or fail where the site must be tested."""
    if os.environ.get("REQUIRE_SITE") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of the built site on a local port."""
    if not (SITE / "index.html").exists():
        unavailable("there is no site in book/_build/html; build it with `make book`")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """An installed Chromium: a persistent context with a new profile."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        unavailable("there is no Chromium; get one with `apt-get install chromium`, or set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=executable, args=CHROMIUM_FLAGS
        )
        context.add_init_script(
            """addEventListener("load", () => window.MathJax?.startup?.promise.then(
                () => { document.documentElement.dataset.mathDone = "yes"; }))"""
        )
        yield context
        context.close()
