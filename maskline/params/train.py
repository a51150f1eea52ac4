"""Section train: losses, optimizer, schedule and early stopping."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from maskline.params.section import Fraction, Section, Weight

_ClassWeight = Annotated[float, Field(ge=0, le=1000)]


class LossParams(Section):
    """The weight of each loss in the sum."""

    cross_entropy: Weight
    focal: Weight
    dice: Weight
    iou: Weight
    tversky: Weight
    focal_tversky: Weight
    lovasz: Weight
    ohem: Weight
    boundary: Weight

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not any(weight for _, weight in self):
            raise ValueError("cross_entropy or another loss must have a weight above 0. Received: 0 for all")
        return self


class LossOptions(Section):
    """Settings of the losses, apart from their weights."""

    label_smoothing: Fraction
    focal_gamma: Annotated[float, Field(ge=0, le=10)]
    tversky_alpha: Annotated[float, Field(gt=0, le=1)]
    tversky_beta: Annotated[float, Field(gt=0, le=1)]
    focal_tversky_gamma: Annotated[float, Field(ge=1, le=3)]
    ohem_threshold: Annotated[float, Field(ge=0, le=1)]
    ohem_share: Annotated[float, Field(ge=0, le=1)]
    boundary_weight: Weight
    boundary_sigma: Annotated[float, Field(ge=0.1, le=20)]


class PlateauParams(Section):
    """When the schedule plateau lowers the learning rate, and by how much."""

    factor: Annotated[float, Field(gt=0, lt=1)]
    patience: Annotated[int, Field(ge=1, le=100_000)]


class TrainParams(Section):
    """Losses, optimizer, schedule and early stopping."""

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=1, le=4096)]
    workers: Annotated[int, Field(ge=1, le=1024)]
    loss: LossParams
    loss_options: LossOptions
    class_weights: Literal["none", "inverse", "median_frequency", "per_image"] | list[_ClassWeight]
    optimizer: Literal["adam", "adamw", "sgd"]
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    encoder_learning_rate: Annotated[float, Field(gt=0, le=1)]
    momentum: Fraction
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    clip_norm: Annotated[float, Field(gt=0, le=1000)] | None
    schedule: Literal["constant", "cosine", "poly", "plateau"]
    plateau: PlateauParams
    warmup_epochs: Annotated[float, Field(ge=0, le=100_000)]
    early_stopping: Annotated[int, Field(ge=0)]
    ema: Fraction
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    deterministic: bool

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.batch_size % self.workers:
            raise ValueError(
                f"batch_size must be a multiple of workers ({self.workers}), which take equal parts of each batch. "
                f"Received: {self.batch_size}"
            )
        if self.optimizer == "adam" and self.weight_decay:
            raise ValueError(
                f"weight_decay must be 0 for adam; choose adamw or sgd to decay weights. Received: {self.weight_decay}"
            )
        if self.schedule == "plateau" and 0 < self.early_stopping <= self.plateau.patience:
            raise ValueError(
                f"plateau.patience must be below early_stopping ({self.early_stopping}), or training stops before the "
                f"learning rate is lowered. Received: {self.plateau.patience}"
            )
        if isinstance(self.class_weights, list) and not any(self.class_weights):
            raise ValueError(f"class_weights must have a weight above 0. Received: {self.class_weights}")
        return self
