"""What stages hand each other: each file is typed and placed once, and dvc.yaml knows the same places."""

import ast
import io
from pathlib import Path

import numpy as np
import pytest
from test_declarations import ROOT, STAGES

from maskline.contracts import (
    about,
    audit,
    counts,
    encoder_weights,
    evaluation,
    examples,
    folders,
    history,
    images,
    manifest,
    pictures,
    source,
    tables,
)
from maskline.contracts.counts import Counts, entries, new_counts, read_matrices
from maskline.contracts.evaluation import HEADLINES, Evaluation, Interval
from maskline.files.records import read_record, write_record
from maskline.metrics import scores

FOLDERS = [folders.RAW, folders.WEIGHTS, folders.SHARDS, folders.MODEL, folders.EVALUATION]
CACHED = [
    source.PATH, encoder_weights.PATH, manifest.PATH, audit.PATH, examples.PATH, history.PATH, folders.MODEL_FILE,
    about.PATH, counts.PATH, images.PATH, pictures.PATH,
]  # fmt: skip
TRACKED = [
    evaluation.PATH, tables.CONFUSION, tables.CALIBRATION, tables.TRIMAP, tables.IOU, tables.SIZES,
]  # fmt: skip


def outputs() -> set[Path]:
    outs = [out for stage in STAGES.values() for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    return {Path(path) for out in outs for path in ([out] if isinstance(out, str) else out)}


def test_every_file_is_an_output_of_a_stage():
    assert set(FOLDERS) | set(TRACKED) <= outputs()
    assert all(any(path.is_relative_to(folder) for folder in FOLDERS) for path in CACHED)


def test_no_path_is_stated_twice():
    """Outside of contracts, no text in the code is one of these paths, or the name of one of these files."""
    known = {path.as_posix() for path in FOLDERS + CACHED + TRACKED} | {path.name for path in CACHED + TRACKED}
    known -= {folders.MODEL_FILE.name}  # what Keras calls a file while it is written
    found = []
    for path in [*(ROOT / "maskline").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        if (ROOT / "maskline/contracts") in path.parents:
            continue
        texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        found += [f"{path.relative_to(ROOT)}: {text}" for text in texts if isinstance(text, str) and text in known]
    assert not found


def test_headlines_are_those_of_a_confusion_matrix_and_two_more():
    assert set(HEADLINES) == {*scores.HEADLINES, "boundary_iou", "expected_calibration_error"}


def test_an_evaluation_is_flat_and_keeps_its_order(tmp_path):
    values = {"images": 3, "mean_iou": 1.0, "iou.a b": None, "pixels.a b": 7}
    interval = {"mean_iou": Interval(low=0.5, high=1.0)}
    record = Evaluation.model_validate(values | {"interval": interval, "conventions": {"other": 0.25}})
    write_record(tmp_path / "evaluation.json", record)
    text = (tmp_path / "evaluation.json").read_text()
    assert '"images": 3,\n  "mean_iou": 1.0,\n  "iou.a b": null,\n  "pixels.a b": 7,\n  "interval"' in text
    again = read_record(tmp_path / "evaluation.json", Evaluation)
    assert again == record and again.figures == values


def test_counts_have_the_declared_shapes_and_dtypes(tmp_path):
    layout = entries(classes=2, distances=3, bins=4)
    assert list(layout) == list(Counts._fields[1:])
    with new_counts(tmp_path, ["b.png", "é.png"], 2, 3, 4) as arrays:
        arrays.matrices[1] = [[1, 2], [3, 4]]
    with np.load(tmp_path / "counts.npz") as written:
        assert written.files == list(Counts._fields)
        assert written["filenames"].tolist() == ["b.png", "é.png"]
        for name, entry in layout.items():
            assert (written[name].shape, written[name].dtype) == ((2, *entry.shape), np.dtype(entry.dtype))
    assert [path.name for path in tmp_path.iterdir()] == ["counts.npz"]
    with open(tmp_path / "counts.npz", "rb") as file:
        filenames, matrices = read_matrices(file, 2)
    assert filenames.tolist() == ["b.png", "é.png"] and matrices[1].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("filenames", "matrices", "reason"),
    [
        (["a", "b"], np.zeros((2, 3, 3), int), r"matrices are int64 \[2, 3, 3\], not integers \[2, 2, 2\]"),
        (["a", "b"], np.zeros((2, 2, 2)), "matrices are float64"),
        (["a", "a"], np.zeros((2, 2, 2), int), "a file name is listed twice"),
        ([], np.zeros((0, 2, 2), int), "not integers"),
        (["a"], None, "matrices"),
    ],
)
def test_what_is_wrong_with_counts_is_named(filenames, matrices, reason):
    arrays = {"filenames": np.array(filenames, "<U1")} | ({} if matrices is None else {"matrices": matrices})
    data = io.BytesIO()
    np.savez(data, **arrays)
    data.seek(0)
    with pytest.raises(ValueError, match=reason):
        read_matrices(data, 2)
    with pytest.raises(ValueError):
        read_matrices(io.BytesIO(b"PK no more"), 2)
