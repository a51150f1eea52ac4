"""The check of all of params.yaml for mistakes, before a stage reads its own sections."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from maskline.errors import InputError
from maskline.params.augment import AugmentParams
from maskline.params.dataset import DatasetParams
from maskline.params.evaluate import EvaluateParams
from maskline.params.model import ModelParams
from maskline.params.preprocess import PreprocessParams
from maskline.params.section import Name, Section
from maskline.params.train import TrainParams


class Params(Section):
    """All of params.yaml."""

    repo: Name
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    dataset: DatasetParams
    preprocess: PreprocessParams
    model: ModelParams
    augment: AugmentParams
    train: TrainParams
    evaluate: EvaluateParams

    @model_validator(mode="after")
    def _possible(self) -> Self:
        least = self.model.smallest_batch
        if self.train.batch_size < least:
            raise ValueError(
                f"train.batch_size must be {least} or more for {self.model.architecture}, which normalises the average "
                f"of each image over the batch. Received: {self.train.batch_size}"
            )
        if self.model.freeze_encoder and self.train.encoder_learning_rate != 1:
            raise ValueError(
                "train.encoder_learning_rate must be 1 when model.freeze_encoder is true, because the encoder is not "
                f"trained. Received: {self.train.encoder_learning_rate}"
            )
        return self

    @model_validator(mode="after")
    def _augmentable(self) -> Self:
        refusal = self.augment.refusal((self.preprocess.height, self.preprocess.width))
        if refusal:
            raise ValueError(refusal)
        return self


def check_params(values: object, path: Path) -> Params:
    """Return the params in `values`, which were read from `path`.

    Raises:
        InputError: unknown or missing key, wrong type, value out of range, or impossible combination.
    """
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
    "string_type": "must be text, in quotes if YAML would read it as something else",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must be a color such as '#1a2b3c', in quotes",
    "literal_error": "must be {expected}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must be a list of at least {min_length}",
    "too_long": "must be a list of at most {max_length}",
    "invalid_key": "must have keys that are text",
}


def _sentence(path: Path, error: ValidationError) -> str:
    """Describe the most helpful error: an unknown key, or else the branch of a union that fits the value best."""
    helpful = max(error.errors(include_url=False), key=_helpfulness)
    keys, kind = [str(part) for part in helpful["loc"]], helpful["type"]
    if _is_unknown(helpful):
        return f"{path}: unknown key {'.'.join(keys)}{_suggestion(keys)}. Received: {helpful['input']!r}"
    key = ".".join(part for part in keys if _is_key(part))
    if kind == "missing":
        return f"{path}: key {key} is missing; add it, or restore the line with `git checkout {path}`."
    if kind == "value_error":
        return f"{path}: {'.'.join(filter(None, (key, str(helpful['ctx']['error']))))}"
    return f"{path}: {key} {_REMEDIES[kind].format(**helpful.get('ctx', {}))}. Received: {helpful['input']!r}"


def _helpfulness(error: Any) -> tuple[bool, bool, int]:
    return _is_unknown(error), not error["type"].endswith("_type"), len(error["loc"])


def _is_unknown(error: Any) -> bool:
    return error["type"] == "extra_forbidden"


def _is_key(part: str) -> bool:
    """Return whether a part is a key or an index, and not the name that pydantic gives to a branch of a union."""
    return part.isdecimal() or (part.isidentifier() and part not in ("int", "str"))


def _suggestion(keys: list[str]) -> str:
    model: Any = Params
    for key in keys[:-1]:
        model = model.model_fields[key].annotation
    close = difflib.get_close_matches(keys[-1], model.model_fields, n=1, cutoff=0.5)
    return f"; did you mean {'.'.join([*keys[:-1], close[0]])}" if close else "; remove it"
