"""The pages of docs: each is found, opens with what it is for, and has no dead link; the params page is params.yaml."""

import ast
import contextlib
import csv
import io
import json
import re
import runpy
from itertools import pairwise
from pathlib import Path

import pytest
from shown_commands import PAGES as LINKED

from maskline.files.dotted import leaves
from maskline.files.yaml12 import read_yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CODE = re.compile(rf"{BLOCK.pattern}|`[^`]+`", BLOCK.flags)
LINK = re.compile(r"""(?:\]\(|(?:src|srcset|href)=")([^)#:\s"]*)(?:#([^)\s"]*))?[)"]""")
BY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", BLOCK.sub("", text_of(page)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_params_page_is_up_to_date():
    page = runpy.run_path(str(DOCS / "generate_params.py"))["page"]()
    assert page == text_of(DOCS / "params.md"), "run `python docs/generate_params.py` and commit docs/params.md"


def test_the_params_table_is_params_yaml():
    """Each param has one row, with its default, and every comment of the file is on the page."""
    page = text_of(DOCS / "params.md").replace("\\|", "|")
    rows = re.findall(r"(?m)^\| `([\w.]+)` \| `([^`]*)` \|", page)
    values = dict(leaves(read_yaml(ROOT / "params.yaml")))
    assert sorted(key for key, _ in rows) == sorted(values)
    for key, shown in rows:
        value = values[key]
        assert shown in (str(value), json.dumps(value)) or float(shown) == value, key
    _, _, keys = (ROOT / "params.yaml").read_text(encoding="utf-8").partition("\n\n")
    comments = re.findall(r"(?m)(?:^ *|  )# (.+)$", keys)
    assert comments
    assert not [text for text in comments if text.replace("one of those above", "one of those below") not in page]


def test_the_committed_results_are_those_of_their_pipelines():
    _, _, below = text_of(DOCS / "results.md").partition("\n## Committed results\n")
    rows = re.findall(r"(?m)^\| `([\w./]+)` \|.* \| ([^|]*) \| ([^|]*) \| \d+ \| `make ", below)
    locks = [ROOT / "dvc.lock", ROOT / "ci/dvc.lock", *ROOT.glob("recipes/*/dvc.lock")]
    assert {ROOT / folder for folder, *_ in rows} == {lock.parent for lock in locks}
    for folder, *shown in rows:
        with open(ROOT / folder / "metrics/headlines.csv", newline="") as file:
            found = {row["figure"]: row for row in csv.DictReader(file)}
        figures = [
            {key: float(value) for key, value in found[name].items() if key != "figure"}
            for name in ("mean_iou", "pixel_accuracy")
        ]
        assert shown == ["{value:.3f} ({low:.3f} to {high:.3f})".format_map(each) for each in figures], folder


def test_the_navigation_names_every_page_and_no_other():
    named = re.findall(r"(?m)^- [^:]+: (\S+\.md)$", text_of(ROOT / "mkdocs.yml"))
    assert sorted(named) == [page.name for page in PAGES]
    assert {f"docs/{name}" for name in named} - {"docs/index.md"} <= set(
        re.findall(r"docs/[\w-]+\.md", text_of(LINKED[0]))
    )
    assert {*named} - {"index.md"} <= set(re.findall(r"\(([\w-]+\.md)\)", text_of(DOCS / "index.md")))


@BY_PAGE
def test_a_page_has_one_title_and_opens_with_a_sentence(page):
    text = BLOCK.sub("```", re.sub(r"(?s)<!--.*?-->\s*", "", text_of(page)))
    title, _, after = text.partition("\n\n")
    assert re.fullmatch(r"# .+", title)
    assert not re.search(r"(?m)^# ", after)
    assert re.match(r"[A-Z`m]", after), "a page opens with what the reader can do after it"


@BY_PAGE
def test_a_list_begins_after_an_empty_line(page):
    """MkDocs would make it a part of the paragraph, which GitHub does not."""
    lines = BLOCK.sub("", text_of(page)).splitlines()
    item = re.compile(r" *([-*]|\d+\.) ")
    for above, line in pairwise(lines):
        assert not item.match(line) or not above.strip() or item.match(above) or above.startswith("  "), line


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for path, anchor in LINK.findall(CODE.sub("", text_of(page))):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"
        assert page.parent != DOCS or target.resolve().is_relative_to(DOCS), (
            f"{path} is not in docs, so MkDocs lacks it"
        )


def test_every_picture_of_docs_is_shown():
    shown = {path for page in LINKED for path, _ in LINK.findall(text_of(page))}
    pictures = [path.name for path in DOCS.iterdir() if path.suffix in (".png", ".svg")]
    assert not [name for name in pictures if name not in shown and f"docs/{name}" not in shown]


def test_the_reference_names_what_exists():
    names = re.findall(r"(?m)^::: ([\w.]+)$", text_of(DOCS / "reference.md"))
    assert len(names) == len(set(names)) > 50
    for name in names:
        module, _, last = name.rpartition(".")
        path = ROOT / module.replace(".", "/")
        source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        tree = ast.parse(source.read_text(encoding="utf-8"))
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert last in defined or f'"{last}"' in source.read_text(encoding="utf-8"), name


def test_the_example_of_metrics_prints_what_is_shown():
    [(code, printed)] = re.findall(
        r"```python\n(import numpy.+?)```\n\n```\n(.+?)```", text_of(DOCS / "reference.md"), re.DOTALL
    )
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, {})
    assert out.getvalue() == printed
