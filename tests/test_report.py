"""The report stage: what it shows, what it refuses, and that its page needs nothing but itself."""

import base64
import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import html5lib
import numpy as np
import pytest
from fake_run import ABSENT, COLORS, FILENAME, NAMES, make_run
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from maskline.errors import InputError
from maskline.report.curves import BOTTOM, LEFT, MOST_POINTS, RIGHT, TOP, chart, kept_epoch, thinned, ticks
from maskline.report.findings import findings
from maskline.report.inputs import HEADLINE, Epoch, Inputs, read_inputs
from maskline.report.page import MOST_CLASSES, flat_params, largest_confusions, matrix_rows, render_page

ROOT = Path(__file__).parents[1]
DASH = "\u2013</abbr>"
PARAMS = {
    "seed": 41,
    "dataset": {"name": "shapes", "path": None},
    "model": {"architecture": "unet", "encoder": "unet", "encoder_weights": "none"},
    "train": {"loss": {"dice": 0.5}},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run with space ü")
    make_run(folder)
    return folder


@pytest.fixture(scope="module")
def inputs(finished: Path) -> Inputs:
    return read_inputs(finished)


@pytest.fixture(scope="module")
def page(inputs: Inputs) -> str:
    return render_page(inputs, PARAMS)


@pytest.fixture
def run_folder(finished: Path, tmp_path: Path) -> Path:
    """A run of one's own to damage."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def run_stage(folder: Path, hash_seed: str = "0") -> subprocess.CompletedProcess:
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(re.sub(r"(?m)^repo: \S+", f"repo: {ROOT}", params), encoding="utf-8")
    shutil.copy(ROOT / "dvc.yaml", folder / "dvc.yaml")
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv[0].rsplit('/', 1)[0])\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "print('imported:', sorted({'tensorflow', 'keras', 'torch', 'pandas'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(ROOT / "stages/report.py")]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False)


def text_of(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def section(page: str, name: str) -> str:
    return page.split(f'<section id="{name}">')[1].split("</section>")[0]


def test_stage_writes_page_and_copies_without_tensorflow(run_folder: Path) -> None:
    result = run_stage(run_folder)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "imported: []"
    metrics = run_folder / "metrics"
    assert (metrics / "dataset.json").read_bytes() == (run_folder / "data/shards/audit.json").read_bytes()
    assert (metrics / "history.csv").read_bytes() == (run_folder / "data/model/history.csv").read_bytes()
    page = (metrics / "report.html").read_text(encoding="utf-8")
    params = section(page, "params")
    assert "learning_rate" in params and "samples" in params and "repo" not in params
    assert str(ROOT) not in page and str(run_folder) not in page


def test_two_processes_write_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    written = []
    for seed in ("1", "2"):
        folder = Path(shutil.copytree(finished, tmp_path / seed))
        assert run_stage(folder, seed).returncode == 0
        written.append({p.name: p.read_bytes() for p in (folder / "metrics").iterdir()})
    assert set(written[0]) >= {"report.html", "dataset.json", "history.csv"}
    assert written[0] == written[1]


def test_page_is_valid_html(page: str) -> None:
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    ids = [e.get("id") for e in document.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    inner = [e.get("href") for e in document.iter("a")]
    assert inner and all(href.removeprefix("#") in ids for href in inner)
    assert all(e.get("alt") for e in document.iter("img"))
    assert all(e.get("scope") for e in document.iter("th"))
    assert all(e.get("aria-label") for e in document.iter("svg"))


def test_page_asks_for_nothing_outside_itself(page: str) -> None:
    document = html5lib.parse(page, namespaceHTMLElements=False)
    sources = [e.get(key) for e in document.iter() for key in ("src", "href", "srcset", "data", "poster") if e.get(key)]
    assert len(sources) > 5 * 18
    assert all(source.startswith(("#", "data:image/webp;base64,")) for source in sources)
    assert not list(document.iter("script")) and not list(document.iter("link"))
    assert not re.search(r"url\(|@import|https?://", page)


def test_page_is_small(page: str) -> None:
    assert len(page.encode()) < 1_500_000


def test_names_are_escaped(page: str) -> None:
    assert NAMES[2] not in page and FILENAME not in page
    assert html.escape(NAMES[2]).replace("&quot;", "&#34;") in page
    document = html5lib.parse(page, namespaceHTMLElements=False)
    texts = ["".join(e.itertext()) for e in document.iter("th")]
    assert NAMES[2] in texts
    assert f"truth of {FILENAME}" in [e.get("alt") for e in document.iter("img")]


def test_headline_figures_are_those_of_the_metrics(page: str, inputs: Inputs) -> None:
    head = page.split('<dl class="headline">')[1].split("</dl>")[0]
    assert [float(v) for v in re.findall(r'<data value="([^"]+)"', head)] == [inputs.metrics[key] for key in HEADLINE]
    assert "20 test images" in text_of(page)


def test_class_table_shows_figures_and_dashes(page: str, inputs: Inputs) -> None:
    rows = re.findall(r'<tr><th scope="row">.*?</tr>', section(page, "classes"), re.DOTALL)
    assert len(rows) == len(NAMES)
    for name, color, row in zip(NAMES, COLORS, rows, strict=True):
        figures = [inputs.metrics[f"{figure}.{name}"] for figure in ("iou", "dice", "precision", "recall")]
        assert [float(v) for v in re.findall(r'<data value="([^"]+)"', row)] == [f for f in figures if f is not None]
        assert row.count(DASH) == figures.count(None)
        assert color in row
    assert rows[ABSENT].count(DASH) == 4
    assert "left out of the mean" in rows[ABSENT]


def test_matrix_rows_are_shares_of_the_true_class(inputs: Inputs) -> None:
    rows = matrix_rows(inputs.confusion)
    assert [i for i, _ in rows] == list(range(len(NAMES)))
    for i, cells in rows:
        shares = [share for _, _, share in cells]
        assert shares == [None] * len(NAMES) if i == ABSENT else sum(shares) == pytest.approx(1)
        assert [pixels for _, pixels, _ in cells] == inputs.confusion[i].tolist()


def test_matrix_keeps_the_most_frequent_of_many_classes() -> None:
    confusion = np.diag(np.arange(100)).astype(np.int64)
    rows = matrix_rows(confusion)
    assert [i for i, _ in rows] == list(range(100 - MOST_CLASSES, 100))
    assert all(len(cells) == MOST_CLASSES for _, cells in rows)


def test_largest_confusions() -> None:
    confusion = np.array([[50, 3, 0], [30, 70, 0], [0, 0, 0]])
    assert largest_confusions(confusion) == [(1, 0, 30, 0.3), (0, 1, 3, 3 / 53)]


def test_predictions_show_each_picture_with_its_figures(page: str, inputs: Inputs) -> None:
    shown = text_of(section(page, "predictions"))
    for group in (inputs.pictures.best, inputs.pictures.worst, inputs.pictures.random):
        for picture in group:
            words = f"{picture.filename} mean IoU {picture.mean_iou:.3f} pixel accuracy {picture.pixel_accuracy:.3f}"
            assert words in shown
    assert section(page, "predictions").count("<img") == 5 * 18


def test_labels_keep_their_exact_colours(page: str, finished: Path) -> None:
    first = re.search(r'src="data:image/webp;base64,([^"]+)" alt="truth', page)
    embedded = np.asarray(Image.open(io.BytesIO(base64.b64decode(first[1]))).convert("RGB"))
    original = np.asarray(Image.open(finished / "data/evaluation/pictures/best_0/truth.png"))
    assert np.array_equal(embedded, original)


def test_pictures_that_compress_badly_fit(run_folder: Path) -> None:
    manifest = run_folder / "data/shards/manifest.json"
    value = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps(value | {"height": 480, "width": 640}), encoding="utf-8")
    listing = run_folder / "data/evaluation/pictures.json"
    value = json.loads(listing.read_text(encoding="utf-8"))
    listing.write_text(json.dumps({"best": value["best"][:4], "worst": [], "random": []}), encoding="utf-8")
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    for path in (run_folder / "data/evaluation/pictures").rglob("*.png"):
        Image.fromarray(noise).save(path, compress_level=1)
    assert len(render_page(read_inputs(run_folder), PARAMS).encode()) < 5_000_000


def test_findings_name_what_is_odd(inputs: Inputs) -> None:
    sentences = " ".join(findings(inputs.audit, NAMES))
    assert "Class unicorn is never seen in train, validation and test" in sentences
    assert "1 exact" in sentences and "80 of train" in sentences
    assert "3 images of the source stand in no split list" in sentences
    assert "Class shares of test" in sentences and "Class shares of validation" not in sentences
    assert "void" not in sentences


def test_nothing_odd_is_said_of_good_data(inputs: Inputs) -> None:
    seen = {split: dict.fromkeys(NAMES, 9) for split in ("train", "validation", "test")}
    changes = {
        "images_with_class": seen,
        "class_drift": {"test": 0.01},
        "left_out_by_lists": 0,
        "left_out_by_limit": dict.fromkeys(seen, 0),
        "duplicates": inputs.audit.duplicates.model_copy(update={"exact": 0, "pairs": []}),
    }
    assert findings(inputs.audit.model_copy(update=changes), NAMES) == []


def test_params_are_flat_and_written_as_in_yaml() -> None:
    assert flat_params(PARAMS) == [
        ("", [("seed", "41")]),
        ("dataset", [("name", "shapes"), ("path", "null")]),
        ("model", [("architecture", "unet"), ("encoder", "unet"), ("encoder_weights", "none")]),
        ("train", [("loss.dice", "0.5")]),
    ]


def test_seed_stands_in_the_instructions(page: str) -> None:
    assert "seed 41" in text_of(section(page, "reproduce"))


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
@example(0.0, 5e-324)
@example(0.5, 0.5)
@example(1e6, 1e6 - 1e-9)
def test_ticks_enclose_the_values(one: float, other: float) -> None:
    low, high = sorted((one, other))
    places = ticks(low, high)
    step = places[1] - places[0]
    assert 2 <= len(places) <= 8
    assert places[0] <= low + 1e-6 * step and high - 1e-6 * step <= places[-1]


def epochs(count: int, kept: int) -> list[Epoch]:
    common = {"learning_rate": 0.1, "train_loss": 1.0, "validation_loss": 1.0, "validation_pixel_accuracy": 0.5}
    return [Epoch(epoch=i, validation_mean_iou=0.5, best=i == kept, **common) for i in range(1, count + 1)]


@pytest.mark.parametrize("count", [1, 2, 17, 5003])
def test_charts_of_any_length_stay_inside(count: int) -> None:
    history = epochs(count, kept=max(1, count - 2))
    drawn = chart("Loss", history, {"train": "train_loss", "validation": "validation_loss"})
    points = [p for line in drawn.lines for p in line.points]
    assert all(LEFT <= p.x <= RIGHT and TOP <= p.y <= BOTTOM for p in points)
    assert all(LEFT <= t.place <= RIGHT for t in [*drawn.x_ticks, drawn.kept])
    assert drawn.x_ticks


def test_long_histories_are_thinned_but_keep_the_kept_and_the_last() -> None:
    history = epochs(5003, kept=1234)
    rows = thinned(history)
    assert len(rows) <= MOST_POINTS + 2
    assert {1234, 5003} <= {row.epoch for row in rows}
    assert kept_epoch(history).epoch == 1234


@pytest.mark.parametrize(
    "name",
    [
        "data/shards/manifest.json",
        "data/shards/audit.json",
        "data/model/history.csv",
        "metrics/evaluation.json",
        "data/evaluation/confusion.npz",
        "data/evaluation/pictures.json",
        "data/evaluation/pictures/best_0/errors.png",
    ],
)
@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n\0\0 {]"])
def test_missing_or_damaged_file_is_named(run_folder: Path, name: str, content: bytes | None) -> None:
    path = run_folder / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        render_page(read_inputs(run_folder), PARAMS)
    sentence = str(caught.value)
    assert str(path) in sentence and "`dvc repro`" in sentence and "\n" not in sentence
    assert ("is missing" if content is None else "is damaged") in sentence


def test_stage_says_the_sentence_and_keeps_the_earlier_page(run_folder: Path) -> None:
    (run_folder / "metrics/report.html").write_text("earlier")
    (run_folder / "data/shards/audit.json").unlink()
    result = run_stage(run_folder)
    assert result.returncode == 1
    assert result.stderr == "report: data/shards/audit.json is missing; run `dvc repro` to make it.\n"
    assert (run_folder / "metrics/report.html").read_text() == "earlier"
    assert not (run_folder / "metrics/history.csv").exists()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("metrics/evaluation.json", lambda v: v.pop("iou.ring"), 'lacks "iou.ring"'),
        ("metrics/evaluation.json", lambda v: v.update(mean_iou="high"), "mean_iou"),
        ("data/shards/audit.json", lambda v: v["class_share"]["test"].pop("ring"), 'class_share.test lacks "ring"'),
        ("data/shards/audit.json", lambda v: v["images"].pop("test"), "images lacks test"),
        ("data/shards/manifest.json", lambda v: v["classes"].pop(), "confusion.npz"),
        ("data/shards/manifest.json", lambda v: v["classes"][1].update(color="red;x"), "not 'red;x'"),
    ],
)
def test_files_of_another_run_are_refused(run_folder: Path, name: str, change: object, words: str) -> None:
    path = run_folder / name
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(words)):
        read_inputs(run_folder)


def test_empty_history_is_refused(run_folder: Path) -> None:
    path = run_folder / "data/model/history.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(InputError, match="holds no epoch"):
        read_inputs(run_folder)
