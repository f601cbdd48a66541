"""What a reader takes away: the site as one zip, the project with its notebooks and data as another, a PDF of the book.

``make book`` writes them to ``book/_build/archives``, beside the site: with them in it, the site would be too large to
publish. Equal inputs give equal bytes: names are sorted, and every file has the time of the commit.
"""

from __future__ import annotations

import html
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from graphon_lib.sweeps.trial import COMMIT_FILE, commit

if TYPE_CHECKING:
    from docutils.nodes import Node

PROJECT = Path(__file__).parents[2]
BOOK = PROJECT / "book"
SITE = BOOK / "_build" / "html"
ARCHIVES = BOOK / "_build" / "archives"

SITE_ZIP = "graphon-limit-hypothesis-site.zip"
NOTEBOOKS_ZIP = "graphon-limit-hypothesis-notebooks.zip"
PDF = "graphon-limit-hypothesis.pdf"
ABOUT = {
    SITE_ZIP: "the whole site, to be read without a network: unzip it and open <code>index.html</code>",
    NOTEBOOKS_ZIP: "the notebooks with the library, the stored results and the lock file: unzip it and run "
    "<code>make book</code> or <code>make rerun</code>",
    PDF: "the whole book to print or to annotate, without the code and with still pictures",
}

# What the project consists of; the rest of a working copy is built or local.
PARTS = (
    "CHANGELOG.md",
    "CITATION.cff",
    "LICENSE",
    "Makefile",
    "README.md",
    "book",
    "constraints.txt",
    "environment.yml",
    "graphon_lib",
    "notebooks",
    "pyproject.toml",
    "tests",
)
BUILT = {"__pycache__", "_build", "chapters", "histograms", "runs"}

# Where the landing page lists the archives; their sizes are known only once the page is in one of them.
LISTED = re.compile(r"<!-- archives -->.*?<!-- end of archives -->", re.DOTALL)
# Links only where the archives are known to lie: a site that is published alone has no dead ones.
LINKS = """<script>
if (location.pathname.endsWith("/html/intro.html"))
  for (const name of document.querySelectorAll("[data-archive]")) {
    const link = document.createElement("a");
    link.href = `../archives/${name.dataset.archive}`;
    name.replaceWith(link);
    link.append(name);
  }
</script>"""


class Origin(NamedTuple):
    """The commit that an archive is made of, and its time."""

    commit: str
    time: datetime


def origin() -> Origin:
    """As git tells it; in an unpacked archive, as its file does; else unknown, and the earliest that a zip can say."""
    name = commit()
    if name.endswith("-archive"):
        return Origin(name, datetime.fromisoformat((PROJECT / COMMIT_FILE).read_text(encoding="utf8").split()[1]))
    if name == "unknown":
        return Origin(name, datetime(1980, 1, 1, tzinfo=UTC))
    command = ["git", "-C", str(PROJECT), "log", "-1", "--format=%ct"]
    seconds = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Origin(name, datetime.fromtimestamp(int(seconds), UTC))


def project_files(project: Path = PROJECT) -> Iterator[Path]:
    """The files of the project that are neither built nor local, sorted by name."""
    for part in PARTS:
        path = project / part
        for folder, folders, names in os.walk(path) if path.is_dir() else [(project, [], [part])]:
            folders[:] = sorted(name for name in folders if name not in BUILT and name[0] != "." and "egg" not in name)
            yield from (Path(folder, name) for name in sorted(names) if name[0] != ".")


def write_zip(target: Path, contents: Mapping[str, Path | str], time: datetime) -> None:
    """Write a zip of files, or of texts, by their names in it; whole, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            about = zipfile.ZipInfo(name, time.timetuple()[:6])
            about.compress_type = zipfile.ZIP_DEFLATED
            about.create_system, about.external_attr = 3, 0o100644 << 16
            content = contents[name]
            archive.writestr(about, content.read_bytes() if isinstance(content, Path) else content)
    part.replace(target)


def listing(sizes: Mapping[str, int] | None = None) -> str:
    """The list of archives on the landing page.

    Parameters
    ----------
    sizes : dict, optional
        Bytes by name. One that is not in it was left out. Without sizes it is not known yet: so the list stands in the
        zip of the site.
    """
    items = ""
    for name, about in ABOUT.items():
        if sizes is None:
            told = ""
        elif name in sizes:
            told = f" ({sizes[name] / 1e6:.1f} MB)"
        else:
            told = " (left out: no Chromium was there to print it; install one and run <code>make book</code> again)"
        items += f'<li><code data-archive="{html.escape(name)}">{html.escape(name)}</code>{told}: {about}.</li>\n'
    return f'<!-- archives --><ul class="archives">\n{items}</ul>{LINKS if sizes else ""}<!-- end of archives -->'


class ArchivesDirective(SphinxDirective):
    """``{archives}``: the list of what can be taken away."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[Node]:
        """Write the list without sizes; :func:`main` adds them."""
        return [nodes.raw(text=listing(), format="html")]


def main() -> None:
    """Write both zips, and the sizes of all archives on the landing page."""
    of = origin()
    landing = SITE / "intro.html"
    page = landing.read_text(encoding="utf8")
    if not LISTED.search(page):
        raise SystemExit(f"{landing} has no list of archives; put an {{archives}} directive into book/intro.md")
    site: dict[str, Path | str] = {
        path.relative_to(SITE).as_posix(): path for path in SITE.rglob("*") if path.is_file() and path.name[0] != "."
    }
    write_zip(ARCHIVES / SITE_ZIP, site | {"intro.html": LISTED.sub(lambda _: listing(), page)}, of.time)
    project: dict[str, Path | str] = {path.relative_to(PROJECT).as_posix(): path for path in project_files()}
    told = f"{of.commit.removesuffix('-archive')}-archive\n{of.time.isoformat()}\n"
    write_zip(ARCHIVES / NOTEBOOKS_ZIP, project | {COMMIT_FILE: told}, of.time)
    sizes = {name: (ARCHIVES / name).stat().st_size for name in ABOUT if (ARCHIVES / name).exists()}
    landing.write_text(LISTED.sub(lambda _: listing(sizes), page), encoding="utf8")
    for name, size in sizes.items():
        print(f"{name}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
