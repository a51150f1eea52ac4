"""The commands that README and the pages of docs show."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("recipes/**/README.md")),
]
PROGRAMS = ("make", "maskline", "dvc", "python")
# Of the shell and of other projects: only that they are these is checked.
OTHERS = (
    "cd",
    "chmod",
    "cp",
    "env/bin/pip",
    "env/bin/ray",
    "export",
    "git",
    "head",
    "pip",
    "pre-commit",
    "python3",
    "sed",
    "source",
)
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_HELP = re.compile(r"make [a-z-]+ {2,}[^#\s].*")


class Command(NamedTuple):
    """A command without its comment and its environment.

    Attributes:
        page: where it is shown.
        words: the program and its arguments.
        whole: whether it is shown in a block, where it has all that it needs; inline, arguments may be left out.
    """

    page: Path
    words: list[str]
    whole: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {' '.join(self.words)}"


def commands() -> list[Command]:
    """Return every command of every page, in order."""
    return [command for page in PAGES for command in (*_in_blocks(page), *_inline(page))]


def help_lines() -> Iterator[tuple[Path, str]]:
    """Yield each line of the output of `make help` that a page shows, with its page."""
    for page in PAGES:
        for _, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            yield from ((page, line) for line in block.splitlines() if _HELP.fullmatch(line))


def mixed_blocks() -> Iterator[tuple[Path, str]]:
    """Yield each block without `$ ` in which some lines are commands and some are not, with its page."""
    for page in PAGES:
        for language, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            lines = [line for line in block.replace("\\\n", " ").splitlines() if line and not line.startswith("# ")]
            typed = [line for line in lines if _is_typed(line)]
            if not language and typed and len(typed) < len(lines) and "$ " not in [line[:2] for line in lines]:
                yield page, block


def _in_blocks(page: Path) -> Iterator[Command]:
    for language, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in ("", "bash", "console", "sh"):
            lines = block.replace("\\\n", " ").splitlines()
            typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
            for line in typed or filter(_is_typed, lines):
                yield from (Command(page, words, True) for words in _split(line))


def _is_typed(line: str) -> bool:
    first = next((word for word in line.split() if not re.match(r"\w+=", word)), "")
    return first in (*PROGRAMS, *OTHERS) and not _HELP.fullmatch(line)


def _inline(page: Path) -> Iterator[Command]:
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for code in _CODE.findall(text):
        if _is_typed(code) and " " in code.strip():
            yield from (Command(page, words, False) for words in _split(" ".join(code.split())))


def _split(line: str) -> Iterator[list[str]]:
    """Yield the words of each command of a line, without comments and without what is set in front of a command."""
    words: list[str] = []
    for word in (*shlex.split(line, comments=True), "&&"):
        if word in ("&&", "||", "|", ";"):
            if words:
                yield words
            words = []
        elif words or not re.match(r"\w+=", word):
            words.append(word)
