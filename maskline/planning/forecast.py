"""What a project will cost: time, memory and disk of each stage.

The time of train is for all epochs; early stopping may end it sooner.
"""

from typing import Any, NamedTuple

from maskline.contracts.classes import Role
from maskline.planning.fingerprint import Fingerprint
from maskline.planning.machine import Machine
from maskline.planning.splits import images_by_role
from maskline.planning.trial.measured import Measured

_MB = 1 << 20
_START = 0.6  # seconds until a stage without TensorFlow works, and until a worker does
_TFDS = 2.0  # seconds in addition to TensorFlow's start until download works, and until its outputs are recorded
_STORING = 3e-4  # seconds that download takes for an example in addition to reading or drawing it
_COPYING = 200 * _MB  # bytes that download writes in a second
_DOWNLOAD = 760 * _MB  # that download holds, with TensorFlow and TFDS
_PYTHON = 70 * _MB  # that a process without TensorFlow holds
_HASHING = 500 * _MB  # bytes of its inputs that a stage checks in a second
_FIGURES = 1.5e-4, 1e-7  # seconds of the bootstrap for an image, and for each number of its confusion matrix
_REPORT = 1.5  # seconds
_PAGE = 100_000  # bytes of the report without its pictures, which are smaller than those of evaluate


class StageForecast(NamedTuple):
    """What a stage will cost.

    Attributes:
        stage: its name.
        seconds: of its run.
        memory: bytes, the most that its processes hold at the same time.
        disk: bytes of its outputs.
    """

    stage: str
    seconds: float
    memory: int
    disk: int


def forecast(
    params: dict[str, Any], fingerprint: Fingerprint, machine: Machine, measured: Measured
) -> list[StageForecast]:
    """Return the forecast of each stage, in their order.

    Args:
        params: all of them, shaped like params.yaml.
        fingerprint: of the data set.
        machine: that runs the stages.
        measured: by a trial of the params on the machine.
    """
    images = images_by_role(params, fingerprint)
    shards = measured.training.example_bytes * sum(images.values())
    return [
        _download(fingerprint, measured),
        _preprocess(params, fingerprint, machine, measured, shards),
        _train(params, images["train"], images["validation"], measured, shards),
        _evaluate(params, fingerprint, images, measured, shards),
        _report(_drawn(params, images) * measured.evaluation.picture_bytes),
    ]


def _download(fingerprint: Fingerprint, measured: Measured) -> StageForecast:
    """Forecast the copy of the source; what the network takes does not count."""
    count = sum(fingerprint.images.values())
    copying = count * (fingerprint.read_seconds + _STORING) + fingerprint.raw_bytes / _COPYING
    return StageForecast("download", measured.training.start + _TFDS + copying, _DOWNLOAD, fingerprint.raw_bytes)


def _preprocess(
    params: dict[str, Any], fingerprint: Fingerprint, machine: Machine, measured: Measured, shards: int
) -> StageForecast:
    """Forecast decoding, resizing and encoding over all cores."""
    count, kept = sum(fingerprint.images.values()), sum(images_by_role(params, fingerprint).values())
    surveyed = count if params["dataset"]["limit"] or not fingerprint.images.get("validation") else 0
    work = (
        kept * (fingerprint.decode_seconds + measured.training.preparation) + surveyed * fingerprint.decode_seconds / 4
    )
    seconds = 2 * _START + work / machine.cores + fingerprint.raw_bytes / _HASHING
    height, width = fingerprint.largest
    workers = machine.cores * (_PYTHON + 12 * height * width)
    return StageForecast("preprocess", seconds, _PYTHON + workers, shards)


def _train(params: dict[str, Any], train: int, validation: int, measured: Measured, shards: int) -> StageForecast:
    cost, epochs = measured.training, params["train"]["epochs"]
    steps = max(1, train // params["train"]["batch_size"])
    seconds = shards / _HASHING + cost.once(validation) + epochs * cost.epoch(steps, validation)
    return StageForecast("train", seconds, cost.memory, cost.model_bytes + 100 * epochs)


def _evaluate(
    params: dict[str, Any], fingerprint: Fingerprint, images: dict[Role, int], measured: Measured, shards: int
) -> StageForecast:
    """Forecast the prediction of test and validation; the size of each image is found by decoding it."""
    cost, test, validation = measured.evaluation, images["test"], images["validation"]
    classes, drawn = len(fingerprint.classes), _drawn(params, images)
    counts = test * classes * (classes + 4)
    decodings = 1.5 if params["evaluate"]["resolution"] == "native" else 0.5  # of an image and its mask
    seconds = (
        measured.training.start + (fingerprint.raw_bytes + shards) / _HASHING + cost.load
        + test * cost.image + validation * cost.checked
        + (test + validation) * decodings * fingerprint.decode_seconds
        + drawn * cost.picture + test * (_FIGURES[0] + classes**2 * _FIGURES[1])
    )  # fmt: skip
    return StageForecast("evaluate", seconds, cost.peak + 8 * counts, drawn * cost.picture_bytes + 8 * counts)


def _drawn(params: dict[str, Any], images: dict[Role, int]) -> int:
    """Return the number of drawn images: four groups of predictions, and the first images with labels to check."""
    samples = params["evaluate"]["samples"]
    return min(images["test"], 4 * samples) + min(images["test"] + images["validation"], samples)


def _report(pictures: int) -> StageForecast:
    """Forecast the report, which holds the pictures smaller.

    Args:
        pictures: bytes that evaluate has drawn.
    """
    return StageForecast("report", _REPORT + pictures / _HASHING, _PYTHON + 2 * pictures, _PAGE + pictures // 5)
