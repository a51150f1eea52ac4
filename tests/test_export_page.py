"""The page in a real browser, opened from the disk: labels as in Python, offline, and from the keyboard."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import MISSING, Shown, chromium, find_browser
from hypothesis import given
from hypothesis import strategies as st
from onnx_page_model import COLORS, HEIGHT, INFO, NAMES, WIDTH, write_model
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect

import maskline
from maskline.errors import ArtifactError
from maskline.export.page.page import write_page
from maskline.export.page.web_runtime import cached
from maskline.prediction.resizing import resized, resized_image
from maskline.prediction.runtimes.onnx import OnnxRuntime
from maskline.shards.decode import decode_image

RUNTIME = (
    "ONNX Runtime Web is not in the cache: `.venv/bin/python -c "
    "'from maskline.export.page.web_runtime import fetched; fetched()'` fetches it"
)
PALETTE = [int(color[i : i + 2], 16) for color in COLORS for i in (1, 3, 5)]
LIMIT = 64_000_000  # pixels

in_browser = pytest.mark.skipif(find_browser() is None, reason=MISSING)
with_runtime = pytest.mark.skipif(not cached().is_file(), reason=RUNTIME)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "model.onnx"
    write_model(path)
    return path


@pytest.fixture(scope="module")
def file(model: Path) -> Path:
    path = model.with_name("page.html")
    write_page(model, path)
    return path


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def tab(started: Browser, file: Path) -> Iterator[Page]:
    """The page with its network loaded; whatever a test does, it must log no problem and request nothing else."""
    shown = Shown(started, offline=True)
    shown.go(file.as_uri())
    expect(shown.page.locator("#status")).to_have_text("The network is ready.", timeout=60_000)
    yield shown.page
    assert shown.problems == []
    assert {request for request in shown.requests if not request.startswith("blob:")} == {file.as_uri()}
    shown.page.close()


@pytest.fixture(scope="module")
def resizing(started: Browser, file: Path) -> Iterator[Page]:
    """The page, with its worker's `resizeImage` as a function of the window."""
    shown = Shown(started)
    shown.go(file.as_uri())
    worker = shown.page.locator("#worker").text_content()
    shown.page.evaluate(f"() => {{ {worker}; window.resizeImage = resizeImage; }}")
    yield shown.page
    shown.page.close()


def picture(width: int, height: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Return a picture with smooth parts and noise, uint8 [height, width, channels]."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (3, 4, channels), np.uint8).squeeze())
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), int).reshape(height, width, channels)
    return np.clip(smooth + random.integers(-30, 31, smooth.shape), 0, 255).astype(np.uint8)


def encoded(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels.squeeze())).save(out, kind, **options)
    return out.getvalue()


def upload(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/jpeg" if name.endswith(".jpg") else "image/png", "buffer": data}


def choose(tab: Page, *files: FilePayload) -> None:
    tab.set_input_files("#files", list(files))


def wait_for_labels(tab: Page, name: str) -> None:
    expect(tab.locator("#status")).to_contain_text(re.compile(rf"{re.escape(name)}: .*Labeled in"), timeout=60_000)


def saved(tab: Page, button: str) -> Image.Image:
    with tab.expect_download() as download:
        tab.locator(button).click()
    return Image.open(download.value.path())


def expected_labels(model: Path, data: bytes) -> np.ndarray:
    """Return the labels that Python gives an image file, uint8 [H, W]."""
    image = np.asarray(decode_image(data, "picture").image)
    runtime = OnnxRuntime(model)
    size = runtime.info.preprocessing.height, runtime.info.preprocessing.width
    (probabilities,) = runtime.probabilities(resized_image(image, size)[None])
    return resized(probabilities, image.shape[:2]).argmax(axis=-1).astype(np.uint8)


def transparent_palette() -> bytes:
    return encoded(Image.fromarray(picture(90, 50)).quantize(32), transparency=3)


def turned_jpeg() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture(63, 40), "JPEG", quality=85, exif=exif)


IMAGES = {
    "of the training size.png": encoded(picture(WIDTH, HEIGHT)),
    "smaller.png": encoded(picture(7, 5)),
    "larger.png": encoded(picture(161, 93)),
    "wide.png": encoded(picture(200, 13)),
    "high.png": encoded(picture(13, 200)),
    "one pixel.png": encoded(picture(1, 1)),
    "grey.png": encoded(picture(40, 50, channels=1)),
    "16 bit.png": encoded(np.random.default_rng(2).integers(0, 65536, (45, 33)).astype(np.uint16)),
    "transparent.png": encoded(picture(70, 60, channels=4)),
    "transparent palette.png": transparent_palette(),
    "photograph.jpg": encoded(picture(301, 207), "JPEG", quality=80),
    "turned.jpg": turned_jpeg(),
}


@in_browser
@with_runtime
def test_labels_are_those_of_python(tab: Page, model: Path) -> None:
    choose(tab, *(upload(name, data) for name, data in IMAGES.items()))
    wait_for_labels(tab, next(iter(IMAGES)))
    for name, data in IMAGES.items():
        tab.locator("#images label", has=tab.get_by_text(name, exact=True)).click()
        labels = saved(tab, "#save-map")
        assert labels.mode == "P"
        assert labels.getpalette() == PALETTE
        np.testing.assert_array_equal(np.asarray(labels), expected_labels(model, data), name)


@in_browser
@with_runtime
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_labels_are_those_of_python_for_images_that_keep_their_shape(
    started: Browser, tmp_path: Path, fit: str
) -> None:
    model, page = tmp_path / "model.onnx", tmp_path / "page.html"
    preprocessing = INFO["model"]["preprocessing"] | {"fit": fit}
    write_model(model, INFO | {"model": INFO["model"] | {"preprocessing": preprocessing}})
    write_page(model, page)
    predictor = maskline.load_model(model)
    shown = Shown(started, offline=True)
    shown.go(page.as_uri())
    tab = shown.page
    expect(tab.locator("#status")).to_have_text("The network is ready.", timeout=60_000)
    choose(tab, *(upload(name, data) for name, data in IMAGES.items()))
    wait_for_labels(tab, next(iter(IMAGES)))
    for name, data in IMAGES.items():
        tab.locator("#images label", has=tab.get_by_text(name, exact=True)).click()
        expected = predictor.predict(decode_image(data, name).image).labels
        np.testing.assert_array_equal(np.asarray(saved(tab, "#save-map")), expected, name)
    if fit == "crop":
        choose(tab, upload("long.png", encoded(picture(9000, 2))))
        sentence = "long.png could not be labeled (it is too long for this model); cut it into shorter images."
        expect(tab.get_by_role("alert")).to_have_text(sentence, timeout=60_000)
    assert shown.problems == []
    tab.close()


@in_browser
@with_runtime
@given(st.tuples(*[st.integers(1, 70)] * 4), st.integers(0, 99))
def test_resize_gives_the_bytes_of_pillow(resizing: Page, sizes: tuple[int, int, int, int], seed: int) -> None:
    width, height, out_width, out_height = sizes
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    if seed % 2:
        pixels = np.where(pixels < 128, 0, 255).astype(np.uint8)  # sums at the ends of the range
    values = resizing.evaluate(
        "([text, ...sizes]) => [...resizeImage(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), ...sizes)]",
        [base64.b64encode(pixels.tobytes()).decode(), *sizes],
    )
    resized = Image.fromarray(pixels[..., :3]).resize((out_width, out_height), Image.Resampling.BILINEAR)
    assert bytes(values) == resized.tobytes()


@in_browser
@with_runtime
def test_areas_are_counts_of_labels(tab: Page, model: Path) -> None:
    data = encoded(picture(161, 93))
    choose(tab, upload("a.png", data))
    wait_for_labels(tab, "a.png")
    counts = np.bincount(expected_labels(model, data).ravel(), minlength=len(NAMES))
    rows = tab.locator("#areas tbody tr")
    assert rows.locator("th").all_inner_texts() == NAMES
    assert rows.locator("td:nth-of-type(2)").all_inner_texts() == [f"{n:,}" for n in counts]
    shares = [float(text.strip("<\u202f%")) for text in rows.locator("td:nth-of-type(1)").all_inner_texts()]
    np.testing.assert_allclose(shares, 100 * counts / counts.sum(), atol=0.051)


@in_browser
@with_runtime
def test_overlay_has_the_chosen_opacity_and_leaves_hidden_classes_out(tab: Page, model: Path) -> None:
    pixels = picture(100, 80)
    data = encoded(pixels)
    choose(tab, upload("a.png", data))
    wait_for_labels(tab, "a.png")
    labels = expected_labels(model, data)
    hidden = int(labels[0, 0])
    tab.locator("#areas input").nth(hidden).uncheck()
    tab.locator("input[name=opacity]").fill("25")
    overlay = np.asarray(saved(tab, "#save-overlay").convert("RGB"), int)
    colors = np.array(PALETTE).reshape(-1, 3)[labels]
    mixed = np.where((labels == hidden)[..., None], pixels, 0.75 * pixels + 0.25 * colors)
    assert np.abs(overlay - mixed).max() <= 2
    np.testing.assert_array_equal(np.asarray(saved(tab, "#save-map")), labels)


def visible(tab: Page) -> list[float]:
    """Return how visible the image and the labels are, from 0 to 1."""
    style = "((s) => (s.visibility === 'hidden' ? 0 : Number(s.opacity)))(getComputedStyle(e))"
    return [tab.locator(selector).evaluate(f"(e) => {style}") for selector in ("#picture", "#map")]


@in_browser
@with_runtime
def test_everything_works_from_the_keyboard(tab: Page) -> None:
    def tab_to(selector: str) -> None:
        for _ in range(30):
            tab.keyboard.press("Tab")
            if tab.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} is not reached")

    tab.on("filechooser", lambda _: None)  # has Playwright intercept choosers before the key is pressed
    tab_to("#files")
    with tab.expect_file_chooser() as chooser:
        tab.keyboard.press("Enter")
    chooser.value.set_files([upload("a.png", encoded(picture(40, 30))), upload("b.png", encoded(picture(30, 40)))])
    expect(tab.locator("#result-title")).to_have_text("a.png")
    wait_for_labels(tab, "a.png")
    assert visible(tab) == [1, 0.55]
    tab_to("#images input")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#result-title")).to_have_text("b.png")
    tab_to("input[name=view]")
    tab.keyboard.press("ArrowRight")
    assert visible(tab) == [1, 0]
    tab.keyboard.press("ArrowRight")
    assert visible(tab) == [0, 1]
    tab.keyboard.press("ArrowRight")
    tab_to("input[name=opacity]")
    tab.keyboard.press("End")
    assert visible(tab) == [1, 1]
    assert tab.locator("input[name=opacity]").get_attribute("aria-valuetext") == "100 %"
    tab_to("#areas input")
    before = tab.locator("#map").get_attribute("src")
    tab.keyboard.press("Space")
    assert tab.locator("#map").get_attribute("src") != before
    tab_to("#all")
    tab.keyboard.press("Enter")
    assert tab.locator("#areas input:checked").count() == len(NAMES)
    tab_to("#save-map")
    with tab.expect_download() as download:
        tab.keyboard.press("Enter")
    assert download.value.suggested_filename == "b_labels.png"
    expect(tab.locator("#status")).to_have_text("b_labels.png is saved to your downloads.")


@in_browser
@with_runtime
def test_a_screen_reader_finds_names_roles_and_what_changes(tab: Page) -> None:
    choose(tab, upload("a.png", encoded(picture(40, 30))), upload("b.png", encoded(picture(40, 30, seed=1))))
    wait_for_labels(tab, "a.png")
    expect(tab.get_by_role("status")).to_contain_text("Labeled in")
    expect(tab.get_by_role("img", name="The image a.png")).to_be_visible()
    expect(tab.get_by_role("img", name=re.compile("^Labels: .* %"))).to_be_visible()
    for name in ("a.png", "b.png", "Both", "Image", "Labels"):
        expect(tab.get_by_role("radio", name=name, exact=True)).to_have_count(1)
    expect(tab.get_by_role("slider", name="Opacity of the labels")).to_be_enabled()
    expect(tab.get_by_role("table", name=re.compile("Area of each class"))).to_be_visible()
    expect(tab.get_by_role("columnheader")).to_have_text(["Class", "Share", "Pixels"])
    for name in NAMES:
        expect(tab.get_by_role("rowheader", name=name)).to_be_visible()
        expect(tab.get_by_role("checkbox", name=name)).to_be_checked()


TRANSFER = """(text) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  if (bytes.length) data.items.add(new File([bytes], "given.png", { type: "image/png" }));
  document.body.dispatchEvent(%s);
}"""
PASTE = TRANSFER % "new ClipboardEvent('paste', { clipboardData: data, bubbles: true })"
DROP = TRANSFER % "new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })"


@in_browser
@with_runtime
@pytest.mark.parametrize("give", [PASTE, DROP], ids=["paste", "drop"])
def test_images_can_be_pasted_and_dropped(tab: Page, give: str) -> None:
    tab.evaluate(give, base64.b64encode(encoded(picture(40, 30))).decode())
    wait_for_labels(tab, "given.png")
    tab.evaluate(give, "")
    expect(tab.get_by_role("alert")).to_have_text("That holds no image file. Choose, drop or paste a PNG or JPEG file.")


@in_browser
@with_runtime
def test_a_refused_file_shows_its_sentence_and_the_others_go_on(tab: Page) -> None:
    good = encoded(picture(40, 30))
    choose(
        tab,
        upload("cut.png", good[:40]),
        upload("a.png", good),
        {"name": "text.txt", "mimeType": "text/plain", "buffer": b"no image"},
        {"name": "empty", "mimeType": "", "buffer": b""},
    )
    wait_for_labels(tab, "a.png")
    sentence = "{} is not an image that this browser can open. Received: {}; save it as PNG or JPEG."
    problems = [("cut.png", "image/png"), ("text.txt", "text/plain"), ("empty", "0 bytes")]
    expect(tab.locator("#problems p")).to_have_text([sentence.format(*problem) for problem in problems])
    expect(tab.locator("#images label")).to_have_count(1)
    expect(tab.locator("#images")).to_be_hidden()
    choose(tab, upload("b.png", good))
    expect(tab.locator("#problems")).to_be_hidden()


@in_browser
@with_runtime
def test_too_large_an_image_is_refused(tab: Page) -> None:
    side = int(LIMIT**0.5) + 1
    choose(tab, upload("large.png", encoded(Image.new("1", (side, side)))))
    sentence = (
        f"large.png has {side} \u00d7 {side} pixels, and this page takes up to 64 million; use `maskline predict`"
    )
    expect(tab.get_by_role("alert")).to_contain_text(sentence, timeout=60_000)
    expect(tab.get_by_role("status")).to_have_text("The network is ready.")
    expect(tab.locator("#result")).to_be_hidden()


@in_browser
@with_runtime
def test_a_network_that_does_not_start_is_a_sentence(started: Browser, file: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.html"
    text = file.read_text(encoding="utf-8")
    damaged.write_text(re.sub('(id="packed-model">).*?<', r"\1AAAA<", text, count=1), encoding="utf-8")
    shown = Shown(started)
    shown.go(damaged.as_uri())
    expect(shown.page.get_by_role("alert")).to_contain_text(
        re.compile(r"The network could not be started \(.+\)\. Open this file in a current"), timeout=60_000
    )
    expect(shown.page.get_by_role("status")).to_have_text("The network is not running.")
    shown.page.close()


@in_browser
@with_runtime
def test_the_page_fits_and_follows_the_theme(tab: Page) -> None:
    name = f"a_rather_{'long_' * 12}name.png"
    choose(tab, upload(name, encoded(picture(300, 60))), *(upload(f"{i}.png", IMAGES["grey.png"]) for i in range(8)))
    wait_for_labels(tab, name)
    for summary in tab.locator("summary").all():
        summary.click()
    for width in (360, 400, 1280):
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for dark in (False, True):
        tab.emulate_media(color_scheme="dark" if dark else "light")
        style = "getComputedStyle(document.body)"
        text, ground = (int(tab.evaluate(f"{style}.{key}.match(/\\d+/)[0]")) for key in ("color", "backgroundColor"))
        assert text > 200 and ground < 40 if dark else text < 60 and ground > 230


@in_browser
@with_runtime
def test_the_page_says_what_the_network_is(tab: Page) -> None:
    assert tab.title() == "unet · 4 classes · label images"
    text = tab.locator("body").text_content() or ""
    for part in (
        "20 \u00d7 24 pixels",
        "1,234 test images",
        "0.568",
        "c0ffee",
        "5" * 64,
        NAMES[1],
        "never leave this computer",
    ):
        assert part in text


def test_a_file_that_is_no_model_of_this_project_is_refused(tmp_path: Path) -> None:
    path, out = tmp_path / "model.onnx", tmp_path / "page.html"
    with pytest.raises(ArtifactError, match=r"model\.onnx is missing"):
        write_page(path, out)
    path.write_bytes(b"no model")
    with pytest.raises(ArtifactError, match=r"model\.onnx cannot be loaded"):
        write_page(path, out)
    write_model(path, info=None)
    with pytest.raises(ArtifactError, match=r"model\.onnx was not exported by maskline"):
        write_page(path, out)
    write_model(path, info=INFO | {"precision": "float8"})
    with pytest.raises(ArtifactError, match=r"model\.onnx is damaged at .*precision"):
        write_page(path, out)
    assert not out.exists()
