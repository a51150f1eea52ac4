"""Report: write the page metrics/report.html, and copy the audit and the history next to it."""

from pathlib import Path

import entry

from maskline.files.artifacts import write_bytes
from maskline.report.inputs import AUDIT, HISTORY, read_inputs
from maskline.report.page import render_page
from maskline.report.reading import read_bytes


def run(stage: entry.Stage) -> None:
    """Read what the earlier stages wrote in the current folder and write metrics/."""
    folder, metrics = Path(), Path("metrics")
    inputs = read_inputs(folder)
    params = {key: value for key, value in stage.declared().items() if key != "repo"}
    page = render_page(inputs, params)
    write_bytes(metrics / "dataset.json", read_bytes(folder / AUDIT))
    write_bytes(metrics / "history.csv", read_bytes(folder / HISTORY))
    write_bytes(metrics / "report.html", page.encode())
    print(f"report: metrics/report.html ({len(page.encode()) / 1e6:.1f} MB)")


if __name__ == "__main__":
    entry.main("report", __doc__, run)
