"""The site's own Sphinx extension: offline assets, figures, previews, the glossary, provenance, claims.

Listed under ``sphinx: extra_extensions`` in ``_config.yml``. The renderer of notebook outputs (:mod:`.outputs`) is
found by myst-nb through an entry point, so the project has to be installed for it to act.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from companion_site.archives import ArchivesDirective
from companion_site.benchmark import BenchmarkDirective
from companion_site.claims_table import ClaimsDirective, VerdictsDirective, check_links, write_json
from companion_site.convolutions import ConvolutionsDirective
from companion_site.explorer import ExplorerDirective, load_scripts, write_scripts
from companion_site.glossary import link_terms
from companion_site.offline_assets import copy_assets, drop_icons, drop_thebe_nodes, drop_thebe_scripts
from companion_site.previews import drop_caches, name_entries, trim_previews
from companion_site.provenance_notes import add_notes
from companion_site.reading import open_chapter
from companion_site.runs import RunsDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives and the handlers with Sphinx."""
    app.add_directive("archives", ArchivesDirective)
    app.add_directive("benchmark", BenchmarkDirective)
    app.add_directive("claims", ClaimsDirective)
    app.add_directive("convolutions", ConvolutionsDirective)
    app.add_directive("explorer", ExplorerDirective)
    app.add_directive("runs", RunsDirective)
    app.add_directive("verdicts", VerdictsDirective)
    app.setup_extension("sphinx_tippy")
    app.add_config_value("linked_terms", {}, "env", dict)
    app.add_config_value("what_you_need", {}, "env", dict)
    for script in ("enlarge.js", "scrolling.js"):
        app.add_js_file(f"companion/{script}", loading_method="defer")
    app.connect("builder-inited", write_scripts)
    app.connect("html-page-context", load_scripts)
    app.connect("doctree-read", add_notes)
    app.connect("doctree-read", link_terms)
    app.connect("doctree-read", open_chapter)
    app.connect("env-check-consistency", check_links)
    app.connect("build-finished", copy_assets)
    app.connect("build-finished", drop_icons)
    app.connect("build-finished", write_json)
    app.connect("html-page-context", name_entries)
    # After sphinx-tippy (priorities 450 and 500) has collected and written previews.
    app.connect("html-page-context", trim_previews, priority=460)
    app.connect("build-finished", drop_caches, priority=900)
    # After sphinx-thebe (priority 500) has added what is to go.
    app.connect("doctree-resolved", drop_thebe_nodes, priority=900)
    app.connect("html-page-context", drop_thebe_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
