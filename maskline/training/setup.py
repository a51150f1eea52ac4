"""The network and its training step, checked before the first step."""

from pathlib import Path
from typing import NamedTuple

from maskline.contracts.fit import Size
from maskline.contracts.manifest import Manifest
from maskline.contracts.model_info import Preprocessing
from maskline.engine import replicas
from maskline.engine.towers import tower_count
from maskline.errors import InputError
from maskline.models.interface import Loss
from maskline.models.segmentation import SegmentationModel
from maskline.params.model import ModelParams
from maskline.params.train import TrainParams
from maskline.shards.read.batches import steps_per_epoch
from maskline.training.class_weights import chosen_weights
from maskline.training.losses import named_losses, weighted_sum
from maskline.training.memory import check_memory
from maskline.training.schedule import Schedule, optimizer, schedule
from maskline.training.single_values import check_normalised
from maskline.training.start import start_from
from maskline.training.trainer import Trainer


class Training(NamedTuple):
    """A network ready to train: its trainer, its loss, and the schedule of the learning rate."""

    trainer: Trainer
    loss: Loss
    rate: Schedule


def set_up(
    manifest: Manifest, size: Size, weights: Path | None, model: ModelParams, params: TrainParams, processes: int = 1
) -> Training:
    """Build the network, and trace and check its training step.

    Args:
        manifest: of the shards to train on.
        size: height and width of what a step sees of each image; pixels.
        weights: a weights file for the encoder or, if `model.start_from` names one, a model of this project.
        processes: how many on this host train at the same time.

    Raises:
        InputError: the weights are for another network, or the class weights are not as many as the classes, or the
            network cannot be trained in such small batches or in the free memory, or the workers cannot share out the
            train split's only batch.
    """
    examples = manifest.splits["train"].examples
    network = _build(model, manifest, None if model.start_from else weights, params.precision)
    if model.start_from and weights:
        fresh = start_from(network, weights, model.start_from)
        print(f"train: starts from {model.start_from}{'; new classes: ' * bool(fresh)}{', '.join(fresh)}.", flush=True)
    losses = named_losses(params.loss_options, chosen_weights(params.class_weights, manifest))
    loss = weighted_sum(params.loss.model_dump(), losses)
    rate = schedule(params, steps_per_epoch(examples, params.batch_size))
    part = _part(params, examples)
    towers = 1 if replicas.count() > 1 else tower_count(part, size[0] * size[1])
    trainer = Trainer(network, loss, optimizer(params, rate), params.ema, params.encoder_learning_rate, towers)
    _check_step(trainer, part, examples, size, model, params, processes)
    return Training(trainer, loss, rate)


def _check_step(
    trainer: Trainer, part: int, examples: int, size: Size, model: ModelParams, params: TrainParams, processes: int
) -> None:
    """Refuse, before the first step, one that cannot work on so many images of the train split's batches."""
    graph = trainer.graph(part, *size)
    check_normalised(graph, params, examples)
    check_memory(trainer, graph, model, params, size, processes)


def _part(params: TrainParams, examples: int) -> int:
    """Return how many images of each batch a worker takes."""
    batch = min(params.batch_size, examples)
    if batch % replicas.count():
        raise InputError(
            f"the train split has {examples} images, a single batch, of which train.workers cannot take equal parts; "
            f"lower train.workers or train.batch_size. Received: {replicas.count()} and {params.batch_size}"
        )
    return batch // replicas.count()


def _build(model: ModelParams, manifest: Manifest, weights: Path | None, precision: str) -> SegmentationModel:
    return SegmentationModel(
        architecture=model.architecture,
        encoder=model.encoder,
        class_names=[c.name for c in manifest.classes],
        class_colors=[c.color for c in manifest.classes],
        width=model.width,
        dropout=model.dropout,
        freeze_encoder=model.freeze_encoder,
        freeze_normalization=model.freeze_normalization,
        precision=precision,
        output_stride=model.encoder_stride,
        coarse=model.coarse,
        encoder_weights=weights,
        preprocessing=Preprocessing(height=manifest.height, width=manifest.width, fit=manifest.fit),
        test_split=manifest.digest("test"),
    )
