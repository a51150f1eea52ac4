"""README agrees with the project: its params table is params.yaml, and the files it names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINE = re.compile(r"^(?P<indent> *)(?P<key>\w+):(?P<value>[^#]*)(?:# (?P<comment>.*))?$")


def params_table() -> list[str]:
    """Return a Markdown row for each key of params.yaml that holds a value: its place, default and comment."""
    rows, sections = [], []
    for line in (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines():
        found = LINE.match(line)
        if not found:
            continue
        depth = len(found["indent"]) // 2
        sections = [*sections[:depth], found["key"]]
        value, comment = found["value"].strip(), (found["comment"] or "").replace("|", "\\|")
        if value:
            rows.append(f"| `{'.'.join(sections)}` | `{value}` | {comment} |")
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
