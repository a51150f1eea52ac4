"""A comparison of params over several seeds as text for a terminal, as Markdown and as JSON."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tabulate import tabulate

from maskline.comparison.compare import CONFIDENCE
from maskline.comparison.seeds import BY_IMAGES, LEAST, Row, SeedsComparison
from maskline.comparison.text import code, figure, interval
from maskline.files.artifacts import json_text
from maskline.messages import printable
from maskline.metrics.scores import rounded

_HEADERS = ("metric", "A", "±", "B", "±", "B - A", f"{100 * CONFIDENCE:.0f} % interval", "p", "B is")
_SIDES = ("left", *["right"] * 7, "left")


def as_text(comparison: SeedsComparison) -> str:
    """Return a table for a terminal, with notes on how to read it."""
    return "\n\n".join([_title(comparison), _table(comparison, "simple", printable), *_notes(comparison)])


def as_markdown(comparison: SeedsComparison) -> str:
    """Return the table and the notes as Markdown."""
    return "\n\n".join([_title(comparison), _table(comparison, "github", code), *_notes(comparison)])


def as_json(comparison: SeedsComparison) -> str:
    """Return the figures as JSON; figures without a value are null."""
    return json_text(
        {
            "a": _runs(comparison.a),
            "b": _runs(comparison.b),
            "images": comparison.images,
            "about": "params" if comparison.is_about_params else "models",
            "resamples": comparison.resamples,
            "seed": comparison.seed,
            "confidence": CONFIDENCE,
            "metrics": {row.metric: _figures(row) for row in comparison.rows},
        }
    )


def _runs(side: dict[int, str]) -> list[dict[str, Any]]:
    return [{"seed": seed, "run": name} for seed, name in side.items()]


def _figures(row: Row) -> dict[str, Any]:
    sides = {"a": row.a, "b": row.b}
    return {
        **{side: [rounded(value) for value in values] for side, values in sides.items()},
        **{f"mean_{side}": rounded(float(np.mean(values))) for side, values in sides.items()},
        **{f"standard_deviation_{side}": rounded(_deviation(values)) for side, values in sides.items()},
        **{name: rounded(getattr(row, name)) for name in ("difference", "low", "high", "p_value")},
        "verdict": row.verdict,
    }


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _title(comparison: SeedsComparison) -> str:
    sides = (f"{side} is {_named(runs)}" for side, runs in (("A", comparison.a), ("B", comparison.b)))
    return "\n".join([*sides, f"On {comparison.images:,} test images:"])


def _named(runs: dict[int, str]) -> str:
    return f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}: {', '.join(runs.values())}."


def _table(comparison: SeedsComparison, style: str, name: Callable[[str], str]) -> str:
    rows = [[name(row.metric), *_cells(row)] for row in comparison.rows]
    return tabulate(rows, _HEADERS, style, disable_numparse=True, colalign=_SIDES)


def _cells(row: Row) -> list[str]:
    sides = [text for side in (row.a, row.b) for text in (figure(float(np.mean(side))), figure(_deviation(side)))]
    return [*sides, figure(row.difference, "+"), interval(row.low, row.high), _p_value(row.p_value), row.verdict]


def _p_value(value: float) -> str:
    return "<0.0001" if value < 0.0001 else figure(value)


def _notes(comparison: SeedsComparison) -> list[str]:
    if comparison.is_about_params:
        return [
            "A and B are means over the runs of a side, and ± is their standard deviation.\n"
            "Intervals and p-values are of seeds and images together (Student's t), so the\n"
            "verdict is about the params, on images like these.",
            f"Mean IoU is tested first. The other {len(comparison.rows) - 1} metrics count only if it differs,\n"
            "and are corrected for their number. If A and B have the same params, at most 1\n"
            "table in 20 calls any metric better or worse.",
        ]
    return [
        "A and B are means over the runs of a side, and ± is their standard deviation.\n"
        f"With fewer than {LEAST} seeds on a side nobody can tell whether the params differ: run\n"
        f"{LEAST} or more of each.",
        f"'better {BY_IMAGES}' means that each model of B beats each model of A beyond what\n"
        "chance among the images explains. It is about these models; other seeds give others.",
    ]
