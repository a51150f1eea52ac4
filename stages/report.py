"""Report: write the page metrics/report.html, and next to it the history and what people compare of the audit."""

from pathlib import Path

import entry

from maskline.contracts.dataset import PATH as DATASET
from maskline.contracts.dataset import dataset_figures
from maskline.contracts.folders import METRICS
from maskline.contracts.history import PATH as HISTORY
from maskline.files.artifacts import write_bytes, write_json
from maskline.files.records import read_bytes
from maskline.report.inputs import read_inputs
from maskline.report.page import render_page


def run(stage: entry.Stage) -> None:
    """Read what the earlier stages wrote in the current folder and write metrics/."""
    inputs = read_inputs(Path())
    params = {key: value for key, value in stage.declared().items() if key != "repo"}
    page = render_page(inputs, params).encode()
    write_json(DATASET, dataset_figures(inputs.audit))
    write_bytes(METRICS / HISTORY.name, read_bytes(HISTORY))
    path = METRICS / "report.html"
    write_bytes(path, page)
    print(f"report: {path.resolve()} ({len(page) / 1e6:.1f} MB)")


if __name__ == "__main__":
    entry.main("report", __doc__, run)
