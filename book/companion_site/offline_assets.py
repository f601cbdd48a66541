"""Everything a page loads comes with the site: from pip packages, or from ``vendor``; nothing from a network."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# The bundle a page loads, and what its menu loads on demand (speech, MathML, the SVG renderer). The package's other
# bundles repeat the same code for other inputs and outputs.
MATHJAX_PARTS = (
    "tex-chtml.js",
    "a11y",
    "input/mml.js",
    "input/mml/entities.js",
    "input/tex/extensions",
    "output/chtml/fonts",
    "output/svg.js",
    "output/svg/fonts",
    "sre",
)

# The two that sphinx-tippy needs, with their licences, and our own.
PREVIEW_PARTS = (
    "vendor/popper.min.js",
    "vendor/popper.LICENSE.md",
    "vendor/tippy.min.js",
    "vendor/tippy.LICENSE",
    "previews.js",
    "enlarge.js",
    "scrolling.js",
)

_ICON_SCRIPT = re.compile(r'<script defer src="[^"]*/fontawesome\.js[^"]*"></script>\n?')
_ICON = re.compile(r"\bfa-[a-z0-9-]+")
_ICON_RULE = re.compile(r'(?:\.fa-[a-z0-9-]+:before,?)+\{content:"[^"]*"\}')

PLOTLY_SCRIPTS = ("plotly/plotly.min.js", "plotly/plotly_figures.js")


def copy_assets(app: Sphinx, exception: Exception | None) -> None:
    """Copy MathJax, Plotly and the scripts of previews into the built site."""
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    # The package's folder has hyphens in its name, so it is found through its metadata, not by importing it.
    mathjax = Path(str(distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline/static/mathjax")))
    for part in MATHJAX_PARTS:
        _copy(mathjax / part, static / "mathjax" / part)
    _copy(Path(str(files("plotly") / "package_data" / "plotly.min.js")), static / PLOTLY_SCRIPTS[0])
    _copy(Path(__file__).with_name("plotly_figures.js"), static / PLOTLY_SCRIPTS[1])
    for part in PREVIEW_PARTS:
        _copy(Path(__file__).parent / part, static / "companion" / part)


def drop_icons(app: Sphinx, exception: Exception | None) -> None:
    """Keep of the theme's two thousand icons those that the site shows, each as a letter of a font.

    The theme also draws them all by a script, the largest part of a page, and maps minified files to their sources,
    which only its authors need.
    """
    if exception is not None or app.builder.format != "html":
        return
    shown: set[str] = set()
    for page in Path(app.outdir).rglob("*.html"):
        text = _ICON_SCRIPT.sub("", page.read_text(encoding="utf8"))
        page.write_text(text, encoding="utf8")
        shown.update(_ICON.findall(text))
    static = Path(app.outdir) / "_static"
    (static / "scripts/fontawesome.js").unlink(missing_ok=True)
    for script in [*static.glob("scripts/*.js"), *static.glob("companion/*.js")]:
        shown.update(_ICON.findall(script.read_text(encoding="utf8")))
    for sheet in static.glob("styles/pydata-sphinx-theme.css"):
        rules = sheet.read_text(encoding="utf8")
        kept = _ICON_RULE.sub(lambda rule: rule[0] if shown.intersection(_ICON.findall(rule[0])) else "", rules)
        sheet.write_text(kept, encoding="utf8")
    for source_map in static.rglob("*.map"):
        source_map.unlink()


def drop_thebe_nodes(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Remove the kernel settings that sphinx-thebe writes into every page: no page starts a kernel."""
    for node in list(doctree.findall(nodes.raw)):
        if "text/x-thebe-config" in node.astext() or node.astext().startswith("<script>kernelName"):
            node.parent.remove(node)


def drop_thebe_scripts(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Remove sphinx-thebe's scripts, which raise an error on pages without its button."""
    # In place: the list is shared with the builder, which renders from its own reference.
    context["script_files"][:] = [
        script for script in context["script_files"] if "thebe" not in f"{script}{getattr(script, 'attributes', '')}"
    ]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
