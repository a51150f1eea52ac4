"""Preprocess: audit the images and masks, resize them once, and write them to data/shards as TFRecords."""

import entry

from maskline.contracts.folders import RAW, SHARDS
from maskline.params.preprocess import PreprocessParams
from maskline.params.selection import SelectionParams


def run(stage: entry.Stage) -> None:
    """Write data/shards/."""
    from maskline.shards.write.build import SplitOptions, build_shards
    from maskline.shards.write.convert import Target

    shards = stage.section("preprocess", PreprocessParams)
    selection = stage.section("dataset", SelectionParams)
    build_shards(
        RAW,
        SHARDS,
        Target(shards.height, shards.width, shards.encoding, shards.fit),
        shards.examples_per_shard,
        SplitOptions(
            stage.integer("seed"),
            selection.limit,
            selection.validation_fraction,
            selection.unseen,
            selection.folds,
            selection.fold,
        ),
    )


if __name__ == "__main__":
    entry.main("preprocess", __doc__, run)
