"""What the site adds to a page's text: links to the glossary, reading time and needs, and what previews show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from companion_site.previews import trimmed
from companion_site.reading import WORDS_A_MINUTE
from conftest import SITE, unavailable

BOOK = Path(__file__).parents[1] / "book"
CONFIG = yaml.safe_load((BOOK / "_config.yml").read_text(encoding="utf8"))["sphinx"]["config"]
GLOSSARY = """# Words

```{glossary}
graphon
  The limit of masks.

step graphon
  A graphon of steps.
```
"""


def build(folder: Path, page: str, needs: str = "", *, terms: str = "") -> str:
    """Build a project of two pages, with warnings as errors: its page, as docutils writes it; or the warnings."""
    terms = (
        terms or "{'graphon': ['graphon', 'graphons', 'Graphon'], 'step graphon': ['step graphon', 'step graphons']}"
    )
    conf = f"extensions = ['myst_parser', 'companion_site']\nlinked_terms = {terms}\n"
    conf += "myst_enable_extensions = ['dollarmath']\n"
    conf += f"what_you_need = {{'page': {needs!r}}}\n" if needs else ""
    (folder / "conf.py").write_text(conf, encoding="utf8")
    (folder / "index.md").write_text(f"{GLOSSARY}\n```{{toctree}}\npage\n```\n", encoding="utf8")
    (folder / "page.md").write_text(page, encoding="utf8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "pseudoxml", str(folder), str(folder / "out")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stderr if run.returncode else (folder / "out" / "page.pseudoxml").read_text(encoding="utf8")


def linked(built: str) -> list[tuple[str, str]]:
    """The links to the glossary: what they lead to, and their words."""
    found = re.findall(
        r'<reference internal="True" refuri="[^"]*#(term-[^"]*)">\s*<inline classes="std-term">\s*(.+)', built
    )
    return [(target, words.strip()) for target, words in found]


def test_first_use_of_a_term_is_linked_and_no_other(tmp_path: Path) -> None:
    page = (
        "# On graphons\n\nStep by step: *a step\ngraphon* is one of the graphons. A graphon again, and step graphons.\n"
    )
    built = build(tmp_path, page)
    assert linked(built) == [("term-step-graphon", "step"), ("term-graphon", "graphons")]
    # Nothing of the text is lost.
    assert " ".join(re.sub(r"<[^>]*>", " ", built).split()).count("graphon") == page.count("graphon")


@pytest.mark.parametrize(
    "text",
    [
        "`graphon`",
        "$graphon$",
        "[graphon](index.md)",
        "graphon-valued, a multi-graphon, graphonic, graphon_ntk",
        "| graphon | b |\n|---|---|\n| graphon | c |",
        "## A graphon",
        "```python\ngraphon\n```",
    ],
)
def test_no_link_in_code_formulas_links_tables_headings_or_longer_words(tmp_path: Path, text: str) -> None:
    built = build(
        tmp_path, f"# Page\n\n{text}\n" if not text.startswith("##") else f"# Page\n\nText.\n\n{text}\n\nText.\n"
    )
    assert "graphon" in built
    assert linked(built) == []


def test_term_that_the_glossary_lacks_stops_the_build(tmp_path: Path) -> None:
    assert "term not in glossary" in build(tmp_path, "# Page\n\nA chain.\n", terms="{'chain': ['chain']}")


def test_page_opens_with_its_reading_time_and_needs(tmp_path: Path) -> None:
    built = build(tmp_path, "# Page\n\n" + "word " * 2 * WORDS_A_MINUTE, "the [words](index) of it.")
    opening = built.index('<container classes="reading">')
    assert built.index("<title>") < opening < built.index("3 minutes to read.") < built.index("word word")
    assert re.search(r'<reference internal="True" refuri="index[^"]*">\s*<inline classes="doc">\s*words', built)


def test_code_is_not_read_and_a_formula_is_one_word(tmp_path: Path) -> None:
    prose = "word " * (WORDS_A_MINUTE - 3)
    built = build(tmp_path, f"# Page\n\n{prose} and $a + b + c + d$\n\n```python\n{prose}\n```\n", "nothing.")
    assert "1 minute to read." in built
    assert "2 minutes to read." in build(tmp_path, f"# Page\n\n{prose} and $a + b$ more\n", "nothing.")


def test_page_that_is_needed_and_is_not_there_stops_the_build(tmp_path: Path) -> None:
    assert "unknown document: '/nowhere'" in build(tmp_path, "# Page\n\nText.\n", "[chapter 9](nowhere).")


def test_every_chapter_says_what_one_needs() -> None:
    notebooks = {f"chapters/{path.stem}" for path in (BOOK.parent / "notebooks").glob("*.md")}
    long_pages = {"convolutions", "extend", "derivations", "kernel_numerics", "rerunning"}
    assert notebooks
    assert notebooks | long_pages <= CONFIG["what_you_need"].keys()


def test_built_chapters_show_time_needs_and_terms() -> None:
    chapters = sorted((SITE / "chapters").glob("*.html"))
    if not chapters:
        unavailable("there is no site in book/_build/html; build it with `make book`")
    for chapter in chapters:
        page = BeautifulSoup(chapter.read_text(encoding="utf8"), "html.parser")
        assert re.match(r"\d+ minutes? to read\. What you need: \w+", page.select_one(".reading").get_text().strip())
        terms = [link["href"] for link in page.select("a.reference:has(> .std-term)")]
        assert terms, chapter.name
        assert len(terms) == len(set(terms)), chapter.name
        # The next chapter, or the one before, by its title.
        assert all(title.get_text().strip() for title in page.select(".prev-next-title"))
        assert page.select(".prev-next-title")


def test_preview_has_no_ids_and_nothing_to_unfold() -> None:
    preview = trimmed(
        '<figure id="fig-a"><img id="i" src="a.png"/><figcaption>Seen<a class="headerlink" href="#f">#</a></figcaption>'
        "<details><summary>How</summary>By hand.</details><button>Enlarge</button></figure>"
    )
    assert preview == '<figure><img loading="lazy" src="a.png"/><figcaption>Seen</figcaption></figure>'


def test_preview_of_a_plot_says_what_it_shows() -> None:
    plot = (
        '<div class="plotly-figure" role="group" aria-label="Three lines" style="x"><script>{"data":[]}</script></div>'
    )
    assert trimmed(f"<figure>{plot}</figure>") == "<figure><p>Three lines</p></figure>"


def test_preview_of_a_term_and_of_an_entry_stand_alone() -> None:
    assert trimmed('<dt id="term-a">a</dt><dd><p>b</p></dd>') == '<p class="preview-term">a</p><div><p>b</p></div>'
    entry = '<div class="citation" id="id1" role="doc-biblioentry"><span class="label">[1]</span><p>Book.</p></div>'
    assert trimmed(entry) == '<div class="citation"><p>Book.</p></div>'
