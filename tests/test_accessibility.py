"""The built site without a mouse, by touch, without sight: previews, enlarged figures, text alternatives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup
from conftest import SITE
from playwright.sync_api import BrowserContext, Page, expect
from visits import PHONE, judge, settle

PAGES = sorted(page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html") if "_static" not in page.parts)
CHAPTERS = [page for page in PAGES if page.startswith("chapters/")]
# What a reader may act on, as the browser's own rules have it, that is shown and is not reached by Tab.
OUT_OF_REACH = """() => [...document.querySelectorAll("a[href], button, input, select, summary, [role=button]")]
  .filter(node => node.checkVisibility({ visibilityProperty: true }) && !node.disabled && node.tabIndex < 0)
  // Of radio buttons one is reached, and arrows lead to the others; what is inert waits for the dialog that holds it.
  .filter(node => node.type !== "radio" && !node.closest("[inert], dialog:not([open])"))
  .map(node => node.outerHTML.slice(0, 120))"""
# Where the focus is, and whether that shows: by an outline or a shadow that it has only with the focus.
FOCUSED = """() => {
  const node = document.activeElement;
  const style = () => {
    const now = getComputedStyle(node);
    return [now.outline, now.boxShadow, now.borderColor, now.backgroundColor, now.textDecoration, now.opacity].join();
  };
  const focused = style();
  node.blur();
  const blurred = style();
  node.focus({ preventScroll: true });
  return { name: node.outerHTML.slice(0, 120), shows: focused !== blurred };
}"""


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    yield page
    page.close()


def open_settled(page: Page, address: str) -> None:
    page.goto(address)
    settle(page, "light")


@pytest.mark.parametrize("name", PAGES or ["no page"])
def test_pictures_say_what_they_show(site: str, name: str) -> None:
    page = BeautifulSoup((SITE / name).read_text(encoding="utf8"), "html.parser")
    pictures = [image.get("alt") or "" for image in page.select(".bd-article img")]
    pictures += [plot.get("aria-label") or "" for plot in page.select(".bd-article .plotly-figure")]
    for says in pictures:
        assert len(says.split()) >= 6, says
        assert not says.endswith((".png", ".svg")), says


@pytest.mark.parametrize("name", ["intro.html", "explorer.html", "claims.html", *CHAPTERS[-1:]])
def test_keyboard_reaches_everything_and_shows_where_it_is(site: str, page: Page, name: str) -> None:
    open_settled(page, f"{site}/{name}")
    assert page.evaluate(OUT_OF_REACH) == []
    assert page.locator("[tabindex]:not([tabindex='0'], [tabindex='-1'])").count() == 0
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement === document.body"):
            break  # from the last element on to the browser's own controls
        focused = page.evaluate(FOCUSED)
        assert focused["shows"], focused["name"]
        seen.append(focused["name"])
    assert "skip" in seen[0].lower() or "#main-content" in seen[0], seen[0]
    # No trap: the focus goes on.
    assert len(set(seen)) > 10, seen


def test_skip_link_leads_past_the_navigation(site: str, page: Page) -> None:
    open_settled(page, f"{site}/claims.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("() => !!document.activeElement.closest('main')")


def test_explorer_works_by_keyboard(site: str, page: Page) -> None:
    open_settled(page, f"{site}/explorer.html")
    before = page.locator(".explorer-says").inner_text()
    page.locator("input[name=width]").focus()
    page.keyboard.press("ArrowRight")
    after = page.locator(".explorer-says").inner_text()
    page.locator("input[name=kind]").first.focus()
    page.keyboard.press("ArrowDown")
    assert before != after != page.locator(".explorer-says").inner_text()


def links_with_previews(page: Page) -> dict[str, str]:
    """The first link of each kind that has a preview on a page: theorem, equation, figure, citation, term."""
    return page.evaluate(
        """() => {
          const kinds = { theorem: /#(thm|prop|cor|lem)-/, equation: /#equation-/, figure: /#fig-/,
            citation: /bibliography.html#/, term: /notation.html#term-/ };
          const links = [...document.querySelectorAll(".bd-article a[href]")].filter(link => link._tippy);
          return Object.fromEntries(Object.entries(kinds).flatMap(([kind, pattern]) => {
            const link = links.find(one => pattern.test(one.getAttribute("href")));
            return link ? [[kind, link.getAttribute("href")]] : [];
          }));
        }"""
    )


@pytest.mark.parametrize("name", CHAPTERS or ["no chapter"])
@pytest.mark.parametrize("disk", [False, True], ids=["served", "from disk"])
def test_previews_open_and_close_by_keyboard(site: str, page: Page, name: str, disk: bool) -> None:
    open_settled(page, (SITE / name).as_uri() if disk else f"{site}/{name}")
    kinds = links_with_previews(page)
    assert kinds.keys() >= ({"theorem", "equation", "figure", "citation", "term"} if "ntk" in name else {"term"})
    for kind, address in kinds.items():
        link = page.locator(f'.bd-article a[href="{address}"]:not(.headerlink)').first
        link.focus()
        preview = page.locator(".tippy-box[role=tooltip]")
        expect(preview).to_be_visible()
        assert len(preview.inner_text().split()) >= (1 if kind == "equation" else 5), (kind, address)
        expect(preview.locator(".math:not(:has(mjx-container))")).to_have_count(0)
        assert preview.locator("mjx-merror, [id]:not(mjx-container *, .tippy-box)").count() == 0
        assert preview.evaluate("box => box.parentElement.id") == link.get_attribute("aria-describedby")
        page.keyboard.press("Escape")
        expect(preview).to_have_count(0)
        assert link.evaluate("link => link === document.activeElement")


def test_preview_can_be_pointed_at_and_is_open_to_all(site: str, page: Page) -> None:
    open_settled(page, f"{site}/chapters/03_graphon_ntk.html")
    link = page.locator('.bd-article a[href*="notation.html#term-"]').first
    link.hover()
    preview = page.locator(".tippy-box")
    expect(preview).to_be_visible()
    preview.hover()
    page.wait_for_timeout(400)
    expect(preview).to_be_visible()
    assert judge(page) == []
    page.mouse.move(0, 0)
    expect(preview).to_have_count(0)


def test_first_tap_previews_and_second_follows(site: str, page: Page) -> None:
    open_settled(page, f"{site}/chapters/01_mask_convergence.html")
    touch = page.context.new_cdp_session(page)
    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    page.set_viewport_size(PHONE)
    link = page.locator('.bd-article a[href*="notation.html#term-"]').first
    link.scroll_into_view_if_needed()

    def tap() -> None:
        box = link.bounding_box()
        assert box
        point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    tap()
    expect(page.locator(".tippy-box")).to_be_visible()
    page.wait_for_timeout(800)
    assert "01_mask_convergence" in page.url
    tap()
    page.wait_for_url("**/notation.html#term-*")


@pytest.mark.parametrize("name", CHAPTERS or ["no chapter"])
def test_figures_open_large_and_close_by_keyboard(site: str, page: Page, name: str) -> None:
    open_settled(page, f"{site}/{name}")
    figures = page.locator(".bd-article figure:has(img, .plotly-figure)")
    buttons = figures.locator("> .enlarge-button")
    assert buttons.count() == figures.count() > 0
    dialog = page.locator("dialog.enlarged")
    first_plot = page.locator(".bd-article figure:has(.plotly-figure) > .enlarge-button")
    for button, key in [
        (buttons.first, "Enter"),
        (buttons.last, "Space"),
        *([(first_plot.first, "Enter")] if first_plot.count() else []),
    ]:
        button.focus()
        page.keyboard.press(key)
        expect(dialog).to_be_visible()
        shown = dialog.locator("img, .js-plotly-plot")
        assert shown.evaluate("node => node.getBoundingClientRect().width") > 900
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        assert button.evaluate("button => button === document.activeElement")
    assert page.locator(".bd-article figure:has(img, .plotly-figure)").count() == figures.count()


def test_enlarged_figure_is_open_to_all_and_closes_by_its_button(site: str, page: Page) -> None:
    open_settled(page, f"{site}/{CHAPTERS[0]}")
    page.set_viewport_size(PHONE)
    image = page.locator(".bd-article figure img").first
    image.click()
    dialog = page.locator("dialog.enlarged")
    expect(dialog).to_be_visible()
    assert dialog.locator("img").get_attribute("alt") == image.get_attribute("alt")
    # On a phone it is larger than the screen, to be moved about in its frame.
    assert dialog.locator("img").evaluate("image => image.getBoundingClientRect().width") > 2 * PHONE["width"]
    assert judge(page) == []
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
