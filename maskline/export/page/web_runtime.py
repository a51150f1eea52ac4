"""ONNX Runtime Web: fetched from an npm registry, checked, and kept in a cache folder."""

import base64
import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import NamedTuple

import requests

from maskline.errors import InputError
from maskline.files.artifacts import write_bytes
from maskline.files.downloads import STALL, check_status, retry

VERSION = "1.30.0"
NAME = f"onnxruntime-web-{VERSION}.tgz"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
REGISTRY = "https://registry.npmjs.org"
REGISTRY_VARIABLE = "npm_config_registry"  # as npm reads it

_MODULE = "package/dist/ort.wasm.bundle.min.mjs"
_WASM = "package/dist/ort-wasm-simd-threaded.wasm"


class WebRuntime(NamedTuple):
    """The two files of ONNX Runtime Web that run a model on the CPU of a browser."""

    module: bytes
    wasm: bytes


def web_runtime(tarball: Path | None = None) -> WebRuntime:
    """Return ONNX Runtime Web from a tarball, from the cache, or from the npm registry.

    Args:
        tarball: a copy of `NAME`; None: the cache's, which is fetched where it is missing or damaged.

    Raises:
        InputError: the tarball is missing or another file, or cannot be fetched.
    """
    data = fetched() if tarball is None else _read(tarball)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return WebRuntime(_member(archive, _MODULE), _member(archive, _WASM))


def cached() -> Path:
    """Return where the tarball is kept: in `$XDG_CACHE_HOME/maskline`, or in `~/.cache/maskline`."""
    folder = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(folder) if os.path.isabs(folder) else Path.home() / ".cache") / "maskline" / NAME


def address() -> str:
    """Return where the tarball is fetched from: npm's registry, or the one that `npm_config_registry` names."""
    registry = os.environ.get(REGISTRY_VARIABLE) or REGISTRY
    return f"{registry.rstrip('/')}/onnxruntime-web/-/{NAME}"


def fetched() -> bytes:
    """Return the cached tarball, which is fetched first where it is missing or damaged.

    Raises:
        InputError: the registry refuses the file, sends another one, or cannot be reached. The cache stays as it was.
    """
    path = cached()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    if _digest(data) != SHA512:
        data = retry(_attempt, address(), _remedy())
        if _digest(data) != SHA512:
            raise InputError(
                f"{address()} is not ONNX Runtime Web {VERSION}. {_remedy()} "
                f"Received: SHA-512 {_digest(data)}, expected: {SHA512}"
            )
        write_bytes(path, data)
    return data


def _attempt() -> bytes:
    response = requests.get(address(), timeout=STALL)
    check_status(response, address(), _remedy())
    return response.content


def _remedy() -> str:
    return (
        f"Set {REGISTRY_VARIABLE} to a registry that this computer reaches, "
        f"or download {REGISTRY}/onnxruntime-web/-/{NAME} elsewhere and copy it to {cached()}."
    )


def _read(tarball: Path) -> bytes:
    try:
        data = tarball.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{tarball} is missing. Download it from {address()}.") from None
    if _digest(data) != SHA512:
        raise InputError(
            f"{tarball} is not ONNX Runtime Web {VERSION}. Download it from {address()}. "
            f"Received: SHA-512 {_digest(data)}, expected: {SHA512}"
        )
    return data


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None, "the checksum names a tarball that has this file"
    return file.read()


def _digest(data: bytes) -> str:
    """Return the SHA-512 in base 64, as npm writes it."""
    return base64.b64encode(hashlib.sha512(data).digest()).decode()
