"""params.yaml as text: values and keys change on their own lines, and comments stay, as with `dvc exp run -S`."""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from maskline.files.dotted import set_values


class _Block(NamedTuple):
    """Where a key is in a text: lines of the comments above it from `head`, its own from `start` to before `end`."""

    head: int
    start: int
    end: int


def with_values(text: str, values: Mapping[str, Any]) -> str:
    """Return params.yaml with other values, by dotted key; every key must be there."""
    editor = YAML()  # as DVC has it
    params = editor.load(text)
    set_values(params, values)
    out = io.StringIO()
    editor.dump(params, out)
    return out.getvalue()


def written(value: Any) -> str:
    """Return a value as YAML has it on one line; text that would be read as another value is in quotes."""
    if isinstance(value, list):
        items = (each if _is_plain(each, [each], f"[{each}]") else _quoted(each) for each in value)
        return f"[{', '.join(items)}]"
    return value if _is_plain(value, value, value) else _quoted(value)


def _quoted(value: Any) -> str:
    return written(value) if isinstance(value, list) else json.dumps(value, ensure_ascii=False)


def _is_plain(value: Any, meant: Any, text: Any) -> bool:
    """Return whether a value is a string, and YAML reads `text`, which has it without quotes, as what is meant."""
    try:
        return isinstance(value, str) and bool(YAML(typ="safe").load(text) == meant)
    except YAMLError:
        return False


def with_keys_of(text: str, model: str) -> tuple[str, list[str], list[str]]:
    """Return params.yaml with the keys of another: the text, and the dotted keys that came and that went.

    A key that came has the other's value and comments, and its place. Every other line stays.
    """
    of_model, of_text = _blocks(model), _blocks(text)
    gone = [key for key in of_text if key not in of_model]
    new = [key for key in of_model if key not in of_text]
    for key in gone:
        text = _without(text, key)
    order, lines = list(of_model), model.splitlines()
    for key in new:
        at = order.index(key)
        block = of_model[key]
        text = _with(text, lines[block.head : block.end], order[at - 1] if at else None)
    return text, new, gone


def _without(text: str, key: str) -> str:
    lines, block = text.splitlines(), _blocks(text)[key]
    return _joined(lines[: block.head] + lines[block.end :])


def _with(text: str, added: list[str], after: str | None) -> str:
    """Add a key's lines after those of another key, or before the first."""
    lines, blocks = text.splitlines(), _blocks(text)
    place = next(iter(blocks.values())).start if after is None else blocks[after].end
    return _joined(lines[:place] + added + lines[place:])


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _blocks(text: str) -> dict[str, _Block]:
    """Return the place of each key, sections included, in order.

    Comments belong to the key below them, except those at the top, which are the file's.
    """
    lines, starts = text.splitlines(), dict(_starts(yaml.compose(text, yaml.SafeLoader)))
    blocks: dict[str, _Block] = {}
    head = min(starts.values())
    for (key, start), following in zip(starts.items(), [*list(starts.values())[1:], len(lines)], strict=True):
        end = following
        while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
            end -= 1
        blocks[key] = _Block(head, start, end)
        head = end
    return blocks


def _starts(section: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Yield each dotted key and the number of its line."""
    for key, value in section.value:
        yield prefix + key.value, key.start_mark.line
        if isinstance(value, yaml.MappingNode):
            yield from _starts(value, f"{prefix}{key.value}.")
