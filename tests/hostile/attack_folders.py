"""A user's folder: odd names, links, pipes and split lists give examples, or one sentence."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from harm import attack, listing, sentence
from hypothesis import strategies as st
from raw_data import encoded, scene

from maskline.datasets.sources import folder as own
from maskline.datasets.sources.camvid import Camvid
from maskline.datasets.sources.voc2012 import Voc2012

PNG = encoded(scene(np.random.default_rng(0)))
NAMES = st.sampled_from(
    [
        b"a.png",
        b"b.png",
        b"c.jpg",
        b"d/e.png",
        b"d/f.png",
        b"no suffix",
        b".hidden.png",
        b".ipynb_checkpoints/a.png",
        b"\xff.png",
        b"a\nb.png",
        b"\x1b[2J.png",
        "\u2028.png".encode(),
        "\x85.png".encode(),
        b"...png",
        b"a.png.png",
        b"x" * 250 + b".png",
    ]
)
KINDS = st.sampled_from(
    ["pair"] * 6 + ["image", "mask", "empty", "junk", "fifo", "loop", "up", "away", "nowhere", "folder"]
)
LINES = st.sampled_from(
    [
        "a",
        "a.png",
        "b",
        ".",
        "..",
        "/",
        "./a",
        "../secret",
        "/etc/passwd",
        "d/e",
        "\x00",
        "\x85",
        "\u2028",
        "x" * 9000,
        "~",
        " ",
        "a b",
        "/SegNet/CamVid/train/a.png /SegNet/CamVid/trainannot/a.png",
        "/x ..",
        "a/.. ../b",
        "\ud800",
    ]
) | st.text(max_size=5)
LISTS = st.dictionaries(
    st.sampled_from(["train.txt", "val.txt", "validation.txt", "test.txt"]),
    st.lists(LINES, max_size=4).map(lambda lines: "\n".join(lines).encode(errors="surrogatepass"))
    | st.binary(max_size=9)
    | st.sampled_from(["fifo", "loop", "folder"]),
)


def put(path: str, kind: str) -> None:
    """Make one thing at a path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        os.mkdir(path)
    elif kind in ("loop", "up", "away", "nowhere"):
        to = {"loop": path, "up": os.path.dirname(path), "away": "/dev/zero", "nowhere": "/nothing/here"}
        os.symlink(to[kind], path)
    else:
        Path(path).write_bytes({"empty": b"", "junk": b"junk"}.get(kind, PNG))


def build(root: Path, files: dict, lists: dict) -> None:
    """Make a tree; what the file system refuses is left out."""
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for name, kind in files.items():
        for place, skipped in (("images", "mask"), ("masks", "image")):
            if kind != skipped:
                with contextlib.suppress(OSError):
                    put(os.path.join(root, place, os.fsdecode(name)), kind)
    for name, content in lists.items():
        if isinstance(content, bytes):
            (root / name).write_bytes(content)
        else:
            put(str(root / name), content)


def main() -> None:
    """Attack."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        secret = base / "secret.png"
        secret.write_bytes(PNG)

        def read(case: tuple[dict, dict]) -> None:
            root = base / "mine"
            shutil.rmtree(root, ignore_errors=True)
            build(root, *case)
            before = listing(base)
            examples: list[str] = []
            sentence(lambda: examples.extend(_names(own.Folder.examples_of(None, root))))
            for lists in ("ImageSets/Segmentation", "JPEGImages", "SegmentationClass"):
                (root / lists).mkdir(parents=True, exist_ok=True)
            before = listing(base)
            sentence(lambda: examples.extend(_names(Camvid.examples_of(None, root))))
            for listed in ("train.txt", "val.txt"):
                if (root / listed).is_file():
                    shutil.copy(root / listed, root / "ImageSets/Segmentation" / listed)
            sentence(lambda: examples.extend(_names(Voc2012.examples_of(None, root))))
            assert {path: about for path, about in listing(base).items() if "ImageSets" not in path} == {
                path: about for path, about in before.items() if "ImageSets" not in path
            }
            for file in examples:
                assert os.path.normpath(file).startswith(f"{root}/") and "secret" not in file

        attack(st.tuples(st.dictionaries(NAMES, KINDS, max_size=6), LISTS), read)


def _names(splits: dict) -> list[str]:
    return [example[key] for part in splits.values() for example in part for key in ("image", "segmentation_mask")]


if __name__ == "__main__":
    main()
