"""What stages hand each other: each file is typed and placed once, and dvc.yaml knows the same places."""

import ast
import io
from pathlib import Path

import numpy as np
import pytest
from fake_run import make_run
from test_declarations import ROOT, STAGES

from maskline.contracts import (
    about,
    audit,
    counts,
    dataset,
    encoder_weights,
    evaluation,
    examples,
    figures,
    folders,
    history,
    images,
    manifest,
    pictures,
    source,
    suspects,
    tables,
)
from maskline.contracts.counts import Counts, entries, new_counts, read_matrices
from maskline.contracts.dataset import dataset_figures
from maskline.contracts.evaluation import deciding_figures
from maskline.contracts.figures import HEADLINES, Figures
from maskline.contracts.tables import ClassRow, HeadlineRow
from maskline.files.records import read_record, write_record
from maskline.metrics import scores

FOLDERS = [folders.RAW, folders.WEIGHTS, folders.SHARDS, folders.MODEL, folders.EVALUATION]
CACHED = [
    source.PATH, encoder_weights.PATH, manifest.PATH, audit.PATH, examples.PATH, history.PATH, folders.MODEL_FILE,
    about.PATH, counts.PATH, figures.PATH, images.PATH, pictures.PATH, suspects.PATH,
]  # fmt: skip
TRACKED = [
    evaluation.PATH, dataset.PATH, tables.HEADLINES, tables.CLASSES, tables.CONVENTIONS, tables.CONFUSION,
    tables.CALIBRATION, tables.TRIMAP, tables.SIZES, suspects.REGIONS, suspects.IMAGES,
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
    headlines = [HeadlineRow(figure=key, value=1.0, low=0.5, high=1.0) for key in reversed(HEADLINES)]
    row = {"iou": None, "low": None, "high": None, "boundary_iou": 0.5, "dice": 0.5, "precision": 0.5, "recall": 0.5}
    record = Figures(
        test_split="1" * 64,
        resolution="model",
        images=3,
        headlines=headlines,
        classes=[ClassRow(name="a b", pixels=7, **row)],
        conventions=[],
    )
    write_record(tmp_path / "figures.json", record)
    assert read_record(tmp_path / "figures.json", Figures) == record
    assert list(deciding_figures(record).items()) == [*((key, 1.0) for key in HEADLINES), ("iou.a b", None)]


def test_a_change_of_every_figure_of_a_dozen_classes_fits_a_terminal(tmp_path):
    make_run(tmp_path)
    found = read_record(tmp_path / figures.PATH, Figures)
    dozen = [found.classes[0].model_copy(update={"name": str(i)}) for i in range(12)]
    assert len(deciding_figures(found.model_copy(update={"classes": dozen}))) <= 25


def test_what_people_compare_of_the_audit_is_flat(tmp_path):
    make_run(tmp_path)
    assert dataset_figures(read_record(tmp_path / audit.PATH, audit.Audit)) == {
        "images.train": 320,
        "images.validation": 40,
        "images.test": 20,
        "void_share": pytest.approx((320 * 0.0312 + 40 * 0.0298 + 20 * 0.0305) / 380, abs=1e-6),
        "class_drift.validation": 0.0,
        "class_drift.test": 0.132,
        "duplicates.exact": 1,
        "duplicates.near": 0,
        "leakage.validation": 0.025,
        "leakage.test": 0.3,
        "groups.cut": 1,
    }


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
