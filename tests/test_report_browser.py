"""The page in a real browser: driven by mouse and keyboard, in four combinations of width and theme, and offline."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from devtools import BROWSER, Tab, browser
from fake_run import FILENAME, KINDS, NAMES, make_run

from maskline.report.gallery import unique
from maskline.report.inputs import Inputs, read_inputs
from maskline.report.page import render_page

PARAMS = {"seed": 1, "model": {"architecture": "unet", "encoder": "unet", "encoder_weights": "w" * 80}}
ALL = "[...document.querySelectorAll('#gallery > li')]"
SHOWN = f"{ALL}.filter(e => e.offsetHeight > 0)"
LAYER = "getComputedStyle(document.querySelector('#gallery > li .prediction'))"

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")


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
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def tab(started: Tab, folder: Path) -> Iterator[Tab]:
    """The page as it opens; whatever a test does, it must log no problem and ask for no address."""
    address = (folder / "report.html").as_uri()
    started.open(address)
    yield started
    assert started.problems == []
    assert {request for request in started.requests if not request.startswith("data:")} == {address}


def select(tab: Tab, name: str, value: str) -> None:
    """Choose an option of a list as a user's choice is told to the page."""
    tab.value(
        f"(() => {{ const e = document.querySelector('select[name=\"{name}\"]'); e.value = '{value}';"
        " e.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def names(tab: Tab) -> list[str]:
    return tab.value(f"{SHOWN}.map(e => e.querySelector('strong').textContent)")


def count(tab: Tab) -> str:
    return tab.value("document.getElementById('shown').textContent")


def group(inputs: Inputs, name: str) -> list[str]:
    return [picture.filename for picture in getattr(inputs.pictures, name)]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_page_fits_draws_every_picture_and_follows_the_theme(tab: Tab, inputs: Inputs, width: int, dark: bool) -> None:
    tab.open((inputs.folder / "report.html").as_uri(), width, dark=dark)
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value("document.images.length") == len(KINDS) * len(unique(inputs.pictures)) + 2 * 4
    tab.value("[...document.images].forEach(i => i.loading = 'eager')")
    tab.value("Promise.all([...document.images].map(i => i.decode()))")  # fails for a picture that cannot be drawn
    style = "getComputedStyle(document.body)"
    text, ground = (int(tab.value(f"{style}.{key}.match(/\\d+/)[0]")) for key in ("color", "backgroundColor"))
    assert text > 200 and ground < 40 if dark else text < 60 and ground > 230


def test_slider_fades_the_layer_by_keys(tab: Tab) -> None:
    tab.value("document.querySelector('input[name=\"mix\"]').focus()")
    assert float(tab.value(f"{LAYER}.opacity")) == 0.6
    tab.press("Home", 36)
    assert float(tab.value(f"{LAYER}.opacity")) == 0
    tab.press("ArrowRight", 39)
    assert float(tab.value(f"{LAYER}.opacity")) == 0.05
    tab.press("End", 35)
    assert float(tab.value(f"{LAYER}.opacity")) == 1


def test_slider_moves_under_the_mouse_and_changes_the_pixels(tab: Tab) -> None:
    """A click in the middle of the slider sets it there; the picture on the screen is another one after."""
    tab.value("document.querySelector('#gallery').scrollIntoView({block: 'center', behavior: 'instant'})")
    before = tab.call("Page.captureScreenshot")["data"]
    tab.click('input[name="mix"]')
    assert tab.value("document.querySelector('input[name=\"mix\"]').value") == "50"
    assert float(tab.value(f"{LAYER}.opacity")) == 0.5
    assert tab.call("Page.captureScreenshot")["data"] != before


def test_wipe_cuts_the_layer_instead(tab: Tab) -> None:
    assert tab.value(f"{LAYER}.clipPath") == "none"
    tab.click('input[name="wipe"]')
    assert tab.value(f"{LAYER}.clipPath") == "inset(0px 40% 0px 0px)"
    assert float(tab.value(f"{LAYER}.opacity")) == 1


@pytest.mark.parametrize("layer", ["prediction", "truth", "errors", "uncertainty", "mutual_information"])
def test_one_layer_lies_exactly_over_the_image(tab: Tab, layer: str) -> None:
    select(tab, "layer", layer)
    panels = "[...document.querySelector('#gallery .panels').children].filter(e => e.offsetHeight > 0)"
    assert tab.value(f"{panels}.map(e => e.className)") == ["image", layer]
    boxes = tab.value(f"{panels}.map(e => JSON.stringify(e.querySelector('img').getBoundingClientRect()))")
    assert boxes[0] == boxes[1]


def test_all_pictures_side_by_side(tab: Tab) -> None:
    select(tab, "layer", "all")
    panels = "[...document.querySelector('#gallery .panels').children].filter(e => e.offsetHeight > 0)"
    places = tab.value(f"{panels}.map(e => e.getBoundingClientRect().x)")
    assert len(set(places)) == len(KINDS) and float(tab.value(f"{LAYER}.opacity")) == 1
    assert tab.value("document.querySelector('input[name=\"mix\"]').disabled") is True


def test_groups_and_classes_filter_and_the_count_says_so(tab: Tab, inputs: Inputs) -> None:
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


def test_orders_sort(tab: Tab, inputs: Inputs) -> None:
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


def test_filters_work_by_the_keyboard(tab: Tab, inputs: Inputs) -> None:
    """In a list with the focus, typing `w` chooses `worst`; the next Tab goes to the next control."""
    tab.value("document.querySelector('select[name=\"group\"]').focus()")
    tab.press("w", 87)
    assert names(tab) == group(inputs, "worst")
    tab.press("Tab", 9)
    assert tab.value("document.activeElement.name") == "label"
    assert tab.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_matrix_turns_from_shares_to_counts_and_back(tab: Tab, inputs: Inputs) -> None:
    cell = "document.querySelector('.matrix tbody td').innerText"
    count, total = int(inputs.confusion[0, 0]), int(inputs.confusion[0].sum())
    assert tab.value(cell) == f"{100 * count / total:.1f}"
    tab.click("#counts")
    assert tab.value(cell) == f"{count:,}"
    tab.press("ArrowLeft", 37)
    assert tab.value(cell) == f"{100 * count / total:.1f}"


def test_page_serves_without_scripts(started: Tab, folder: Path) -> None:
    """Everything but the choice is there: all pictures side by side in the groups' order, no dead control."""
    started.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        started.open((folder / "report.html").as_uri())
    finally:
        started.call("Emulation.setScriptExecutionDisabled", value=False)
    assert len(started.value("[...document.querySelectorAll('.panels > div')].filter(e => e.offsetHeight > 0)")) == (
        started.value("document.querySelectorAll('.panels > div').length")
    )
    assert started.value("[...document.querySelectorAll('.controls')].filter(e => e.offsetHeight > 0).length") == 0
    started.click("#counts")
    assert started.value("document.querySelector('.matrix tbody td .in-shares').offsetHeight") == 0


def test_the_policy_stops_what_would_leave_the_page(started: Tab, folder: Path) -> None:
    """The tests' own eyes: a page that asks for another host, or holds another script, is caught and stopped."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    (folder / "bad.html").write_text(
        page.replace("<main>", '<main><img alt="" src="http://127.0.0.1:9/x.png"><script>window.bad = 1</script>'),
        encoding="utf-8",
    )
    started.open((folder / "bad.html").as_uri())
    started.value("fetch('http://127.0.0.1:9/y').catch(() => 0)")
    assert started.value("window.bad") is None
    assert len([p for p in started.problems if "Content Security Policy" in p]) >= 3
    (folder / "open.html").write_text('<img src="http://127.0.0.1:9/x.png"><script>boom()</script>', encoding="utf-8")
    started.open((folder / "open.html").as_uri())
    assert "http://127.0.0.1:9/x.png" in started.requests and started.problems
