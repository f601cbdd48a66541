"""The archives: what is in them, that equal inputs give equal bytes, and that they work where they are unpacked."""

from __future__ import annotations

import compileall
import os
import re
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from companion_site import archives
from companion_site.archives import ABOUT, LISTED, NOTEBOOKS_ZIP, PARTS, PROJECT, SITE_ZIP, listing
from conftest import SITE, unavailable
from playwright.sync_api import BrowserContext

from graphon_lib.sweeps import trial

ARCHIVES = SITE.parent / "archives"
TIME = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def unpacked(name: str, folder: Path) -> Path:
    """An archive of the built book in a folder of its own."""
    if not (ARCHIVES / name).exists():
        unavailable(f"there is no {name} in book/_build/archives; pack it with `make book`")
    with zipfile.ZipFile(ARCHIVES / name) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(SITE_ZIP, tmp_path_factory.mktemp("a reader's folder"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(NOTEBOOKS_ZIP, tmp_path_factory.mktemp("project"))


# How they are packed


def test_equal_contents_give_equal_bytes(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("later")
    contents: dict[str, Path | str] = {"z/b": tmp_path / "b", "a": "text"}
    archives.write_zip(tmp_path / "1.zip", contents, TIME)
    os.utime(tmp_path / "b", (time.time() - 1e6,) * 2)
    (tmp_path / "b").chmod(0o600)
    archives.write_zip(tmp_path / "2.zip", dict(reversed(contents.items())), TIME)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        assert archive.namelist() == ["a", "z/b"]
        assert archive.read("z/b") == b"later"
        assert {entry.date_time for entry in archive.infolist()} == {(2026, 2, 3, 4, 5, 6)}
        assert {oct(entry.external_attr >> 16) for entry in archive.infolist()} == {"0o100644"}
    assert not list(tmp_path.glob("*.part"))


def test_what_is_built_or_local_is_left_out(tmp_path: Path) -> None:
    kept = ["LICENSE", "book/images/a.png", "graphon_lib/a.py", "notebooks/results/masks/part-1.parquet"]
    left = [
        "notes.txt",
        ".git/config",
        "book/_build/html/index.html",
        "book/chapters/01.ipynb",
        "graphon_lib/__pycache__/a.pyc",
        "graphon_lib/.hidden",
        "notebooks/runs/01.ipynb",
        "notebooks/results/masks/histograms/part-1.parquet",
        "notebooks/results/masks/.lock",
    ]
    for name in kept + left:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for part in PARTS:
        if "." in part or part == "Makefile":
            (tmp_path / part).touch()
    found = {path.relative_to(tmp_path).as_posix() for path in archives.project_files(tmp_path)}
    assert found - set(PARTS) == set(kept) - set(PARTS)
    assert "LICENSE" in found


def test_every_file_under_version_control_is_packed() -> None:
    listed = subprocess.run(["git", "-C", str(PROJECT), "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git repository")
    wanted = {name for name in listed.stdout.splitlines() if name[0] != "." and (PROJECT / name).exists()}
    packed = {path.relative_to(PROJECT).as_posix() for path in archives.project_files()}
    assert wanted - packed == set()


def test_the_list_names_sizes_and_what_was_left_out() -> None:
    before, after = listing(), listing({SITE_ZIP: 12_345_678, NOTEBOOKS_ZIP: 1})
    assert all(name in before and name in after for name in ABOUT)
    assert "MB" not in before
    assert "script" not in before
    assert f"{SITE_ZIP}</code> (12.3 MB)" in after
    assert "left out: no Chromium" in after
    assert "left out" not in listing(dict.fromkeys(ABOUT, 1))
    page = f"<p>a</p>{before}<p>b</p>"
    assert LISTED.sub(lambda _: before, LISTED.sub(lambda _: after, page)) == page


def test_a_landing_page_without_the_list_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "intro.html").write_text("<p>No list.</p>")
    monkeypatch.setattr(archives, "SITE", tmp_path)
    with pytest.raises(SystemExit, match=r"intro.html has no list of archives; put an \{archives\} directive in"):
        archives.main()


@pytest.mark.parametrize(
    ("commit", "expected"),
    [("12ab-archive", TIME), ("12ab-dirty-archive", TIME), ("unknown", datetime(1980, 1, 1, tzinfo=UTC))],
)
def test_without_git_an_archive_tells_what_it_was_made_of(
    commit: str, expected: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "COMMIT").write_text(f"12ab-archive\n{TIME.isoformat()}\n")
    monkeypatch.setattr(archives, "PROJECT", tmp_path)
    monkeypatch.setattr(archives, "commit", lambda: commit)
    assert archives.origin() == (commit, expected)


def test_the_library_reads_its_commit_where_git_knows_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "__file__", str(tmp_path / "graphon_lib" / "sweeps" / "trial.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert trial.commit.__wrapped__() == "unknown"
    (tmp_path / "COMMIT").write_text(f"12ab-archive\n{TIME.isoformat()}\n")
    assert trial.commit.__wrapped__() == "12ab-archive"


# The site, unpacked


def test_the_landing_page_tells_the_true_sizes_and_has_no_dead_link(site: str) -> None:
    page = (SITE / "intro.html").read_text(encoding="utf8")
    told = dict(re.findall(r'data-archive="([^"]+)">[^<]*</code> \(([0-9.]+) MB\)', page))
    assert SITE_ZIP in told
    for name, size in told.items():
        assert f"{(ARCHIVES / name).stat().st_size / 1e6:.1f}" == size
    linked = {link.split("#")[0] for link in re.findall(r'(?:href|src)="([^"]*)"', page) if ":" not in link}
    assert [link for link in linked if link and not (SITE / link.split("?")[0]).exists()] == []


def test_the_archives_are_linked_where_they_lie_beside_the_site(browser: BrowserContext) -> None:
    if not (SITE / "intro.html").exists():
        unavailable("there is no site in book/_build/html; build it with `make book`")
    page = browser.new_page()
    page.goto((SITE / "intro.html").as_uri())
    links = page.locator("ul.archives a").evaluate_all("links => links.map(link => decodeURI(link.href))")
    page.close()
    assert len(links) == len(ABOUT)
    assert [name for name in links if not Path(name.removeprefix("file://")).exists()] == []


def test_a_published_site_does_not_link_beyond_itself(site: str, browser: BrowserContext) -> None:
    page = browser.new_page()
    page.goto(f"{site}/intro.html")
    assert page.locator("ul.archives li").count() == len(ABOUT)
    assert page.locator("ul.archives a").count() == 0
    page.close()


def test_the_site_opens_from_disk(site_folder: Path, browser: BrowserContext) -> None:
    page = browser.new_page()
    requested: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("requestfailed", lambda request: complaints.append(f"{request.failure} for {request.url}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto((site_folder / "index.html").as_uri())
    page.wait_for_url("**/intro.html")
    assert page.locator("ul.archives a").count() == 0
    assert page.locator(".verdict-counts a").count() >= 3
    page.locator(".verdict-counts a").first.click()
    page.wait_for_url("**/claims.html#claim-*")
    page.goto((site_folder / "chapters" / "01_mask_convergence.html").as_uri())
    page.wait_for_function("() => document.querySelector('.math mjx-container')")
    found_wanting = list(complaints)
    # A browser does not let a page read others from disk, so the search finds pages but shows no excerpts of them.
    page.goto((site_folder / "search.html").as_uri() + "?q=convergence")
    page.wait_for_selector("ul.search li a", timeout=10_000)
    page.close()
    assert found_wanting == []
    outside = [url for url in requested if not url.startswith((site_folder.as_uri(), "data:", "blob:"))]
    assert outside == []


def test_the_site_holds_no_archive_of_itself(site_folder: Path) -> None:
    names = {path.relative_to(site_folder).as_posix() for path in site_folder.rglob("*") if path.is_file()}
    built = {path.relative_to(SITE).as_posix() for path in SITE.rglob("*") if path.is_file() and path.name[0] != "."}
    assert names == built
    assert not [name for name in names if name.endswith((".zip", ".pdf"))]


# The project, unpacked


def test_the_project_compiles_and_its_notebooks_are_whole(project: Path) -> None:
    assert compileall.compile_dir(project / "graphon_lib", quiet=1)
    assert compileall.compile_dir(project / "book", quiet=1)
    notebooks = sorted((project / "notebooks").glob("*.ipynb"))
    assert [path.name for path in notebooks] == sorted(path.name for path in (PROJECT / "notebooks").glob("*.ipynb"))
    for path in notebooks:
        nbformat.validate(nbformat.read(path, as_version=4))
        assert path.with_suffix(".md").exists()


def test_the_stores_are_whole(project: Path) -> None:
    stores = sorted((PROJECT / "notebooks" / "results").rglob("*.parquet"))
    kept = [path for path in stores if "histograms" not in path.parts]
    assert kept
    for path in kept:
        copy = project / path.relative_to(PROJECT)
        assert copy.read_bytes() == path.read_bytes()
    assert len(pd.read_parquet(project / "notebooks" / "results" / "masks" / "summaries.parquet")) > 0


def test_the_commands_resolve(project: Path) -> None:
    for target in (["book"], ["rerun", "NOTEBOOK=01_mask_convergence", "PARAMETERS=-p trials 3"]):
        made = subprocess.run(["make", "-n", *target], cwd=project, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        assert "01_mask_convergence" in made.stdout
        assert "No such file" not in made.stderr


def test_the_library_runs_there_and_knows_its_commit(project: Path) -> None:
    script = (
        "from graphon_lib.sweeps import read_summaries; from graphon_lib.sweeps.trial import commit\n"
        "from companion_site.archives import origin\n"
        "print(commit(), origin().time.isoformat(), len(read_summaries('notebooks/results/masks')))"
    )
    environment = os.environ | {"PYTHONPATH": f"{project}{os.pathsep}{project / 'book'}"}
    # Wherever the folder lies, no repository around it knows of it.
    environment["GIT_CEILING_DIRECTORIES"] = str(project.parent)
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True)
    commit, when, rows = ran.stdout.split()
    assert [commit, when] == (project / "COMMIT").read_text().split()
    assert commit.endswith("-archive")
    assert int(rows) > 0
