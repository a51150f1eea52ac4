"""The page in a real browser: no horizontal scroll on a phone or a desktop, every picture drawn, both themes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from fake_run import make_run

from maskline.report.inputs import read_inputs
from maskline.report.page import render_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-file-access-from-files",
    "--virtual-time-budget=5000",
]
PARAMS = {"seed": 1, "model": {"architecture": "unet", "encoder": "unet", "encoder_weights": "w" * 80}}
MEASURE = """<!DOCTYPE html><title>measure</title>
<iframe src="report.html" style="width:{width}px;height:800px;border:0"></iframe>
<script>
addEventListener("load", () => {{
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  const pictures = [...page.images], color = page.defaultView.getComputedStyle(page.body).color;
  pictures.forEach(picture => picture.loading = "eager");
  setInterval(() => {{
    const drawn = pictures.filter(picture => picture.complete && picture.naturalWidth > 0);
    document.body.dataset.seen = [root.scrollWidth, pictures.length, drawn.length, color].join("|");
  }}, 50);
}});
</script>
"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    make_run(folder)
    (folder / "report.html").write_text(render_page(read_inputs(folder), PARAMS), encoding="utf-8")
    return folder


def seen(folder: Path, width: int, dark: bool, profile: Path) -> tuple[int, int, int, str]:
    """Return the page's scroll width, its number of pictures, how many of them were drawn, and the text's colour."""
    wrapper = folder / f"measure_{width}.html"
    wrapper.write_text(MEASURE.format(width=width), encoding="utf-8")
    theme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    command = [BROWSER, *FLAGS, theme, f"--user-data-dir={profile}", "--dump-dom", wrapper.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r'data-seen="(\d+)\|(\d+)\|(\d+)\|([^"]+)"', dom)
    assert found, dom[-500:]
    return int(found[1]), int(found[2]), int(found[3]), found[4]


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1280, True)])
def test_page_fits_and_draws_every_picture(folder: Path, width: int, dark: bool, tmp_path: Path) -> None:
    scroll_width, pictures, drawn, color = seen(folder, width, dark, tmp_path / "profile")
    assert scroll_width <= width
    assert pictures == drawn == 5 * 18
    red = int(re.search(r"\d+", color)[0])
    assert red > 200 if dark else red < 60
