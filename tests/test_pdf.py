"""The book as a PDF: tags, an outline, pages to turn, and nothing in it that leads to the machine it was made on."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from companion_site.archives import PDF
from companion_site.pdf import dated
from conftest import SITE, unavailable
from pypdf import PdfReader
from pypdf.generic import DictionaryObject, PdfObject

FILE = SITE.parent / "archives" / PDF
HEADING = re.compile(r"<h1>([^\n]*?)<a class=\"headerlink\"")


@pytest.fixture(scope="module")
def book() -> PdfReader:
    if not FILE.exists():
        unavailable(f"there is no {PDF} in book/_build/archives; print it with `make book`, which needs Chromium")
    return PdfReader(FILE)


@pytest.fixture(scope="module")
def text(book: PdfReader) -> list[str]:
    return [page.extract_text() for page in book.pages]


def elements(node: PdfObject | None) -> Iterator[DictionaryObject]:
    """The structure elements of a tagged PDF."""
    node = node.get_object() if node is not None else None
    if isinstance(node, list):
        for child in node:
            yield from elements(child)
    elif isinstance(node, DictionaryObject):
        yield node
        yield from elements(node.get("/K"))


def outline(entries: list[Any]) -> Iterator[Any]:
    for entry in entries:
        if isinstance(entry, list):
            yield from outline(entry)
        else:
            yield entry


def titles_of_pages() -> list[str]:
    """The titles of the site's pages that a reader turns, without markup and numbers."""
    listed = (SITE / "intro.html").read_text(encoding="utf8")
    names = dict.fromkeys(re.findall(r'toctree-l1[^>]*><a class="reference internal" href="([^"#]+)"', listed))
    pages = [(SITE / name).read_text(encoding="utf8") for name in names]
    found = [match[1] for page in pages for match in [HEADING.search(page)] if match]
    return [unnumbered(re.sub(r"<[^>]*>", "", title)) for title in found]


def unnumbered(title: str) -> str:
    """A title as it is without the number of its chapter."""
    return re.sub(r"^[0-9.]+ ", "", html.unescape(title).strip())


def test_it_is_tagged_and_says_its_title_and_language(book: PdfReader) -> None:
    root = book.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert book.metadata.title == "The Graphon Limit Hypothesis: a reproducible companion"
    kinds = [str(element.get("/S")) for element in elements(root["/StructTreeRoot"])]
    for kind in ("/H1", "/H2", "/H3", "/P", "/Table", "/TH", "/L", "/Figure", "/Link"):
        assert kind in kinds
    assert kinds.count("/H1") == 1


def test_every_figure_has_an_alternative(book: PdfReader) -> None:
    figures = [one for one in elements(book.trailer["/Root"]["/StructTreeRoot"]) if one.get("/S") == "/Figure"]
    assert len(figures) > 30
    assert [one for one in figures if not str(one.get("/Alt", "")).strip()] == []


def test_the_outline_leads_to_every_page_of_the_site(book: PdfReader) -> None:
    titles = titles_of_pages()
    assert len(titles) > 10
    entries = list(outline(book.outline))
    named = [unnumbered(entry.title) for entry in entries]
    assert [title for title in titles if title not in named] == []
    numbers = [book.get_destination_page_number(entry) for entry in entries]
    assert numbers == sorted(numbers)
    assert all(number is not None and number >= 0 for number in numbers)


def test_pages_are_a4_and_numbered_after_the_first(book: PdfReader, text: list[str]) -> None:
    assert len(book.pages) > 50
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in book.pages} == {(595, 842)}
    assert "reproducible companion" in " ".join(text[0].split())
    assert [number for number, words in enumerate(text, 1) if str(number) not in words.split()] == [1]


def test_links_stay_in_the_book_or_lead_to_the_web(book: PdfReader) -> None:
    addresses, inside = [], 0
    for page in book.pages:
        for note in page.get("/Annots", []):
            note = note.get_object()
            addresses += [note["/A"]["/URI"]] if "/URI" in note.get("/A", {}) else []
            inside += "/Dest" in note
    assert [address for address in addresses if not address.startswith("https://")] == []
    assert inside > 100
    assert b"file://" not in FILE.read_bytes()


def test_formulas_are_typeset_code_is_left_out_and_the_explorer_named(text: list[str]) -> None:
    whole = " ".join(" ".join(text).split())
    assert not re.search(r"\\(frac|mathbb|sum|left|Theta|int)\b", whole)
    assert "Show code cell source" not in whole
    assert "The explorer works on the book’s site only. Chapter 1 shows the same" in whole


def test_another_date_keeps_the_length() -> None:
    printed = b"<</CreationDate (D:20261123161748+00'00')\n/ModDate (D:20261123161749+00'00')>>"
    moved = dated(printed, datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert moved == b"<</CreationDate (D:20010203040506+00'00')\n/ModDate (D:20010203040506+00'00')>>"


def test_the_pdf_has_the_time_of_a_commit_and_no_path(book: PdfReader) -> None:
    assert book.metadata.creation_date == book.metadata.modification_date
    assert str(Path(__file__).parents[1]).encode() not in FILE.read_bytes()
