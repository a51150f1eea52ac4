"""`dvc exp run -S` changes the lines of the param that it sets, and no other, whatever was set before."""

import re
import string
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import load_yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from maskline.files.dotted import leaves, set_values
from maskline.files.yaml12 import read_yaml
from maskline.params.check import check_params

ROOT = Path(__file__).parents[1]
NAMES = ("params.yaml", "ci/params.yaml")
LISTS = {
    "augment.crop",
    "dataset.classes",
    "dataset.values",
    "dataset.colors",
    "dataset.void",
    "train.class_weights",
    "evaluate.scales",
}


class Key(NamedTuple):
    """Where a key's value is in a file: lines from the key's own to before the next key, or what comes before it."""

    start: int
    end: int


def keys(text: str) -> dict[str, Key]:
    """Return each key of a params file in order; comments and empty lines between two keys belong to neither."""
    starts = dict(starts_of(YAML().load(text)))
    ends = [*list(starts.values())[1:], len(text.splitlines())]
    return {key: Key(start, end - GAPS.get(key, 0)) for (key, start), end in zip(starts.items(), ends, strict=True)}


def starts_of(section: Any, prefix: str = "") -> Any:
    for key, value in section.items():
        yield prefix + key, section.lc.key(key)[0]
        if isinstance(value, dict):
            yield from starts_of(value, f"{prefix}{key}.")


GAPS: dict[str, int] = {}  # how many lines follow a key without being its value's: comments and empty lines
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
for _key, (_start, _end) in keys(TEXT).items():
    GAPS[_key] = sum(not line or line.lstrip().startswith("#") for line in TEXT.splitlines()[_start:_end])
SECTIONS = {key.rpartition(".")[0] for key in GAPS}


def words(value: Any) -> str:
    """Return a value as Hydra's grammar has it, on the right of `-S key=`."""
    if isinstance(value, list):
        return f"[{','.join(map(words, value))}]"
    if isinstance(value, str):
        quoted = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), value)
        return f"'{quoted}'"
    return {"None": "null", "True": "true", "False": "false"}.get(repr(value), repr(value))


def set_param(path: Path, key: str, value: Any) -> None:
    """Do what `dvc exp run -S` does to a file."""
    apply_overrides(path, [f"{key}={words(value)}"])


def comment(line: str) -> str:
    return line.partition("  #")[2].strip()


texts = st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="$"), max_size=30)
paths = st.lists(st.text(string.ascii_letters + "/.-_#:", min_size=1, max_size=12), max_size=15).map(" ".join)
# Numbers that people write: with 16 digits and an exponent, ruamel.yaml changes the last digit.
mantissas = st.integers(-(10**9), 10**9)
floats = st.builds(lambda mantissa, power: float(f"{mantissa}e{power}"), mantissas, st.integers(-12, 12))
numbers = mantissas | floats | st.sampled_from([float("inf"), -float("inf")])
scalars = st.none() | st.booleans() | numbers | texts | paths
edits = st.sampled_from(sorted(GAPS.keys() - SECTIONS)).flatmap(
    lambda key: st.tuples(st.just(key), (st.none() | st.lists(scalars, max_size=4)) if key in LISTS else scalars)
)


@settings(max_examples=30)
@given(name=st.sampled_from(NAMES), sequence=st.lists(edits, min_size=1, max_size=6))
def test_a_set_param_changes_its_own_lines_alone(tmp_path_factory, name, sequence):
    """Any values: mistakes are for the check to refuse, and must not damage the file either."""
    path = tmp_path_factory.mktemp("set") / "params.yaml"
    path.write_bytes((ROOT / name).read_bytes())
    expected, original = read_yaml(path), path.read_text(encoding="utf-8").splitlines()
    before = of_original = keys("\n".join(original))
    lines = original
    for key, value in sequence:
        set_param(path, key, value)
        set_values(expected, {key: value})
        assert load_yaml(path) == read_yaml(path) == expected
        text = path.read_text(encoding="utf-8")
        after, lines_after = keys(text), text.splitlines()
        (start, end_before), (_, end_after) = before[key], after[key]
        assert lines_after[:start] == lines[:start]
        assert lines_after[end_after:] == lines[end_before:]
        assert "\n".join(lines_after[start:end_after]).endswith(comment(original[of_original[key].start]))
        before, lines = after, lines_after


@settings(max_examples=30)
@given(name=st.sampled_from(NAMES), sequence=st.lists(edits, min_size=1, max_size=6))
@pytest.mark.slow
def test_params_that_are_set_back_leave_the_file_as_it_was(tmp_path_factory, name, sequence):
    path = tmp_path_factory.mktemp("set") / "params.yaml"
    path.write_bytes((ROOT / name).read_bytes())
    original = dict(leaves(read_yaml(path)))
    for key, value in sequence:
        set_param(path, key, value)
    for key in {key for key, _ in sequence}:
        set_param(path, key, original[key])
    found = [re.sub(r" +#", " #", line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert found == [re.sub(r" +#", " #", line) for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]


def test_a_value_once_set_may_be_emptied_again(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT, encoding="utf-8")
    for key, value in (("dataset.void", [11]), ("dataset.void", []), ("dataset.limit", 3), ("dataset.limit", None)):
        set_param(path, key, value)
    assert path.read_text(encoding="utf-8") == TEXT


def test_the_first_trial_of_everyone_is_valid(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT, encoding="utf-8")
    set_param(path, "train.epochs", 1)
    assert check_params(read_yaml(path), path).train.epochs == 1


def test_lists_of_the_old_form_and_null_in_words_are_read(tmp_path):
    path = tmp_path / "params.yaml"
    text = TEXT.replace("  scales:\n  - 1.0\n", "  scales: [1.0]\n").replace("  limit: ", "  limit: null ")
    path.write_text(text, encoding="utf-8")
    assert text != TEXT and read_yaml(path) == read_yaml(ROOT / "params.yaml")
