"""A copy of the project with its own data set, as a user has it: a Git repository with a DVC pipeline."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from raw_data import painted, scene
from ruamel.yaml import YAML

from maskline.files.dotted import set_values
from maskline.files.yaml12 import read_yaml

ROOT = Path(__file__).parents[2]
# Without what a `make` that runs the tests hands down: a `make` below it prints the folders it enters.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))} | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": str(Path(__file__).parent / "lacking"),
}
PARAMS = {
    "dataset.name": "folder",
    "dataset.classes": ["sky", "tree", "crème brûlée"],
    "dataset.void": [255],
    "dataset.validation_fraction": 0.25,
    "dataset.test_fraction": 0.25,
    "preprocess.height": 32,
    "preprocess.width": 32,
    "preprocess.examples_per_shard": 4,
    "model.width": 8,
    "model.dropout": 0.2,
    "augment.rotation": 10.0,
    "train.epochs": 6,
    "train.batch_size": 2,
    "train.loss.dice": 0.0,
    "train.class_weights": "median_frequency",
    "train.learning_rate": 0.01,
    "train.ema": 0.5,
    "evaluate.samples": 2,
}
KINDS = ("outs", "metrics", "plots")


def photos(folder: Path, count: int = 16) -> Path:
    """Write pairs of JPEG images and PNG masks, with spaces and accents in their names."""
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for index in range(count):
        labels = scene(rng)
        image = painted(labels) + rng.integers(0, 12, (*labels.shape, 3), np.uint8)
        Image.fromarray(image).save(folder / "images" / f"photo {index:02d} é.jpg", quality=92)
        Image.fromarray(labels).save(folder / "masks" / f"photo {index:02d} é.png")
    return folder


def create(folder: Path, data: Path | str) -> Path:
    """Copy the project's files to a new Git repository, whose params name the images in `data`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        made = name == "dvc.lock" or name.startswith(("metrics/", "tests/", "benchmarks/", "docs/"))
        if not made and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for others in ("ci", "recipes"):
        shutil.rmtree(folder / others)
    set_params(folder, PARAMS | {"dataset.path": str(data)})
    git(folder, "init", "--quiet", "--initial-branch", "main")
    identify(folder)
    commit(folder, "The project with my images")
    return folder


def initialize(folder: Path) -> None:
    """Make a folder a Git repository with DVC, which must not look for new versions or send statistics."""
    git(folder, "init", "--quiet", "--initial-branch", "main")
    identify(folder)
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")


def hold_up_to_date(folder: Path) -> None:
    """Write a file for every output, and let DVC record the stages as they are without running them."""
    for stage in read_yaml(folder / "dvc.yaml")["stages"].values():
        outs = [out if isinstance(out, str) else next(iter(out)) for kind in KINDS for out in stage.get(kind, [])]
        for name in (*outs, *(dep for dep in stage["deps"] if not dep.startswith("${"))):
            file = folder / name if Path(name).suffix or Path(name).name.isupper() else folder / name / "file"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("")
    dvc(folder, "commit", "--force", "--quiet")


def stale(folder: Path) -> set[str]:
    """Return the stages that `dvc status` names."""
    return set(json.loads(dvc(folder, "status", "--json")))


def set_params(folder: Path, changes: dict[str, Any]) -> None:
    """Set dotted keys of params.yaml."""
    yaml = YAML()
    values = yaml.load(folder / "params.yaml")
    set_values(values, changes)
    yaml.dump(values, folder / "params.yaml")


def run(folder: Path, *command: str, check: bool = True, **environment: str) -> str:
    """Run a command in the project, and return its output, both streams together."""
    done = subprocess.run(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT | environment
    )
    assert not check or done.returncode == 0, f"{command} exited {done.returncode}:\n{done.stdout}"
    assert check or done.returncode != 0, f"{command} did not fail:\n{done.stdout}"
    return done.stdout


def git(folder: Path, *arguments: str) -> str:
    """Run git."""
    return run(folder, "git", *arguments)


def dvc(folder: Path, *arguments: str, check: bool = True, **environment: str) -> str:
    """Run dvc; with `check=False` it must fail."""
    return run(folder, "dvc", *arguments, check=check, **environment)


def identify(folder: Path) -> None:
    """Set the committer, which a test machine may lack."""
    git(folder, "config", "user.name", "A")
    git(folder, "config", "user.email", "a@example.org")


def clone(source: Path, folder: Path) -> Path:
    """Clone a repository without its cache."""
    git(folder.parent, "clone", "--quiet", str(source), str(folder))
    identify(folder)
    return folder


def copy_of(project: Path, folder: Path) -> Path:
    """Copy a repository with its outputs and its cache, to be changed."""
    return shutil.copytree(project, folder, symlinks=True, ignore=shutil.ignore_patterns("tmp"))


def commit(folder: Path, message: str) -> None:
    """Commit everything that Git does not ignore."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def digests(folder: Path, *names: str) -> dict[str, str]:
    """Return the SHA-256 of the named files and of every file under the named folders."""
    places = [folder / name for name in names]
    files = [file for place in places for file in (place.rglob("*") if place.is_dir() else [place])]
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(files)
        if file.is_file()
    }
