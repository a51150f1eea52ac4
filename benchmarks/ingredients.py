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
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pipeline import ROOT, mean_and_range, recipe_params, run_stages, write_pipeline
from ruamel.yaml import YAML

INPUTS = ("raw", "shards", "weights")
OF_INPUTS = ("seed", "dataset.", "preprocess.", "model.encoder", "model.start_from")  # on which INPUTS depend
STAGE = (str(ROOT / "stages/train.py"),)
Changes = Mapping[str, Any]


class Row(NamedTuple):
    """The changed params, and the script with its arguments that trains with them."""

    changes: Changes
    script: Sequence[str] = STAGE


def change(text: str) -> dict[str, Any]:
    """Return the params of a text such as `train.epochs=3,augment.crop=[96,96]`."""
    pairs = [part.partition("=") for part in re.split(r",(?![^\[]*\])", text)]  # at commas outside of brackets
    return {key: YAML(typ="safe").load(value) for key, _, value in pairs}


def inputs(params: Changes, work: Path) -> Path:
    """Return the folder of the shards and weights that the params need; they are made if they are not there."""
    folder = work / f"inputs-{_digest({key: value for key, value in params.items() if key.startswith(OF_INPUTS)})}"
    if not (folder / "data/shards").exists():
        run_stages(folder, params, ["download", "preprocess"])
    return folder / "data"


def best_score(params: Changes, script: Sequence[str], folder: Path, data: Path) -> float:
    """Train in a folder, unless it is done, and return the best validation mean IoU."""
    history = folder / "data/model/history.csv"
    if not history.exists():
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for each in INPUTS:
            if not (folder / "data" / each).exists():
                (folder / "data" / each).symlink_to((data / each).resolve())
        write_pipeline(folder, params)
        subprocess.run([sys.executable, *script], cwd=folder, check=True)
    with open(history, newline="") as file:
        return max(float(row["validation_mean_iou"]) for row in csv.DictReader(file))


def measure(base: Changes, rows: Mapping[str, Row], options: argparse.Namespace) -> None:
    """Train what is not trained yet, and print a table: the base, and each row's gain over it.

    Args:
        base: all params.
        rows: the changes of each, by its name.
        options: those of `parser`: work, seeds and changes of the base.
    """
    for each in (options.all, *(row.changes for row in rows.values())):
        if unknown := each.keys() - base.keys():
            sys.exit(f"{sys.argv[0]}: no such param: {', '.join(sorted(unknown))}")
    print("| change | mean IoU (lowest to highest) | gain, same seed |\n|---|---|---|")
    scores: dict[str, list[float]] = {}
    for name, row in {"none": Row({}), **rows}.items():
        params = {**base, **options.all, **row.changes}
        data, digest = inputs(params, options.work), _digest([params, row.script])
        scores[name] = [
            best_score({**params, "seed": seed}, row.script, options.work / f"{digest}-{seed}", data)
            for seed in options.seeds
        ]
        gains = [one - other for one, other in zip(scores[name], scores["none"], strict=True)]
        print(f"| {name} | {mean_and_range(scores[name])} | {mean_and_range(gains, '+.4f')} |", flush=True)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options of `measure`."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--all", type=change, default={}, metavar="KEY=VALUE,...", help="a change in every row")
    made.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="default: 1 2 3")
    made.add_argument("--work", type=Path, required=True, help="folder for the runs")
    return made


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:8]


def main() -> None:
    """Measure the changes that the command line names."""
    arguments = parser(__doc__)
    arguments.add_argument("recipe", type=Path, help="a folder with a params.yaml, such as recipes/pets")
    arguments.add_argument("changes", nargs="+", metavar="KEY=VALUE,...", help="changes, of which each makes a row")
    options = arguments.parse_args()
    measure(recipe_params(options.recipe), {text: Row(change(text)) for text in options.changes}, options)


if __name__ == "__main__":
    main()
