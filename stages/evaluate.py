"""Evaluate: predict the test split and derive every metric from counts of each image."""

from pathlib import Path

import entry


def run(stage: entry.Stage) -> None:
    """Write data/evaluation/ and the small files that Git tracks."""
    entry.import_tensorflow()
    from maskline.evaluation.evaluate import evaluate

    evaluate(
        Path("data/raw"),
        Path("data/shards"),
        Path("data/model/model.keras"),
        Path("data/evaluation"),
        Path("metrics"),
        params=stage.params.evaluate,
        batch_size=stage.params.train.batch_size,
        seed=stage.params.seed,
    )


if __name__ == "__main__":
    entry.main("evaluate", __doc__, run)
