"""The site's own Sphinx extension: offline assets, Plotly figures, the explorer, the ledger of claims, and benchmarks.

Listed under ``sphinx: extra_extensions`` in ``_config.yml``. The renderer of notebook outputs (:mod:`.outputs`) is
found by myst-nb through an entry point, so the project has to be installed for it to act.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from companion_site.benchmark import BenchmarkDirective
from companion_site.claims_table import ClaimsDirective, check_links, write_json
from companion_site.explorer import ExplorerDirective, load_scripts, write_scripts
from companion_site.offline_assets import copy_assets, drop_thebe_nodes, drop_thebe_scripts

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives and the handlers with Sphinx."""
    app.add_directive("benchmark", BenchmarkDirective)
    app.add_directive("claims", ClaimsDirective)
    app.add_directive("explorer", ExplorerDirective)
    app.connect("builder-inited", write_scripts)
    app.connect("html-page-context", load_scripts)
    app.connect("env-check-consistency", check_links)
    app.connect("build-finished", copy_assets)
    app.connect("build-finished", write_json)
    # After sphinx-thebe (priority 500) has added what is to go.
    app.connect("doctree-resolved", drop_thebe_nodes, priority=900)
    app.connect("html-page-context", drop_thebe_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
