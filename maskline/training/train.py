"""Train: from shards and encoder weights to a saved model and its history."""

from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from maskline.contracts.encoder_weights import PATH as ENCODER
from maskline.contracts.encoder_weights import EncoderWeights, origin_of
from maskline.contracts.folders import MODEL_FILE
from maskline.contracts.history import PATH as HISTORY
from maskline.contracts.manifest import PATH as MANIFEST
from maskline.contracts.manifest import read_manifest
from maskline.contracts.network import PATH as NETWORK
from maskline.engine import replicas
from maskline.engine.cores import tensorflow_threads
from maskline.errors import ArtifactError
from maskline.files.artifacts import new_directory, sha256
from maskline.files.records import read_record, write_record, write_table
from maskline.models.files import save_model
from maskline.models.stages import describe_network
from maskline.params.augment import AugmentParams
from maskline.params.model import ModelParams
from maskline.params.train import TrainParams
from maskline.shards.read.augment import augmentation
from maskline.shards.read.batches import readers_errors, training_batches
from maskline.shards.read.reader import ShardReader
from maskline.training.agreement import check_same
from maskline.training.checkpoint import Checkpoints
from maskline.training.determinism import choose_determinism, refusals
from maskline.training.fit import fit
from maskline.training.setup import set_up
from maskline.training.validate import Validator, validation_batch
from maskline.training.watch import Watch, run_folder


def train(
    shards: Path,
    weights: Path,
    out: Path,
    checkpoints: Path,
    *,
    seed: int,
    model: ModelParams,
    augment: AugmentParams,
    params: TrainParams,
    code: str,
    processes: int = 1,
    logs: Path | None = None,
) -> None:
    """Write `model.keras`, `history.csv` and `network.json` into `out`.

    The bytes depend only on the arguments and the files they name.

    Of several workers, all of which call this, the first one writes.

    Args:
        shards: folder of shards and manifest.
        weights: folder of encoder.json and, if it names one, the file of the initial weights.
        checkpoints: folder of the checkpoints of unfinished runs and of the last finished one.
        code: digest of the training code, so that changed code never resumes from this run's checkpoints.
        processes: how many on this host train at the same time.
        logs: folder of the TensorBoard events of all runs; None: none are written.

    Raises:
        ArtifactError: the shards or the weights are damaged, or the weights are for another encoder.
        InputError: the model to start from is another network, or the network cannot be trained in such small batches
            or in the free memory, or the loss or a validation score became NaN or infinite, or an operation has no
            deterministic kernel on the device, or the workers differ in their arguments or files.
        Stopped: Ctrl-C or SIGTERM.
    """
    keras.utils.set_random_seed(seed)
    choose_determinism(params.deterministic)
    manifest = read_manifest(shards)
    fingerprint = {
        "seed": seed,
        "model": model.model_dump(),
        "augment": augment.model_dump(),
        "train": params.model_dump(),
        "code": code,
        "data": sha256(shards / MANIFEST.name),
        "weights": sha256(weights / ENCODER.name),
        "libraries": [tf.__version__, keras.__version__, np.__version__],
    }
    check_same(fingerprint)
    reader = ShardReader(shards, manifest, "train")
    validation = ShardReader(shards, manifest, "validation")
    size = augment.seen(reader.size)
    trainer, loss, rate = set_up(manifest, size, _initial_weights(weights, model), model, params, processes)
    held = validation_batch(params.batch_size, size, reader.size)
    validator = Validator(trainer.model, loss, validation, held)
    rank, count = replicas.rank(), replicas.count()
    threads = replicas.gather(tf.constant([tensorflow_threads()], tf.float32)).numpy().tolist()
    run = None if rank else Checkpoints(checkpoints, fingerprint | {"threads": threads})
    shown = {"seed": seed, **{name: fingerprint[name] for name in ("model", "augment", "train")}}
    events = run_folder(logs, shown, run.key) if logs and run else None
    watch = Watch(events, manifest.classes, shown) if logs else None
    change = augmentation(augment, reader)
    batches = partial(training_batches, reader, params.batch_size, change, seed, rank=rank, count=count, size=size)
    with readers_errors(), refusals():
        history = fit(trainer, validator, batches, rate, params, run, watch)
    if run:
        with new_directory(out) as folder:
            save_model(trainer.model, folder / MODEL_FILE.name)
            write_table(folder / HISTORY.name, history)
            network = describe_network(trainer.model, manifest.height, manifest.width)
            write_record(folder / NETWORK.name, network)
        run.finish()


def _initial_weights(folder: Path, model: ModelParams) -> Path | None:
    """Return the file of the initial weights, checked to be what download prepared for these params, or None."""
    path = folder / ENCODER.name
    record = read_record(path, EncoderWeights)
    if (record.encoder, record.weights) != (model.encoder, origin_of(model.encoder_weights, model.start_from)):
        origin = model.start_from or model.encoder_weights
        raise ArtifactError(path, f"does not describe the weights of {model.encoder} from {origin}")
    if record.file is None:
        return None
    file = folder / record.file
    if not file.is_file():
        raise ArtifactError(file, "is missing")
    if sha256(file) != record.sha256:
        raise ArtifactError(file, f"is not the file that {path} records")
    return file
