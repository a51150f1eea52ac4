"""The page in a real browser: driven by mouse and keyboard, in four combinations of width and theme, and offline."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import MISSING, Shown, chromium, find_browser, opened
from fake_run import FILENAME, KINDS, NAMES, make_run
from PIL import Image
from playwright.sync_api import Browser, Page

from maskline.report.gallery import unique
from maskline.report.inputs import Inputs, read_inputs
from maskline.report.page import render_page

PARAMS = {
    "seed": 1,
    "dataset": {"name": "shapes", "path": None},
    "model": {"architecture": "unet", "encoder": "unet", "encoder_weights": "w" * 80, "start_from": "none"},
}
ALL = "[...document.querySelectorAll('#gallery > li')]"
SHOWN = f"{ALL}.filter(e => e.offsetHeight > 0)"
LAYER = "getComputedStyle(document.querySelector('#gallery > li .prediction'))"

pytestmark = pytest.mark.skipif(find_browser() is None, reason=MISSING)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    make_run(folder)
    (folder / "report.html").write_text(render_page(read_inputs(folder), PARAMS), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def inputs(folder: Path) -> Inputs:
    return read_inputs(folder)


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def address(folder: Path) -> str:
    return (folder / "report.html").as_uri()


@pytest.fixture
def width() -> int:
    return 1280


@pytest.fixture
def dark() -> bool:
    return False


@pytest.fixture(scope="module")
def windows() -> dict[tuple[int, bool], Shown]:
    """The windows by width and theme, used again, since opening one takes longer than most tests."""
    return {}


@pytest.fixture
def tab(
    started: Browser, windows: dict[tuple[int, bool], Shown], address: str, width: int, dark: bool
) -> Iterator[Page]:
    """The page as it opens; whatever a test does, it must log no problem and ask for no address."""
    if (width, dark) not in windows:
        theme = "dark" if dark else "light"
        view = {"width": width, "height": 900}
        windows[width, dark] = Shown(started, viewport=view, is_mobile=width < 600, color_scheme=theme)
    shown = windows[width, dark]
    shown.go(address)
    yield shown.page
    assert shown.problems == []
    assert {request for request in shown.requests if not request.startswith("data:")} == {address}


def select(tab: Page, name: str, value: str) -> None:
    """Choose an option of a list."""
    tab.select_option(f'select[name="{name}"]', value)


def names(tab: Page) -> list[str]:
    return tab.evaluate(f"{SHOWN}.map(e => e.querySelector('strong').textContent)")


def count(tab: Page) -> str:
    return tab.evaluate("document.getElementById('shown').textContent")


def group(inputs: Inputs, name: str) -> list[str]:
    return [picture.filename for picture in getattr(inputs.pictures, name)]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_page_fits_draws_every_picture_and_follows_the_theme(tab: Page, inputs: Inputs, width: int, dark: bool) -> None:
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.images.length") == len(KINDS) * len(unique(inputs.pictures)) + 2 * (4 + 5) + 3 * 2
    tab.evaluate("[...document.images].forEach(i => i.loading = 'eager')")
    tab.evaluate("Promise.all([...document.images].map(i => i.decode()))")  # fails for a picture that cannot be drawn
    style = "getComputedStyle(document.body)"
    text, ground = (int(tab.evaluate(f"{style}.{key}.match(/\\d+/)[0]")) for key in ("color", "backgroundColor"))
    assert text > 200 and ground < 40 if dark else text < 60 and ground > 230


def shaded(tab: Page, box: str) -> tuple[bool, bool]:
    """Return whether the left and the right edge of a box have a shadow, by the pixels above its caption."""
    strip = np.asarray(Image.open(io.BytesIO(tab.locator(box).screenshot())).convert("L"), int)[10]
    middle = strip[len(strip) // 2]
    return abs(strip[4] - middle) > 20, abs(strip[-5] - middle) > 20


@pytest.mark.parametrize("width", [400])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_table_that_is_cut_off_shows_it_and_scrolls_by_keys(tab: Page) -> None:
    box = "#classes .box"
    assert shaded(tab, box) == (False, True)
    element = f"document.querySelector('{box}')"
    tab.evaluate(f"void (window.scrolled = new Promise(end => {element}.addEventListener('scrollend', end)))")
    tab.locator(box).focus()
    tab.keyboard.press("ArrowRight")
    tab.evaluate("window.scrolled.then(() => 0)")
    assert shaded(tab, box) == (True, True)
    tab.evaluate(f"{element}.scrollLeft = 9999")
    assert shaded(tab, box) == (True, False)


def test_a_table_that_fits_has_no_shadow(tab: Page) -> None:
    assert shaded(tab, "#classes .box") == (False, False)


def test_slider_fades_the_layer_by_keys(tab: Page) -> None:
    tab.evaluate("document.querySelector('input[name=\"mix\"]').focus()")
    assert float(tab.evaluate(f"{LAYER}.opacity")) == 0.6
    tab.keyboard.press("Home")
    assert float(tab.evaluate(f"{LAYER}.opacity")) == 0
    tab.keyboard.press("ArrowRight")
    assert float(tab.evaluate(f"{LAYER}.opacity")) == 0.05
    tab.keyboard.press("End")
    assert float(tab.evaluate(f"{LAYER}.opacity")) == 1


def test_slider_moves_under_the_mouse_and_changes_the_pixels(tab: Page) -> None:
    """A click in the middle of the slider sets it there; the picture on the screen is another one after."""
    tab.evaluate("document.querySelector('#gallery').scrollIntoView({block: 'center', behavior: 'instant'})")
    before = tab.screenshot()
    tab.click('input[name="mix"]')
    assert tab.evaluate("document.querySelector('input[name=\"mix\"]').value") == "50"
    assert float(tab.evaluate(f"{LAYER}.opacity")) == 0.5
    assert tab.screenshot() != before


def test_wipe_cuts_the_layer_instead(tab: Page) -> None:
    assert tab.evaluate(f"{LAYER}.clipPath") == "none"
    tab.click('input[name="wipe"]')
    assert tab.evaluate(f"{LAYER}.clipPath") == "inset(0px 40% 0px 0px)"
    assert float(tab.evaluate(f"{LAYER}.opacity")) == 1


@pytest.mark.parametrize("layer", ["prediction", "truth", "errors", "uncertainty", "mutual_information"])
def test_one_layer_lies_exactly_over_the_image(tab: Page, layer: str) -> None:
    select(tab, "layer", layer)
    panels = "[...document.querySelector('#gallery .panels').children].filter(e => e.offsetHeight > 0)"
    assert tab.evaluate(f"{panels}.map(e => e.className)") == ["image", layer]
    boxes = tab.evaluate(f"{panels}.map(e => JSON.stringify(e.querySelector('img').getBoundingClientRect()))")
    assert boxes[0] == boxes[1]


def test_all_pictures_side_by_side(tab: Page) -> None:
    select(tab, "layer", "all")
    panels = "[...document.querySelector('#gallery .panels').children].filter(e => e.offsetHeight > 0)"
    places = tab.evaluate(f"{panels}.map(e => e.getBoundingClientRect().x)")
    assert len(set(places)) == len(KINDS) and float(tab.evaluate(f"{LAYER}.opacity")) == 1
    assert tab.evaluate("document.querySelector('input[name=\"mix\"]').disabled") is True


def test_groups_and_classes_filter_and_the_count_says_so(tab: Page, inputs: Inputs) -> None:
    every = {picture.filename: picture for picture in unique(inputs.pictures)}
    total = len(every)
    assert count(tab) == f"{total} of {total} images shown" and set(names(tab)) == set(every)
    select(tab, "group", "random")
    assert names(tab) == group(inputs, "random") and FILENAME in names(tab)
    assert count(tab) == f"6 of {total} images shown"
    label = NAMES.index("cross")
    select(tab, "label", str(label))
    expected = [name for name in group(inputs, "random") if "cross" in every[name].classes]
    assert 0 < len(expected) < 6 and names(tab) == expected
    assert count(tab) == f"{len(expected)} of {total} images shown"
    select(tab, "group", "")
    assert set(names(tab)) == {name for name, picture in every.items() if "cross" in picture.classes}
    select(tab, "label", str(NAMES.index("unicorn")))
    assert names(tab) == [] and count(tab) == f"0 of {total} images shown"


def test_orders_sort(tab: Page, inputs: Inputs) -> None:
    figures = {picture.filename: picture for picture in unique(inputs.pictures)}
    chosen = names(tab)
    orders = (("lowest", "mean_iou", 1), ("highest", "mean_iou", -1), ("uncertainty", "uncertainty", -1))
    for order, key, sign in orders:
        select(tab, "order", order)
        values = [sign * getattr(figures[name], key) for name in names(tab)]
        assert values == sorted(values) and names(tab) != chosen
    select(tab, "order", "name")
    assert names(tab) == sorted(figures)
    select(tab, "order", "group")
    assert names(tab) == chosen
    select(tab, "group", "worst")
    assert names(tab) == group(inputs, "worst")


def test_filters_work_by_the_keyboard(tab: Page, inputs: Inputs) -> None:
    """In a list with the focus, typing `w` chooses `worst`; the next Tab goes to the next control."""
    tab.evaluate("document.querySelector('select[name=\"group\"]').focus()")
    tab.keyboard.press("w")
    assert names(tab) == group(inputs, "worst")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.name") == "label"
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_matrix_turns_from_shares_to_counts_and_back(tab: Page, inputs: Inputs) -> None:
    cell = "document.querySelector('.matrix tbody td').innerText"
    count, total = int(inputs.confusion[0, 0]), int(inputs.confusion[0].sum())
    assert tab.evaluate(cell) == f"{100 * count / total:.1f}"
    tab.click("#counts")
    assert tab.evaluate(cell) == f"{count:,}"
    tab.keyboard.press("ArrowLeft")
    assert tab.evaluate(cell) == f"{100 * count / total:.1f}"


def test_page_serves_without_scripts(started: Browser, address: str) -> None:
    """Everything but the choice is there: all pictures side by side in the groups' order, no dead control."""
    with opened(started, address, java_script_enabled=False) as shown:
        page = shown.page
        panels = "document.querySelectorAll('.panels > div')"
        visible = page.evaluate(f"[...{panels}].filter(e => e.offsetHeight > 0).length")
        assert visible == page.evaluate(f"{panels}.length")
        assert page.evaluate("[...document.querySelectorAll('.controls')].filter(e => e.offsetHeight > 0).length") == 0
        page.click("#counts")
        assert page.evaluate("document.querySelector('.matrix tbody td .in-shares').offsetHeight") == 0


def test_the_policy_stops_what_would_leave_the_page(started: Browser, folder: Path) -> None:
    """The tests' own eyes: a page that asks for another host, or holds another script, is caught and stopped."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    (folder / "bad.html").write_text(
        page.replace("<main>", '<main><img alt="" src="http://127.0.0.1:9/x.png"><script>window.bad = 1</script>'),
        encoding="utf-8",
    )
    with opened(started, (folder / "bad.html").as_uri()) as shown:
        shown.page.evaluate("fetch('http://127.0.0.1:9/y').catch(() => 0)")
        assert shown.page.evaluate("window.bad") is None
        assert len([p for p in shown.problems if "Content Security Policy" in p]) >= 3
    (folder / "open.html").write_text('<img src="http://127.0.0.1:9/x.png"><script>boom()</script>', encoding="utf-8")
    with opened(started, (folder / "open.html").as_uri()) as shown:
        assert "http://127.0.0.1:9/x.png" in shown.requests and shown.problems


@pytest.mark.parametrize("width", [400, 1280])
def test_places_to_check_are_marked_over_each_picture(tab: Page, width: int) -> None:
    assert tab.evaluate("document.querySelectorAll('#labels .inner').length") == 3 * (1 + 2)
    for number in range(3):
        panel = f"document.querySelectorAll('#labels .marked')[{number}]"
        left, top, wide, high = tab.evaluate(
            f"(() => {{ const i = {panel}.querySelector('img').getBoundingClientRect(), "
            f"p = {panel}.querySelector('.inner').getBoundingClientRect(); return [(p.x - i.x) / i.width, "
            "(p.y - i.y) / i.height, p.width / i.width, p.height / i.height]; })()"
        )
        assert (left, top, wide, high) == pytest.approx((8 / 96, 20 / 96, 30 / 96, 24 / 96), abs=0.04)
