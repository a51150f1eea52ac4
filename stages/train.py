"""Train: fit the model on the shards, going on from the last checkpoint, and keep its best epoch."""

from pathlib import Path

import entry

from maskline.contracts.folders import MODEL, SHARDS, WEIGHTS


def run(stage: entry.Stage) -> None:
    """Write data/model/."""
    entry.import_tensorflow()
    from maskline.training.train import train

    params = stage.params
    train(
        SHARDS,
        WEIGHTS,
        MODEL,
        Path(".checkpoints"),
        seed=params.seed,
        model=params.model,
        augment=params.augment,
        params=params.train,
        code=stage.code,
    )


if __name__ == "__main__":
    entry.main("train", __doc__, run)
