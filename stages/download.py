"""Stage download: the data set in data/raw, the encoder's first weights in data/weights."""

import entry

from maskline.contracts.folders import RAW, WEIGHTS

DESCRIPTION = "Prepare the source as a TFDS data set in data/raw, and the encoder's weights in data/weights."


def run(stage: entry.Stage) -> None:
    """Make both folders; weights first, since they are the quicker to fail."""
    from maskline.datasets.weights import prepare_weights

    params = stage.params
    prepare_weights(params.model, WEIGHTS)
    entry.import_tensorflow()
    from maskline.datasets.prepare import prepare

    prepare(params.dataset, params.seed, RAW)


if __name__ == "__main__":
    entry.main("download", DESCRIPTION, run)
