"""README agrees with the project: its params table is params.yaml, and the files it names exist."""

import functools
import json
import re
from itertools import pairwise
from pathlib import Path

from maskline.files.yaml12 import read_yaml

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINE = re.compile(r"^(?P<indent> *)(?P<key>\w+):(?P<value>[^#]*)(?:# (?P<comment>.*))?$")


def params_table() -> list[str]:
    """Return a Markdown row for each key of params.yaml that holds a value: its place, default and comment."""
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    rows, sections = [], []
    for above, line in pairwise(lines):
        found = LINE.match(line)
        if not found:
            continue
        depth = len(found["indent"]) // 2
        sections = [*sections[:depth], found["key"]]
        value = functools.reduce(dict.__getitem__, sections, read_yaml(ROOT / "params.yaml"))
        if not isinstance(value, dict):
            comment = (found["comment"] or above.strip("# ")).replace("|", "\\|")
            text = found["value"].strip() or json.dumps(value)
            rows.append(f"| `{'.'.join(sections)}` | `{text}` | {comment} |")
    return rows


def test_the_params_table_is_params_yaml():
    missing = [row for row in params_table() if row not in README]
    assert not missing, "\n".join(["README.md lacks these rows:", *missing])
    assert len(re.findall(r"(?m)^\| `[\w.]+` \| `[^`]*` \|", README)) == len(params_table())


def test_the_pictures_and_files_it_names_exist():
    named = re.findall(r"\]\(([^)#:]+)\)", README)
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_targets_it_names_exist():
    targets = set(re.findall(r"(?m)^([a-z]+):.*##", (ROOT / "Makefile").read_text()))
    assert {"repro", "test", "ci"} <= set(re.findall(r"(?m)(?:^|`)make ([a-z]+)", README)) <= targets
