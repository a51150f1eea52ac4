"""The templates of `dvc plots`: filled by DVC's own renderer for one and for two revisions."""

import csv
import json
import re
from pathlib import Path

import pytest
from dvc_render.vega import VegaRenderer
from fake_run import NAMES, SIZES, make_run

TEMPLATES = Path(__file__).parents[1] / ".dvc" / "plots"
PLOTS = {
    "confusion_shares": ("confusion.csv", "predicted", "actual"),
    "intervals": ("classes.csv", "iou", "class"),
    "class_sizes": ("sizes.csv", "iou", "class"),
    "reliability": ("calibration.csv", "confidence", "accuracy"),
}

by_revisions = pytest.mark.parametrize("revisions", [["workspace"], ["workspace", "main"]])


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plots")
    make_run(folder, images=3, samples=1)
    return folder / "metrics"


def filled(metrics: Path, template: str, revisions: list[str]) -> dict:
    """Return the template as `dvc plots` fills it with the same file of each revision."""
    file, x, y = PLOTS[template]
    with open(metrics / file, encoding="utf-8", newline="") as text:
        table = list(csv.DictReader(text))
    rows = [row | {"rev": revision} for revision in revisions for row in table]
    options = {"x": x, "y": y, "title": "Title", "template": template, "template_dir": str(TEMPLATES)}
    return VegaRenderer(rows, file, **options).get_filled_template()


def fields(spec: object) -> set[str]:
    """Return every field that a mark shows."""
    return set(re.findall(r'"field": "([^"]+)"', json.dumps(spec)))


@by_revisions
@pytest.mark.parametrize("template", PLOTS)
def test_template_is_filled_and_shows_only_what_is_there(metrics: Path, template: str, revisions: list[str]) -> None:
    spec = filled(metrics, template, revisions)
    assert "<DVC_METRIC" not in json.dumps(spec)
    made = set(re.findall(r'"as": "([^"]+)"', json.dumps(spec)))
    assert fields(spec) <= {*spec["data"]["values"][0], *made, "at"} and "rev" in fields(spec)


def test_every_template_of_the_project_is_tried() -> None:
    assert {path.stem for path in TEMPLATES.glob("*.json")} == set(PLOTS)


@by_revisions
def test_confusion_keeps_the_order_of_classes(metrics: Path, revisions: list[str]) -> None:
    spec = filled(metrics, "confusion_shares", revisions)
    assert [row["actual"] for row in spec["data"]["values"][:: len(NAMES)]] == NAMES * len(revisions)
    axes = spec["spec"]["encoding"]
    assert (axes["x"]["field"], axes["y"]["field"]) == ("predicted", "actual")
    assert axes["x"]["sort"] is None and axes["y"]["sort"] is None
    assert spec["facet"]["column"]["field"] == "rev"
    assert [layer["mark"]["type"] for layer in spec["spec"]["layer"]] == ["rect", "text"]


def test_revisions_of_a_class_stand_beside_each_other(metrics: Path) -> None:
    bars = filled(metrics, "intervals", ["workspace", "main"])
    assert [layer["mark"]["type"] for layer in bars["layer"]] == ["bar", "rule"]
    sizes = filled(metrics, "class_sizes", ["workspace", "main"])
    assert sizes["facet"]["column"]["sort"] is None  # as the table has them, from small to large
    assert [row["size"] for row in sizes["data"]["values"][:3]] == list(SIZES)
    for encoding in (bars["encoding"], sizes["spec"]["encoding"]):
        assert encoding["y"]["field"] == "class" and encoding["yOffset"]["field"] == "rev"


@pytest.mark.parametrize(("file", "y"), [("headlines.csv", "figure"), ("conventions.csv", "convention")])
def test_other_tables_fit_the_template_of_intervals(
    metrics: Path, monkeypatch: pytest.MonkeyPatch, file: str, y: str
) -> None:
    monkeypatch.setitem(PLOTS, "intervals", (file, "value", y))
    spec = filled(metrics, "intervals", ["workspace", "main"])
    assert spec["encoding"]["y"]["field"] == y
    assert fields(spec) <= {*spec["data"]["values"][0], "value_number", "low_number", "high_number", "interval"}
