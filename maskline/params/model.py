"""Section model: the network, its encoder and their initial weights."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from maskline.models.catalogue import ENCODERS, NETWORKS, REFINABLE
from maskline.params.encoder import EncoderParams
from maskline.params.section import Fraction, one_of


class ModelParams(EncoderParams):
    """The network, its encoder and their initial weights."""

    architecture: Annotated[str, one_of(NETWORKS)]
    encoder: Annotated[str, one_of(ENCODERS)]
    freeze_encoder: bool
    freeze_normalization: bool
    output_stride: Literal[8, 16] | None
    coarse: Annotated[str, one_of(REFINABLE)]
    width: Annotated[int, Field(ge=4, le=256)]
    dropout: Fraction

    @model_validator(mode="after")
    def _possible(self) -> Self:
        allowed = NETWORKS[self.architecture].encoders
        if self.encoder not in allowed:
            raise ValueError(
                f"encoder must be {' or '.join(allowed)} for {self.architecture}. Received: {self.encoder!r}"
            )
        if not ENCODERS[self.encoder].imagenet and self.encoder_weights == "imagenet":
            raise ValueError(
                f"encoder_weights must be 'none' or a file for encoder {self.encoder!r}, for which download "
                "has no ImageNet weights. Received: 'imagenet'"
            )
        if self.start_from and self.encoder_weights != "none":
            raise ValueError(
                "encoder_weights must be 'none' when start_from names a model, which brings the encoder's weights too. "
                f"Received: {self.encoder_weights!r}"
            )
        if self.freeze_encoder and self.encoder_weights == "none" and not self.start_from:
            raise ValueError(
                "freeze_encoder must be false when encoder_weights and start_from are 'none', because random weights "
                "must be trained. Received: True"
            )
        self._check_normalization()
        if self.encoder.endswith("_bn") and self.encoder_weights != "none" and self.width != 64:
            raise ValueError(
                f"width must be 64 when {self.encoder} starts from a file of weights, which fixes its channels. "
                f"Received: {self.width}"
            )
        if self.architecture == "bayesian_segnet" and not self.dropout:
            raise ValueError("dropout must be above 0 for bayesian_segnet, which averages samples of it. Received: 0.0")
        if self.output_stride not in (None, *self._output_strides):
            raise ValueError(
                f"output_stride must be null{''.join(f' or {s}' for s in self._output_strides if s < 32)} for "
                f"{self._dilating}. Received: {self.output_stride}"
            )
        return self

    def _check_normalization(self) -> None:
        if not self.freeze_normalization:
            return
        reason = ""
        if self.encoder_weights == "none" and not self.start_from:
            reason = "encoder_weights and start_from are 'none', because there are no statistics to keep"
        elif self.freeze_encoder:
            reason = "freeze_encoder is true, which freezes the normalization too"
        elif not ENCODERS[self.encoder].batch_norm:
            reason = f"the encoder is {self.encoder}, which has no batch normalization"
        if reason:
            raise ValueError(f"freeze_normalization must be false when {reason}. Received: True")

    @property
    def _dilating(self) -> str:
        return self.coarse if self.architecture == "pointrend" else self.architecture

    @property
    def _output_strides(self) -> tuple[int, ...]:
        return NETWORKS[self._dilating].output_strides

    @property
    def smallest_batch(self) -> int:
        """The fewest images in a batch that the network can be trained on."""
        return 2 if NETWORKS[self._dilating].image_pooling else 1

    @property
    def encoder_stride(self) -> int:
        """The encoder's output stride."""
        return self.output_stride or self._output_strides[0]
