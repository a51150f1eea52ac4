"""The confusion template of `dvc plots`: filled by DVC's own renderer for one and for two revisions."""

import csv
import json
from pathlib import Path

import pytest
from dvc_render.vega import VegaRenderer
from fake_run import NAMES, make_run

TEMPLATES = Path(__file__).parents[1] / ".dvc" / "plots"


@pytest.mark.parametrize("revisions", [["workspace"], ["workspace", "main"]])
def test_template_is_filled(tmp_path: Path, revisions: list[str]) -> None:
    make_run(tmp_path, images=3, samples=1)
    with open(tmp_path / "metrics/confusion.csv", encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    rows = [pair | {"rev": revision} for revision in revisions for pair in pairs]
    renderer = VegaRenderer(
        rows,
        "metrics/confusion.csv",
        x="predicted",
        y="actual",
        title="Confusion",
        template="confusion_shares",
        template_dir=str(TEMPLATES),
    )
    spec = renderer.get_filled_template()
    assert "<DVC_METRIC" not in json.dumps(spec)
    assert [row["actual"] for row in spec["data"]["values"][:: len(NAMES)]] == NAMES * len(revisions)
    axes = spec["spec"]["encoding"]
    assert (axes["x"]["field"], axes["y"]["field"]) == ("predicted", "actual")
    assert axes["x"]["sort"] is None and axes["y"]["sort"] is None
    assert spec["facet"]["column"]["field"] == "rev"
    assert [layer["mark"]["type"] for layer in spec["spec"]["layer"]] == ["rect", "text"]
