"""`maskline predict` on a folder of photographs, compared with a plain loop over each engine.

The photographs are synthetic JPEG files of 640x480 pixels. The loops decode, resize, label and write with the functions
of `maskline predict` (benchmarks/loop.py), in processes of their own that take turns. Wall and CPU seconds are those of
the whole process, including its start and the loading of the model, on all cores that this script may use. The ratio is
the median over the rounds of a loop's wall time to that of `maskline predict`. The model is untrained.

    python benchmarks/predict.py
    taskset --cpu-list 0 python benchmarks/predict.py --images 20 --rounds 1
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from engines import LOOP, NETWORKS, ROOT, installed, write_models
from photographs import write_photographs
from rounds import ratio, rotated, spread
from usage import Usage, used

from maskline.engine.cores import cores

OURS = "`maskline predict`, .onnx"


def commands(models: Path, photographs: Path) -> dict[str, list[str | Path]]:
    """Return the commands by name, each without its last argument, the folder to write."""
    maskline = [sys.executable, "-m", "maskline", "predict"]
    found: dict[str, list[str | Path]] = {
        OURS: [*maskline, models / "model.onnx", photographs, "-o"],
        "`maskline predict`, .keras": [*maskline, models / "model.keras", photographs, "-o"],
    }
    for name in installed():
        if "int8" not in name:  # its labels are others
            found[f"loop, {name}"] = [sys.executable, LOOP, name, models, photographs]
    return found


def measure(found: Mapping[str, list[str | Path]], folder: Path, rounds: int) -> dict[str, list[Usage]]:
    """Run the commands in turns."""
    usages: dict[str, list[Usage]] = {name: [] for name in found}
    for number in range(rounds):
        for name in rotated(list(found), number):
            out = folder / "out"
            usages[name].append(used([*found[name], out], ROOT))
            shutil.rmtree(out)
    return usages


def print_table(usages: Mapping[str, Sequence[Usage]]) -> None:
    """Print medians, and the medians of the ratios within each round."""
    print("| | wall seconds (lowest to highest) | of `maskline predict` | CPU seconds | peak memory, MiB |")
    print("|---|---|---|---|---|")
    base = [usage.wall for usage in usages[OURS]]
    for name, each in usages.items():
        wall = [usage.wall for usage in each]
        cpu, memory = (statistics.median(getattr(usage, field) for usage in each) for field in ("cpu", "memory"))
        print(f"| {name} | {spread(wall, '.2f')} | {ratio(wall, base):.2f} | {cpu:.2f} | {memory:.0f} |")


def main() -> None:
    """Write the photographs and the models, run all commands in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, default=next(iter(NETWORKS)), help="default: %(default)s")
    parser.add_argument("--size", type=int, default=256, help="of the model's images in pixels; default: %(default)s")
    parser.add_argument("--images", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        models = folder / "models"
        models.mkdir()
        write_models(options.network, (options.size, options.size), models)
        write_photographs(folder / "photographs", options.images)
        usages = measure(commands(models, folder / "photographs"), folder, options.rounds)
    print(f"\n{options.images} photographs, {options.network} at {options.size}x{options.size}, {cores()} cores\n")
    print_table(usages)


if __name__ == "__main__":
    main()
