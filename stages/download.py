"""Download: prepare the source as a TFDS data set in data/raw, and the encoder's first weights in data/weights."""

from pathlib import Path

import entry

from maskline.params.encoder import EncoderParams
from maskline.params.source import SourceParams


def run(stage: entry.Stage) -> None:
    """Write both folders, the weights first, because they are quicker to fail."""
    from maskline.datasets.weights import prepare_weights

    prepare_weights(stage.section("model", EncoderParams), Path("data/weights"))
    entry.import_tensorflow()
    from maskline.datasets.prepare import prepare

    prepare(stage.section("dataset", SourceParams), stage.integer("seed"), Path("data/raw"))


if __name__ == "__main__":
    entry.main("download", __doc__, run)
