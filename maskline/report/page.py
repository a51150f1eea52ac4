"""The page: what stands in each of its tables, and the template that draws them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from maskline.report.curves import chart, kept_epoch, thinned
from maskline.report.findings import findings
from maskline.report.inputs import PER_CLASS, PICTURES, SPLITS, Inputs
from maskline.report.pictures import embedded

MOST_CLASSES = 40  # rows of the confusion matrix, so that the page stays small
MOST_CONFUSIONS = 5

LOSS = {"train": "train_loss", "validation": "validation_loss"}
SCORES = {"mean IoU": "validation_mean_iou", "pixel accuracy": "validation_pixel_accuracy"}


def render_page(inputs: Inputs, params: dict[str, Any]) -> str:
    """Return the report as one self-contained HTML5 document.

    Args:
        inputs: the run, from `read_inputs`.
        params: nested params, shown as they are; `seed` and `model` stand in the heading.

    Raises:
        InputError: a picture is missing or damaged.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    names = [c.name for c in inputs.manifest.classes]
    return environment.get_template("page.html.jinja").render(
        manifest=inputs.manifest,
        metrics=inputs.metrics,
        void=inputs.void,
        splits=SPLITS,
        audit=inputs.audit,
        findings=findings(inputs.audit, names),
        charts=[chart("Loss", inputs.history, LOSS), chart("Validation scores", inputs.history, SCORES)],
        history=thinned(inputs.history),
        kept=kept_epoch(inputs.history),
        classes=class_rows(inputs),
        matrix=matrix_rows(inputs.confusion),
        confusions=largest_confusions(inputs.confusion),
        pictures=inputs.pictures,
        uris=embedded(inputs.folder / PICTURES.parent, inputs.pictures, inputs.manifest.height, inputs.manifest.width),
        params=params,
        flat_params=flat_params(params),
    )


def class_rows(inputs: Inputs) -> list[dict[str, Any]]:
    """Return name, colour, figures and share of the truth's pixels of each class, in class order."""
    total = sum(inputs.metrics[f"pixels.{c.name}"] or 0 for c in inputs.manifest.classes)
    return [
        {
            "name": c.name,
            "color": c.color,
            **{figure: inputs.metrics[f"{figure}.{c.name}"] for figure in PER_CLASS},
            "share": (inputs.metrics[f"pixels.{c.name}"] or 0) / total if total else 0.0,
        }
        for c in inputs.manifest.classes
    ]


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
