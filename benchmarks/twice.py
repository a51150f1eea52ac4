"""Run download, preprocess, train and evaluate twice, in different environments, for each architecture and each loss.

The environments differ in folder, user, home, locale, time zone, hash seed, and the number of cores for preprocess.
Augmentation, dropout, a moving average of the weights and class weights are on. Architectures are trained in
mixed_bfloat16, and losses with U-Net in float32. Prints the outputs whose bytes differ; the exit code is 1 if there are
any:

    python benchmarks/twice.py --work twice
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipeline import ROOT, digests, write_pipeline

sys.path.insert(0, str(ROOT))

from maskline.models.catalogue import NETWORKS
from maskline.params.train import LossParams

SMALL = {
    "dataset.limit": 16,
    "preprocess.height": 32,
    "preprocess.width": 32,
    "preprocess.examples_per_shard": 4,
    "model.width": 4,
    "model.dropout": 0.2,
    "augment.scale": 0.2,
    "augment.rotation": 10.0,
    "augment.brightness": 0.1,
    "augment.contrast": 0.1,
    "augment.saturation": 0.1,
    "train.epochs": 2,
    "train.batch_size": 8,
    "train.class_weights": "median_frequency",
    "train.ema": 0.9,
    "evaluate.samples": 2,
}
ENVIRONMENTS = {
    "here": {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C", "USER": "ada", "HOME": "/tmp"},
    "elsewhere, ein anderer Ört": {
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "C.UTF-8",
        "USER": "grace",
        "HOME": "/",
    },
}
STAGES = ("download", "preprocess", "train", "evaluate")
# All stages run in one process, so that TensorFlow is imported once.
DRIVER = """
import os, runpy, sys
stages, cores = sys.argv[2:], int(sys.argv[1])
for stage in stages:
    os.sched_setaffinity(0, sorted(ALL)[:cores] if stage.endswith("preprocess.py") else ALL)
    sys.argv[:] = [stage]
    sys.path[0] = os.path.dirname(stage)
    runpy.run_path(stage, run_name="__main__")
"""


def cases() -> dict[str, dict[str, Any]]:
    """Return the params of each case by its name."""
    found: dict[str, dict[str, Any]] = {
        name: {
            "model.architecture": name,
            "model.encoder": "mobilenet_v2" if "mobilenet_v2" in network.encoders else network.encoders[0],
            "train.precision": "mixed_bfloat16",
        }
        for name, network in NETWORKS.items()
    }
    for name in LossParams.model_fields:
        found[f"loss {name}"] = {f"train.loss.{other}": float(other == name) for other in LossParams.model_fields}
    return found


def outcome(folder: Path, changes: Mapping[str, Any], environment: Mapping[str, str], cores: int) -> dict[str, str]:
    """Run the stages in a folder, return the digests of their outputs, and remove the folder."""
    write_pipeline(folder, SMALL | changes)
    driver = DRIVER.replace("ALL", repr(os.sched_getaffinity(0)))
    stages = [str(ROOT / f"stages/{stage}.py") for stage in STAGES]
    done = subprocess.run(
        [sys.executable, "-c", driver, str(cores), *stages],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{folder} failed:\n{done.stderr[-2000:]}")
    found = digests(folder, ["data", "metrics"])
    shutil.rmtree(folder)
    return found


def main() -> None:
    """Run every case in both environments at the same time, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--only", nargs="*", help="names of cases, such as unet or 'loss dice'; default: all")
    options = parser.parse_args()
    unequal = 0
    with ThreadPoolExecutor(len(ENVIRONMENTS)) as pool:
        for name, changes in cases().items():
            if options.only and name not in options.only:
                continue
            runs = [
                pool.submit(outcome, options.work.resolve() / place / name, changes, environment, cores)
                for cores, (place, environment) in enumerate(ENVIRONMENTS.items(), 1)
            ]
            first, second = (run.result() for run in runs)
            different = sorted(path for path in {*first, *second} if first.get(path) != second.get(path))
            unequal += bool(different)
            print(f"{name}: {len(first)} outputs, {', '.join(different) or 'all equal'}", flush=True)
    sys.exit(1 if unequal else 0)


if __name__ == "__main__":
    main()
