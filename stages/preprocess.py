"""Preprocess: audit the images and masks, resize them once, and shard them as TFRecords."""

from pathlib import Path

import entry


def run(stage: entry.Stage) -> None:
    """Write data/shards/."""
    from maskline.shards.write.build import SplitOptions, build_shards
    from maskline.shards.write.convert import Target

    params = stage.params
    size = params.preprocess
    build_shards(
        Path("data/raw"),
        Path("data/shards"),
        Target(size.height, size.width, size.encoding),
        size.examples_per_shard,
        SplitOptions(params.seed, params.dataset.limit, params.dataset.validation_fraction),
    )


if __name__ == "__main__":
    entry.main("preprocess", __doc__, run)
