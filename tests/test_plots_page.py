"""The page of `dvc plots` in a real browser: its charts need no network, and what changed comes first."""

import shutil
from pathlib import Path

import pytest
from browser import MISSING, chromium, find_browser, opened
from PIL import Image
from project import ROOT, commit, dvc, initialize

pytestmark = pytest.mark.skipif(find_browser() is None, reason=MISSING)

PLOTS = """
plots:
  - metrics/iou.csv: {x: epoch, y: iou}
  - metrics/samples
"""
DRAWN = "document.querySelectorAll('canvas').length"


def draw(folder: Path, iou: float) -> None:
    """Give the pipeline in a folder a curve and a picture."""
    (folder / "metrics/samples").mkdir(parents=True, exist_ok=True)
    (folder / "metrics/iou.csv").write_text(f"epoch,iou\n1,0.1\n2,{iou}\n")
    Image.new("RGB", (8, 8), (int(100 * iou), 0, 0)).save(folder / "metrics/samples/1.png")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A pipeline at the root and one in ci/, with the settings of this project's DVC."""
    initialize(tmp_path)
    shutil.copy2(ROOT / ".dvc/config", tmp_path / ".dvc/config")
    shutil.copytree(ROOT / ".dvc/plots", tmp_path / ".dvc/plots")
    for folder in (tmp_path, tmp_path / "ci"):
        draw(folder, 0.5)
        (folder / "dvc.yaml").write_text(PLOTS)
    (tmp_path / ".gitignore").write_text("dvc_plots\n")
    commit(tmp_path, "Two results")
    return tmp_path


@pytest.mark.parametrize("changed", [("",), ("ci/",), ("", "ci/"), ()])
def test_charts_are_drawn_offline_and_what_changed_comes_first(project: Path, changed: tuple[str, ...]) -> None:
    for folder in changed:
        draw(project / folder, 0.9)
    dvc(project, "plots", "diff", "HEAD")
    with chromium() as browser, opened(browser, (project / "dvc_plots/index.html").as_uri(), offline=True) as shown:
        shown.page.wait_for_function(f"{DRAWN} === 2")
        ids = shown.page.evaluate("[...document.querySelectorAll('body > div')].map(plot => plot.id)")
    assert not [address for address in shown.requests if not address.startswith("file:")]
    folders = ["ci/", ""] if changed == ("ci/",) else ["", "ci/"]
    assert ids == [f"{f}metrics/{name}".translate(str.maketrans("/.", "__")) for f in folders for name in
                   ("iou.csv", "samples/1.png")]  # fmt: skip
