"""Preprocess: audit the images and masks, resize them once, and shard them as TFRecords."""

import entry

from maskline.contracts.folders import RAW, SHARDS


def run(stage: entry.Stage) -> None:
    """Write data/shards/."""
    from maskline.shards.write.build import Choice, build_shards
    from maskline.shards.write.convert import Target

    params = stage.params
    size = params.preprocess
    build_shards(
        RAW,
        SHARDS,
        Target(size.height, size.width, size.encoding),
        size.examples_per_shard,
        Choice(params.seed, params.dataset.limit, params.dataset.validation_fraction),
    )


if __name__ == "__main__":
    entry.main("preprocess", __doc__, run)
