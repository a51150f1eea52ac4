"""Typed mirror of params.yaml: what each key may be, checked before any work begins."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml
from maskline.models.catalogue import ENCODERS, NETWORKS, REFINABLE

Fraction = Annotated[float, Field(ge=0, lt=1)]
Strength = Annotated[float, Field(ge=0, le=1)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Name = Annotated[str, Field(min_length=1)]
Weight = Annotated[float, Field(ge=0, le=100)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DatasetParams(_Section):
    """Which images and masks, and how to read them."""

    name: Name
    path: Name | None
    classes: Annotated[list[Name], Field(min_length=2, max_length=255)] | None
    colors: list[Color] | None
    masks: Literal["index", "color"]
    void: list[Annotated[int, Field(ge=0, le=65535)] | Color]
    image_feature: Name
    mask_feature: Name
    validation_fraction: Annotated[float, Field(gt=0, le=0.5)]
    test_fraction: Annotated[float, Field(gt=0, le=0.5)]
    limit: Annotated[int, Field(ge=1)] | None

    @model_validator(mode="after")
    def _possible(self) -> "DatasetParams":
        if self.name == "folder" and self.path is None:
            raise ValueError("path must name your folder of images/ and masks/ when name is 'folder'. Received: None")
        if self.name == "folder" and self.classes is None:
            raise ValueError("classes must list the class names when name is 'folder'. Received: None")
        if self.masks == "color" and self.colors is None:
            raise ValueError("colors must give one colour per class when masks is 'color'. Received: None")
        if self.colors is not None and len(self.colors) != len(self.classes or []):
            raise ValueError(
                f"colors must have one entry per entry of classes. Received: {len(self.colors)} colors and "
                f"{len(self.classes or [])} classes"
            )
        wanted = str if self.masks == "color" else int
        if not all(isinstance(value, wanted) for value in self.void):
            raise ValueError(
                f"void must list label values for index masks and '#rrggbb' for color masks. Received: {self.void} for "
                f"{self.masks} masks"
            )
        for field in ("classes", "colors"):
            values = [value.lower() for value in getattr(self, field) or []]
            if twice := {value for value in values if values.count(value) > 1}:
                raise ValueError(f"{field} must not name anything twice. Received: {min(twice)!r} twice")
        return self


class PreprocessParams(_Section):
    """What the shards are to hold."""

    height: Annotated[int, Field(ge=16, le=8192)]
    width: Annotated[int, Field(ge=16, le=8192)]
    encoding: Literal["raw", "png", "jpeg"]
    examples_per_shard: Annotated[int, Field(ge=1, le=100_000)]


class ModelParams(_Section):
    """The network and where its encoder's weights come from."""

    architecture: Literal[tuple(NETWORKS)]
    encoder: Literal[tuple(ENCODERS)]
    encoder_weights: Name
    freeze_encoder: bool
    output_stride: Literal[8, 16] | None
    coarse: Literal[REFINABLE]
    width: Annotated[int, Field(ge=4, le=256)]
    dropout: Fraction

    @model_validator(mode="after")
    def _possible(self) -> "ModelParams":
        allowed = NETWORKS[self.architecture].encoders
        if self.encoder not in allowed:
            raise ValueError(
                f"encoder must be {' or '.join(allowed)} for {self.architecture}. Received: {self.encoder!r}"
            )
        if not ENCODERS[self.encoder].imagenet and self.encoder_weights == "imagenet":
            raise ValueError(
                f"encoder_weights must be 'none' or a file for encoder {self.encoder!r}, which has no ImageNet "
                "weights. Received: 'imagenet'"
            )
        if self.freeze_encoder and self.encoder_weights == "none":
            raise ValueError(
                "freeze_encoder must be false when encoder_weights is 'none', or random weights stay random. "
                "Received: True"
            )
        if self.encoder.endswith("_bn") and self.encoder_weights != "none" and self.width != 64:
            raise ValueError(
                f"width must be 64 when {self.encoder} starts from a file, whose channels it takes. "
                f"Received: {self.width}"
            )
        if self.architecture == "bayesian_segnet" and not self.dropout:
            raise ValueError("dropout must be above 0 for bayesian_segnet, which samples it. Received: 0.0")
        if self.output_stride not in (None, *self._output_strides):
            raise ValueError(
                f"output_stride must be null{''.join(f' or {s}' for s in self._output_strides if s < 32)} for "
                f"{self._dilating}. Received: {self.output_stride}"
            )
        return self

    @property
    def _dilating(self) -> str:
        return self.coarse if self.architecture == "pointrend" else self.architecture

    @property
    def _output_strides(self) -> tuple[int, ...]:
        return NETWORKS[self._dilating].output_strides

    @property
    def encoder_stride(self) -> int:
        """The encoder's output stride."""
        return self.output_stride or self._output_strides[0]


class AugmentParams(_Section):
    """How much each augmentation may change an image."""

    flip: bool
    scale: Annotated[float, Field(ge=0, lt=0.9)]
    rotation: Annotated[float, Field(ge=0, le=180)]
    brightness: Strength
    contrast: Strength
    saturation: Strength


class LossParams(_Section):
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
    def _some(self) -> "LossParams":
        if not any(weight for _, weight in self):
            raise ValueError("cross_entropy or another loss must have a weight above 0. Received: 0 for each")
        return self


class LossOptions(_Section):
    """What some of the losses are told beside their weight."""

    label_smoothing: Fraction
    focal_gamma: Annotated[float, Field(ge=0, le=10)]
    tversky_alpha: Annotated[float, Field(gt=0, le=1)]
    tversky_beta: Annotated[float, Field(gt=0, le=1)]
    focal_tversky_gamma: Annotated[float, Field(ge=1, le=3)]
    ohem_threshold: Annotated[float, Field(ge=0, le=1)]
    ohem_share: Annotated[float, Field(ge=0, le=1)]
    boundary_weight: Weight
    boundary_sigma: Annotated[float, Field(ge=0.1, le=20)]


class TrainParams(_Section):
    """Losses, optimizer, schedule and when to stop."""

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=1, le=4096)]
    loss: LossParams
    loss_options: LossOptions
    class_weights: Literal["none", "inverse", "median_frequency"]
    optimizer: Literal["adam", "adamw"]
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    schedule: Literal["constant", "cosine"]
    warmup_epochs: Annotated[float, Field(ge=0)]
    early_stopping: Annotated[int, Field(ge=0)]
    ema: Fraction
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]

    @model_validator(mode="after")
    def _possible(self) -> "TrainParams":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs must be below epochs, {self.epochs}. Received: {self.warmup_epochs}")
        if self.optimizer == "adam" and self.weight_decay:
            raise ValueError(
                f"weight_decay must be 0 for adam; choose adamw to decay weights. Received: {self.weight_decay}"
            )
        return self


class CrfParams(_Section):
    """Kernels of the fully connected CRF."""

    iterations: Annotated[int, Field(ge=1, le=100)]
    gaussian_sigma: Annotated[float, Field(ge=0.5, le=1000)]
    gaussian_weight: Annotated[float, Field(ge=0, le=100)]
    bilateral_sigma_xy: Annotated[float, Field(ge=0.5, le=1000)]
    bilateral_sigma_rgb: Annotated[float, Field(ge=0.5, le=255)]
    bilateral_weight: Annotated[float, Field(ge=0, le=100)]


class EvaluateParams(_Section):
    """How images are predicted and refined, at which size they are scored, and what is kept beside the metrics."""

    resolution: Literal["model", "native"]
    flip: bool
    scales: Annotated[list[Annotated[float, Field(ge=0.25, le=4)]], Field(min_length=1, max_length=8)]
    window: Annotated[int, Field(ge=32, le=4096)] | None
    dropout_samples: Annotated[int, Field(ge=0, le=100)]
    refine: Literal["none", "crf", "grabcut"]
    crf: CrfParams
    samples: Annotated[int, Field(ge=1, le=24)]


class Params(_Section):
    """All of params.yaml."""

    repo: Name
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    dataset: DatasetParams
    preprocess: PreprocessParams
    model: ModelParams
    augment: AugmentParams
    train: TrainParams
    evaluate: EvaluateParams


def read_params(path: Path) -> Params:
    """Read and check a params file.

    Raises:
        InputError: unknown or missing key, wrong type, value out of range, or impossible combination.
    """
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold a mapping of params. Received: {values!r}")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise InputError(_sentence(path, error)) from None


# What each kind of pydantic error asks for, in the words of params.yaml.
_REMEDIES = {
    "model_type": "must be a mapping of keys",
    "list_type": "must be a list",
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, without quotes",
    "float_type": "must be a number, without quotes",
    "string_type": "must be text, in quotes where YAML would read it as something else",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must be a colour such as '#1a2b3c', in quotes",
    "literal_error": "must be {expected}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must be a list of {min_length} or more",
    "too_long": "must be a list of {max_length} at most",
    "invalid_key": "must hold keys that are text",
}


def _sentence(path: Path, error: ValidationError) -> str:
    """Say the most telling of the errors: an unknown key, or else the branch of a union that fits the value's type."""
    telling = max(error.errors(include_url=False), key=lambda e: (_is_unknown(e), not e["type"].endswith("_type")))
    keys, kind = [str(part) for part in telling["loc"]], telling["type"]
    if _is_unknown(telling):
        return f"{path}: unknown key {'.'.join(keys)}{_suggestion(keys)}. Received: {telling['input']!r}"
    key = ".".join(part for part in keys if _is_key(part))
    if kind == "missing":
        return f"{path}: key {key} is missing; add it, or restore the line with `git checkout {path}`."
    if kind == "value_error":
        return f"{path}: {key}.{telling['ctx']['error']}"
    return f"{path}: {key} {_REMEDIES[kind].format(**telling.get('ctx', {}))}. Received: {telling['input']!r}"


def _is_unknown(error: Any) -> bool:
    return error["type"] == "extra_forbidden"


def _is_key(part: str) -> bool:
    """Drop the names pydantic gives to the branches of a union."""
    return part.isdecimal() or (part.isidentifier() and part not in ("int", "str"))


def _suggestion(keys: list[str]) -> str:
    model: Any = Params
    for key in keys[:-1]:
        model = model.model_fields[key].annotation
    close = difflib.get_close_matches(keys[-1], model.model_fields, n=1, cutoff=0.5)
    return f"; did you mean {'.'.join([*keys[:-1], close[0]])}" if close else "; remove it"


class Declared:
    """Read-only view of params that yields declared keys only, so that a stage cannot read what DVC does not track.

    Args:
        section: the params, or a section of them.
        keys: dotted keys that are declared; a section's key declares all below it.
        stage: the stage's name, for the error.
    """

    def __init__(self, section: BaseModel, keys: Iterable[str], stage: str, prefix: str = "") -> None:
        self._section, self._keys, self._stage, self._prefix = section, tuple(keys), stage, prefix

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._section, name)
        path = self._prefix + name
        if any(path == key or path.startswith(f"{key}.") for key in self._keys):
            return value
        if isinstance(value, BaseModel):
            return Declared(value, self._keys, self._stage, f"{path}.")
        raise InputError(
            f"stage {self._stage} reads the param {path}, which its entry in dvc.yaml does not declare; "
            f"add {path} to the stage's params."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the declared values as nested plain Python objects."""
        return {
            name: value.model_dump() if isinstance(value, BaseModel) else value
            for name, value in ((key, _lookup(self._section, key)) for key in self._keys)
        }


def _lookup(section: Any, key: str) -> Any:
    for part in key.split("."):
        section = getattr(section, part)
    return section
