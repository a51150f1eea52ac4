"""How long a stage checks what it reads, when it reads every byte and when it remembers.

Shards of random bytes are written with their SHA256SUMS, and checked as at a stage's start, each time by a new process:
with MASKLINE_CHECKSUMS=always, and with `once` before and after the files were read. The files are in the page cache.

    python benchmarks/checksums.py                   # 64 shards of 32 MB: seconds, and 2 GB of temporary disk
    python benchmarks/checksums.py --shards 5000 --megabytes 1
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
AGE = 60  # seconds; files that were written just now are not remembered
PROGRAM = """
import time
from pathlib import Path
from maskline.files.checksums import {name}
wall, cpu = time.perf_counter(), time.process_time()
{name}(Path("shards"){more})
print(f"{{time.perf_counter() - wall:8.2f}} s {{time.process_time() - cpu:8.2f}} s of CPU")
"""


def timed(folder: Path, name: str, more: str, choice: str) -> str:
    """Return the time of a function of `maskline.files.checksums` in a new process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MASKLINE_CHECKSUMS": choice}
    program = PROGRAM.format(name=name, more=more)
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout.rstrip()


def write(folder: Path, shards: int, megabytes: int) -> None:
    """Write the shards with an age at which they can be remembered."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(shards):
        path = folder / f"train-{number:05d}.tfrecord"
        path.write_bytes(rng.bytes(megabytes * 1_000_000))
        when = path.stat().st_mtime - AGE
        os.utime(path, (when, when))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--megabytes", type=int, default=32, help="of each shard")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder / "shards", options.shards, options.megabytes)
        check = ("check_sums", ', Path("shards")')
        print(f"{options.shards:,} shards, {options.shards * options.megabytes / 1000:.2f} GB")
        print("written down   ", timed(folder, "write_sums", "", "always"))
        print("always         ", timed(folder, *check, "always"))
        print("once, the first", timed(folder, *check, "once"))
        print("once, later    ", timed(folder, *check, "once"))


if __name__ == "__main__":
    main()
