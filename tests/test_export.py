"""Export end to end on a small model: what is written, what it says about itself, and what is refused."""

import shutil

import keras
import numpy as np
import pytest
from raw_data import pairs, write_raw

from maskline.cli.main import main
from maskline.contracts.manifest import read_manifest
from maskline.contracts.model_info import Preprocessing
from maskline.engine import pool
from maskline.export import export as module
from maskline.export.formats import onnx as onnx_format
from maskline.models.files import save_model
from maskline.models.segmentation import SegmentationModel
from maskline.prediction.runtimes.opening import open_runtime
from maskline.shards.read.reader import ShardReader
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target

NAMES = ["sky", "tree", "crème brûlée"]
COLORS = ["#141e28", "#dc3c32", "#3cc85a"]
FORMATS = {"onnx": "model.onnx", "savedmodel": "street", "litert": "model.tflite"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with shards and a model in their places."""
    folder = tmp_path_factory.mktemp("project")
    write_raw(folder / "raw", {"train": pairs(4, 1), "validation": pairs(2, 2), "test": pairs(5, 3)})
    shards = folder / "data/shards"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "map_tasks", lambda work, tasks, *_: [work(task) for task in tasks])
        build_shards(folder / "raw", shards, Target(32, 48, "raw"), 3, SplitOptions(1, None, 0.1))
    (folder / "data/model").mkdir()
    save_model(network(), folder / "data/model/model.keras")
    (folder / "dvc.lock").write_text("schema: '2.0'\n")
    return folder


def network(names=NAMES, size=(32, 48)):
    keras.utils.set_random_seed(2)
    made = Preprocessing(height=size[0], width=size[1])
    model = SegmentationModel("unet", "unet", names, COLORS, 4, 0.2, False, "float32", preprocessing=made)
    last = next(v for v in reversed(model.trainable_variables) if v.path.endswith("kernel"))
    last.assign(4 * last)  # predictions that differ from pixel to pixel
    return model


def export(project, *arguments):
    main(["export", str(project / "data/model/model.keras"), "--folder", str(project), *map(str, arguments)])


def refusal(call, *arguments):
    """The sentence in which a command ends."""
    with pytest.raises(SystemExit) as stopped:
        call(*arguments)
    assert isinstance(stopped.value.code, str)
    return stopped.value.code


def check(project, file, *options):
    main(["check", str(file), "--folder", str(project), *map(str, options)])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_scores_as_the_model_and_says_what_it_is(project, kind, tmp_path, capsys):
    out = tmp_path / FORMATS[kind]
    export(project, "--format", kind, "-o", out)
    shown = capsys.readouterr().out
    assert f"B is {out}, on 5 test images" in shown and "written" in shown
    assert {line.split()[-1] for line in shown.splitlines() if line.startswith("iou.")} == {"same"}
    found = open_runtime(out).export
    assert [c.name for c in found.model.classes] == NAMES
    assert (found.format, found.precision, found.score.images) == (kind, "float32", 5)
    assert (found.model.preprocessing.height, found.model.preprocessing.width) == (32, 48)
    assert found.score.test_split == read_manifest(project / "data/shards").digest("test")
    assert len(found.source) == len(found.dvc_lock) == 64 and found.revision is None
    check(project, out)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_labels_and_confidence_are_outputs_by_choice(project, tmp_path):
    import onnxruntime

    export(project, "--format", "onnx", "--labels", "-o", tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    images = np.random.default_rng(1).integers(0, 256, (2, 40, 33, 3), np.uint8)
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"images": images}), strict=True))
    np.testing.assert_array_equal(found["labels"], found["probabilities"].argmax(axis=-1))
    np.testing.assert_array_equal(found["confidence"], found["probabilities"].max(axis=-1))
    assert found["labels"].dtype == np.uint8 and found["labels"].shape == (2, 40, 33)


@pytest.mark.slow
def test_an_int8_file_below_the_limit_is_refused_and_nothing_is_left(project, tmp_path, capsys):
    out = tmp_path / "small.onnx"
    sentence = refusal(export, project, "--format", "onnx", "--int8", "-o", out, "--max-drop", 0, "--max-class-drop", 0)
    assert f"{out} does not score as" in sentence and "falls from" in sentence
    assert f"B is {out}" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    export(project, "--format", "onnx", "--int8", "-o", out, "--max-drop", 1, "--max-class-drop", 1)
    assert open_runtime(out).export.precision == "int8"


@pytest.mark.slow
def test_a_corrupted_conversion_is_refused_and_an_earlier_file_stays(project, tmp_path, monkeypatch):
    out = tmp_path / "model.onnx"
    export(project, "--format", "onnx", "-o", out)
    before = out.read_bytes()

    def corrupted(model, path, info, outputs):
        other = network()
        other.set_weights([np.roll(weights, 1) for weights in other.get_weights()])
        onnx_format.write_onnx(other, path, info, outputs)

    monkeypatch.setitem(module._WRITE, "onnx", corrupted)
    assert "does not score as" in refusal(export, project, "--format", "onnx", "-o", out)
    assert out.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_file_from_elsewhere_is_checked(project, tmp_path, capsys):
    other = network()
    other.set_weights([np.roll(weights, 1) for weights in other.get_weights()])
    save_model(other, tmp_path / "other.keras")
    assert "other.keras does not score as" in refusal(check, project, tmp_path / "other.keras")
    assert "can't tell" in capsys.readouterr().out  # so few images prove little, but the figures fall


def test_classes_in_another_order_are_refused(project, tmp_path):
    save_model(network(NAMES[::-1]), tmp_path / "turned.keras")
    sentence = refusal(check, project, tmp_path / "turned.keras")
    assert "turned.keras knows the classes crème brûlée, tree, sky, but" in sentence and "sky, tree" in sentence


def test_a_model_of_another_size_is_refused(project, tmp_path):
    save_model(network(size=(64, 64)), tmp_path / "large.keras")
    assert "was trained on images of 64x64 (height x width), but" in refusal(check, project, tmp_path / "large.keras")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "onnx", "-o", "model.bin"], r"must end in .onnx. Received: .*model.bin"),
        (["--format", "litert", "-o", "model.onnx"], r"must end in .tflite"),
        (["--html", "-o", "page"], r"must end in .html"),
        (["--format", "litert", "--int8", "-o", "m.tflite"], r"only ONNX files can be quantized"),
        (["--format", "savedmodel", "-o", "."], r"exists, and no earlier export wrote it"),
        (["--format", "savedmodel", "-o", "model.onnx"], r"must not end in .onnx"),
        (["--format", "onnx", "-o", "new/model.onnx"], r"new is not a folder; make it"),
        (["--format", "onnx", "--web-runtime", "x.tgz", "-o", "m.onnx"], r"--web-runtime is only for --html"),
    ],
)
def test_what_cannot_be_written_is_said_in_a_sentence(project, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=words):
        export(project, *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "is missing"), (b"", "is not a .keras file|cannot be loaded"), (b"PK\x03\x04 cut", "cannot be loaded")],
)
def test_a_damaged_model_is_refused(project, content, words, tmp_path):
    copy = shutil.copytree(project, tmp_path / "copy")
    (copy / "data/model/model.keras").unlink()
    if content is not None:
        (copy / "data/model/model.keras").write_bytes(content)
    with pytest.raises(SystemExit, match=words):
        export(copy, "--format", "onnx", "-o", tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("name", ["m.onnx", "m.tflite"])
def test_a_file_that_is_no_model_is_refused(project, name, tmp_path):
    (tmp_path / name).write_bytes(b"no model")
    assert "cannot be loaded" in refusal(check, project, tmp_path / name)


def test_an_onnx_file_of_others_is_refused(project, tmp_path):
    import onnx
    from onnx import helper

    tensors = [helper.make_tensor_value_info(name, 1, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", tensors[:1], tensors[1:])
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "other.onnx")
    assert "other.onnx was not exported by maskline" in refusal(check, project, tmp_path / "other.onnx")


def test_a_missing_package_is_named(project, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tf2onnx", None)
    sentence = refusal(export, project, "--format", "onnx", "-o", tmp_path / "m.onnx")
    assert "needs the package tf2onnx" in sentence and "requirements-export.txt" in sentence


def test_the_commit_is_named_and_a_change_after_it(project, tmp_path):
    import subprocess

    from maskline.export.provenance import revision

    def git(*arguments):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    assert revision(tmp_path) is None
    (tmp_path / "file").write_text("a")
    git("add", "file")
    git("commit", "-qm", "a")
    assert revision(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "file").write_text("b")
    assert revision(tmp_path) == git("rev-parse", "HEAD") + "-dirty"


def test_calibration_images_are_of_the_training_split(project):
    images = list(module._training_images(project / "data/shards"))
    reader = ShardReader(project / "data/shards", read_manifest(project / "data/shards"), "train")
    np.testing.assert_array_equal(np.concatenate(images), reader.read(range(len(reader)))[0])


def test_nothing_of_others_is_lost_where_a_savedmodel_is_written(project, tmp_path):
    out = tmp_path / "street"
    export(project, "--format", "savedmodel", "-o", out)
    (out / "2").mkdir()
    assert f"{out} also holds 2, which would be lost" in refusal(export, project, "--format", "savedmodel", "-o", out)
    (out / "2").rmdir()
    (tmp_path / "street.old").mkdir()
    assert "street.old would be lost" in refusal(export, project, "--format", "savedmodel", "-o", out)
    assert (out / "1").is_dir() and (tmp_path / "street.old").is_dir()
