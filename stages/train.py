"""Train: fit the model on the shards, resume from the last checkpoint if there is one, and keep the best epoch."""

from pathlib import Path

import entry

from maskline.contracts.folders import MODEL, SHARDS, WEIGHTS
from maskline.params.augment import AugmentParams
from maskline.params.model import ModelParams
from maskline.params.train import TrainParams


def run(stage: entry.Stage) -> None:
    """Write data/model/."""
    entry.import_tensorflow()
    from maskline.engine.device import choose_device
    from maskline.training.train import train

    print(f"{stage.name}: runs on {choose_device()}.", flush=True)
    train(
        SHARDS,
        WEIGHTS,
        MODEL,
        Path(".checkpoints"),
        seed=stage.integer("seed"),
        model=stage.section("model", ModelParams),
        augment=stage.section("augment", AugmentParams),
        params=stage.section("train", TrainParams),
        code=stage.code,
    )


if __name__ == "__main__":
    entry.main("train", __doc__, run)
