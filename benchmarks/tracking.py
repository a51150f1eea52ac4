"""How long DVC takes to notice one changed file among 100,000 of your own, and how many files it hashes for that.

Small pairs are written once, into a temporary folder. They are dataset.path in turn outside of the project, in it, as a
folder that `dvc add` tracks, and as the same folder in a clone that got it from a remote. The stage is a stub that
writes its two outputs, so that the seconds are DVC's; `--real` runs the stage itself, outside of the project.

No file is hashed twice, which the benchmark asserts for each command. `dvc status` goes through the folder once, and
compares sizes and times. A `dvc repro` that runs the stage does so about ten times, more than half of them for its run
cache.

    python benchmarks/tracking.py              5 to 10 minutes on two cores
    python benchmarks/tracking.py --real
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from pipeline import ROOT, write_pipeline

STUB = "mkdir -p data/raw data/weights && touch data/raw/file data/weights/file"
STAGE_LINES = ("Running stage", "Stage 'download' is cached")
# The command `dvc`, which also writes how many files it hashed under a folder.
DVC = """
import os, sys
from dvc.cli import main
from dvc_data.hashfile import build
hashed, folder, report = set(), *sys.argv[1:3]
hash_file = build.hash_file
def counted(path, *arguments, **options):
    if path.startswith(folder):
        assert path not in hashed, f"{path} is hashed twice"
        hashed.add(path)
    return hash_file(path, *arguments, **options)
build.hash_file = counted
code = main(sys.argv[3:])
open(report, "w").write(str(len(hashed)))
sys.exit(code)
"""


def write_pairs(folder: Path, count: int, size: int) -> None:
    """Write pairs of different images and masks with two classes, `size` pixels wide and high."""
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        write_pair(folder, f"{number:06d}", rng, size)


def write_pair(folder: Path, name: str, rng: np.random.Generator, size: int) -> None:
    """Write an image and a mask."""
    cv2.imwrite(str(folder / "images" / f"{name}.png"), rng.integers(0, 256, (size, size, 3), np.uint8))
    write_mask(folder, name, rng, size)


def write_mask(folder: Path, name: str, rng: np.random.Generator, size: int) -> None:
    """Write a mask."""
    cv2.imwrite(str(folder / "masks" / f"{name}.png"), rng.integers(0, 2, (size, size), np.uint8))


def create(folder: Path, images: str, real: bool) -> None:
    """Write a project with a pipeline of the stage download, as a Git and DVC repository."""
    params = {"dataset.name": "folder", "dataset.path": images, "dataset.classes": ["a", "b"]}
    write_pipeline(folder, params)
    for name in ("none", "imagenet"):
        shutil.copy(ROOT / name, folder / name)
    text = (folder / "dvc.yaml").read_text()
    text = text[: text.index("\n  preprocess:")] + "\n"
    if not real:
        text = text.replace("python ${repo}/stages/download.py", STUB, 1)
    (folder / "dvc.yaml").write_text(text)
    (folder / ".gitignore").write_text("/data/\n/images/\n")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "config", "user.name", "A")
    git(folder, "config", "user.email", "a@example.org")
    subprocess.run(["dvc", "init", "--quiet"], cwd=folder, check=True)
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc" / "config")


def git(folder: Path, *arguments: str) -> None:
    """Run git."""
    subprocess.run(["git", *arguments], cwd=folder, check=True)


class Table:
    """Prints a row for each command of DVC: its seconds, how many files it hashes, and what it finds stale or runs."""

    def __init__(self, work: Path) -> None:
        self.work = work
        print(f"{'dataset.path':<22} {'command':<36} {'seconds':>8} {'hashed':>8}  stale or run")

    def row(self, place: str, what: str, folder: Path, images: Path, *command: str) -> None:
        """Run a command in a project, and print its row."""
        report = self.work / "hashed"
        report.unlink(missing_ok=True)
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", DVC, str(images), str(report), *command],
            cwd=folder,
            capture_output=True,
            text=True,
            env=os.environ | {"DVC_SITE_CACHE_DIR": str(self.work / "site")},
        )
        seconds = time.perf_counter() - begun
        if done.returncode:
            sys.exit(f"dvc {' '.join(command)} failed:\n{done.stderr[-2000:]}")
        found = said(done.stdout)
        print(f"{place:<22} {what:<36} {seconds:8.1f} {report.read_text():>8}  {found}", flush=True)


def said(output: str) -> str:
    """Return the stages that `dvc status --json` names, or those that `dvc repro` runs or takes from its run cache."""
    if output.startswith("{"):
        return ", ".join(json.loads(output)) or "nothing"
    names = [(line.split("'")[1], "cached" in line) for line in output.splitlines() if line.startswith(STAGE_LINES)]
    return ", ".join(f"{name} (from the run cache)" if cached else name for name, cached in names) or "nothing"


def follow(table: Table, place: str, project: Path, images: Path) -> None:
    """Print the costs of a first run, of an unchanged folder, and of each kind of change."""
    status, repro = ("status", "--json"), ("repro", "download")
    table.row(place, "first repro", project, images, *repro)
    table.row(place, "status, nothing changed", project, images, *status)
    table.row(place, "repro, nothing changed", project, images, *repro)
    rng = np.random.default_rng(len(place))
    for change in ("one mask edited", "one pair added", "one pair removed"):
        if change == "one mask edited":
            write_mask(images, "000000", rng, 16)
        elif change == "one pair added":
            write_pair(images, "new", rng, 16)
        else:
            for kind in ("images", "masks"):
                (images / kind / "new.png").unlink()
        table.row(place, f"status, {change}", project, images, *status)
        table.row(place, f"repro, {change}", project, images, *repro)


def follow_tracked(table: Table, project: Path, images: Path, work: Path) -> None:
    """Print the same for a folder that `dvc add` tracks, and for a clone that gets it from a remote."""
    name, status, repro = images.name, ("status", "--json"), ("repro", "download")
    place = "tracked by dvc add"
    table.row(place, "dvc add", project, images, "add", name)
    table.row(place, "status, nothing changed", project, images, *status)
    table.row(place, "repro, nothing changed", project, images, *repro)
    write_mask(images, "000001", np.random.default_rng(2), 16)
    table.row(place, "status, one mask edited", project, images, *status)
    table.row(place, "dvc add, one mask edited", project, images, "add", name)
    table.row(place, "repro, one mask edited", project, images, *repro)
    subprocess.run(["dvc", "remote", "add", "--quiet", "--default", "store", work / "store"], cwd=project, check=True)
    table.row(place, "push", project, images, "push", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "My images")
    other = work / "clone"
    git(work, "clone", "--quiet", str(project), str(other))
    place, images = "pulled from a remote", other / name
    table.row(place, "pull", other, images, "pull", "--quiet")
    table.row(place, "status, nothing changed", other, images, *status)
    table.row(place, "repro, nothing changed", other, images, *repro)
    write_mask(images, "000002", np.random.default_rng(3), 16)
    table.row(place, "status, one mask edited", other, images, *status)


def main() -> None:
    """Print the table, and remove everything that was written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000, help="number of files, two for each pair")
    parser.add_argument("--size", type=int, default=16, help="pixels that an image is wide and high")
    parser.add_argument("--real", action="store_true", help="run the stage itself, outside of the project only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        work = Path(place).resolve()
        images = work / "mine"
        write_pairs(images, options.files // 2, options.size)
        total = sum(file.stat().st_size for file in images.rglob("*.png"))
        print(f"{options.files} files, {total / 1e6:.0f} MB; the stage is {'real' if options.real else 'a stub'}")
        table = Table(work)
        create(work / "project", "../mine", options.real)
        follow(table, "outside of the project", work / "project", images)
        if not options.real:
            create(work / "second", "images", options.real)
            shutil.move(images, work / "second" / "images")
            follow(table, "in the project", work / "second", work / "second" / "images")
            follow_tracked(table, work / "second", work / "second" / "images", work)


if __name__ == "__main__":
    main()
