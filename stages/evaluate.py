"""Evaluate: predict the test split, count each image's pixels by class, and derive every metric from the counts."""

from pathlib import Path

import entry

from maskline.params.evaluate import EvaluateParams


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
        params=stage.section("evaluate", EvaluateParams),
        batch_size=stage.integer("train.batch_size"),
        seed=stage.integer("seed"),
    )


if __name__ == "__main__":
    entry.main("evaluate", __doc__, run)
