"""The page: the rows of its tables, and the template that draws them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from maskline.contracts.classes import ROLES
from maskline.contracts.examples import PATH as EXAMPLES
from maskline.contracts.figures import Figures
from maskline.contracts.folders import MODEL_FILE
from maskline.contracts.neighbors import FOLDER as NEIGHBORS
from maskline.contracts.pictures import GROUPS
from maskline.contracts.pictures import PATH as PICTURES
from maskline.contracts.suspects import IMAGES as SUSPECT_IMAGES
from maskline.contracts.suspects import KINDS as SUSPECT_KINDS
from maskline.contracts.suspects import MOST as MOST_SUSPECTS
from maskline.contracts.suspects import PATH as SUSPECTS
from maskline.contracts.suspects import REGIONS as SUSPECT_REGIONS
from maskline.files.html import rendered
from maskline.metrics.bootstrap import RANDOM_GROUPS
from maskline.report.borders import near_borders
from maskline.report.curves import curve, kept_epoch, thinned
from maskline.report.findings import findings
from maskline.report.gallery import cards, unique
from maskline.report.headline import LOWER_IS_BETTER, change, comparable, headlines, interval
from maskline.report.inputs import SET_BASELINE, Inputs
from maskline.report.network import network_rows, network_totals
from maskline.report.pictures import embedded, embedded_examples, embedded_neighbors
from maskline.report.reliability import reliability

TEMPLATE = Path(__file__).parent / "template"
MOST_CLASSES = 40  # rows of the confusion matrix, so that the page stays small
MOST_CONFUSIONS = 5
SUSPECTS_SHARE = 0.25  # of what the predictions' pictures may take
PIXELATED = 256  # pictures up to this width are drawn with sharp pixels

LOSS = {"train": "train_loss", "validation": "validation_loss"}
SCORES = {"mean IoU": "validation_mean_iou", "pixel accuracy": "validation_pixel_accuracy"}


def render_page(inputs: Inputs, params: dict[str, Any]) -> str:
    """Return the report as one self-contained HTML5 document, whose only script is named by its hash.

    Args:
        inputs: the run, from `read_inputs`.
        params: nested params, shown as they are; the page's texts name `seed`, `model` and `dataset`.

    Raises:
        ArtifactError: a picture is missing or damaged.
    """
    return rendered(
        TEMPLATE,
        ["page.js"],
        params=params,
        data_name=data_name(inputs, params),
        tables=tables(inputs, params),
        **_figures(inputs),
        **_pictures(inputs),
        **_suspects(inputs),
    )


def _figures(inputs: Inputs) -> dict[str, Any]:
    names = [c.name for c in inputs.manifest.classes]
    values = {row.figure: row.value for row in inputs.figures.headlines}
    baseline = compared_baseline(inputs)
    return {
        "manifest": inputs.manifest,
        "about": inputs.about,
        "images": inputs.figures.images,
        "random_groups": RANDOM_GROUPS,
        "has_baseline": baseline is not None,
        "other_baseline": baseline is not inputs.baseline,
        "set_baseline": SET_BASELINE,
        "model_file": MODEL_FILE.as_posix(),
        "headlines": headlines(inputs.figures, baseline),
        "lower_is_better": LOWER_IS_BETTER,
        "classes": class_rows(inputs, baseline),
        "conventions": inputs.figures.conventions,
        "sizes": sizes(inputs),
        "curves": [curve("Loss", inputs.history, LOSS), curve("Validation scores", inputs.history, SCORES)],
        "history": thinned(inputs.history),
        "kept": kept_epoch(inputs.history),
        "network": network_totals(inputs.network),
        "network_rows": network_rows(inputs.network),
        "matrix": matrix_rows(inputs.confusion),
        "confusions": largest_confusions(inputs.confusion),
        "calibration_error": values["expected_calibration_error"],
        "reliability": reliability(inputs.calibration, values["expected_calibration_error"]),
        "calibration": inputs.calibration,
        "borders": near_borders(inputs.trimap, values["pixel_accuracy"]),
        "trimap": inputs.trimap,
        "void": inputs.void,
        "splits": ROLES,
        "audit": inputs.audit,
        "findings": findings(inputs.audit, names),
    }


def _pictures(inputs: Inputs) -> dict[str, Any]:
    shown = unique(inputs.pictures)
    return {
        "groups": GROUPS,
        "kinds": inputs.pictures.kinds,
        "cards": cards(inputs.pictures, [c.name for c in inputs.manifest.classes]),
        "uris": embedded(inputs.folder / PICTURES.parent, shown, inputs.pictures.kinds),
        "small_pictures": all(picture.width <= PIXELATED for picture in shown),
        "examples": embedded_examples(inputs.folder / EXAMPLES.parent, inputs.examples),
        "neighbors": embedded_neighbors(inputs.folder / NEIGHBORS, inputs.audit.leakage),
    }


def _suspects(inputs: Inputs) -> dict[str, Any]:
    pictures = inputs.suspects.pictures
    return {
        "suspects": pictures,
        "looked_at": inputs.suspects.images,
        "suspect_uris": embedded(inputs.folder / SUSPECTS.parent, pictures, SUSPECT_KINDS, share=SUSPECTS_SHARE),
        "suspect_kinds": {"image": "image", "truth": "label", "prediction": "prediction"},
        "suspect_tables": [SUSPECT_IMAGES.as_posix(), SUSPECT_REGIONS.as_posix()],
        "most_suspects": MOST_SUSPECTS,
        "class_colors": {c.name: c.color for c in inputs.manifest.classes},
        "small_suspects": all(picture.width <= PIXELATED for picture in pictures),
    }


def data_name(inputs: Inputs, params: dict[str, Any]) -> str:
    """Return what the user calls the data: the name of their own folder, or the data set's."""
    is_own = params["dataset"]["name"] == "folder" or inputs.audit.annotations is not None
    folder = Path(params["dataset"]["path"]).name if is_own else ""
    return folder.strip(".") or inputs.manifest.source.name


def compared_baseline(inputs: Inputs) -> Figures | None:
    """Return the baseline if it is of the same test images, else None."""
    baseline = inputs.baseline
    return baseline if baseline is not None and comparable(inputs.figures, baseline) else None


def class_rows(inputs: Inputs, baseline: Figures | None) -> list[dict[str, Any]]:
    """Return name, color, figures, interval, change, IoU by size and share of the truth of each class, in order."""
    total = sum(row.pixels for row in inputs.figures.classes)
    by_size = {(row.name, row.size): row for row in inputs.sizes}
    before = {} if baseline is None else {row.name: row.iou for row in baseline.classes}
    return [
        {
            **row.model_dump(),
            "color": c.color,
            "interval": interval(row),
            "change": change("iou", row.iou, before.get(c.name), interval(row)),
            "by_size": [by_size[c.name, size] for size in sizes(inputs)],
            "share": row.pixels / total if total else 0.0,
        }
        for c, row in zip(inputs.manifest.classes, inputs.figures.classes, strict=True)
    ]


def sizes(inputs: Inputs) -> list[str]:
    """Return the names of the object sizes, in the table's order."""
    return list(dict.fromkeys(row.size for row in inputs.sizes))


def matrix_rows(confusion: np.ndarray) -> list[tuple[int, list[tuple[int, int, float | None]]]]:
    """Return rows (true class, [(predicted class, pixels, share of the true class, or None without pixels)]).

    Of more than MOST_CLASSES classes, those with the most true pixels are kept.
    """
    truth = confusion.sum(axis=1)
    kept = sorted(np.argsort(-truth, kind="stable")[:MOST_CLASSES].tolist())
    return [
        (i, [(j, int(confusion[i, j]), float(confusion[i, j] / truth[i]) if truth[i] else None) for j in kept])
        for i in kept
    ]


def largest_confusions(confusion: np.ndarray) -> list[tuple[int, int, int, float]]:
    """Return (true class, predicted class, pixels, share of the true class) of the most frequent mistakes."""
    wrong = confusion * (1 - np.eye(len(confusion), dtype=confusion.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [
        (int(i), int(j), int(wrong[i, j]), float(wrong[i, j] / confusion[i].sum())) for i, j in pairs if wrong[i, j]
    ]


def tables(inputs: Inputs, params: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the params by section, then how the test images were predicted, then the libraries' versions."""
    more = {"inference": inputs.about.inference, "versions": inputs.about.versions}
    return [*flat_params(params), *((name, _flat("", values)) for name, values in more.items() if values)]


def flat_params(params: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (section, [(dotted key, value as in YAML)]); keys of no section come first, under ''."""
    loose = [(key, _text(value)) for key, value in params.items() if not isinstance(value, dict)]
    sections = [(key, _flat("", value)) for key, value in params.items() if isinstance(value, dict)]
    return [("", loose), *sections] if loose else sections


def _flat(prefix: str, values: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for key, value in values.items():
        rows += _flat(f"{prefix}{key}.", value) if isinstance(value, dict) else [(prefix + key, _text(value))]
    return rows


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
