"""Memory, open files, threads and processes of the train stage over many epochs, none of which may grow.

python benchmarks/long_run.py --epochs 50
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline import ROOT, run_stages

SMALL = {
    "dataset.limit": 64,
    "preprocess.height": 64,
    "preprocess.width": 64,
    "model.width": 4,
    "model.dropout": 0.2,
    "augment.rotation": 10.0,
    "train.ema": 0.9,
}


def held(pid: int) -> str:
    """Return a process's memory in MiB, open files, threads and children, as cells of a Markdown row."""
    process = Path(f"/proc/{pid}")
    lines = (process / "status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    files = len(list((process / "fd").iterdir()))
    children = (process / f"task/{pid}/children").read_text().split()
    return f"{int(status['VmRSS'].split()[0]) / 1024:.0f} | {files} | {status['Threads'].strip()} | {len(children)}"


def main() -> None:
    """Train, and print what the process uses at the end of some epochs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=50, help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run_stages(Path(folder), SMALL | {"train.epochs": options.epochs}, ["download", "preprocess"])
        print("| epoch | memory, MiB | open files | threads | child processes |\n|---|---|---|---|---|")
        command = [sys.executable, "-u", str(ROOT / "stages/train.py")]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                epoch = line.split()[1].split("/")[0] if line.startswith("epoch") else ""
                if epoch.isdecimal() and (int(epoch) in (2, 5) or int(epoch) % 10 == 0):
                    print(f"| {epoch} | {held(process.pid)} |", flush=True)
        sys.exit(process.returncode)


if __name__ == "__main__":
    main()
