"""Every network on a GPU, in float32, bfloat16 and float16, with deterministic operations and with any.

For each: whether the loss of one batch falls and the validation works, whether a second training from the same weights
gives the same bytes, images/s of training steps on one batch in memory, images/s with batches from shards under all
augmentation, the share of time that waits for those batches, and the peak GPU memory. The networks have the encoder
MobileNetV2 if possible, and random weights. Float32 means TensorFlow's default, which multiplies in TF32 where the GPU
can. Each network is one process; several trace and train at once, and while one is timed, the others wait. It runs on a
CPU too, without the figure of memory. It ends within ten minutes, with a table of what it measured until then:

    python benchmarks/gpu.py
    python benchmarks/gpu.py --only unet deeplabv3plus --precisions float32 --seconds 3
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

from pipeline import AUGMENTATIONS, changed_params, run_stages  # noqa: E402

from maskline.models.catalogue import NETWORKS  # noqa: E402
from maskline.params.check import Params  # noqa: E402

AHEAD = 40  # steps on a GPU before a timing, more than there are batches made ahead
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def params_of(architecture: str, precision: str, options: argparse.Namespace) -> Params:
    """Return the params that train an architecture."""
    encoders = NETWORKS[architecture].encoders
    return Params.model_validate(
        changed_params(
            {
                "model.architecture": architecture,
                "model.encoder": "mobilenet_v2" if "mobilenet_v2" in encoders else encoders[0],
                "model.dropout": 0.1,
                "train.batch_size": options.batch,
                "train.precision": precision,
                "train.schedule": "constant",
                "train.learning_rate": 0.001,
                "train.warmup_epochs": 0.0,
                **{f"augment.{key}": value for key, value in AUGMENTATIONS.items()},
            }
        )
    )


@contextlib.contextmanager
def held(path: Path, kind: int) -> Iterator[None]:
    """Within the block, no other process is in a block of the same file, but several in those of LOCK_SH."""
    with open(path, "a") as file:
        fcntl.flock(file, kind)
        yield


def measure(architecture: str, precision: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train a network for some steps, twice, validate it, and time it."""
    lock = options.work / "lock"
    with held(lock, fcntl.LOCK_SH):
        row, rates = trained(architecture, precision, options)
    with held(lock, fcntl.LOCK_EX):
        return row | rates()


def trained(
    architecture: str, precision: str, options: argparse.Namespace
) -> tuple[dict[str, Any], Callable[[], dict[str, float]]]:
    """Train a network for some steps, twice, and validate it; return what was found, and what times it."""
    import keras
    import tensorflow as tf

    from maskline.contracts.manifest import read_manifest
    from maskline.models.segmentation import SegmentationModel
    from maskline.shards.read.augment import augmentation
    from maskline.shards.read.batches import training_batches
    from maskline.shards.read.reader import ShardReader
    from maskline.training.losses import named_losses, weighted_sum
    from maskline.training.schedule import optimizer, schedule
    from maskline.training.trainer import Trainer
    from maskline.training.validate import Validator

    begun = time.monotonic()
    params = params_of(architecture, precision, options)
    manifest = read_manifest(options.shards)
    reader, validation = (ShardReader(options.shards, manifest, role) for role in ("train", "validation"))
    keras.utils.set_random_seed(1)
    model = SegmentationModel(
        architecture,
        params.model.encoder,
        [each.name for each in manifest.classes],
        [each.color for each in manifest.classes],
        width=params.model.width,
        dropout=params.model.dropout,
        freeze_encoder=False,
        precision=precision,
        output_stride=params.model.encoder_stride,
        coarse=params.model.coarse,
    )
    loss = weighted_sum(params.train.loss.model_dump(), named_losses(params.train.loss_options, None))
    trainer = Trainer(model, loss, optimizer(params.train, schedule(params.train, 1000)), ema=0.0)
    images, labels = map(tf.constant, reader.read(range(options.batch)))
    initial = trainer.values()

    def losses() -> list[float]:
        trainer.assign(initial)
        found = []
        for _ in range(options.steps):
            trainer.loss_sum.assign(0.0)
            trainer.step(images, labels)
            found.append(float(trainer.loss_sum))
        return found

    def speed(batches: Iterator) -> tuple[float, float]:
        """Return images/s, and the share of the time in which the next batch was waited for."""
        for _ in range(AHEAD if memory else 3):
            trainer.step(*next(batches))
        float(trainer.loss_sum)
        count, waited, start = 0, 0.0, time.perf_counter()
        while time.perf_counter() - start < options.seconds:
            for _ in range(5):
                asked = time.perf_counter()
                batch = next(batches)
                waited += time.perf_counter() - asked
                trainer.step(*batch)
            float(trainer.loss_sum)  # waits for the device
            count += 5 * options.batch
        seconds = time.perf_counter() - start
        return count / seconds, waited / seconds

    digests = []
    for _ in range(2):
        course = losses()
        digests.append(hashlib.sha256(b"".join(value.tobytes() for value in trainer.values())).hexdigest())
    scores = Validator(model, loss, validation, options.batch)()
    memory = peak_memory(tf)

    def rates() -> dict[str, float]:
        stream = iter(training_batches(reader, options.batch, augmentation(params.augment, reader), 1, range(2**40)))
        (alone, _), (fed, waiting) = speed(iter(lambda: (images, labels), None)), speed(stream)
        return {"images_s": alone, "fed_images_s": fed, "waiting": waiting}

    found = {
        "network": architecture,
        "precision": precision,
        "trains": math.isfinite(scores.loss) and all(map(math.isfinite, course)) and course[-1] < course[0],
        "loss": [round(course[0], 4), round(course[-1], 4)],
        "equal": digests[0] == digests[1],
        "digest": digests[0][:12],
        "memory": memory,
        "seconds": round(time.monotonic() - begun, 1),
    }
    return found, rates


def peak_memory(tf: Any) -> int:
    """Return the most bytes of GPU memory that were taken at the same time since the last call; 0 without a GPU."""
    if not tf.config.list_physical_devices("GPU"):
        return 0
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    tf.config.experimental.reset_memory_stats("GPU:0")
    return int(peak)


def child(architecture: str, options: argparse.Namespace) -> None:
    """Measure one network in every precision, and write its figures."""
    with held(options.work / "lock", fcntl.LOCK_SH):
        import tensorflow as tf

        from maskline.engine.device import choose_device

        device = choose_device()
    if not options.any:
        tf.config.experimental.enable_op_determinism()
    for precision in options.precisions:
        try:
            row = measure(architecture, precision, options)
        except Exception as error:
            row = {"network": architecture, "precision": precision, "error": " ".join(str(error).split())[:300]}
        row |= {"device": device, "deterministic": not options.any}
        with held(options.work / "table", fcntl.LOCK_EX), open(options.work / "rows.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")
        tf.keras.backend.clear_session()


def cells(row: dict[str, Any]) -> list[str]:
    """Return the columns of a row."""
    name = [f"`{row['network']}`", row["precision"], "yes" if row["deterministic"] else "no"]
    if "error" in row:
        return [*name, row["error"], *[""] * 6]
    return [
        *name,
        f"{'yes' if row['trains'] else 'NO'} ({row['loss'][0]:.2f} to {row['loss'][1]:.2f})",
        "yes" if row["equal"] else "no",
        f"{row['images_s']:,.0f}",
        f"{row['fed_images_s']:,.0f}",
        f"{row['waiting']:.1%}",
        f"{row['memory'] / 2**30:.2f}" if row["memory"] else "-",
        f"{row['seconds']:.0f}",
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table in the networks' order."""
    head = "network | precision | deterministic | loss falls | two runs equal | images/s | images/s from shards | "
    head += "waits for data | GPU memory, GiB | seconds in all"
    names = list(NETWORKS)
    rows = sorted(rows, key=lambda row: (names.index(row["network"]), row["precision"], not row["deterministic"]))
    return "\n".join([f"| {head} |", "|" + "---|" * 10, *(f"| {' | '.join(cells(row))} |" for row in rows)])


def main() -> None:
    """Measure the networks, several at once, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(NETWORKS), choices=list(NETWORKS), help="architectures")
    parser.add_argument("--precisions", nargs="+", default=list(PRECISIONS), choices=PRECISIONS)
    parser.add_argument("--kinds", nargs="+", default=["deterministic", "any"], choices=["deterministic", "any"])
    parser.add_argument(
        "--shards", type=Path, help="folder that preprocess wrote; default: shapes at 256x256, made for the run"
    )
    parser.add_argument("--batch", type=int, default=16, help="images per step; default: %(default)s")
    parser.add_argument("--steps", type=int, default=20, help="steps of each of the two runs; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each timing; default: %(default)s")
    parser.add_argument(
        "--processes", type=int, default=max(1, (os.cpu_count() or 1) // 2), help="default: %(default)s"
    )
    parser.add_argument("--minutes", type=float, default=9.5, help="ends what runs longer; default: %(default)s")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--any", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options)
        return
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if options.shards is None:
            size = {"preprocess.height": 256, "preprocess.width": 256, "dataset.limit": 64}
            run_stages(work / "shapes", {"dataset.name": "shapes", **size}, ["download", "preprocess"])
        shards = (options.shards or work / "shapes/data/shards").resolve()

        def run(job: tuple[str, str]) -> None:
            left = 60 * options.minutes - (time.monotonic() - begun)
            command = [sys.executable, __file__, *sys.argv[1:], "--work", folder, "--shards", str(shards)]
            command += ["--child", job[0], *(["--any"] if job[1] == "any" else [])]
            if left > 0:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    subprocess.run(command, timeout=left, check=False)

        jobs = [(name, kind) for kind in options.kinds for name in options.only]
        with ThreadPoolExecutor(options.processes) as pool:
            list(pool.map(run, jobs))
        lines = (work / "rows.jsonl").read_text().splitlines() if (work / "rows.jsonl").exists() else []
        rows = [json.loads(line) for line in lines]
    if not rows:
        sys.exit("no network was measured in time; raise --minutes or name fewer with --only.")
    print(f"{rows[0]['device']}; batches of {options.batch}; {(time.monotonic() - begun) / 60:.1f} minutes\n")
    print(table(rows))


if __name__ == "__main__":
    main()
