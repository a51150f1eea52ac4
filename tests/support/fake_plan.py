"""What plan finds, chooses and forecasts, without looking at a data set or trying anything."""

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from maskline.planning.choice import Choice
from maskline.planning.fingerprint import Finding, Fingerprint, FoundClass
from maskline.planning.forecast import StageForecast
from maskline.planning.machine import Machine

ROOT = Path(__file__).parents[2]
OF_A_PROJECT = ("dvc.yaml", "none", "imagenet", "params.yaml", "stages/entry.py")
MACHINE = Machine(cores=2, memory=16 * 10**9, gpus=[], bfloat16=False)
FORECAST = [
    StageForecast("download", 12.4, 600 * 10**6, 180 * 10**6),
    StageForecast("preprocess", 8.0, 450 * 10**6, 210 * 10**6),
    StageForecast("train", 1405.0, 2_140_000_000, 31 * 10**6),
    StageForecast("evaluate", 41.0, 1_300_000_000, 2 * 10**6),
    StageForecast("report", 3.2, 400 * 10**6, 900_000),
]
CHOSEN = [
    Choice("preprocess.height", 96, "a quarter of the median height, 384, and a multiple of the stride, 32"),
    Choice("preprocess.width", 128, "the median width, 512, in proportion"),
    Choice("model.width", 16, "the default"),
    Choice("train.epochs", 40, "1,200 steps of 0.6 s each fill the 12 minutes"),
    Choice("evaluate.scales", [0.75, 1.0, 1.25], "objects of many sizes"),
]


def fingerprint(path: Path | None) -> Fingerprint:
    """Return what is found in a folder of microscope images with masks of 0 and 255."""
    return Fingerprint(
        path=path,
        source=[
            Choice("dataset.name", "folder", "images/ and masks/ hold 30 pairs of the same name"),
            Choice("dataset.path", str(path), "the folder that you named"),
            Choice("dataset.classes", ["background", "cell"], "mask values 0 and 255; no file names the classes"),
            Choice("dataset.values", [0, 255], "the values that the masks have"),
        ],
        findings=[
            Finding("layout", "folder, because images/ and masks/ hold 30 pairs of the same name"),
            Finding("images", "30 images: train 30; validation and test are held out of train"),
            Finding("mask values", "8-bit gray (30); 2 values (pixels): 0 (5.4 M), 255 (498 k)"),
        ],
        warnings=["2 masks have no image"],
        images={"train": 30},
        classes=[FoundClass("background", "0", 5_400_000, 30), FoundClass("cell", "255", 498_240, 28)],
        void_pixels=0,
        sampled=30,
        smallest=(384, 512),
        median=(384, 512),
        largest=(384, 512),
        channels={"8-bit gray": 30},
        stored_bytes=9 * 10**6,
        groups=None,
        raw_bytes=9 * 10**6,
        read_seconds=0.001,
        decode_seconds=0.01,
    )


def put_in_place(monkeypatch) -> None:
    """Let plan find, choose and forecast the above."""
    made = {
        "inspection.inspect": {"inspect": lambda path: fingerprint(Path(path))},
        "machine": {"this_machine": lambda gpus: MACHINE, "Machine": Machine},
        "proposals.propose": {"propose": _propose},
        "trial.trials": {"Trials": _Trials},
        "forecast": {"forecast": lambda params, found, machine, measured: FORECAST, "StageForecast": StageForecast},
    }
    for name, content in made.items():
        module = ModuleType(f"maskline.planning.{name}")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, module.__name__, module)


def _propose(defaults, found, machine, minutes, weights, trial):
    tried = {
        "preprocess": {"height": 96, "width": 128},
        "model": {"architecture": "unet", "encoder": "unet"},
        "train": {"batch_size": 8},
    }
    trial(tried)
    more = [] if weights is None else [Choice("model.encoder_weights", str(weights), "the file that you named")]
    return [*CHOSEN, *more]


class _Trials(contextlib.nullcontext):
    def __enter__(self):
        return self

    def gpus(self):
        return []

    def of(self, found):
        return lambda params: None

    def measured(self, found, params):
        return None


def root_files(folder: Path) -> Path:
    """Write the files of the project's root that a project is made of to a Git repository, and return its folder."""
    for name in OF_A_PROJECT:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder
