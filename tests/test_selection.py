"""What the suite promises: the fast files exist, and a test that is skipped without need fails the whole suite."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import FAST, LONGEST, NOT_PROMISED
from project import ROOT

TESTS = """
import pytest

def test_passes(): pass

@pytest.mark.parametrize("reason", {reasons})
def test_skipped(reason): pytest.skip(reason)
"""
REASON = "no browser: install one"


def suite(folder: Path, reasons: Sequence[str], *options: str) -> subprocess.CompletedProcess:
    """Run a test that passes and one that is skipped for each reason, with this suite's conftest.py."""
    shutil.copy2(ROOT / "tests/conftest.py", folder)
    (folder / "test_two.py").write_text(TESTS.format(reasons=list(reasons)))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, *options, folder]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)


@pytest.mark.parametrize("options", [("--promised",), ("--promised", "-n1")])
def test_a_skipped_test_fails_where_it_is_promised(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = suite(tmp_path, [REASON], *options)
    assert done.returncode == 1, done.stdout
    assert f"FAILED: 1 skipped: {REASON}" in done.stdout


def test_elsewhere_it_is_named_last(tmp_path: Path) -> None:
    done = suite(tmp_path, [REASON])
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-2] == f"1 skipped: {REASON}"


def test_what_needs_other_data_or_another_user_is_not_promised(tmp_path: Path) -> None:
    done = suite(tmp_path, NOT_PROMISED, "--promised")
    assert done.returncode == 0 and "FAILED" not in done.stdout, done.stdout


def test_the_fast_files_exist() -> None:
    assert {name for name in FAST if not (ROOT / f"tests/{name}.py").exists()} == set()


def test_the_longest_files_exist() -> None:
    assert set(LONGEST) <= {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
