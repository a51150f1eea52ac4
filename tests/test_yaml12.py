import math
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml

ROOT = Path(__file__).parents[1]
SCALARS = """1e-3 1E5 1e+5 1.e3 0.1 1. .5 +.5 -.5e-2 .inf -.inf +.INF .Inf .NaN .nan nan inf no yes on off y n No ON
010 0o17 0o8 0x1F -0xA 0b11 0x 0b_ 1_000 1__0 _1 -0 +1 -12 12:30:45 1.2.3 ~ null Null NULL nULL true True TRUE tRUE
false '1' "no" 1e 1e3.5 e5 - ."""


def ours(tmp_path, text):
    (tmp_path / "file.yaml").write_text(text, encoding="utf-8")
    return read_yaml(tmp_path / "file.yaml")


def dvcs(text):
    """Read as DVC does."""
    return YAML(typ="safe", pure=True).load(text)


def same(a, b):
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


@pytest.mark.parametrize("text", SCALARS.split())
def test_scalar_reads_as_dvc_reads_it(tmp_path, text):
    try:
        expected = dvcs(f"key: {text}")["key"]
    except (YAMLError, ValueError):
        assert text in ("-", "0x", "0b_")  # no YAML, or a number without digits, on which ruamel fails
    else:
        assert same(ours(tmp_path, f"key: {text}")["key"], expected)


@given(text=st.text("0123456789+-._eExobBinfatrul", min_size=1, max_size=6))
def test_any_number_like_scalar_reads_as_dvc_reads_it(tmp_path_factory, text):
    assume(not re.match(r"[-+]?\.?_", text))  # ruamel takes a leading underscore for a digit, or fails on it
    assume(not re.fullmatch(r"[-+]?0[xob]_*", text) and text not in ("-", "..."))
    expected = dvcs(f"key: {text}")["key"]
    assert same(ours(tmp_path_factory.getbasetemp(), f"key: {text}")["key"], expected)


def test_dates_stay_text(tmp_path):
    """DVC makes a date of it; no param is a date, so that a name such as 2001-01-01 is left as it is written."""
    assert ours(tmp_path, "key: 2001-01-01") == {"key": "2001-01-01"}


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "ci/params.yaml", "ci/dvc.yaml"])
def test_the_projects_own_files_read_as_dvc_reads_them(name):
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{name} is not there")
    assert read_yaml(path) == dvcs(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", ["key 'a' appears twice", "line 3"]),
        ("a: {b: 1, b: 1}", ["key 'b' appears twice"]),
        ("a: b: c", ["mapping values are not allowed", "line 1, column 5"]),
        ("a: [1", ["flow sequence", "line 1"]),
        ("? [a]\n: 1", ["cannot be a key"]),
        ("a: !!python/object:os.system {}", ["constructor"]),
        ("a: 1\n---\nb: 2", ["single document"]),
        ("a: \x00", ["special characters"]),
    ],
)
def test_bad_yaml_is_named(tmp_path, text, words):
    with pytest.raises(InputError) as caught:
        ours(tmp_path, text)
    sentence = str(caught.value)
    assert sentence.startswith(f"{tmp_path / 'file.yaml'} is not valid YAML; correct the place named here: ")
    assert "\n" not in sentence and "unicode string" not in sentence
    for word in words:
        assert word in sentence


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "file.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(InputError, match=r"file\.yaml is not valid YAML.*utf-8"):
        read_yaml(tmp_path / "file.yaml")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml is missing; run the command in the folder that holds it"):
        read_yaml(tmp_path / "none.yaml")
