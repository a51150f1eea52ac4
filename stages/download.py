"""Download: prepare the source as a TFDS data set in data/raw, and the initial weights in data/weights."""

from pathlib import Path

import entry

from maskline.contracts.folders import RAW, WEIGHTS
from maskline.params.encoder import EncoderParams
from maskline.params.source import SourceParams


def run(stage: entry.Stage) -> None:
    """Write both folders. The weights come first, because their mistakes show sooner."""
    from maskline.datasets.weights import prepare_weights

    prepare_weights(stage.section("model", EncoderParams), WEIGHTS)
    entry.import_tensorflow()
    from maskline.datasets.links import report_links
    from maskline.datasets.prepare import prepare

    dataset = stage.section("dataset", SourceParams)
    prepare(dataset, stage.integer("seed"), RAW)
    if dataset.path is not None:
        report_links(Path(dataset.path))


if __name__ == "__main__":
    entry.main("download", __doc__, run)
