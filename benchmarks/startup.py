"""Start-up time and imports of commands that have nothing to do or stop at once.

The commands run in turns, with the import of TensorFlow and DVC's own `dvc status` for comparison. Commands that need
the pipeline's results are left out if these are not up to date.

    dvc repro && python benchmarks/startup.py
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rounds import spread

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("download", "preprocess", "train", "evaluate", "report")
HEAVY = ("tensorflow", "keras", "tensorflow_datasets", "pandas", "matplotlib", "cv2", "dvc")


def commands(wrong: Path) -> dict[str, tuple[Sequence[str], Path]]:
    """Return the commands and their folders by name; `wrong` is a folder with invalid params."""
    python = sys.executable
    stages = {stage: str(ROOT / "stages" / f"{stage}.py") for stage in STAGES}
    finished = {
        "dvc repro, nothing to do": (("dvc", "repro"), ROOT),
        "report": ((python, stages["report"]), ROOT),
        "maskline compare HEAD": (("maskline", "compare", "HEAD"), ROOT),
    }
    return {
        "import tensorflow": ((python, "-c", "import tensorflow"), ROOT),
        "dvc status": (("dvc", "status"), ROOT),
        **{f"{stage} --help": ((python, script, "--help"), ROOT) for stage, script in stages.items()},
        **{f"{stage}, wrong params": ((python, script), wrong) for stage, script in stages.items()},
        "maskline --help": (("maskline", "--help"), ROOT),
        **(finished if up_to_date() else {}),
    }


def up_to_date() -> bool:
    """Return whether `dvc repro` has nothing to do."""
    return subprocess.run(("dvc", "status", "--quiet", "dvc.yaml"), cwd=ROOT, check=False).returncode == 0


def timed(command: Sequence[str], folder: Path) -> float:
    """Run a command, and return the seconds that it takes."""
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return time.perf_counter() - begun


def imported(command: Sequence[str], folder: Path) -> list[str]:
    """Return the heavy packages that a command imports, in its own process or in those it starts."""
    env = os.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=env)
    names = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    return [name for name in HEAVY if name in names]


def main() -> None:
    """Run all commands in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong = Path(folder)
        shutil.copy(ROOT / "dvc.yaml", wrong)
        (wrong / "params.yaml").write_text((ROOT / "params.yaml").read_text().replace("seed: 1 ", "seed: one "))
        found = commands(wrong)
        seconds: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(options.rounds):
            for name, command in found.items():
                seconds[name].append(timed(*command))
        print("| command | seconds (lowest to highest) | imports |\n|---|---|---|")
        for name, each in seconds.items():
            packages = ", ".join(imported(*found[name])) or "none of these"
            print(f"| {name} | {spread(each, '.2f')} | {packages} |")


if __name__ == "__main__":
    main()
