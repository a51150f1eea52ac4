"""The report stage: what it shows, what it refuses, and that its page needs nothing but itself."""

import base64
import hashlib
import html
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import html5lib
import numpy as np
import pytest
from fake_run import ABSENT, COLORS, CONVENTIONS, FILENAME, KINDS, NAMES, make_run
from PIL import Image

from maskline.cli.main import parser
from maskline.contracts.annotations import AnnotationCounts
from maskline.contracts.figures import HEADLINES
from maskline.contracts.manifest import Fold
from maskline.contracts.pictures import GROUPS
from maskline.errors import ArtifactError, InputError
from maskline.report.findings import findings
from maskline.report.gallery import cards, unique
from maskline.report.inputs import Inputs, read_inputs
from maskline.report.network import network_totals, short
from maskline.report.page import MOST_CLASSES, data_name, flat_params, largest_confusions, matrix_rows, render_page

ROOT = Path(__file__).parents[1]
DASH = "\u2013</abbr>"
PARAMS = {
    "seed": 41,
    "dataset": {"name": "shapes", "path": None},
    "model": {"architecture": "unet", "encoder": "unet", "encoder_weights": "none", "start_from": "none"},
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
    return page.split(f'<section id="{name}"')[1].split("</section>")[0]


def changed(path: Path, change: Callable[[dict], object]) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def without_last_class(manifest: dict) -> None:
    manifest["classes"].pop()
    for split in manifest["splits"].values():
        split["pixels"].pop()
        split["images_with_class"].pop()


def test_stage_writes_page_and_copies_without_tensorflow(run_folder: Path) -> None:
    result = run_stage(run_folder)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "imported: []"
    metrics = run_folder / "metrics"
    audit = json.loads((run_folder / "data/shards/audit.json").read_text(encoding="utf-8"))
    dataset = json.loads((metrics / "dataset.json").read_text(encoding="utf-8"))
    assert dataset["images.test"] == audit["images"]["test"] and dataset["duplicates.exact"] == 1
    assert not any(isinstance(value, dict | list) for value in dataset.values())
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
    assert all(e.get("aria-labelledby") in ids for e in document.iter("section"))
    assert all(e.get("alt") for e in document.iter("img"))
    assert all(e.get("scope") for e in document.iter("th"))
    assert all(e.get("aria-label") or e.get("aria-hidden") == "true" for e in document.iter("svg"))


def test_every_control_and_table_has_a_name(page: str) -> None:
    document = html5lib.parse(page, namespaceHTMLElements=False)
    labelled = [e for label in document.iter("label") for e in label.iter() if e.tag in ("input", "select")]
    assert len(labelled) == len([e for e in document.iter() if e.tag in ("input", "select")]) == 8
    assert all("".join(label.itertext()).strip() for label in document.iter("label"))
    boxes = [e for e in document.iter("div") if e.get("class") == "box"]
    assert boxes and all(e.get("role") == "region" and e.get("aria-label") for e in boxes)
    assert all(e.get("tabindex") == "0" for e in [*boxes, *document.iter("pre")])
    for table in document.iter("table"):
        assert table.find("caption") is not None or table.get("aria-label") or table.get("aria-labelledby")
    assert [e.get("role") for e in document.iter("p") if e.get("id") == "shown"] == ["status"]


def test_page_asks_for_nothing_outside_itself(page: str) -> None:
    document = html5lib.parse(page, namespaceHTMLElements=False)
    sources = [e.get(key) for e in document.iter() for key in ("src", "href", "srcset", "data", "poster") if e.get(key)]
    assert len(sources) > 5 * 18
    assert all(source.startswith(("#", "data:image/webp;base64,")) for source in sources)
    assert not list(document.iter("link"))
    assert not re.search(r"url\(|@import|https?://", page)


def test_policy_allows_the_one_script_by_its_hash_and_no_source_of_the_network(page: str) -> None:
    document = html5lib.parse(page, namespaceHTMLElements=False)
    [policy] = [e.get("content") for e in document.iter("meta") if e.get("http-equiv") == "Content-Security-Policy"]
    [script] = document.iter("script")
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not [e for e in document.iter() for key in e.attrib if key.startswith("on")]


def test_page_is_small(page: str) -> None:
    assert len(page.encode()) < 1_500_000


def test_names_are_escaped(page: str) -> None:
    assert NAMES[2] not in page and FILENAME not in page and CONVENTIONS["mean_iou.per_image"] not in page
    assert html.escape(NAMES[2]).replace("&quot;", "&#34;") in page
    document = html5lib.parse(page, namespaceHTMLElements=False)
    texts = ["".join(e.itertext()) for e in document.iter("th")]
    assert NAMES[2] in texts
    assert f"truth of {FILENAME}" in [e.get("alt") for e in document.iter("img")]
    assert NAMES[2] in [e.text for e in document.iter("option")]
    assert FILENAME in [e.get("data-name") for e in document.iter("li")]
    script = next(document.iter("script")).text
    assert not any(name in script for name in NAMES)


def test_headline_figures_are_those_of_the_metrics(page: str, inputs: Inputs) -> None:
    head = page.split('<dl class="headline">')[1].split("</dl>")[0]
    rows = inputs.figures.headlines
    assert [row.figure for row in rows] == list(HEADLINES)
    assert [float(v) for v in re.findall(r'<data value="([^"]+)"', head)] == [row.value for row in rows]
    ends = [(f"{row.low:.3f}", f"{row.high:.3f}") for row in rows]
    assert re.findall(r"([\d.]+) to ([\d.]+)", head) == ends
    assert "20 test images" in text_of(page) and head.count("lower is better") == 1


def test_the_fold_is_named_where_the_test_images_are_counted(page: str, inputs: Inputs) -> None:
    assert "fold" not in text_of(page.split('<dl class="headline">')[0])
    fold, left_out = {"fold": Fold(number=2, of=5)}, {"left_out_by_folds": 1234}
    changed_inputs = replace(
        inputs, manifest=inputs.manifest.model_copy(update=fold), audit=inputs.audit.model_copy(update=left_out)
    )
    shown = text_of(render_page(changed_inputs, PARAMS))
    assert "Figures of 20 test images (fold 2 of 5) at the model's size" in shown
    assert "1,234 images of the source's test split are left out; dataset.folds divides the others." in shown


def test_how_to_read_says_when_groups_of_images_are_resampled(page: str, inputs: Inputs) -> None:
    assert "random groups" not in page
    many = replace(inputs, figures=inputs.figures.model_copy(update={"images": 20_001}))
    words = "the images are resampled with replacement, many times (here 20,000 random groups of them"
    assert words in text_of(section(render_page(many, PARAMS), "reading"))


def test_near_duplicates_that_are_not_all_counted_are_at_least_so_many(page: str, inputs: Inputs) -> None:
    assert "at least" not in section(page, "data")
    found = inputs.audit.duplicates.model_copy(update={"near": 12, "near_is_least": True})
    shown = render_page(replace(inputs, audit=inputs.audit.model_copy(update={"duplicates": found})), PARAMS)
    assert "1 exact, at least 12 near" in text_of(section(shown, "data"))
    assert "pairs: 1 exact, at least 12 near" in text_of(shown)


def test_headline_says_the_change_against_the_baseline(page: str, run_folder: Path) -> None:
    """The made-up one: mean IoU 0.05 lower, accuracy 0.03 higher, Dice a little lower, calibration error higher."""
    head = text_of(page.split('<dl class="headline">')[1].split("</dl>")[0])
    for words in ("+0.050 , better", "\N{MINUS SIGN}0.030 , worse", "+0.004 , inside", "\N{MINUS SIGN}0.050 , better"):
        assert words in head
    assert head.count("unchanged") == 3
    (run_folder / "baseline.json").write_text("{}")
    without = render_page(read_inputs(run_folder), PARAMS)
    assert "There is no baseline" in without and 'class="change' not in without


@pytest.mark.parametrize("other", [{"test_split": "2" * 64}, {"resolution": "native"}])
def test_baseline_of_other_images_is_told(page: str, run_folder: Path, other: dict) -> None:
    assert "of other test images" not in page and 'class="change' in page
    changed(run_folder / "baseline.json", lambda v: v.update(other))
    without = render_page(read_inputs(run_folder), PARAMS)
    shown = text_of(without)
    assert "baseline.json is not compared: it is of other test images" in shown
    assert "cp data/evaluation/figures.json baseline.json makes this run the baseline" in shown
    assert 'class="change' not in without and ">Change</th>" not in without


def test_the_command_that_it_names_sets_the_baseline(page: str, run_folder: Path) -> None:
    [command] = {match for match in re.findall(r"<code>(cp [^<]+)</code>", page)}
    subprocess.run(command, shell=True, cwd=run_folder, check=True)
    head = render_page(read_inputs(run_folder), PARAMS).split('<dl class="headline">')[1].split("</dl>")[0]
    assert head.count("unchanged") == len(HEADLINES)


def test_baseline_of_an_older_release_serves(run_folder: Path) -> None:
    """It may lack figures of today, and hold others."""

    def older(baseline: dict) -> None:
        baseline["headlines"] = [{"figure": "mean_iou", "value": 0.1, "low": 0.05, "high": 0.2}]
        baseline["classes"] = []
        baseline["more"] = 1

    changed(run_folder / "baseline.json", older)
    page = render_page(read_inputs(run_folder), PARAMS)
    head = text_of(page.split('<dl class="headline">')[1].split("</dl>")[0])
    assert head.count(", better") == 1 and "unchanged" not in head


@pytest.mark.parametrize("content", [None, "[]", '{"images": 20, "mean_iou": 0.1}', "{"])
def test_what_is_no_baseline_is_named_with_the_remedy(run_folder: Path, content: str | None) -> None:
    path = run_folder / "baseline.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(InputError) as caught:
        read_inputs(run_folder)
    sentence = str(caught.value)
    assert (
        sentence.startswith(str(path))
        and "`cp data/evaluation/figures.json baseline.json` sets it, and {} in" in sentence
    )
    assert "\n" not in sentence


def test_class_table_shows_figures_and_dashes(page: str, inputs: Inputs) -> None:
    rows = re.findall(r'<tr><th scope="row">.*?</tr>', section(page, "classes"), re.DOTALL)
    assert len(rows) == len(NAMES)
    for found, color, row in zip(inputs.figures.classes, COLORS, rows, strict=True):
        figures = [found.iou, found.boundary_iou, found.dice, found.precision, found.recall]
        assert [float(v) for v in re.findall(r'<data value="([^"]+)"', row)] == [f for f in figures if f is not None]
        assert color in row
        if figures[0] is not None:
            assert f"{found.low:.3f} to {found.high:.3f}" in row
            whisker = f'd="M{100 * found.low:.2f} 6H{100 * found.high:.2f}'
            assert f'd="M0 6H{100 * figures[0]:.2f}"' in row and whisker in row
    # IoU, interval, change, boundary IoU, Dice, precision and recall have no value.
    assert rows[ABSENT].count(DASH) == 7 and "whisker" not in rows[ABSENT]
    assert "left out of the mean" in rows[ABSENT]


def test_sizes_show_figures_and_counts(page: str) -> None:
    rows = re.findall(r'<tr><th scope="row">.*?</tr>', section(page, "sizes"), re.DOTALL)
    assert [float(v) for v in re.findall(r'<data value="([^"]+)"', rows[0])] == [0.4, 0.6, 0.8]
    assert rows[ABSENT].count(DASH) == 3 and text_of(rows[1]) == "disc 0.400 5 0.600 5 0.800 5"


def test_conventions_stand_with_their_meaning(page: str) -> None:
    shown = text_of(section(page, "conventions"))
    for (name, words), figure in zip(CONVENTIONS.items(), ("0.812", "0.457"), strict=True):
        assert f"{name} {figure} {words}" in shown


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


def test_matrix_holds_counts_beside_shares(page: str, inputs: Inputs) -> None:
    markup = section(page, "confusion")
    counts = [int(v.replace(",", "")) for v in re.findall(r'in-counts">([\d,]+)<', markup)]
    assert counts == inputs.confusion[inputs.confusion > 0].tolist()
    assert markup.count('class="in-shares">') == len(counts) + 1


def test_every_image_stands_once_with_its_groups_and_classes(page: str, inputs: Inputs) -> None:
    document = html5lib.parse(page, namespaceHTMLElements=False)
    items = [e for e in document.iter("li") if e.get("data-name")]
    groups = inputs.pictures.model_dump(exclude={"kinds"})
    expected = {p["folder"]: p for group in groups.values() for p in group}
    assert len(items) == len(expected) < sum(map(len, groups.values()))
    assert len([e for item in items for e in item.iter("img")]) == len(inputs.pictures.kinds) * len(expected)
    for item, picture in zip(items, expected.values(), strict=True):
        assert item.get("data-name") == picture["filename"]
        assert float(item.get("data-iou")) == picture["mean_iou"]
        assert [NAMES[int(i)] for i in item.get("data-classes").split()] == sorted(picture["classes"], key=NAMES.index)
        for group, pictures in groups.items():
            ranks = [rank for rank, p in enumerate(pictures, 1) if p["folder"] == picture["folder"]]
            assert [int(v) for v in [item.get(f"data-{group}")] if v] == ranks
        text = " ".join("".join(item.itertext()).split())
        assert f"IoU {picture['mean_iou']:.3f}, accuracy {picture['pixel_accuracy']:.3f}" in text


def test_cards_are_in_the_order_of_groups_and_ranks(inputs: Inputs) -> None:
    shown = cards(inputs.pictures, NAMES)
    assert [card.picture for card in shown] == unique(inputs.pictures)
    best = [card.ranks["best"] for card in shown if "best" in card.ranks]
    assert best == list(range(1, len(inputs.pictures.best) + 1))


def test_an_image_without_valid_pixel_is_shown(run_folder: Path) -> None:
    new = {"folder": "pictures/new", "mean_iou": None, "pixel_accuracy": None}
    changed(run_folder / "data/evaluation/pictures.json", lambda v: v["random"][0].update(new))
    shutil.copytree(run_folder / "data/evaluation/pictures/0", run_folder / "data/evaluation/pictures/new")
    page = render_page(read_inputs(run_folder), PARAMS)
    assert 'data-iou=""' in page and section(page, "images").count(DASH) == 2


def test_mutual_information_is_shown_where_there_is_some(page: str, run_folder: Path) -> None:
    assert '<option value="mutual_information">mutual information</option>' in page
    changed(run_folder / "data/evaluation/pictures.json", lambda v: v["kinds"].remove("mutual_information"))
    without = render_page(read_inputs(run_folder), PARAMS)
    assert "utual information" not in section(without, "images")
    assert '<option value="uncertainty">' in without


def test_labels_keep_their_exact_colours(page: str, inputs: Inputs) -> None:
    first = re.search(r'src="data:image/webp;base64,([^"]+)" alt="truth', page)
    embedded = np.asarray(Image.open(io.BytesIO(base64.b64decode(first[1]))).convert("RGB"))
    folder = inputs.folder / "data/evaluation" / inputs.pictures.best[0].folder
    assert np.array_equal(embedded, np.asarray(Image.open(folder / "truth.png")))


def test_examples_show_image_and_mask_of_each_split(page: str, inputs: Inputs) -> None:
    markup, _, _ = section(page, "data").partition("<h3>Conversions")
    assert [name for names in inputs.examples.model_dump().values() for name in names] == re.findall(
        r"</span> (.*?)</figcaption>", html.unescape(markup)
    )
    first = re.search(r'src="data:image/webp;base64,([^"]+)" alt="mask of train', markup)
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(first[1]))).convert("RGB"))
    picture = np.asarray(Image.open(inputs.folder / "data/shards/examples/train-0.png"))
    assert np.array_equal(mask, picture[:, picture.shape[1] // 2 :])


def test_near_neighbors_are_shown_as_pairs(page: str, inputs: Inputs, run_folder: Path) -> None:
    _, _, markup = section(page, "data").partition("<h3>Near neighbors in train")
    pattern = (
        r'alt="(\w+) image (.*?)"><img .*? src="data:image/webp;base64,([^"]+)" alt="its neighbor in train, (.*?)"'
    )
    shown = re.findall(pattern, html.unescape(markup).replace(FILENAME, "odd"))
    assert [(split, image, near) for split, image, _, near in shown] == [
        ("validation", "photo 2.png", "image_009.png"),
        *[("test", "odd", "image_009.png")] * 4,
    ]
    near = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown[0][2]))).convert("RGB"), int)
    picture = np.asarray(Image.open(inputs.folder / "data/shards/examples/neighbors/validation-0.png"), int)
    assert np.abs(near - picture[:, picture.shape[1] // 2 :]).mean() < 12
    text = re.sub(r"\s+", " ", html.unescape(markup)).replace("\u202f", " ")
    assert "30.0 % of the images of test have one (2 by their look, 4 by the numbers in their file names)." in text
    assert "dataset.group makes 9 groups of train, 2 groups of validation, 3 groups of test." in text
    assert "make the groups of dataset.group larger, or correct your split lists" in text

    def clear(audit: dict) -> None:
        for near in audit["leakage"].values():
            near.update(share=0.0, alike=0, following=0, pairs=[])

    changed(run_folder / "data/shards/audit.json", clear)
    _, _, none = section(render_page(read_inputs(run_folder), PARAMS), "data").partition("<h3>Near neighbors in train")
    assert "<img" not in none and "or correct your split lists" not in none


@pytest.mark.slow
def test_pictures_that_compress_badly_fit(run_folder: Path) -> None:
    def enlarge(listing: dict) -> None:
        for group in GROUPS:
            listing[group] = [picture | {"height": 480, "width": 640} for picture in listing[group][:1]]

    changed(run_folder / "data/evaluation/pictures.json", enlarge)
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    for path in (run_folder / "data/evaluation/pictures").rglob("*.png"):
        Image.fromarray(noise).save(path, compress_level=1)
    assert len(render_page(read_inputs(run_folder), PARAMS).encode()) < 5_000_000


def test_pictures_of_several_sizes_keep_their_shape(run_folder: Path) -> None:
    folder = run_folder / "data/evaluation/pictures/new"
    shutil.copytree(run_folder / "data/evaluation/pictures/0", folder)
    for path in folder.iterdir():
        Image.open(path).resize((60, 30)).save(path)
    new = {"folder": "pictures/new", "height": 30, "width": 60}
    changed(run_folder / "data/evaluation/pictures.json", lambda v: v["random"][0].update(new))
    markup = section(render_page(read_inputs(run_folder), PARAMS), "images")
    assert markup.count('width="60" height="30"') == len(KINDS)


def test_labels_to_check_are_shown_with_their_places(page: str, inputs: Inputs) -> None:
    shown = section(page, "labels")
    assert '<a href="#labels">Labels to check</a>' in page
    for picture in inputs.suspects.pictures:
        for name in ("image", "label", "prediction"):
            assert f'alt="{name} of {html.escape(picture.filename).replace("&quot;", "&#34;")}"' in shown
    words = text_of(shown)
    assert "candidates" in words and "2 of 60 images are shown here" in words
    assert "in these pictures' pixels" in words and "up to 200 boxes in the original images' pixels" in words
    assert re.search(r"predicted ring \(12 . 40 pixels at 60, 4\)", words)
    assert shown.count('class="inner"') == 3 * 3


def test_no_labels_to_check_are_not_mentioned(run_folder: Path) -> None:
    changed(run_folder / "data/evaluation/suspects.json", lambda v: v["pictures"].clear())
    page = render_page(read_inputs(run_folder), PARAMS)
    assert "Labels to check" not in page and 'id="labels"' not in page


def test_findings_name_what_is_odd(inputs: Inputs) -> None:
    sentences = " ".join(findings(inputs.audit, NAMES))
    assert "Class unicorn is never seen in train, validation and test: the model cannot have learned it" in sentences
    assert "and means leave it out unless it is predicted" in sentences
    assert "1 exact" in sentences and "80 of train" in sentences
    assert "3 images of the source are in no split list" in sentences
    assert "Class shares of test" in sentences and "Class shares of validation" not in sentences
    assert "void" not in sentences
    assert (
        "30\u202f% of the images of test have a near neighbor in train" in sentences
        and "make the groups of dataset.group larger" in sentences
    )
    ungrouped = " ".join(findings(inputs.audit.model_copy(update={"groups": None}), NAMES))
    assert "set dataset.group, or correct your split lists" in ungrouped
    assert "images of validation have" not in sentences
    assert "split lists cut 1 group of dataset.group; <b>video</b>, for example, is in train and test." in sentences
    assert "2 rows of the CSV in dataset.group name no image" in sentences


def test_findings_name_much_padding_and_much_that_is_cut_off(inputs: Inputs) -> None:
    changes = {"padding_share": {"train": 0.25, "validation": 0.1}, "cropped_share": {"test": 0.5}}
    sentences = findings(inputs.audit.model_copy(update=changes), NAMES)
    kept = set(sentences) - set(findings(inputs.audit, NAMES))
    assert kept == {
        "25\u202f% of the pixels of train are padding, which keeps the images' shapes and counts for nothing.",
        "preprocess.fit crop cuts off 50\u202f% of the area of test's images.",
    }


def test_nothing_odd_is_said_of_good_data(inputs: Inputs) -> None:
    seen = {split: dict.fromkeys(NAMES, 9) for split in ("train", "validation", "test")}
    changes = {
        "images_with_class": seen,
        "class_drift": {"test": 0.01},
        "left_out_by_lists": 0,
        "left_out_by_limit": dict.fromkeys(seen, 0),
        "duplicates": inputs.audit.duplicates.model_copy(update={"exact": 0, "pairs": []}),
        "leakage": {role: near.model_copy(update={"share": 0.04}) for role, near in inputs.audit.leakage.items()},
        "groups": None,
    }
    assert findings(inputs.audit.model_copy(update=changes), NAMES) == []


def test_few_images_and_classes_that_only_test_shows_are_said(inputs: Inputs) -> None:
    images = inputs.audit.images | {"validation": 2, "test": 1}
    seen = inputs.audit.images_with_class | {"test": dict.fromkeys(NAMES, 1)}
    sentences = findings(inputs.audit.model_copy(update={"images": images, "images_with_class": seen}), NAMES)
    assert "Only 2 validation images chose the epoch: another image more or less may choose another." in sentences
    assert "All figures are of only 1 test image: others may give quite different ones." in sentences
    assert any("unicorn" in each and "and means count it, because test shows it" in each for each in sentences)


def test_what_is_without_annotation_is_said(inputs: Inputs) -> None:
    counts = AnnotationCounts(drawn=9, images_without=3)
    seen = {split: dict.fromkeys(["background", "car", "tree"], 9) for split in ("train", "validation", "test")}
    audit = inputs.audit.model_copy(update={"annotations": counts, "images_with_class": seen})
    assert "3 images have no annotation and are all background." in findings(audit, ["background", "car"])
    assert "3 images have no annotation and are all void and count for nothing." in findings(audit, ["car", "tree"])


def test_dark_images_are_said(inputs: Inputs) -> None:
    converted = {"sixteen_bit": 9, "dark_sixteen_bit": 4}
    sentences = findings(inputs.audit.model_copy(update={"converted": converted}), NAMES)
    assert any(each.startswith("4 of 9 16-bit images use less than a quarter of their range") for each in sentences)


def test_network_shows_totals_and_stages(page: str) -> None:
    shown = section(page, "network").replace("\u202f", " ")
    assert "412 k parameters" in shown and "1.95 G multiply-adds" in shown
    assert "48 × 48 × 128" in shown and "1 × transposed convolution 2x2" in shown  # noqa: RUF001
    assert shown.count("<tr>") == 6 and "for the loss alone" in shown and "passes" not in shown


def test_a_network_of_several_passes_says_so(inputs: Inputs) -> None:
    totals = network_totals(inputs.network.model_copy(update={"passes": 8}))
    assert (totals["multiply_adds"], totals["passes"]) == ("15.6\u202fG", 8)


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (999, "999"), (1000, "1.00 k"), (99_960, "100 k"), (999_600, "1.00 M"), (10**13, "10.0 T")],
)
def test_large_numbers_are_short(number: int, words: str) -> None:
    assert short(number) == words.replace(" ", "\u202f")


def test_params_are_flat_and_written_as_in_yaml() -> None:
    assert flat_params(PARAMS) == [
        ("", [("seed", "41")]),
        ("dataset", [("name", "shapes"), ("path", "null")]),
        (
            "model",
            [("architecture", "unet"), ("encoder", "unet"), ("encoder_weights", "none"), ("start_from", "none")],
        ),
        ("train", [("loss.dice", "0.5")]),
    ]


def test_inference_and_versions_stand_beside_the_params(page: str) -> None:
    shown = text_of(section(page, "params"))
    assert "flip true" in shown and "crf.iterations 10" in shown and "tensorflow 2.21.0" in shown


def test_resolution_is_told(page: str, run_folder: Path) -> None:
    changed(run_folder / "data/evaluation/about.json", lambda v: v.update(resolution="native"))
    native = render_page(read_inputs(run_folder), PARAMS)
    assert "at the model&#39;s size, weights" in page and "&#39; own size" not in page
    assert "at the images&#39; own size, weights" in native and "at\neach image&#39;s own size" in native


def test_title_names_the_users_folder_or_the_data_set(page: str, inputs: Inputs) -> None:
    assert "<h1>unet on shapes</h1>" in page and "<title>shapes ·" in page and "of shapes 1.0.0 by" in page
    for path, name in {"/data/my <cells>/": "my <cells>", "../cells": "cells", "..": "shapes", "/": "shapes"}.items():
        assert data_name(inputs, {"dataset": {"name": "folder", "path": path}}) == name
    mine = render_page(inputs, PARAMS | {"dataset": {"name": "folder", "path": "/data/my <cells>"}})
    assert "<h1>unet on my &lt;cells&gt;</h1>" in mine and "of my &lt;cells&gt; by" in mine


def test_instructions_name_the_seed_and_how_to_find_the_commit(page: str) -> None:
    shown = text_of(section(page, "reproduce"))
    assert "seed 41" in shown and "git log -1 metrics/report.html" in shown


def test_the_commands_that_use_the_model_are_ones_that_maskline_knows(page: str) -> None:
    commands = re.findall("maskline (?:predict|export) data.*|maskline predict model.*", section(page, "use"))
    assert len(commands) == 4
    for command in commands:
        assert parser().parse_args(shlex.split(command, comments=True)[1:]).run


@pytest.mark.parametrize(
    "name",
    [
        "data/shards/manifest.json",
        "data/shards/audit.json",
        "data/model/history.csv",
        "data/model/network.json",
        "data/shards/examples/index.json",
        "data/shards/examples/train-1.png",
        "data/shards/examples/neighbors/test-3.png",
        "data/evaluation/figures.json",
        "metrics/confusion.csv",
        "metrics/calibration.csv",
        "metrics/trimap.csv",
        "metrics/sizes.csv",
        "data/evaluation/about.json",
        "data/evaluation/images.csv",
        "data/evaluation/pictures.json",
        "data/evaluation/pictures/0/errors.png",
        "data/evaluation/suspects.json",
        "data/evaluation/suspects/1/truth.png",
    ],
)
@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n\0\0 {]"])
def test_missing_or_damaged_file_is_named(run_folder: Path, name: str, content: bytes | None) -> None:
    path = run_folder / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        render_page(read_inputs(run_folder), PARAMS)
    assert caught.value.path == path and "\n" not in str(caught.value)
    assert caught.value.reason.startswith("is missing" if content is None else "is damaged")


def test_stage_says_the_sentence_and_keeps_the_earlier_page(run_folder: Path) -> None:
    (run_folder / "metrics/report.html").write_text("earlier")
    (run_folder / "data/shards/audit.json").unlink()
    result = run_stage(run_folder)
    assert result.returncode == 1
    assert result.stderr == "report: data/shards/audit.json is missing; run `dvc repro --force preprocess`.\n"
    assert (run_folder / "metrics/report.html").read_text() == "earlier"
    assert not (run_folder / "metrics/history.csv").exists()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("data/evaluation/figures.json", lambda v: v["classes"].pop(), "is of the classes background, disc"),
        ("data/evaluation/figures.json", lambda v: v["headlines"][0].update(value="high"), "headlines.0.value"),
        ("data/evaluation/figures.json", lambda v: v["headlines"].pop(0), 'headlines lacks "mean_iou"'),
        ("data/evaluation/figures.json", lambda v: v["classes"][-1].pop("low"), "classes.6.low"),
        ("data/shards/audit.json", lambda v: v["class_share"]["test"].pop("ring"), 'class_share.test lacks "ring"'),
        ("data/shards/audit.json", lambda v: v["images"].pop("test"), "images lacks test"),
        ("data/shards/manifest.json", lambda v: without_last_class(v), "about.json"),
        ("data/shards/manifest.json", lambda v: v.update(encoding="png"), "was made from other shards than"),
        ("data/shards/manifest.json", lambda v: v["classes"][1].update(color="red;x"), "not 'red;x'"),
        ("data/evaluation/about.json", lambda v: v["classes"].reverse(), "is of the classes ring"),
        ("data/evaluation/about.json", lambda v: v.update(resolution="tiny"), "resolution"),
        ("data/evaluation/pictures.json", lambda v: v["best"][0]["classes"].append("dog"), "the class dog"),
        ("data/evaluation/pictures.json", lambda v: v["best"][0].pop("width"), "best.0.width"),
        ("data/evaluation/suspects.json", lambda v: v["pictures"][0]["places"][0].update(label="dog"), "the class dog"),
        ("data/evaluation/suspects.json", lambda v: v["pictures"][1]["places"].clear(), "pictures.1.places"),
    ],
)
def test_files_of_another_run_are_refused(run_folder: Path, name: str, change: object, words: str) -> None:
    changed(run_folder / name, change)
    with pytest.raises(ArtifactError, match=re.escape(words)):
        read_inputs(run_folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("confusion.csv", "ring,ring,", "ring,dog,", 'lacks "ring / ring"'),
        ("confusion.csv", "\nring,ring,", "\ndog,dog,5,1.0\nring,ring,", "other classes than the 7"),
        ("sizes.csv", "ring,over 10 %,", "ring,1 to 10 %,", 'lacks "ring / over 10 %"'),
        ("calibration.csv", ",0.2", ",1.2", "confidence"),
        ("trimap.csv", "\n16,", "\nfar,", "distance"),
    ],
)
def test_tables_of_another_run_are_refused(run_folder: Path, name: str, old: str, new: str, words: str) -> None:
    path = run_folder / "metrics" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ArtifactError, match=re.escape(words)):
        read_inputs(run_folder)


def test_empty_history_is_refused(run_folder: Path) -> None:
    path = run_folder / "data/model/history.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(ArtifactError, match="has no rows"):
        read_inputs(run_folder)
