"""A prepared TFDS data set: junk in its metadata and records, foreign classes and links are refused in one sentence."""

import copy
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from harm import attack, listing, sentence
from hypothesis import strategies as st
from raw_data import encoded, scene

from maskline.datasets.prepare import prepare
from maskline.shards.tfrecord import encode_example, frame

CORE = "tensorflow_datasets.core.features"
IMAGE = {
    "pythonClassName": f"{CORE}.image_feature.Image",
    "image": {"dtype": "uint8", "shape": {"dimensions": ["-1"] * 3}},
}
FEATURES = {
    "pythonClassName": f"{CORE}.features_dict.FeaturesDict",
    "featuresDict": {
        "features": {
            "image": IMAGE,
            "segmentation_mask": IMAGE,
            "file_name": {"pythonClassName": f"{CORE}.text_feature.Text", "text": {}},
        }
    },
}
INFO = {
    "name": "mine",
    "version": "1.0.0",
    "fileFormat": "tfrecord",
    "splits": [
        {
            "name": split,
            "shardLengths": ["2"],
            "numBytes": "9",
            "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
        }
        for split in ("train", "test")
    ],
}
PNG = encoded(scene(np.random.default_rng(0)))
EXAMPLE = {"image": PNG, "segmentation_mask": PNG, "file_name": b"a.png"}
EVIL = {"pythonClassName": "evil.X", "text": {}}
JUNK = st.sampled_from(
    [
        None,
        True,
        -1,
        2**70,
        1e300,
        "",
        "evil.X",
        "evil",
        "../../x",
        "/etc/passwd",
        "x" * 9000,
        "\x1b[2J",
        [],
        {},
        [[]],
        EVIL,
        json.dumps(EVIL),
        {"type": "evil.X", "content": {}},
        {"python_class_name": "evil.X"},
        ["9" * 5000],
        "os.path",
        "1.0.0",
        f"{CORE}.evil.X",
        f"{CORE}.text_feature.Nothing",
        {"jsonFeature": {"json": json.dumps({"a": EVIL})}},
    ]
)
RECORDS = st.lists(
    st.sampled_from([frame(encode_example(EXAMPLE))] * 6)
    | st.sampled_from(["image", "segmentation_mask", "file_name"]).map(
        lambda key: frame(encode_example({k: v for k, v in EXAMPLE.items() if k != key}))
    )
    | st.sampled_from([b"\xff", 7]).map(lambda name: frame(encode_example(EXAMPLE | {"file_name": name})))
    | st.binary(max_size=40).map(frame)
    | st.binary(max_size=40)
    | st.just((2**60).to_bytes(8, "little") + bytes(8)),
    min_size=2,
    max_size=2,
).map(b"".join)
WHOLE = frame(encode_example(EXAMPLE)) * 2
LINKS = st.sampled_from(["label.labels.txt", "features.json", "mine-train.tfrecord-00000-of-00001", "metadata.json"])


@st.composite
def spoiled(draw: st.DrawFn, value: Any) -> bytes:
    """Return JSON with junk in one or two places, or other bytes."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 2))):
        place, key = value, None
        while isinstance(place, dict | list) and place and (key is None or draw(st.integers(0, 4))):
            parent = place
            key = (
                draw(st.sampled_from(sorted(place)))
                if isinstance(place, dict)
                else draw(st.integers(0, len(place) - 1))
            )
            place = parent[key]
        if key is not None:
            parent[key] = copy.deepcopy(draw(JUNK))
    data = json.dumps(value).encode()
    return draw(st.sampled_from([data] * 8 + [data[:-1], b"", b"\xff", b"[" * 100_000, b"[]", b"null"]))


CASES = st.fixed_dictionaries(
    {},
    optional={
        "features.json": spoiled(FEATURES),
        "dataset_info.json": spoiled(INFO),
        "mine-train.tfrecord-00000-of-00001": RECORDS,
        "link": st.tuples(LINKS, st.sampled_from(["file", "fifo", "loop", "inside"])),
    },
)


def build(root: Path, case: dict, secret: Path) -> None:
    """Make the data set in an empty folder."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    files = {"features.json": json.dumps(FEATURES).encode(), "dataset_info.json": json.dumps(INFO).encode()}
    files |= {f"mine-{split}.tfrecord-00000-of-00001": WHOLE for split in ("train", "test")}
    for name, content in (files | {k: v for k, v in case.items() if k != "link"}).items():
        (root / name).write_bytes(content)
    if "link" in case:
        name, kind = case["link"]
        (root / name).unlink(missing_ok=True)
        if kind == "fifo":
            os.mkfifo(root / name)
        else:
            (root / name).symlink_to({"file": secret, "loop": name, "inside": "dataset_info.json"}[kind])


def main() -> None:
    """Attack."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        sys.path.insert(0, str(base / "modules"))
        (base / "modules").mkdir()
        (base / "modules" / "evil.py").write_text(f"open({str(base / 'imported')!r}, 'w').close()\n")
        secret, raw, root = base / "secret", base / "data" / "raw", base / "mine"
        secret.write_text("secret of the user\n")
        dataset = SimpleNamespace(
            name="mine", path=str(root), classes=["a", "b"], colors=None, masks="index", values=None, void=[],
            image_feature="image", mask_feature="segmentation_mask", test_fraction=0.5, group=None,
        )  # fmt: skip
        os.environ |= {"HOME": str(base), "TFDS_DATA_DIR": str(base / "none")}

        def read(case: dict) -> None:
            build(root, case, secret)
            shutil.rmtree(raw, ignore_errors=True)
            raw.mkdir(parents=True)
            (raw / "earlier").write_text("whole")
            before = listing(base)
            told = sentence(lambda: prepare(dataset, 1, raw))
            assert not (base / "imported").exists()
            after = listing(base)
            changed = {path for path, _ in before.items() ^ after.items()}
            elsewhere = {path for path in changed if not path.startswith(str(raw))}
            assert not elsewhere, elsewhere
            assert (told is None) != (raw / "earlier").exists()
            assert not any(b"secret of" in path.read_bytes() for path in raw.rglob("*") if path.is_file())

        build(root, {}, secret)
        prepare(dataset, 1, raw)  # imports Keras, which writes a file to the home
        read({})
        assert not (raw / "earlier").exists()
        attack(CASES, read)


if __name__ == "__main__":
    main()
