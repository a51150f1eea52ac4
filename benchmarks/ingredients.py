"""What each ingredient of a recipe brings, by the validation split: the recipe as it is, and with each change alone.

A change is one or more params, such as `train.loss.dice=0.0` or `train.optimizer=adam,train.weight_decay=0.0`. Every
run has the same images; the seeds are those of weights, order and augmentation. The figure is the mean IoU of the epoch
that training keeps. The test images are never read. Finished runs are not repeated. Data and weights are looked up
where the recipe's own run finds them:

    python benchmarks/ingredients.py recipes/pets --work pets --all dataset.validation_fraction=0.3 train.loss.dice=0.0
    ... --seeds 1 2 3 4
"""

import argparse
import csv
import hashlib
import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pipeline import run_stages
from ruamel.yaml import YAML

from maskline.files.dotted import leaves
from maskline.files.yaml12 import read_yaml

INPUTS = ("raw", "shards", "weights")
OF_INPUTS = ("dataset.", "preprocess.", "model.encoder")  # keys on which download and preprocess depend


def change(text: str) -> dict[str, Any]:
    """Return the params of a text such as `train.epochs=3,augment.flip=false`."""
    pairs = [part.partition("=") for part in text.split(",")]
    return {key: YAML(typ="safe").load(value) for key, _, value in pairs}


def inputs(params: Mapping[str, Any], work: Path) -> Path:
    """Return the folder of the shards and weights that the params need; they are made if they are not there."""
    of_inputs = {key: value for key, value in params.items() if key.startswith(OF_INPUTS)}
    folder = work / f"inputs-{hashlib.sha256(repr(of_inputs).encode()).hexdigest()[:8]}"
    if not (folder / "data/shards").exists():
        run_stages(folder, params, ["download", "preprocess"])
    return folder / "data"


def best_score(params: Mapping[str, Any], folder: Path, data: Path) -> float:
    """Train in a folder, unless it is done, and return the best validation mean IoU."""
    history = folder / "data/model/history.csv"
    if not history.exists():
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for each in INPUTS:
            if not (folder / "data" / each).exists():
                (folder / "data" / each).symlink_to((data / each).resolve())
        run_stages(folder, params, ["train"])
    with open(history, newline="") as file:
        return max(float(row["validation_mean_iou"]) for row in csv.DictReader(file))


def main() -> None:
    """Train what is not trained yet, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, help="a folder with a params.yaml, such as recipes/pets")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE,...", help="changes, of which each makes a row")
    parser.add_argument("--all", type=change, default={}, metavar="KEY=VALUE,...", help="a change in every row")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="default: 1 2 3")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    options = parser.parse_args()
    recipe = {key: value for key, value in leaves(read_yaml(options.recipe / "params.yaml")) if key != "repo"}
    base = recipe | options.all
    print("| change | mean IoU (lowest to highest) | minus the recipe, same seed |\n|---|---|---|")
    scores: dict[str, list[float]] = {}
    for name in ("the recipe", *options.changes):
        params = base | ({} if name == "the recipe" else change(name))
        if unknown := params.keys() - recipe.keys():
            parser.error(f"no such param: {', '.join(sorted(unknown))}")
        data = inputs(params, options.work)
        digest = hashlib.sha256(repr(params).encode()).hexdigest()[:8]
        scores[name] = [
            best_score(params | {"seed": seed}, options.work / f"{digest}-{seed}", data) for seed in options.seeds
        ]
        gains = [one - other for one, other in zip(scores[name], scores["the recipe"], strict=True)]
        cells = (
            f"{statistics.mean(each):{form}} ({min(each):{form}} to {max(each):{form}})"
            for each, form in ((scores[name], ".4f"), (gains, "+.4f"))
        )
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
