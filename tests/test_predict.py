"""`maskline predict` with an exported model: its outputs, how it goes on after a kill, and what it refuses."""

import csv
import errno
import io
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx_models import CLASSES, nearest, write_onnx
from PIL import Image
from pycocotools.coco import COCO

import maskline
from maskline.cli.main import main
from maskline.errors import ImageError, InputError
from maskline.prediction.image_rows import ArrayRows
from maskline.prediction.inputs import find_images
from maskline.prediction.pictures import overlay, write_overlay
from maskline.prediction.resizing import resized_image
from maskline.prediction.runtimes.onnx import OnnxRuntime

ROOT = Path(__file__).parents[1]
SIZE = (32, 48)  # height and width of the model's training images
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools


def picture(seed=0, size=SIZE):
    """Return an image of large spots in the colors of the classes, uint8 [H, W, 3]."""
    rng = np.random.default_rng(seed)
    colors = np.array([list(bytes.fromhex(color[1:])) for color in CLASSES.values()], np.uint8)
    spots = np.kron(rng.integers(0, len(CLASSES), (8, 8)), np.ones([-(-n // 8) for n in size], int))
    return colors[spots[: size[0], : size[1]]]


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)
    return path


def labels_of(path):
    with Image.open(path) as image:
        assert image.mode == "P"
        return np.asarray(image)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("model") / "model é.onnx")


@pytest.fixture
def predict(model, tmp_path, monkeypatch, capsys):
    """Return a function that runs the command in a folder of its own, and returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, file=model):
        code = 0
        try:
            main(["predict", str(file), *map(str, arguments)])
        except SystemExit as stop:
            code = stop.code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        last = f"{code}\n" if isinstance(code, str) else ""
        return (1 if isinstance(code, str) else code), printed.out, printed.err + last

    return run


@pytest.fixture
def refused(predict):
    """Return a function that runs the command, which must end in one sentence."""

    def run(*arguments, **options):
        code, out, err = predict(*arguments, **options)
        assert code == 1 and not out and err.startswith("maskline: ") and err.count("\n") == 1, err
        return err

    return run


def outputs(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def test_an_image_gives_labels_in_class_colors_an_overlay_areas_and_a_record(predict):
    image = picture()
    save(Path("my photo ä.png"), image)
    code, printed, err = predict("my photo ä.png", "-o", "out")
    assert (code, err) == (0, "") and "1 image predicted: out" in printed
    assert outputs("out") == ["areas.csv", "labels/my photo ä.png", "overlays/my photo ä.jpg", "run.json"]
    labels = labels_of("out/labels/my photo ä.png")
    np.testing.assert_array_equal(labels, nearest(image))
    with Image.open("out/labels/my photo ä.png") as shown:
        np.testing.assert_array_equal(np.asarray(shown.convert("RGB")), image)  # it has the classes' colors
    with Image.open("out/overlays/my photo ä.jpg") as shown:
        assert shown.size == (48, 32)
        assert np.abs(np.asarray(shown).astype(int) - image).mean() < 20
    with open("out/areas.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list(CLASSES) and {row["image"] for row in rows} == {"my photo ä.png"}
    counts = np.bincount(labels.ravel(), minlength=4)
    assert [int(row["pixels"]) for row in rows] == counts.tolist()
    assert [float(row["share"]) for row in rows] == pytest.approx((counts / labels.size).tolist(), abs=1e-6)
    assert all(0.9 < float(row["mean_confidence"]) <= 1 for row in rows)
    record = json.loads(Path("out/run.json").read_text())
    assert record["images"]["my photo ä.png"]["state"] == "done"


def test_a_class_without_a_pixel_has_no_confidence(predict):
    save(Path("sky.png"), np.full((*SIZE, 3), (30, 144, 255), np.uint8))
    predict("sky.png", "-o", "out")
    lines = Path("out/areas.csv").read_text().splitlines()
    assert lines[1].startswith("sky.png,sky,1536,1.0,") and lines[2] == "sky.png,road,0,0.0,"


@pytest.mark.parametrize("size", [(100, 75), (7, 9), (1, 1), (32, 48), (400, 33)])
def test_labels_have_the_size_of_the_image(predict, size):
    """Resized as preprocess does, and probabilities resized back before the most probable class is taken."""
    image = picture(1, size)
    save(Path("image.png"), image)
    predict("image.png", "-o", "out")
    labels = labels_of("out/labels/image.png")
    assert labels.shape == size
    if min(size) >= 32:
        small = nearest(resized_image(image, SIZE))
        rows, columns = ((np.arange(n) + 0.5) * m / n for n, m in zip(size, SIZE, strict=True))
        near = small[rows.astype(int)[:, None], columns.astype(int)]
        assert (labels == near).mean() > 0.9


def test_windows_predict_at_the_image_s_own_size(predict):
    image = picture(2, (150, 130))
    save(Path("image.png"), image)
    assert predict("image.png", "-o", "out", "--window", "32", "--flip")[0] == 0
    np.testing.assert_array_equal(labels_of("out/labels/image.png"), nearest(image))


def test_a_rotated_photo_gives_upright_labels(predict):
    image, exif = picture(), Image.Exif()
    exif[0x0112] = 6
    save(Path("turned.png"), np.rot90(image), exif=exif)
    predict("turned.png", "-o", "out")
    np.testing.assert_array_equal(labels_of("out/labels/turned.png"), nearest(image))


def test_a_large_tiff_by_rows_gives_what_the_whole_image_gives(predict, monkeypatch):
    from maskline.prediction import open_image, tiff_rows

    save(Path("map.tif"), picture(3, (400, 300)), compression="tiff_lzw", tiffinfo={278: 16})
    for options in ([], ["--window", "64"]):
        predict("map.tif", "-o", "whole", "--force", *options)
        with monkeypatch.context() as patch:
            patch.setattr(open_image, "open_by_rows", lambda path, name: tiff_rows.open_by_rows(path, name, large=1))
            predict("map.tif", "-o", "parts", "--force", *options)
        for name in ("labels/map.png", "overlays/map.jpg", "areas.csv"):
            assert (Path("whole") / name).read_bytes() == (Path("parts") / name).read_bytes()


def test_folders_and_patterns_keep_the_paths_below_them(predict):
    for number, name in enumerate(["a/1.png", "a/b/1.png", "a/b/ü 2.JPG", "a/.hidden.png", "a/.git/3.png"]):
        save(Path("photos") / name, picture(number))
    Path("photos/a/notes.txt").write_text("no image")
    predict("photos", "-o", "photos/out")
    assert outputs("photos/out/labels") == ["a/1.png", "a/b/1.png", "a/b/ü 2.png"]
    predict("photos", "-o", "photos/out")  # its own outputs are no inputs
    assert outputs("photos/out/labels") == ["a/1.png", "a/b/1.png", "a/b/ü 2.png"]
    predict("photos/a/**/*.png", "-o", "out")
    assert outputs("out/labels") == ["1.png", "b/1.png"]
    np.testing.assert_array_equal(labels_of("out/labels/b/1.png"), nearest(picture(1)))


def test_links_to_folders_are_followed_and_each_folder_is_searched_once(predict):
    for number, name in enumerate(["photos/b/1.png", "elsewhere/2.png"]):
        save(Path(name), picture(number))
    for link, folder in {"photos/a": "b", "photos/linked": "../elsewhere", "elsewhere/loop": "../photos"}.items():
        Path(link).symlink_to(folder, target_is_directory=True)
    assert predict("photos", "-o", "out")[0] == 0
    assert outputs("out/labels") == ["b/1.png", "linked/2.png"]


@pytest.mark.parametrize("link", ["photos/out", "results"])
def test_an_output_folder_behind_a_link_is_left_out(predict, link):
    folder = Path("photos/labeled" if link == "results" else "elsewhere")
    save(Path("photos/1.png"), picture())
    folder.mkdir()
    Path(link).symlink_to(folder.absolute(), target_is_directory=True)
    for out in (link, link, folder):
        assert predict("photos", "-o", out)[0] == 0
        assert outputs(folder / "labels") == ["1.png"]


@pytest.mark.parametrize("place", [".", "1.png", "*.png"])
def test_images_in_the_output_folder_are_said_to_lie_there(refused, place):
    save(Path("1.png"), picture())
    assert "lies in the output folder ., whose files are left out" in refused(place, "-o", ".")
    assert outputs(".") == ["1.png"]


def test_a_pattern_that_leaves_its_place_is_refused(refused):
    save(Path("photos/a/1.png"), picture())
    assert "photos/*/../a/*.png has '..' after a wildcard" in refused("photos/*/../a/*.png", "-o", "out")


def test_a_name_that_is_too_long_for_the_outputs_is_refused(refused, predict):
    for length in (243, 244):
        save(Path(f"{length}") / f"{'x' * length}.png", picture())
    assert predict("243", "-o", "out")[0] == 0
    assert "shorten it to 243 bytes or fewer without its suffix. Received: 244 bytes" in refused("244", "-o", "out")


def test_two_images_with_one_output_are_refused(refused):
    save(Path("a/1.png"), picture())
    save(Path("b/1.jpg"), picture())
    assert "a/1.png and b/1.jpg would both be written as 1.png" in refused("a/1.png", "b/1.jpg", "-o", "out")
    assert not Path("out").exists()


def test_an_image_named_twice_is_predicted_once(predict):
    save(Path("a/1.png"), picture())
    assert "1 image predicted" in predict("a", "a/1.png", "./a/../a", "-o", "out")[1]


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(predict):
    save(Path("1[2].png"), picture())
    assert predict("1[2].png", "-o", "out")[0] == 0


BAD = {"empty.png": b"", "text.jpg": b"I am no image", "cut.png": None}


def test_bad_images_are_named_at_the_end_and_stop_no_other(predict):
    for number in range(3):
        save(Path(f"photos/{number}.png"), picture(number))
    cut = Path("photos/2.png").read_bytes()[:-300]
    for name, data in BAD.items():
        Path("photos", name).write_bytes(cut if data is None else data)
    code, printed, err = predict("photos", "-o", "out")
    assert code == 1 and "3 images predicted" in printed
    assert err.splitlines()[-1] == "maskline: 3 images could not be predicted; see above."
    assert all(f"photos/{name}" in err for name in BAD) and len(err.splitlines()) == 4
    assert outputs("out/labels") == ["0.png", "1.png", "2.png"]
    states = {name: record["state"] for name, record in json.loads(Path("out/run.json").read_text())["images"].items()}
    assert [name for name, state in states.items() if state == "bad"] == sorted(BAD)
    for name in BAD:
        save(Path("photos") / name, picture(9))
    code, printed, err = predict("photos", "-o", "out")  # mended
    assert (code, err) == (0, "") and "3 images predicted, 3 were there already" in printed


def test_an_image_that_became_bad_leaves_no_old_result(predict):
    save(Path("1.png"), picture())
    predict("1.png", "-o", "out")
    Path("1.png").write_bytes(b"")
    assert predict("1.png", "-o", "out")[0] == 1
    assert outputs("out") == ["areas.csv", "run.json"]


@pytest.mark.parametrize("number", range(3))
def test_an_image_that_turns_bad_while_it_is_written_stops_no_other(number, predict, monkeypatch):
    from maskline.prediction import job

    def write(path, image, labels, colors):
        if path.stem == str(number):
            raise ImageError(f"image {path.stem}.png cannot be read: it is gone; replace or remove it.")
        write_overlay(path, image, labels, colors)

    for name in range(3):
        save(Path(f"photos/{name}.png"), picture(name))
    predict("photos", "-o", "out")
    save(Path(f"photos/{number}.png"), picture(7))
    monkeypatch.setattr(job, "write_overlay", write)
    code, printed, err = predict("photos", "-o", "out")
    others = [str(name) for name in range(3) if name != number]
    assert code == 1 and "0 images predicted, 2 were there already" in printed
    assert err.splitlines()[0] == f"image {number}.png cannot be read: it is gone; replace or remove it."
    assert outputs("out/labels") == [f"{name}.png" for name in others]
    assert outputs("out/overlays") == [f"{name}.jpg" for name in others]
    code, printed, err = predict("photos", "-o", "new")
    assert code == 1 and "2 images predicted" in printed and len(err.splitlines()) == 2
    states = {name: record["state"] for name, record in json.loads(Path("new/run.json").read_text())["images"].items()}
    assert states == {f"{name}.png": "bad" if name == number else "done" for name in range(3)}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_an_image_without_permission_is_a_bad_one(predict):
    save(Path("1.png"), picture()).chmod(0)
    assert "no permission for 1.png" in predict("1.png", "-o", "out")[2]


def test_what_is_done_is_not_predicted_again_unless_it_changed(predict):
    for number in range(3):
        save(Path(f"photos/{number}.png"), picture(number))
    predict("photos", "-o", "out")
    Path("out/labels/2.png").unlink()
    save(Path("photos/1.png"), picture(7))
    save(Path("photos/3.png"), picture(3))
    before = Path("out/labels/0.png").stat().st_mtime_ns
    assert "3 images predicted, 1 were there already" in predict("photos", "-o", "out")[1]
    assert Path("out/labels/0.png").stat().st_mtime_ns == before
    for number, seed in enumerate([0, 7, 2, 3]):
        np.testing.assert_array_equal(labels_of(f"out/labels/{number}.png"), nearest(picture(seed)))
    assert len(Path("out/areas.csv").read_text().splitlines()) == 1 + 4 * 4


def test_another_model_or_other_options_are_refused(refused, predict, tmp_path):
    save(Path("1.png"), picture())
    predict("1.png", "-o", "out")
    other = write_onnx(tmp_path / "other.onnx", dict(list(CLASSES.items())[:3]))
    before = {name: (Path("out") / name).read_bytes() for name in outputs("out")}
    assert "holds predictions of another model" in refused("1.png", "-o", "out", file=other)
    assert "with other options (flip False, not True)" in refused("1.png", "-o", "out", "--flip")
    assert {name: (Path("out") / name).read_bytes() for name in outputs("out")} == before
    save(Path("2.png"), picture(2))
    assert predict("2.png", "-o", "out", "--force", file=other)[0] == 0
    assert outputs("out") == ["areas.csv", "labels/2.png", "overlays/2.jpg", "run.json"]  # nothing of the old run


@pytest.mark.parametrize("name", ["labels/1.png", "overlays/1.jpg", "areas.csv", "coco.json"])
def test_a_file_of_no_run_is_only_overwritten_by_force(name, refused, predict):
    save(Path("1.png"), picture())
    (Path("out") / name).parent.mkdir(parents=True)
    (Path("out") / name).write_text("mine")
    Path("out/other.txt").write_text("mine too")
    assert f"out/{name} is there already and is not of this run" in refused("1.png", "-o", "out", "--coco")
    assert outputs("out") == sorted([name, "other.txt"]) and (Path("out") / name).read_text() == "mine"
    assert predict("1.png", "-o", "out", "--coco", "--force")[0] == 0
    assert Path("out/other.txt").read_text() == "mine too" and (Path("out") / name).read_bytes() != b"mine"


def test_a_new_image_does_not_overwrite_a_file_of_no_run(refused, predict):
    save(Path("1.png"), picture())
    save(Path("2.png"), picture())
    predict("1.png", "-o", "out")
    Path("out/labels/2.png").write_text("mine")
    assert "out/labels/2.png is there already" in refused("2.png", "-o", "out")
    save(Path("1.jpg"), picture())
    assert "holds the prediction of another image, 1.png" in refused("1.jpg", "-o", "out")


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"format": 1, "model": "0", "options": {}, "images": {"../../1.png": {"state": "done"}}}', "\0"],
)
def test_a_foreign_record_is_refused_and_removes_nothing(text, refused, predict):
    save(Path("1.png"), picture())
    Path("labels").mkdir()
    Path("labels/1.png").write_text("mine")
    Path("out/x").mkdir(parents=True)
    Path("out/x/run.json").write_text(text)
    assert "out/x/run.json is damaged" in refused("1.png", "-o", "out/x")
    assert predict("1.png", "-o", "out/x", "--force")[0] == 0
    assert Path("labels/1.png").read_text() == "mine"


def test_coco_json_holds_the_labels_to_the_pixel_and_needs_no_second_prediction(predict):
    for number in range(2):
        save(Path(f"photos/{number} é.png"), picture(number, (60, 90)))
    predict("photos", "-o", "out", "--coco")
    coco = COCO("out/coco.json")
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(CLASSES)
    for image in coco.imgs.values():
        found = np.full((60, 90), 255, np.uint8)
        for annotation in coco.loadAnns(coco.getAnnIds(image["id"])):
            found[coco.annToMask(annotation) > 0] = annotation["category_id"]
        np.testing.assert_array_equal(found, labels_of(f"out/labels/{Path(image['file_name']).stem}.png"))
    code, printed, _ = predict("photos", "-o", "out", "--polygons")
    assert code == 0 and "0 images predicted, 2 were there already" in printed
    assert isinstance(COCO("out/coco.json").anns[1]["segmentation"], list)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.png"], "nothing.png is not there"),
        (["empty"], "empty holds no image (.bmp, .jpeg"),
        (["empty/*.png"], "empty/*.png matches no image"),
        (["1.png", "--dropout-samples", "3"], "dropout can only be sampled in a .keras file"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(refused, arguments, words):
    save(Path("1.png"), picture())
    Path("empty").mkdir()
    assert words in refused(*arguments, "-o", "out")
    assert not Path("out").exists()


def test_scales_and_refinement_need_no_keras_file(predict):
    save(Path("1.png"), np.random.default_rng(1).integers(0, 256, (60, 90, 3), np.uint8))
    labels = []
    for option in ([], ["--scales", "0.5", "1.5"], ["--refine", "grabcut"], ["--refine", "crf"]):
        assert predict("1.png", *option, "-o", "out", "--force")[0] == 0
        labels.append(labels_of("out/labels/1.png"))
    assert all((one != labels[0]).any() for one in labels[1:])


@pytest.mark.parametrize("option", [["--window", "31"], ["--window", "²"], ["--scales", "5"], ["--scales", "nan"]])
def test_an_option_out_of_its_range_is_refused(predict, option):
    code, _, err = predict("1.png", *option, "-o", "out")
    assert code == 2 and "Received" in err


@pytest.mark.parametrize("harm", ["missing", "damaged", "empty", "foreign", "kind"])
def test_a_model_that_is_none_is_one_sentence(harm, refused, model, tmp_path):
    save(Path("1.png"), picture())
    file = tmp_path / ("model.pt" if harm == "kind" else "bad.onnx")
    if harm == "foreign":
        loaded = onnx.load(model)
        loaded.ClearField("metadata_props")
        onnx.save(loaded, file)
    elif harm != "missing":
        file.write_bytes({"damaged": model.read_bytes()[:300], "empty": b"", "kind": b"?"}[harm])
    assert file.name in refused("1.png", "-o", "out", file=file)
    assert not Path("out").exists()


def test_an_output_folder_that_is_a_file_is_one_sentence(refused):
    save(Path("1.png"), picture())
    Path("out").write_text("mine")
    assert "out is not a folder" in refused("1.png", "-o", "out")
    assert Path("out").read_text() == "mine"
    assert "out" in refused("1.png", "-o", "out/below")


@pytest.mark.parametrize("moment", range(6))
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(moment, refused, predict, monkeypatch):
    for number in range(3):
        save(Path(f"photos/{number}.png"), picture(number))
    sync, calls = os.fsync, []

    def full(descriptor):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            calls.append(descriptor)
        if len(calls) > moment:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    assert "the disk is full while writing out" in refused("photos", "-o", "out")
    monkeypatch.setattr(os, "fsync", sync)
    for path in map(Path("out").joinpath, outputs("out")):
        assert path.suffix != ".partial"
        if path.suffix in (".png", ".jpg"):
            Image.open(path).load()
    assert predict("photos", "-o", "out")[0] == 0
    for number in range(3):
        np.testing.assert_array_equal(labels_of(f"out/labels/{number}.png"), nearest(picture(number)))


def test_the_file_of_labels_meets_a_full_disk_with_the_same_sentence(refused, monkeypatch):
    from maskline.prediction import label_file

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    save(Path("1.png"), picture())
    monkeypatch.setattr(label_file.tempfile, "TemporaryFile", lambda **_: Full())
    assert "the disk is full while writing out" in refused("1.png", "-o", "out")


def command(*arguments):
    return [sys.executable, "-m", "maskline", "predict", *map(str, arguments)]


def test_a_run_killed_at_half_goes_on_where_it_was(model, predict):
    for number in range(120):
        save(Path(f"photos/{number:03}.png"), picture(number, (200, 300)))
    process = subprocess.Popen(command(model, "photos", "-o", "out", "--coco"), env={**os.environ, "PYTHONPATH": ROOT})
    start = time.monotonic()
    while len(list(Path("out").glob("labels/*.png"))) < 40:
        assert process.poll() is None and time.monotonic() - start < 60
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(list(Path("out").glob("labels/*.png")))
    assert 40 <= done < 120
    shutil.copytree("out", "half")
    code, printed, err = predict("photos", "-o", "out", "--coco")
    assert (code, err) == (0, "")
    predicted, kept = (int(word) for word in printed.replace(",", "").split() if word.isdecimal())
    assert predicted + kept == 120 and done / 2 < kept <= done
    predict("photos", "-o", "whole", "--coco")
    for name in outputs("whole"):
        assert (Path("out") / name).read_bytes() == (Path("whole") / name).read_bytes(), name
    assert outputs("out") == outputs("whole")


def test_a_bad_image_that_was_converted_takes_its_place(predict):
    Path("photos").mkdir()
    Path("photos/1.jpg").write_text("no image")
    assert predict("photos", "-o", "out")[0] == 1
    Path("photos/1.jpg").unlink()
    save(Path("photos/1.png"), picture())
    assert predict("photos", "-o", "out")[0] == 0
    assert list(json.loads(Path("out/run.json").read_text())["images"]) == ["1.png"]


def test_coco_json_stays_complete_when_images_are_added(predict):
    save(Path("1.png"), picture())
    save(Path("2.png"), picture())
    predict("1.png", "-o", "out", "--polygons")
    assert predict("2.png", "-o", "out")[0] == 0
    coco = COCO("out/coco.json")
    assert [image["file_name"] for image in coco.imgs.values()] == ["1.png", "2.png"]
    assert isinstance(coco.anns[1]["segmentation"], list)


def test_a_coco_json_of_no_run_next_to_a_run_is_only_overwritten_by_force(refused, predict):
    save(Path("1.png"), picture())
    predict("1.png", "-o", "out")
    Path("out/coco.json").write_text("mine")
    assert predict("1.png", "-o", "out")[0] == 0  # without it
    assert "out/coco.json is there already and is not of this run" in refused("1.png", "-o", "out", "--coco")
    assert Path("out/coco.json").read_text() == "mine"
    assert predict("1.png", "-o", "out", "--coco", "--force")[0] == 0
    assert COCO("out/coco.json").imgs


def test_force_does_not_mix_a_run_with_one_whose_record_is_damaged(refused, predict):
    save(Path("1.png"), picture())
    save(Path("2.png"), picture())
    predict("1.png", "-o", "out")
    Path("out/run.json").write_text("{}")
    before = outputs("out")
    assert "; remove out/labels and out/overlays, or name another" in refused("2.png", "-o", "out", "--force")
    assert outputs("out") == before
    shutil.rmtree("out/labels")
    shutil.rmtree("out/overlays")
    assert predict("2.png", "-o", "out", "--force")[0] == 0


def test_an_image_whose_labels_were_removed_is_left_out_of_the_tables(predict):
    for number in range(2):
        save(Path(f"{number}.png"), picture(number))
    predict("0.png", "-o", "out")
    Path("out/labels/0.png").unlink()
    assert predict("1.png", "-o", "out", "--coco")[0] == 0
    assert [image["file_name"] for image in COCO("out/coco.json").imgs.values()] == ["1.png"]
    assert "0.png" not in Path("out/areas.csv").read_text()


def test_a_carriage_return_in_a_name_keeps_the_rows_of_the_table(predict):
    save(Path("a\rb.png"), picture())
    assert predict("a\rb.png", "-o", "out")[0] == 0
    with open("out/areas.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list(CLASSES) and {row["image"] for row in rows} == {"a\rb.png"}
    assert pd.read_csv("out/areas.csv").shape == (4, 5)


def test_a_killed_run_refuses_another_model(model, refused, predict, tmp_path):
    save(Path("1.png"), picture())
    record = {"format": 1, "model": "0" * 64, "options": {}, "images": {"1.png": {"state": "waiting"}}}
    Path("out").mkdir()
    Path("out/run.json").write_text(json.dumps(record))
    assert "of another model (SHA-256 000000000000, not" in refused("1.png", "-o", "out")


def test_it_imports_no_package_that_starts_slowly(model, tmp_path):
    save(tmp_path / "1.png", picture())
    script = (
        "import sys\n"
        "from maskline.cli.main import main\n"
        f"main(['predict', {str(model)!r}, {str(tmp_path / '1.png')!r}, '-o', {str(tmp_path / 'out')!r}])\n"
        "slow = {'tensorflow', 'keras', 'tensorflow_datasets', 'pandas', 'scipy', 'cv2', 'dvc', 'matplotlib', 'h5py',\n"
        "        'onnx', 'ray'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not done.stderr  # no progress bar where there is no terminal
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_shows_examples(predict):
    code, printed, _ = predict("--help")
    assert code == 0 and "maskline predict model.onnx photos/" in printed


def test_in_python_an_image_is_a_path_a_picture_or_an_array(model, tmp_path):
    image = picture(4, (64, 96))
    path = save(tmp_path / "1.png", image)
    loaded = maskline.load_model(str(model))
    assert [c.name for c in loaded.info.classes] == list(CLASSES)
    results = [loaded.predict(given, window=32) for given in (path, str(path), Image.fromarray(image), image)]
    for result in results:
        np.testing.assert_array_equal(result.labels, nearest(image))
        assert result.labels.dtype == np.uint8 and result.confidence.dtype == np.float32
        assert result.confidence.shape == (64, 96)
    counts = np.bincount(result.labels.ravel(), minlength=4)
    assert [area.pixels for area in result.areas] == counts.tolist()
    assert sum(area.share for area in result.areas) == pytest.approx(1)
    assert result.areas[1].mean_confidence == pytest.approx(result.confidence[result.labels == 1].mean(), rel=1e-5)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_in_python_another_array_is_refused(model, image):
    with pytest.raises(ValueError, match=r"uint8 \[H, W, 3\]\. Received: "):
        maskline.load_model(model).predict(image)


def test_in_python_an_onnx_refuses_what_only_keras_has(model):
    with pytest.raises(InputError, match=r"can only be sampled in a \.keras file"):
        maskline.load_model(model).predict(picture(), dropout_samples=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dropout_samples": 101}, "dropout_samples must be a whole number from 0 to 100. Received: 101"),
        ({"dropout_samples": -1}, "dropout_samples must be"),
        ({"scales": ()}, "scales must be one or more numbers from 0.25 to 4. Received: ()"),
        ({"scales": (1.0, 5.0)}, "scales must be"),
        ({"scales": (float("nan"),)}, "scales must be"),
        ({"window": 31}, "window must be None, or a whole number from 32 to 4096. Received: 31"),
        ({"window": 5000}, "window must be"),
        ({"refine_with": "blur"}, "refine_with must be 'none', 'crf' or 'grabcut'. Received: 'blur'"),
        ({"flip": "perhaps"}, "flip must be True or False. Received: 'perhaps'"),
    ],
    ids=str,
)
def test_in_python_an_option_out_of_its_range_is_one_sentence(model, options, words):
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        maskline.load_model(model).predict(picture(), **options)
    assert "\n" not in str(caught.value)


def test_in_python_a_missing_image_is_one_sentence(model, tmp_path):
    with pytest.raises(InputError, match=r"No such file or directory \(.*1\.png\); fix it and try again\."):
        maskline.load_model(model).predict(tmp_path / "1.png")


def test_a_sentence_on_a_model_names_its_file_and_the_image(predict, model, monkeypatch):
    def nothing(runtime, images):
        return np.full((*images.shape[:3], len(CLASSES)), np.nan, np.float32)

    save(Path("1.png"), picture())
    loaded = maskline.load_model(model)
    assert f"{model}: dropout can" in predict("1.png", "-o", "out", "--dropout-samples", "2")[2]
    with pytest.raises(InputError, match=f"{re.escape(str(model))}: dropout can"):
        loaded.predict("1.png", dropout_samples=2)
    monkeypatch.setattr(OnnxRuntime, "probabilities", nothing)
    assert "the model's probabilities for image 1.png are NaN" in predict("1.png", "-o", "out")[2]
    with pytest.raises(InputError, match=r"for image 1\.png are NaN"):
        loaded.predict("1.png")


def test_an_overlay_is_reduced_by_a_whole_factor():
    image, labels = np.zeros((1000, 4100, 3), np.uint8), np.zeros((1000, 4100), np.uint8)
    labels[:, 2050:] = 1
    shown = overlay(ArrayRows(image), labels, ["#000000", "#ffffff"])
    assert shown.shape == (334, 1367, 3)
    assert (shown[:, :683] == 0).all() and (shown[:, 684:] == 128).all()


def test_an_unreadable_name_is_one_sentence(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.png"
    shutil.copy(save(tmp_path / "a/1.png", picture()), path)
    with pytest.raises(InputError, match="not valid UTF-8"):
        find_images([os.fsdecode(path)], tmp_path / "out")
