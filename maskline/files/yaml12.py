"""A reader of YAML 1.2, the version that DVC reads: `1e-3` is a float, `no` is a string, keys are unique."""

import re
import stat
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from maskline.errors import InputError

MOST = 2**20  # bytes of a file
_MOST_NODES = 100_000  # of a document, those that aliases repeat included
_MOST_LEVELS = 100
_MOST_DIGITS = 100  # of an integer
_SHOWN = 80  # characters of a value in a message
_LONGEST = 500  # characters of a message


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalar rules of the YAML 1.2 core schema, and bounds on what a document can grow to."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._levels = 0
        self._sizes: dict[yaml.Node, int] = {}  # of each node that is whole, with all that is in it

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        self._levels += 1
        if self._levels > _MOST_LEVELS:
            raise _problem(f"values are nested more than {_MOST_LEVELS} levels deep", event)
        node = super().compose_node(parent, index)
        self._levels -= 1
        if isinstance(event, yaml.AliasEvent) and node not in self._sizes:
            raise _problem(f"*{(event.anchor or '')[:_SHOWN]} is inside the value that it repeats", event)
        if node is None:
            return None
        if node not in self._sizes:
            self._sizes[node] = 1 + sum(self._sizes[part] for part in _parts(node))
        if self._sizes[node] > _MOST_NODES:
            raise _problem(f"aliases repeat more than {_MOST_NODES} values", event)
        return node

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value = super().construct_scalar(node)
        pattern = _PATTERNS.get(node.tag)
        if pattern is not None and not pattern.match(value):
            raise _problem(f"{value[:_SHOWN]!r} is not of the type {node.tag}", node)
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise _problem(f"{value[:_SHOWN]!r} holds half of a surrogate pair", node)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise _problem(f"{repr(key)[:_SHOWN]} cannot be a key", key_node)
            if key in seen:
                raise _problem(f"key {repr(key)[:_SHOWN]} appears twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _problem(text: str, place: yaml.Node | yaml.Event) -> yaml.MarkedYAMLError:
    mark: Any = place.start_mark
    return yaml.constructor.ConstructorError(None, None, text, mark)


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """Return the nodes directly in a node."""
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    if len(text) > _MOST_DIGITS:
        raise _problem(f"an integer has more than {_MOST_DIGITS} digits", node)
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 10)
    return sign * int(digits[2:] if base != 10 else digits, base)


_SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?0b[01][01_]*|[-+]?0o[0-7][0-7_]*|[-+]?0x[0-9a-fA-F][0-9a-fA-F_]*|[-+]?[0-9][0-9_]*", "-+0123456789"),
    (
        "float",
        r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
)
_PATTERNS = {f"tag:yaml.org,2002:{tag}": re.compile(rf"(?:{pattern})\Z") for tag, pattern, _ in _SCALARS}
_Loader.yaml_implicit_resolvers = {}
for _tag, _, _first in _SCALARS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _PATTERNS[f"tag:yaml.org,2002:{_tag}"], list(_first))
_CORE = [None, *_PATTERNS, *(f"tag:yaml.org,2002:{tag}" for tag in ("str", "seq", "map"))]
_Loader.yaml_constructors = {tag: yaml.SafeLoader.yaml_constructors[tag] for tag in _CORE}
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def read_yaml(path: Path) -> Any:
    """Return the one document of a YAML 1.2 file.

    Raises:
        InputError: the file is missing, is not a regular file, is too large, is not UTF-8, or is not valid YAML.
    """
    try:
        return parse_yaml(_text(Path(path)), path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run the command in the folder that holds it.") from None
    except UnicodeDecodeError as error:
        raise _invalid(path, error) from None


def parse_yaml(text: str, path: Path) -> Any:
    """Return the one document of a YAML 1.2 text; `path` is its file's, for its errors.

    Raises:
        InputError: it is not valid YAML.
    """
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise _invalid(path, error) from None


def _invalid(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split()).replace('in "<unicode string>", ', "at ")
    return InputError(f"{path} is not valid YAML; correct the place named here: {reason[:_LONGEST]}.")


def _text(path: Path) -> str:
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError(f"{path} is not a regular file; replace it by one.")
    with open(path, "rb") as file:
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise InputError(f"{path} is larger than {MOST} bytes; replace it by the project's file.")
    return data.decode()
