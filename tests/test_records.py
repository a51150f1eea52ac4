"""Records as JSON and tables as CSV: what is written is read back, and what is wrong is named."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.errors import ArtifactError
from maskline.files.records import Record, read_record, read_table, write_record, write_table


class Row(Record):
    name: str
    share: float | None
    chosen: bool


class Text(Record):
    first: str
    second: str


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r"))
ODD = ["\r", "a\rb", "a\r\nb", "\n", "\x0b", "\x0c", "\x1c\x1d\x1e", "\x85", "\u2028\u2029", "\x1b[31m", '"', "é, è"]


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), min_size=1))
def test_csv_reads_back_with_unix_line_ends(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "file.csv"
    records = [Text(first=first, second=second) for first, second in rows]
    write_table(path, records)
    data = path.read_bytes()
    assert b"\r" not in data
    assert list(csv.reader(io.StringIO(data.decode(), newline=""))) == [["first", "second"], *rows]
    assert read_table(path, Text) == records


@given(TEXTS, st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_a_record_reads_back_in_the_order_of_its_fields(tmp_path_factory, name, share, chosen):
    path = tmp_path_factory.getbasetemp() / "file.json"
    write_record(path, Row(name=name, share=share, chosen=chosen))
    assert read_record(path, Row) == Row(name=name, share=share, chosen=chosen)
    assert list(json.loads(path.read_bytes())) == ["name", "share", "chosen"]


def test_none_and_nan_are_empty_cells_and_flags_are_0_and_1(tmp_path):
    values = [("a", None, True), ("b", 1e-05, False)]
    rows = [Row(name=name, share=share, chosen=chosen) for name, share, chosen in values]
    write_table(tmp_path / "file.csv", [*rows, rows[0].model_copy(update={"share": float("nan")})])
    assert (tmp_path / "file.csv").read_text() == "name,share,chosen\na,,1\nb,1e-05,0\na,,1\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing"),
        ("{", "is damaged at the file: Invalid JSON"),
        ('{"name": 1, "share": null, "chosen": true}', "is damaged at name: "),
        ('{"name": "a", "share": NaN, "chosen": true}', "is damaged at share: "),
        ('{"name": "a", "share": null, "chosen": true, "more": 1}', "is damaged at more: "),
    ],
)
def test_what_is_wrong_with_a_record_is_named(tmp_path, content, reason):
    path = tmp_path / "file.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ArtifactError) as caught:
        read_record(path, Row)
    assert caught.value.path == path and caught.value.reason.startswith(reason)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing"),
        (b"name,share,chosen\n", "is damaged: it has no rows"),
        (b"\xff", "is damaged: 'utf-8' codec"),
        (b"name,share,chosen\na,1.0,0\nb,1.0,2\n", "is damaged at row 2, chosen: "),
        (b"name,share,chosen\na,1.0\n", "is damaged at row 1, chosen: "),
        (b"name,share,chosen\na,1.0,0,5\n", "is damaged at row 1, "),
        (b"name,share\na,1.0\n", "is damaged at row 1, chosen: Field required"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path, content, reason):
    path = tmp_path / "file.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        read_table(path, Row)
    assert caught.value.path == path and caught.value.reason.startswith(reason)
    assert "\n" not in str(caught.value)


def test_names_with_line_ends_and_separators_read_back(tmp_path):
    rows = [Text(first=name, second=f"{name}x") for name in ODD]
    write_table(tmp_path / "file.csv", rows)
    assert read_table(tmp_path / "file.csv", Text) == rows


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1))
def test_any_text_reads_back(tmp_path_factory, names):
    path = tmp_path_factory.getbasetemp() / "file.csv"
    rows = [Text(first=name, second=name) for name in names]
    write_table(path, rows)
    assert read_table(path, Text) == rows
