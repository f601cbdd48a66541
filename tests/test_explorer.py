"""The explorer: what its data say of the store, and its controls by mouse, keyboard and address, in Chromium."""

from __future__ import annotations

import base64
import html
import re
import zlib
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
from companion_site.explorer import GRID, STORE, explorer_data, explorer_html, packed, quantised
from conftest import SITE
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from playwright.sync_api import BrowserContext, Page
from sphinx.errors import ExtensionError

from graphon_lib.figures.style import METHOD_COLOURS
from graphon_lib.sweeps import Grid, read_distances, read_summaries
from graphon_lib.sweeps.summary import KINDS

PAPER = Grid.from_yaml(GRID)
DRAWN = """() => document.querySelectorAll(".explorer [data-plot] .main-svg").length >= 3
  && document.querySelector(".explorer [role=status]").textContent !== "" """
TRACES = """() => Object.fromEntries([...document.querySelectorAll(".explorer [data-plot]")].map(box => {
  const { data, layout } = box.querySelector(".js-plotly-plot");
  return [box.dataset.plot, { data, line: layout.shapes?.[0].x0, font: layout.template.layout.font.color }];
}))"""
STATE = "() => Object.fromEntries(new FormData(document.querySelector('form.explorer')))"
START = {
    "method": "snip",
    "depth": "3",
    "layer": "2",
    "density": "0.2",
    "width": "500",
    "kind": "mask",
    "scale": "share",
}


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return explorer_data(STORE, PAPER)


@pytest.fixture(scope="module")
def summaries() -> pd.DataFrame:
    return read_summaries(STORE)


@pytest.fixture(scope="module")
def opened(site: str, browser: BrowserContext) -> Page:
    """The explorer, opened once."""
    page = browser.new_page()
    page.emulate_media(color_scheme="light")
    page.goto(f"{site}/explorer.html")
    page.wait_for_function(DRAWN)
    return page


@pytest.fixture
def page(opened: Page) -> Page:
    """The explorer at START, in a window for a mouse."""
    opened.set_viewport_size({"width": 1200, "height": 900})
    go(opened)
    return opened


def go(page: Page, **choices: str) -> dict[str, Any]:
    """Choose by address, and see what is drawn."""
    asked = START | choices
    page.evaluate("hash => { location.hash = hash; }", urlencode(asked))
    page.wait_for_function(
        f"asked => Object.entries(({STATE})()).every(([name, value]) => asked[name] === value)",
        arg=asked | {"width": place_of(asked["width"])},
    )
    return page.evaluate(TRACES)


def place_of(width: str) -> str:
    """What the slider is at for a width."""
    return str(PAPER.widths.index(int(width)))


def mean_of(summaries: pd.DataFrame, chosen: dict[str, str]) -> np.ndarray:
    """The stored mean histogram of what is chosen."""
    rows = summaries[
        (summaries["method"] == chosen["method"])
        & (summaries["depth"] == int(chosen["depth"]))
        & (summaries["density"] == float(chosen["density"]))
        & (summaries["width"] == int(chosen["width"]))
        & summaries["initialisation"].isin(PAPER.initialisations)
    ]
    (histograms,) = rows[f"{chosen['kind']}_mean"]
    return histograms[int(chosen["layer"]) - 1]


def test_data_are_the_stores_means_to_half_a_step(data: dict[str, Any], summaries: pd.DataFrame) -> None:
    differences = np.frombuffer(zlib.decompress(base64.b64decode(data["packed"])), np.uint8)
    shape = (len(data["masks"]), len(PAPER.widths), len(KINDS), PAPER.blocks, PAPER.blocks)
    pixels = np.cumsum(differences.reshape(shape), axis=-2, dtype=np.uint64) % 256
    steps = np.array([mask["steps"] for mask in data["masks"].values()])
    assert len(data["masks"]) == len(PAPER.methods) * len(PAPER.densities) * sum(depth - 1 for depth in PAPER.depths)
    for number, (name, mask) in enumerate(data["masks"].items()):
        chosen = dict(zip(("method", "depth", "layer", "density"), name.split(), strict=True))
        for place, width in enumerate(PAPER.widths):
            for kind_place, kind in enumerate(KINDS):
                mean = mean_of(summaries, chosen | {"width": str(width), "kind": kind})
                step = steps[number, place, kind_place]
                np.testing.assert_allclose(
                    pixels[number, place, kind_place] * step, mean, rtol=0, atol=0.5 * step * (1 + 1e-9)
                )
                if kind == "mask":
                    assert mask["density"][place] == pytest.approx(mean.mean(), rel=1e-4)


def test_distances_are_the_stores_means(data: dict[str, Any]) -> None:
    distances = read_distances(STORE)
    distances = distances[distances["initialisation"].isin(PAPER.initialisations)]
    means = distances.groupby(["method", "depth", "layer", "density", "pair", "kind", "width"])["euclidean"].mean()
    checked = 0
    for name, mask in data["masks"].items():
        method, depth, layer, density = name.split()
        for pair, kinds in mask["distances"].items():
            for kind, values in kinds.items():
                for width, value in zip(PAPER.widths, values, strict=True):
                    key = (method, int(depth), int(layer), float(density), pair, kind, width)
                    assert (value is None) == (key not in means.index)
                    if value is not None:
                        assert value == pytest.approx(means[key], rel=1e-4)
                        checked += 1
    assert checked > 1000


@given(arrays(np.float64, st.tuples(*map(st.integers, (1, 1, 4, 4), (3, 3, 4, 4))), elements=st.floats(0, 1)))
def test_a_cell_is_off_by_half_a_step_at_the_most(histograms: np.ndarray) -> None:
    steps, pixels = quantised(histograms)
    assert pixels.dtype == np.uint8
    error = np.abs(pixels * steps[..., None, None] - histograms)
    assert (error <= 0.5 * steps[..., None, None] * (1 + 1e-9)).all()
    density = histograms[:, :1].mean(axis=(-2, -1))
    finest = np.maximum(histograms.max(axis=(-2, -1)) / 255, 0.02 * density)
    assert (steps <= finest + 1e-7)[finest > 0].all()


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=5, max_side=5)))
def test_what_is_packed_is_unpacked(pixels: np.ndarray) -> None:
    rows = np.frombuffer(zlib.decompress(base64.b64decode(packed(pixels))), np.uint8).reshape(pixels.shape)
    rows = np.cumsum(rows, axis=-2, dtype=np.uint64) % 256
    np.testing.assert_array_equal(rows, pixels)


def test_a_store_without_summaries_stops_the_build(tmp_path: Any) -> None:
    with pytest.raises(
        ExtensionError, match=r"explorer has nothing to show: .*summaries.parquet is not there.*make sweep"
    ):
        explorer_data(tmp_path, PAPER)


def test_a_configuration_that_is_not_in_the_store_is_named() -> None:
    wider = PAPER.model_copy(update={"widths": [*PAPER.widths, 12345]})
    groups = len(PAPER.methods) * len(PAPER.depths) * len(PAPER.densities)
    sentence = rf"no summary of {groups} of {groups * len(wider.widths)} configurations in .*'width': 12345.*make sweep"
    with pytest.raises(ExtensionError, match=sentence):
        explorer_data(STORE, wider)


def test_a_grid_that_varies_more_than_the_controls_is_refused() -> None:
    both = PAPER.model_copy(update={"initialisations": ["pytorch", "he"]})
    with pytest.raises(
        ExtensionError, match=r"tells them apart by method, depth and density only; give its other fields"
    ):
        explorer_data(STORE, both)


def test_without_scripts_there_is_a_link_and_no_dead_control(site: str) -> None:
    written = explorer_html(PAPER, "chapters/01_mask_convergence.html")
    assert re.search(r'<form class="explorer"[^>]* hidden>', written)
    (fallback,) = re.findall(r"<noscript>(.*?)</noscript>", written)
    assert "needs JavaScript" in fallback
    shown = (SITE / "explorer.html").read_text(encoding="utf8")
    assert fallback in shown
    assert (SITE / re.findall('href="([^"]*)"', fallback)[0]).exists()


def test_data_and_script_are_small_and_on_this_page_only(site: str) -> None:
    size = sum(path.stat().st_size for path in (SITE / "_static" / "explorer").iterdir())
    assert size < 3e6
    for page in SITE.rglob("*.html"):
        assert ("explorer/masks.js" in page.read_text(encoding="utf8")) == (page.name == "explorer.html"), page


@pytest.mark.parametrize(
    ("control", "value", "changes"),
    [
        ("method", "synflow", {"histogram", "degrees", "distances"}),
        ("depth", "2", {"histogram", "degrees", "distances"}),
        ("layer", "1", {"histogram", "degrees", "distances"}),
        ("density", "0.1", {"histogram", "degrees", "distances"}),
        ("width", "5", {"histogram", "degrees", "distances"}),
        ("kind", "erdos_renyi", {"histogram"}),
        ("kind", "equal_degrees", {"histogram"}),
        ("scale", "relative", {"histogram", "degrees"}),
    ],
)
def test_each_control_changes_the_picture(page: Page, control: str, value: str, changes: set[str]) -> None:
    before, said = page.evaluate(TRACES), page.locator(".explorer [role=status]").inner_text()
    field = page.locator(f".explorer [name={control}]")
    if control in ("kind", "scale"):
        page.locator(f".explorer [name={control}][value={value}]").check()
    elif control == "width":
        field.fill(value)
    else:
        field.select_option(value)
    after = page.evaluate(TRACES)
    assert {name for name in after if after[name] != before[name]} == changes
    if control != "scale":
        assert page.locator(".explorer [role=status]").inner_text() != said
    width = PAPER.widths[int(value)] if control == "width" else 500
    assert after["distances"]["line"] == width
    assert page.locator(".explorer output").inner_text() == f"n = {width}"
    assert page.url.split("#")[1] != urlencode(START)


def test_every_control_is_reached_and_moved_by_keyboard(page: Page) -> None:
    go(page, depth="2", layer="1")
    page.locator(".explorer [name=method]").focus()
    reached = []
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowDown", "ArrowDown", "ArrowRight"):
        focused = "() => [document.activeElement.name, getComputedStyle(document.activeElement).outlineStyle]"
        name, outline = page.evaluate(focused)
        assert outline == "solid", f"{name} has focus, but does not show it"
        before = page.evaluate(STATE)
        page.keyboard.press(key)
        after = page.evaluate(STATE)
        assert before[name] != after[name]
        reached.append(name)
        page.keyboard.press("Tab")
    assert reached == ["method", "depth", "layer", "density", "kind", "scale", "width"]
    page.keyboard.press("Shift+Tab")
    at = [page.evaluate(STATE)["width"]]
    for key in ("ArrowRight", "ArrowLeft", "ArrowLeft", "Home", "End"):
        page.keyboard.press(key)
        at.append(page.evaluate(STATE)["width"])
    assert at == ["3", "4", "3", "2", "0", str(len(PAPER.widths) - 1)]
    assert page.locator(".explorer output").inner_text() == f"n = {PAPER.widths[-1]}"
    assert page.locator(".explorer [name=width]").get_attribute("aria-valuetext") == f"{PAPER.widths[-1]} neurons"


def test_every_control_has_a_name(page: Page) -> None:
    labels = page.locator(".explorer :is(select, input)").evaluate_all(
        "fields => fields.map(field => field.labels[0].textContent)"
    )
    assert all(labels)
    assert len(page.locator(".explorer fieldset > legend").all()) == 2


def test_numbers_drawn_are_the_stores(page: Page, data: dict[str, Any], summaries: pd.DataFrame) -> None:
    random = np.random.default_rng(5)
    for _ in range(6):
        depth = random.choice(PAPER.depths)
        chosen = {
            "method": str(random.choice(PAPER.methods)),
            "depth": str(depth),
            "layer": str(random.integers(1, depth)),
            "density": f"{random.choice(PAPER.densities):g}",
            "width": str(random.choice(PAPER.widths)),
            "kind": str(random.choice(KINDS)),
        }
        drawn = go(page, **chosen)
        mean, mask = mean_of(summaries, chosen), mean_of(summaries, chosen | {"kind": "mask"})
        half = max(mean.max() / 510, 0.01 * mask.mean()) + 1e-7
        np.testing.assert_allclose(drawn["histogram"]["data"][0]["z"], mean, rtol=0, atol=half)
        rows, columns, null_rows, _ = (np.array(line["y"]) for line in drawn["degrees"]["data"])
        null = mean_of(summaries, chosen | {"kind": "erdos_renyi"})
        for line, exact in ((rows, mask.mean(axis=1)), (columns, mask.mean(axis=0)), (null_rows, null.mean(axis=1))):
            np.testing.assert_allclose(line, exact, rtol=0, atol=0.01 * mask.mean() + mask.max() / 510)
        name = " ".join(chosen[part] for part in ("method", "depth", "layer", "density"))
        widest, *_ = drawn["distances"]["data"]
        assert widest["x"] == PAPER.widths
        assert widest["y"] == [value or None for value in data["masks"][name]["distances"]["widest"]["mask"]]
        assert widest["line"]["color"] == METHOD_COLOURS[chosen["method"]]
        said = page.locator(".explorer [role=status]").inner_text()
        trials = data["masks"][name]["trials"][PAPER.widths.index(int(chosen["width"]))]
        assert f"mean of {trials} networks" in said
        if mask.mean() > 0:
            assert float(re.findall(r"keeps ([\d.]+) %", said)[0]) == pytest.approx(100 * mask.mean(), rel=5e-3)


def test_a_mask_that_keeps_nothing_is_said_to(page: Page, data: dict[str, Any]) -> None:
    name, place = next((n, m["density"].index(0)) for n, m in data["masks"].items() if 0 in m["density"])
    chosen = dict(zip(("method", "depth", "layer", "density"), name.split(), strict=True))
    drawn = go(page, **chosen, width=str(PAPER.widths[place]), scale="relative")
    assert np.max(drawn["histogram"]["data"][0]["z"]) == 0
    assert "keeps nothing" in page.locator(".explorer [role=status]").inner_text()


def test_address_keeps_the_choices_and_passes_over_others(page: Page) -> None:
    page.locator(".explorer [name=method]").select_option("grasp")
    page.locator(".explorer [name=width]").fill("0")
    page.reload()
    page.wait_for_function(DRAWN)
    assert page.evaluate(STATE) == START | {"method": "grasp", "width": "0"}
    page.evaluate("() => { location.hash = 'method=snap&layer=9&width=123&width=&kind=&scale=%00&length=3&x'; }")
    page.wait_for_timeout(100)
    assert page.evaluate(STATE) == START | {"method": "grasp", "width": "0"}
    page.evaluate("() => { location.hash = 'depth=2&layer=2'; }")
    page.wait_for_function(f"() => ({STATE})().depth === '2'")
    assert page.evaluate(STATE)["layer"] == "1", "two hidden layers have one mask between them"


def test_links_of_the_text_set_every_choice(page: Page) -> None:
    links = page.locator(".bd-article a[href^='#method=']")
    assert links.count() == 3
    for link in links.all():
        link.click()
        page.wait_for_timeout(100)
        asked = link.evaluate("link => Object.fromEntries(new URLSearchParams(link.hash.slice(1)))")
        assert page.evaluate(STATE) == asked | {"width": place_of(asked["width"])}
        assert page.evaluate("() => document.activeElement.name") == "method"


def test_plots_follow_the_theme(page: Page) -> None:
    light = page.evaluate(TRACES)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        f"light => Object.values(({TRACES})()).every(plot => plot.font !== light)", arg=light["degrees"]["font"]
    )
    assert page.evaluate(TRACES)["histogram"]["data"] == light["histogram"]["data"]
    page.emulate_media(color_scheme="light")


def test_the_width_stays_in_reach_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(200)
    page.locator(".explorer [data-plot=distances]").evaluate("plot => plot.scrollIntoView({ block: 'end' })")
    slider = page.locator(".explorer [name=width]")
    top = slider.bounding_box()["y"]
    assert 0 < top < 120
    # Nothing lies over it.
    assert slider.evaluate(
        """slider => { const { x, y, width, height } = slider.getBoundingClientRect();
        return document.elementFromPoint(x + width / 2, y + height / 2) === slider; }"""
    )
    widest = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(widest) == 0


def test_what_the_page_says_to_try_is_there_to_see(summaries: pd.DataFrame) -> None:
    def histogram(method: str, width: int, kind: str) -> np.ndarray:
        chosen = {"depth": "2", "layer": "1", "density": "0.1"}
        return mean_of(summaries, chosen | {"method": method, "width": str(width), "kind": kind})

    def contrast(values: np.ndarray) -> float:
        return float(values.std() / values.mean())

    for width in PAPER.widths:
        assert contrast(histogram("random", width, "mask")) == pytest.approx(
            contrast(histogram("random", width, "erdos_renyi")), rel=0.05
        )
    assert contrast(histogram("random", 100, "mask")) > 5 * contrast(histogram("random", 4000, "mask"))

    snip = [histogram("snip", 4000, kind) for kind in KINDS]
    to_null, to_equal = (np.sqrt(np.mean((snip[0] - snip[KINDS.index(kind)]) ** 2)) for kind in KINDS[1:])
    assert to_equal < 0.1 * to_null

    removed = {width: float((histogram("synflow", width, "mask").mean(axis=0) < 1e-4).mean()) for width in PAPER.widths}
    assert removed[500] == pytest.approx(removed[1000], abs=0.02)
    assert removed[4000] < removed[1000] - 0.1

    text = html.unescape((GRID.parents[2] / "book" / "explorer.md").read_text(encoding="utf8"))
    for start in ("method=random&depth=2", "method=snip&depth=2", "method=synflow&depth=2"):
        assert start in text
