"""README fits its limits, and the files and targets that it names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short():
    assert len(README.splitlines()) <= 200
    assert len(README.split()) <= 1500


def test_the_pictures_and_files_it_names_exist():
    named = re.findall(r"""(?:\]\(|(?:src|srcset|href)=")([^)#:"]+)[)"]""", README)
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_targets_it_names_exist():
    targets = set(re.findall(r"(?m)^([a-z-]+):.*##", (ROOT / "Makefile").read_text()))
    assert {"repro", "test", "ci"} <= set(re.findall(r"(?m)(?:^|`)make ([a-z-]+)", README)) <= targets
