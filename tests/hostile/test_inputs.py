"""Attacks on download, one by one: each ends in a sentence that names the file."""

import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attack_tfds
import numpy as np
import pytest
from attack_tfds import CORE, EVIL, EXAMPLE, FEATURES, INFO, PNG, WHOLE
from harm import ROOT, listing
from project import set_params
from raw_data import encoded, pairs, source, write_raw

from maskline.datasets import archives
from maskline.datasets.prepare import prepare
from maskline.datasets.sources import camvid, folder, voc2012
from maskline.errors import ArtifactError, InputError
from maskline.files import yaml12
from maskline.shards.source_examples import example_name, list_examples, read_features
from maskline.shards.tfrecord import bytes_features, encode_example, frame


def params(path: Path, name: str) -> SimpleNamespace:
    return SimpleNamespace(
        name=name, path=str(path), classes=["a", "b"], colors=None, masks="index", values=None, void=[],
        image_feature="image", mask_feature="segmentation_mask", test_fraction=0.5, group=None,
    )  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "mine"
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
        for name in ("a", "b", "c"):
            (root / kind / f"{name}.png").write_bytes(PNG)
    return root


def link_loop(tree: Path) -> None:
    (tree / "images/again").symlink_to(tree / "images")


def doors(tree: Path) -> None:
    """Make folders that links show in 2 ** 30 ways, without a loop."""
    for depth in range(30):
        (tree / f"level{depth}").mkdir()
        for door in ("left", "right"):
            (tree / f"level{depth}" / door).symlink_to(tree / f"level{depth + 1}")
    (tree / "level30").mkdir()
    (tree / "images/door").symlink_to(tree / "level0")


def not_utf8(tree: Path) -> None:
    Path(os.fsdecode(os.fsencode(tree / "images") + b"/\xff\xfe.png")).write_bytes(PNG)


def lists(*lines: str):
    return lambda tree: (tree / "train.txt").write_text("\n".join(lines))


def fifo(name: str):
    def make(tree: Path) -> None:
        (tree / name).unlink(missing_ok=True)
        os.mkfifo(tree / name)

    return make


def link(name: str, to: str):
    def make(tree: Path) -> None:
        (tree / name).unlink(missing_ok=True)
        (tree / name).symlink_to(to)

    return make


FOLDERS = {
    "a loop of links": (link_loop, ["images/again", "link"]),
    "links without a loop that show one folder in ever more ways": (doors, ["link", "again"]),
    "a pipe as an image": (fifo("images/a.png"), ["images/a.png", "pipe"]),
    "a pipe as a mask": (fifo("masks/b.png"), ["masks/b.png", "pipe"]),
    "a pipe as a list": (fifo("train.txt"), ["train.txt", "pipe"]),
    "a device": (link("masks/a.png", "/dev/zero"), ["masks/a.png", "device"]),
    "a link to nothing": (link("masks/a.png", "/gone"), ["masks/a.png", "link"]),
    "a list that is a link to nothing": (link("test.txt", "/gone"), ["test.txt", "link"]),
    "a name that is not UTF-8": (not_utf8, [r"b'\xff\xfe.png'", "UTF-8"]),
    "a name with a line break": (lambda t: (t / "images/x\ny.png").write_bytes(PNG), [r"'x\ny.png'", "line break"]),
    ".": (lists("a", "."), ["train.txt", "'.'"]),
    "/": (lists("a", "/"), ["train.txt", "'/'"]),
    "..": (lists("a", ".."), ["train.txt", "'..'"]),
    "zero byte": (lists("a", "x\0y"), ["train.txt", r"'x\x00y'"]),
    "a line of 9,000 characters": (lists("a", "x" * 9000), ["train.txt", "xxx"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_with(name: str, tree: Path) -> None:
    make, words = FOLDERS[name]
    make(tree)
    with pytest.raises(InputError) as error:
        folder.Folder.examples_of(None, tree)
    told = str(error.value)
    assert "\n" not in told and len(told) < 700
    for word in words:
        assert word in told


def test_hidden_folders_are_not_read(tree: Path) -> None:
    shutil.copytree(tree / "images", tree / "images/.ipynb_checkpoints")
    examples = folder.Folder.examples_of(None, tree)["train"]
    assert [example["file_name"] for example in examples] == ["a.png", "b.png", "c.png"]


def test_links_to_folders_are_followed(tree: Path, tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tree / kind).rename(tmp_path / kind)
        (tree / kind).mkdir()
        (tree / kind / "far").symlink_to(tmp_path / kind)
    examples = folder.Folder.examples_of(None, tree)["train"]
    assert [example["file_name"] for example in examples] == ["far/a.png", "far/b.png", "far/c.png"]


@pytest.mark.parametrize(
    "line", ["/x/secret.png /x/b.png", "../secret.png a/b.png", "secret.png ..", "/secret.png /b.png"]
)
def test_camvids_lists_name_nothing_outside(line: str, tree: Path) -> None:
    (tree.parent / "secret.png").write_bytes(PNG)
    for name in camvid.LISTS.values():
        (tree / name).write_text(line)
    with pytest.raises(InputError, match=r"train\.txt lists|is missing"):
        camvid.Camvid.examples_of(None, tree)


@pytest.mark.parametrize("line", ["../../secret", "/etc/secret", "x" * 300])
def test_vocs_lists_name_nothing_outside(line: str, tmp_path: Path) -> None:
    for part in voc2012.FOLDERS:
        (tmp_path / "voc" / part).mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(encoded(np.zeros((4, 4, 3), np.uint8), "jpeg"))
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "voc/ImageSets/Segmentation/train.txt").write_text(line)
    with pytest.raises(InputError, match=r"train\.txt lists .*is not a file in"):
        voc2012.Voc2012.examples_of(None, tmp_path / "voc")


def zipped(
    path: Path, content: bytes = b"x" * 999, name: str | zipfile.ZipInfo = "a/b.png", method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr(name, content)
    return path


def changed(path: Path, before: bytes, after: bytes) -> None:
    data = path.read_bytes()
    assert before in data
    path.write_bytes(data.replace(before, after))


def corrupt_deflate(path: Path) -> None:
    zipped(path)
    with zipfile.ZipFile(path) as file:
        start = 30 + len(file.infolist()[0].filename)
    data = bytearray(path.read_bytes())
    data[start] = 0xFF
    path.write_bytes(data)


def encrypted(path: Path) -> None:
    zipped(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    data[6] |= 1
    path.write_bytes(data)


def unknown_method(path: Path) -> None:
    zipped(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 10] = data[8] = 97
    path.write_bytes(data)


def twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a", "file")
        file.writestr("a/b", "file in a file")


def compressed_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as file:
        member = tarfile.TarInfo("a")
        member.size = 2**20
        file.addfile(member, io.BytesIO(bytes(2**20)))


ARCHIVES = {
    "corrupt deflate": (corrupt_deflate, "not a whole"),
    "an encrypted member": (encrypted, "encrypted member 'a/b.png'"),
    "an unknown compression": (unknown_method, "compression method 97"),
    "LZMA, whose header may ask for 4 GB": (lambda p: zipped(p, method=zipfile.ZIP_LZMA), "compression method 14"),
    "the member .": (lambda p: zipped(p, name="."), "leads out"),
    "a member of no name": (lambda p: zipped(p, name=zipfile.ZipInfo("")), "leads out"),
    "a name of 300 bytes": (lambda p: zipped(p, name="x" * 300), "too long"),
    "a file in a file": (twice, "cannot both be"),
    "a compressed tar": (compressed_tar, "not a whole"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_with(name: str, tmp_path: Path) -> None:
    make, words = ARCHIVES[name]
    make(tmp_path / "archive")
    with pytest.raises(InputError, match=words) as error:
        archives.unpack(tmp_path / "archive", tmp_path / "new", lambda member: True)
    assert str(tmp_path / "archive") in str(error.value) and "\n" not in str(error.value)


def test_a_bomb_is_defused(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "bomb.zip", bytes(100 * 2**20))
    assert bomb.stat().st_size < 2**20
    with pytest.raises(InputError, match=r"bomb\.zip holds far more"):
        archives.unpack(bomb, tmp_path / "new", lambda member: True)
    assert sum(path.stat().st_size for path in (tmp_path / "new").rglob("*") if path.is_file()) <= 64 * 2**20


def test_the_folder_itself_may_be_a_member(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a.txt").write_text("a")
    with tarfile.open(tmp_path / "t.tar", "w") as file:
        file.add(tmp_path / "tree", ".")
    archives.unpack(tmp_path / "t.tar", tmp_path / "new", lambda member: True)
    assert (tmp_path / "new/a.txt").read_text() == "a"


BOMB = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
YAML = {
    "an integer of 5,000 digits": ("a: " + "1" * 5000, "more than 100 digits"),
    "hexadecimal of 5,000 digits": ("a: 0x" + "f" * 5000, "more than 100 digits"),
    "a word as an integer": ("a: !!int foo", "'foo' is not of the type"),
    "nothing as an integer": ("a: !!int ''", "'' is not of the type"),
    "a list as an integer": ("a: !!int [1]", "scalar"),
    "a word as a float": ("a: !!float foo", "'foo' is not of the type"),
    "a word as a bool": ("a: !!bool foo", "'foo' is not of the type"),
    "a word as null": ("a: !!null foo", "'foo' is not of the type"),
    "a date": ("a: !!timestamp foo", "could not determine a constructor"),
    "a list as a mapping": ("a: !!map [1]", "mapping"),
    "a lone surrogate": (r'a: "\ud800"', "surrogate"),
    "a lone surrogate in a key": (r'"\udfff": 1', "surrogate"),
    "a character beyond Unicode": (r'a: "\U00110000"', "range"),
    "deep nesting in lines": ("".join(" " * i + "a:\n" for i in range(500)), "levels deep"),
    "deep nesting in brackets": ("a: " + "[" * 100_000, "levels deep"),
    "aliases that grow": (BOMB, "aliases repeat"),
    "a list in itself": ("a: &a [*a]", "inside the value that it repeats"),
    "a long key twice": (f"{'k' * 500}: 1\n{'k' * 500}: 2", "appears twice"),
    "a file of 2 MB": ("a: " + "x" * 2 * 10**6, "larger than"),
}


@pytest.mark.parametrize("name", YAML)
def test_yaml_with(name: str, tmp_path: Path) -> None:
    text, words = YAML[name]
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as error:
        yaml12.read_yaml(path)
    told = str(error.value)
    assert str(path) in told and "\n" not in told and len(told) < 1000
    told.encode()


def test_a_pipe_in_place_of_yaml(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "params.yaml")
    with pytest.raises(InputError, match=r"params\.yaml is not a regular file"):
        yaml12.read_yaml(tmp_path / "params.yaml")


def test_aliases_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &x [1, 2]\nb: *x\nc: !!int 0x10\nd: !!str 1\n")
    assert yaml12.read_yaml(tmp_path / "a.yaml") == {"a": [1, 2], "b": [1, 2], "c": 16, "d": "1"}


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    attack_tfds.build(tmp_path / "tfds", {}, tmp_path)
    return tmp_path / "tfds"


def refused(prepared: Path, tmp_path: Path, *words: str) -> None:
    raw = tmp_path / "data" / "raw"
    raw.mkdir(parents=True)
    (raw / "earlier").write_text("whole")
    with pytest.raises(InputError) as error:
        prepare(params(prepared, "mine"), 1, raw)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)
    assert [path.name for path in raw.parent.iterdir()] == ["raw"] and (raw / "earlier").read_text() == "whole"


def features(**changes: Any) -> dict:
    return {**FEATURES, "featuresDict": {"features": {**FEATURES["featuresDict"]["features"], **changes}}}


FOREIGN = {
    "a class": features(x=EVIL),
    "a class by protobuf's other name": features(x={"python_class_name": "evil.X", "text": {}}),
    "a class in TFDS's old form": {"type": f"{CORE}.features_dict.FeaturesDict", "content": {"x": {"type": "evil.X"}}},
    "a class in JSON in a string": features(
        x={
            "pythonClassName": f"{CORE}.sequence_feature.Sequence",
            "jsonFeature": {"json": json.dumps({"feature": EVIL})},
        }
    ),
    "the whole": EVIL,
}


@pytest.mark.parametrize("name", FOREIGN)
def test_no_module_is_imported_for_features(name: str, prepared: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/evil.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path / "modules")
    (prepared / "features.json").write_text(json.dumps(FOREIGN[name]))
    refused(prepared, tmp_path, "features.json", "'evil.X'", "TFDS's own")
    assert "evil" not in sys.modules and not (tmp_path / "imported").exists()


@pytest.mark.parametrize("name", ["image.labels.txt", "features.json", "mine-train.tfrecord-00000-of-00001"])
def test_no_link_out_of_a_data_set_is_followed(name: str, prepared: Path, tmp_path: Path) -> None:
    content = (prepared / name).read_bytes() if (prepared / name).exists() else b"secret\n"
    (tmp_path / "secret").write_bytes(content)
    (prepared / name).unlink(missing_ok=True)
    (prepared / name).symlink_to(tmp_path / "secret")
    refused(prepared, tmp_path, name, "link that leads out")


def test_a_folder_in_place_of_records(prepared: Path, tmp_path: Path) -> None:
    (prepared / "mine-test.tfrecord-00000-of-00001").unlink()
    (prepared / "mine-test.tfrecord-00000-of-00001").mkdir()
    refused(prepared, tmp_path, "mine-test.tfrecord-00000-of-00001", "folder")


def test_a_pipe_in_a_data_set(prepared: Path, tmp_path: Path) -> None:
    (prepared / "features.json").unlink()
    os.mkfifo(prepared / "features.json")
    refused(prepared, tmp_path, "features.json", "pipe")


def test_links_within_a_data_set_are_read(prepared: Path, tmp_path: Path) -> None:
    name = "mine-test.tfrecord-00000-of-00001"
    (prepared / name).unlink()
    (prepared / name).symlink_to("mine-train.tfrecord-00000-of-00001")
    prepare(params(prepared, "mine"), 1, tmp_path / "raw")
    copies = sorted((tmp_path / "raw/mine/1.0.0").glob("*.tfrecord*"))
    assert len(copies) == 2 and not any(path.is_symlink() for path in copies)


INFOS = {
    "no object": ([], "not an object"),
    "no version": ({"name": "mine"}, "version"),
    "a version that is no number": (INFO | {"version": "new"}, "'new'"),
    "a name that is a path": (INFO | {"name": "../../x"}, "'../../x'"),
    "no splits": (INFO | {"splits": 7}, "TFDS"),
    "lengths that are no numbers": (INFO | {"splits": [INFO["splits"][0] | {"shardLengths": ["x"]}]}, "TFDS"),
    "another format": (INFO | {"fileFormat": "evil"}, "TFDS"),
    "files elsewhere": (INFO | {"splits": [INFO["splits"][0] | {"filepathTemplate": "../secret"}]}, "elsewhere"),
}


@pytest.mark.parametrize("name", INFOS)
def test_dataset_info_with(name: str, prepared: Path, tmp_path: Path) -> None:
    info, words = INFOS[name]
    (tmp_path / "secret").write_bytes(WHOLE)
    (prepared / "dataset_info.json").write_text(json.dumps(info))
    refused(prepared, tmp_path, words, str(prepared))


def test_the_stage_ends_in_the_sentence(prepared: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(ROOT / "dvc.yaml", run)
    shutil.copy(ROOT / "params.yaml", run)
    set_params(
        run, {"repo": str(ROOT), "dataset.name": "mine", "dataset.path": str(prepared), "dataset.classes": ["a", "b"]}
    )
    (prepared / "features.json").write_text(json.dumps(FOREIGN["a class"]))
    done = subprocess.run([sys.executable, ROOT / "stages/download.py"], cwd=run, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"download: {prepared / 'features.json'} names the feature 'evil.X'")
    assert [path.name for path in (run / "data").iterdir()] == ["weights"]


@pytest.mark.parametrize("depth", [500, 900, 100_000])
def test_json_of_any_depth(depth: int, prepared: Path, tmp_path: Path) -> None:
    (prepared / "features.json").write_text("[" * depth + "]" * depth)
    refused(prepared, tmp_path, str(prepared), "prepare the data set again")


RECORDS = {
    "no example": (frame(b"\xff" * 20), "record 1 of", "tf.train.Example"),
    "no mask": (frame(encode_example({"image": PNG, "file_name": b"a"})), "record 1 of", "'segmentation_mask'"),
    "a number in place of the name": (frame(encode_example(EXAMPLE | {"file_name": 7})), "record 1 of", "'file_name'"),
    "a name that is not UTF-8": (frame(encode_example(EXAMPLE | {"file_name": b"\xff"})), "record 1 of", "UTF-8"),
    "a record of 2 ** 60 bytes": (struct.pack("<Q", 2**60) + bytes(40), "ends inside a record"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_is(name: str, prepared: Path, tmp_path: Path) -> None:
    record, *words = RECORDS[name]
    (prepared / "mine-train.tfrecord-00000-of-00001").write_bytes(record * 2)
    refused(prepared, tmp_path, "mine-train.tfrecord-00000-of-00001", *words)


def test_what_is_copied_is_what_was_there(prepared: Path, tmp_path: Path) -> None:
    before = listing(prepared)
    prepare(params(prepared, "mine"), 1, tmp_path / "raw")
    assert listing(prepared) == before
    copied = (tmp_path / "raw/mine/1.0.0/mine-train.tfrecord-00000-of-00001").read_bytes()
    assert copied == WHOLE


@pytest.mark.parametrize("record", [b"\x08\x01", b"\xff" * 100_000, encode_example({"image": PNG, "mask": PNG})[:-1]])
def test_raw_records_that_are_no_example(record: bytes, tmp_path: Path) -> None:
    about = write_raw(tmp_path / "raw", {"train": pairs(2)}, files=1)
    file = about.files(tmp_path / "raw", "train")[0]
    file.write_bytes(frame(record))
    with pytest.raises(ArtifactError, match="is not an example") as error:
        list(read_features(list_examples(tmp_path / "raw", about, "train"), about))
    assert error.value.path == file


def test_a_raw_name_that_is_not_utf8(tmp_path: Path) -> None:
    about = write_raw(tmp_path / "raw", {"train": pairs(1)}, source(splits={"train": "train"}), files=1)
    (example,) = list_examples(tmp_path / "raw", about, "train")
    with pytest.raises(ArtifactError, match="is not an example"):
        example_name(example, {"file_name": b"\xff"}, about)


def test_a_number_ends(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        bytes_features(b"\xff" * 2_000_000)
