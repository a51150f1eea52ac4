"""As a new user would: one data set in every form, planned, run and scored without a param by hand.

For each form it writes the folder, with shuffled file names, makes a project of it with `maskline plan --write` in a
copy of this repository, runs `dvc repro`, and compares the masks that download prepared with the original ones. It
prints all that the commands print. A table at the end has for each form what plan found, the seconds of plan and of
each stage, test mean IoU, and the share of pixels that are equal.

Run it on drawn scenes, or on CamVid in SegNet's form:

    python benchmarks/own_data.py
    python benchmarks/own_data.py --data .../CamVid --limit 60 --minutes 2 --only coco yolo
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from own_formats import FORMATS, ROOT, VOID, Labeled, Splits, together
from PIL import Image
from scipy.optimize import linear_sum_assignment
from tabulate import tabulate

from maskline.contracts.classes import ROLES
from maskline.contracts.source import read_source
from maskline.files.yaml12 import read_yaml
from maskline.shards.decode import decode_mask
from maskline.shards.source_examples import example_name, list_examples, read_features

STREET = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
STAGES = ("download", "preprocess", "train", "evaluate", "report")


class Row(NamedTuple):
    """What a form came to."""

    form: str
    found: str
    plan: float
    seconds: list[float]
    mean_iou: float
    equal: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="CamVid in SegNet's form; default: drawn scenes")
    parser.add_argument("--limit", type=int, default=60, help="images of a split; default: %(default)s")
    parser.add_argument("--minutes", default="1", help="of training, for plan; default: %(default)s")
    parser.add_argument("--only", nargs="+", choices=FORMATS, default=list(FORMATS), metavar="FORM")
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it")
    options = parser.parse_args()
    splits, names = drawn(options.limit) if options.data is None else camvid(options.data, options.limit)
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.keep or Path(temporary)).resolve()
        repository = copy_of_project(work / "maskline")
        rows = [as_a_user(form, splits, names, work / "data", repository, options.minutes) for form in options.only]
    head = ["form", "plan found", "plan", *STAGES, "mean IoU", "equal pixels"]
    cells = [
        [
            row.form,
            row.found,
            *(f"{s:.0f} s" for s in (row.plan, *row.seconds)),
            f"{row.mean_iou:.3f}",
            share(row.equal),
        ]
        for row in rows
    ]
    print(f"\n{tabulate(cells, head, disable_numparse=True)}")


def share(equal: float) -> str:
    return "all" if equal == 1 else f"{100 * equal:.4f} %"


def camvid(folder: Path, limit: int) -> tuple[Splits, list[str]]:
    """Read up to `limit` images of each split, spread evenly; frames get numbers in a random order as names."""
    paths = {split: sorted((folder / split).glob("*.png")) for split in ("train", "val", "test")}
    numbers = iter(np.random.default_rng(0).permutation(sum(map(len, paths.values()))).tolist())
    splits: Splits = {}
    for split, found in paths.items():
        chosen = [found[i] for i in np.linspace(0, len(found) - 1, min(limit, len(found))).round().astype(int)]
        splits[split] = []
        for path in chosen:
            labels = np.array(Image.open(folder / f"{split}annot" / path.name))
            labels[labels >= len(STREET)] = VOID
            splits[split].append(Labeled(f"{next(numbers):04d}.png", path.read_bytes(), labels))
    return splits, STREET


def drawn(limit: int) -> tuple[Splits, list[str]]:
    """Draw scenes of three classes."""
    from raw_data import painted, scene

    rng = np.random.default_rng(0)
    counts = {"train": limit, "val": max(2, limit // 4), "test": max(2, limit // 4)}
    numbers = iter(rng.permutation(sum(counts.values())).tolist())
    splits: Splits = {split: [] for split in counts}
    for split, count in counts.items():
        for _ in range(count):
            labels = scene(rng, 96, 128)
            image = painted(labels) + rng.integers(0, 12, (*labels.shape, 3), np.uint8)
            splits[split].append(Labeled(f"{next(numbers):04d}.png", image, labels))
    return splits, ["sky", "tree", "house"]


def copy_of_project(folder: Path) -> Path:
    """Copy the files that Git tracks or would track to a new repository, so that nothing here changes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "benchmarks/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for command in ("init --quiet", "config user.name A", "config user.email a@example.org", "add --all"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    subprocess.run(["git", "commit", "--quiet", "--message", "maskline"], cwd=folder, check=True)
    return folder


def as_a_user(form: str, splits: Splits, names: list[str], data: Path, repository: Path, minutes: str) -> Row:
    """Write the data in a form, and do what README says to do with one's own images."""
    name = form.replace(" ", "_")
    folder, project = data / name, f"projects/{name}"
    folder.mkdir(parents=True)
    FORMATS[form](folder, splits, names)
    print(f"\n{'=' * 80}\n{form}\n", flush=True)
    begun = time.perf_counter()
    typed(repository, "maskline", "plan", os.path.relpath(folder, repository), "--minutes", minutes, "--write", project)
    planned = time.perf_counter() - begun
    seconds = typed(repository, "dvc", "repro", f"{project}/dvc.yaml")
    params = read_yaml(repository / project / "params.yaml")
    mean_iou = json.loads((repository / project / "metrics/evaluation.json").read_text())["mean_iou"]
    source = read_source(repository / project / "data/raw")
    found = f"{params['dataset']['name']}, {len(source.classes)} classes"
    equal = equal_pixels(repository / project / "data/raw", splits, len(names))
    return Row(form, found, planned, [seconds[stage] for stage in STAGES], mean_iou, equal)


def typed(folder: Path, *command: str) -> dict[str, float]:
    """Run a command, show what it prints, and return the seconds of each stage that it runs."""
    print(f"$ {' '.join(command)}", flush=True)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    seconds: dict[str, float] = {}
    stage, begun = "", time.perf_counter()
    program = [sys.executable, "-m", command[0], *command[1:]]
    with subprocess.Popen(
        program, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if running := re.match(r"Running stage '(?:.*:)?(\w+)':", line):
                seconds[stage] = time.perf_counter() - begun
                stage, begun = running[1], time.perf_counter()
    seconds[stage] = time.perf_counter() - begun
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed with exit code {process.returncode}.")
    return seconds


def equal_pixels(raw: Path, splits: Splits, classes: int) -> float:
    """Return the share of pixels whose prepared class is the original one, classes paired as they agree best."""
    source = read_source(raw)
    originals = {Path(image.name).stem: image.labels for image in together(splits)}
    counts = np.zeros((256, 256), np.int64)
    for role in ROLES:
        if role not in source.splits:
            continue
        for example, features in read_features(list_examples(raw, source, role), source):
            name = example_name(example, features, source)
            original = originals.pop(Path(name).stem.rpartition("-")[2])
            labels = decode_mask(features[source.mask_feature], name, source)
            pairs = original.astype(np.int64) * 256 + labels
            counts += np.bincount(pairs.ravel(), minlength=counts.size).reshape(counts.shape)
    if originals:
        sys.exit(f"{len(originals)} images were not prepared, such as {next(iter(originals))}.")
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / counts.sum())


if __name__ == "__main__":
    main()
