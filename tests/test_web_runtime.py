"""ONNX Runtime Web is fetched whole and checked, from a server on this machine, or nothing is kept."""

import base64
import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskline.errors import InputError
from maskline.export.page import web_runtime as module
from maskline.export.page.web_runtime import NAME, WebRuntime, cached, web_runtime
from maskline.files import downloads

PATH = f"/npm/onnxruntime-web/-/{NAME}"


def tarball(wasm: bytes = b"wasm") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in (("ort.wasm.bundle.min.mjs", b"module"), ("ort-wasm-simd-threaded.wasm", wasm)):
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


GOOD = tarball()


class Server:
    """A registry on this machine.

    Attributes:
        content: of the tarball; None: not found.
        drops: how many answers are cut short before one is whole.
        requests: the paths that were asked for.
    """

    def __init__(self) -> None:
        self.content: bytes | None = GOOD
        self.drops, self.requests = 0, list[str]()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/npm/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.requests.append(handler.path)
        if self.content is None or handler.path != PATH:
            handler.send_error(404)
            return
        whole = len(self.requests) > self.drops
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(self.content)))
        handler.end_headers()
        handler.wfile.write(self.content if whole else self.content[: len(self.content) // 2])
        handler.close_connection = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    result = Server()
    monkeypatch.setattr(downloads, "BACKOFF", 0.01)
    monkeypatch.setattr(module, "SHA512", base64.b64encode(hashlib.sha512(GOOD).digest()).decode())
    monkeypatch.setenv("npm_config_registry", result.url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield result
    result.server.shutdown()
    result.server.server_close()


def nothing_kept(tmp_path: Path) -> bool:
    return not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_it_is_fetched_once(server: Server, tmp_path: Path) -> None:
    assert web_runtime() == web_runtime() == WebRuntime(b"module", b"wasm")
    assert server.requests == [PATH]
    assert cached() == tmp_path / "maskline" / NAME
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [cached()]


def test_a_damaged_cache_is_fetched_again(server: Server) -> None:
    web_runtime()
    cached().write_bytes(GOOD[:-1])
    assert web_runtime() == WebRuntime(b"module", b"wasm")
    assert cached().read_bytes() == GOOD


def test_another_attempt_follows_one_that_is_cut_short(server: Server) -> None:
    server.drops = 1
    assert web_runtime() == WebRuntime(b"module", b"wasm")
    assert len(server.requests) == 2


def test_cut_short_every_time(server: Server, tmp_path: Path) -> None:
    server.drops = 99
    with pytest.raises(InputError, match=r"could not be downloaded in 4 attempts.*npm_config_registry.*copy it to "):
        web_runtime()
    assert len(server.requests) == downloads.ATTEMPTS
    assert nothing_kept(tmp_path)


def test_not_found(server: Server, tmp_path: Path) -> None:
    server.content = None
    with pytest.raises(InputError, match=r"the server answered 404 Not Found\. Set npm_config_registry"):
        web_runtime()
    assert len(server.requests) == 1
    assert nothing_kept(tmp_path)


def test_another_content(server: Server, tmp_path: Path) -> None:
    server.content = tarball(b"something else")
    with pytest.raises(InputError, match=r"is not ONNX Runtime Web .* Received: SHA-512 .*, expected: "):
        web_runtime()
    assert nothing_kept(tmp_path)


def test_no_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9/.* could not be downloaded") as caught:
        web_runtime()
    assert str(cached()) in str(caught.value)
    assert nothing_kept(tmp_path)


def test_a_registry_that_is_no_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "nowhere")
    with pytest.raises(InputError, match=r"nowhere/.* could not be downloaded"):
        web_runtime()


def test_a_local_tarball_needs_no_network(server: Server, tmp_path: Path) -> None:
    (tmp_path / "local.tgz").write_bytes(GOOD)
    assert web_runtime(tmp_path / "local.tgz") == WebRuntime(b"module", b"wasm")
    assert server.requests == []


def test_a_local_tarball_that_is_missing_or_another(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"local\.tgz is missing\. Download it from http"):
        web_runtime(tmp_path / "local.tgz")
    (tmp_path / "local.tgz").write_bytes(GOOD[:-1])
    with pytest.raises(InputError, match=r"local\.tgz is not ONNX Runtime Web .* Received: SHA-512"):
        web_runtime(tmp_path / "local.tgz")


def test_the_cache_is_in_the_home_folder_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cached() == tmp_path / ".cache/maskline" / NAME
