"""Compare what plan forecasts with what the stages take, by stage, data set and network.

Each case inspects the data set, tries its params, runs the five stages in a folder of its own, and prints seconds, peak
memory and disk, each as forecast, as measured, and as their ratio. Run it on a machine that does nothing else:

    python benchmarks/forecasts.py --work forecasts --camvid .../CamVid --pet

Oxford-IIIT Pet is read from TFDS_DATA_DIR. The network cases are trained on a part of the data set.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import ROOT, changed_params, write_pipeline

sys.path.insert(0, str(ROOT))

from maskline.planning.fingerprint import Fingerprint
from maskline.planning.forecast import StageForecast, forecast
from maskline.planning.inspection.inspect import inspect
from maskline.planning.machine import this_machine
from maskline.planning.trial.trials import Trials

NETWORKS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "unet, mobilenet_v2, 256, batch 8": {
        "dataset.limit": 320,
        "preprocess.height": 256,
        "preprocess.width": 256,
        "model.encoder": "mobilenet_v2",
        "train.batch_size": 8,
        "augment.rotation": 10.0,
        "augment.brightness": 0.1,
    },
    "deeplabv3plus, xception, native, png": {
        "dataset.limit": 160,
        "preprocess.height": 160,
        "preprocess.width": 192,
        "preprocess.encoding": "png",
        "model.architecture": "deeplabv3plus",
        "model.encoder": "xception",
        "train.batch_size": 8,
        "evaluate.resolution": "native",
    },
}
OUTS = {
    "download": ("data/raw", "data/weights"),
    "preprocess": ("data/shards",),
    "train": ("data/model",),
    "evaluate": ("data/evaluation",),
    "report": ("metrics/report.html",),
}
_EVERY = 0.02  # seconds between two looks at memory
_MB = 1e6


class Cost(NamedTuple):
    """Seconds, and the most bytes that the processes of a stage held."""

    seconds: float
    memory: int


def measured(stage: str, folder: Path) -> Cost:
    """Run a stage in its folder.

    Raises:
        SystemExit: it failed.
    """
    begun, most = time.perf_counter(), 0
    with open(folder / f"{stage}.log", "w+") as log:
        command = [sys.executable, str(ROOT / f"stages/{stage}.py")]
        child = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        while child.poll() is None:
            most = max(most, held(child.pid))
            time.sleep(_EVERY)
        if child.returncode:
            sys.exit(f"{stage} failed in {folder}: {(folder / log.name).read_text()[-2000:]}")
    return Cost(time.perf_counter() - begun, most)


def held(session: int) -> int:
    """Return the bytes that the processes of a session hold together, or the most that one of them has held."""
    together, alone = 0, 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != session:
                continue
            status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        except (FileNotFoundError, ProcessLookupError):
            continue
        together += 1024 * int(status.get("VmRSS", "0 kB").split()[0])
        alone = max(alone, 1024 * int(status.get("VmHWM", "0 kB").split()[0]))
    return max(together, alone)


def disk(folder: Path, names: tuple[str, ...]) -> int:
    """Return the bytes of files and of all files in folders."""
    places = [folder / name for name in names]
    files = [file for place in places for file in (place.rglob("*") if place.is_dir() else [place])]
    return sum(file.stat().st_size for file in files if file.is_file())


def case(
    name: str, folder: Path, changes: Mapping[str, Any], fingerprint: Fingerprint, trials: Trials
) -> list[tuple[str, StageForecast, Cost, int]]:
    """Return what is forecast and what is measured for each stage."""
    params = changed_params(changes)
    machine = this_machine(trials.gpus)
    begun = time.perf_counter()
    trial = trials.measured(fingerprint, params)
    print(f"{name}: the trials took {time.perf_counter() - begun:.1f} s; {trial}", flush=True)
    write_pipeline(folder, changes)
    rows = []
    for expected in forecast(params, fingerprint, machine, trial):
        cost = measured(expected.stage, folder)
        rows.append((name, expected, cost, disk(folder, OUTS[expected.stage])))
        print_row(*rows[-1])
    return rows


def proposed(fingerprint: Fingerprint, minutes: float, trials: Trials) -> dict[str, Any]:
    """Return the params that plan proposes, by dotted key."""
    from maskline.planning.proposals.propose import propose

    machine = this_machine(trials.gpus)
    choices = propose(changed_params({}), fingerprint, machine, minutes, None, trials.of(fingerprint))
    return {choice.key: choice.value for choice in choices}


HEAD = "| data, params | stage | s | s measured | ratio | MB | MB measured | ratio | disk MB | measured | ratio |"


def print_row(name: str, expected: StageForecast, cost: Cost, written: int) -> None:
    """Print a row of the table."""
    pairs = [
        (expected.seconds, cost.seconds),
        (expected.memory / _MB, cost.memory / _MB),
        (expected.disk / _MB, written / _MB),
    ]
    cells = [f"{a:.1f} | {b:.1f} | {a / b if b else float('nan'):.2f}" for a, b in pairs]
    print(f"| {name} | {expected.stage} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Run the cases, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs, which is emptied")
    parser.add_argument("--camvid", type=Path, help="the folder of CamVid; default: without it")
    parser.add_argument("--pet", action="store_true", help="with Oxford-IIIT Pet")
    parser.add_argument("--epochs", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--data", nargs="+", choices=("shapes", "pet", "camvid"), help="default: all that are there")
    parser.add_argument("--networks", nargs="*", type=int, default=[0, 1, 2], help="numbers of networks; default: all")
    parser.add_argument("--minutes", type=float, help="also the params that plan proposes for this time")
    options = parser.parse_args()
    sources: dict[str, dict[str, Any]] = {"shapes": {"dataset.name": "shapes"}}
    if options.pet:
        sources["pet"] = {"dataset.name": "oxford_iiit_pet"}
    if options.camvid:
        sources["camvid"] = {"dataset.name": "camvid", "dataset.path": str(options.camvid.resolve())}
    rows = []
    shutil.rmtree(options.work, ignore_errors=True)
    with Trials() as trials:
        for data, source in sources.items():
            if options.data and data not in options.data:
                continue
            fingerprint = inspect(source.get("dataset.path", source["dataset.name"]))
            for number in options.networks:
                network = list(NETWORKS)[number]
                changes = {**source, **NETWORKS[network], "train.epochs": options.epochs}
                rows += case(f"{data}, {network}", options.work / data / str(number), changes, fingerprint, trials)
            if options.minutes:
                changes = {**source, **proposed(fingerprint, options.minutes, trials)}
                rows += case(f"{data}, proposed", options.work / data / "proposed", changes, fingerprint, trials)
    print(f"\n{HEAD}\n{'|---' * 11}|")
    for row in rows:
        print_row(*row)


if __name__ == "__main__":
    main()
