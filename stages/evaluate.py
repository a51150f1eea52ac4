"""Evaluate: predict the test split, count pixels by image and class, derive every metric, and list labels to check."""

import entry

from maskline.contracts.folders import EVALUATION, METRICS, MODEL_FILE, RAW, SHARDS
from maskline.params.evaluate import EvaluateParams


def run(stage: entry.Stage) -> None:
    """Write data/evaluation/ and the small files that Git tracks."""
    entry.import_tensorflow()
    from maskline.engine.device import choose_device
    from maskline.engine.tasks import engine_name
    from maskline.evaluation.evaluate import evaluate

    nodes = "the CPUs of a Ray cluster, and here on " if engine_name() == "ray" else ""
    print(f"{stage.name}: runs on {nodes}{choose_device()}.", flush=True)
    evaluate(
        RAW,
        SHARDS,
        MODEL_FILE,
        EVALUATION,
        METRICS,
        params=stage.section("evaluate", EvaluateParams),
        batch_size=stage.integer("train.batch_size"),
        seed=stage.integer("seed"),
    )


if __name__ == "__main__":
    entry.main("evaluate", __doc__, run)
