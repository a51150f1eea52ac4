"""Evaluate: predict the test split and derive every metric from counts of each image."""

import entry

from maskline.contracts.folders import EVALUATION, METRICS, MODEL_FILE, RAW, SHARDS


def run(stage: entry.Stage) -> None:
    """Write data/evaluation/ and the small files that Git tracks."""
    entry.import_tensorflow()
    from maskline.evaluation.evaluate import evaluate

    evaluate(
        RAW,
        SHARDS,
        MODEL_FILE,
        EVALUATION,
        METRICS,
        params=stage.params.evaluate,
        batch_size=stage.params.train.batch_size,
        seed=stage.params.seed,
    )


if __name__ == "__main__":
    entry.main("evaluate", __doc__, run)
