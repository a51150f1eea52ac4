"""The lock files: none names a registry, and what an extra adds leaves the pipeline's packages as they are."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(ROOT.glob("requirements*.txt"))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def pins(path: Path) -> set[str]:
    """Return the pinned packages of a lock file, each with its hashes."""
    lines = [line for line in path.read_text().replace("\\\n", "").splitlines() if not line.lstrip().startswith("#")]
    return {" ".join(line.split()) for line in lines if line}


def test_every_extra_has_a_lock_file():
    assert {path.name for path in FILES} == {"requirements.txt", *(f"requirements-{extra}.txt" for extra in EXTRAS)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_package_is_pinned_with_hashes_and_without_a_registry(path):
    assert all("==" in pin and " --hash=sha256:" in pin for pin in pins(path))
    assert not [pin for pin in pins(path) if any(mark in pin for mark in ("://", "index-url", "find-links", " @ "))]


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_an_extra_adds_to_the_packages_of_the_pipeline(extra):
    assert pins(ROOT / f"requirements-{extra}.txt") >= pins(ROOT / "requirements.txt")


def test_the_gpu_adds_the_libraries_of_cuda_alone_and_only_on_linux():
    added = pins(ROOT / "requirements-gpu.txt") - pins(ROOT / "requirements.txt")
    assert {"nvidia-cudnn-cu12", "nvidia-cublas-cu12"} <= {pin.split("==")[0] for pin in added}
    assert all(pin.startswith("nvidia-") and "sys_platform == 'linux'" in pin for pin in added)
