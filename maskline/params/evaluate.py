"""Section evaluate: how images are predicted, refined and scored."""

from typing import Annotated, Literal

from pydantic import Field

from maskline.params.section import Section, Weight


class CrfParams(Section):
    """Iterations and kernels of the fully connected CRF."""

    iterations: Annotated[int, Field(ge=1, le=100)]
    gaussian_sigma: Annotated[float, Field(ge=0.5, le=1000)]
    gaussian_weight: Weight
    bilateral_sigma_xy: Annotated[float, Field(ge=0.5, le=1000)]
    bilateral_sigma_rgb: Annotated[float, Field(ge=0.5, le=255)]
    bilateral_weight: Weight


class EvaluateParams(Section):
    """How images are predicted and refined, the size at which they are scored, and the number of images to draw."""

    resolution: Literal["model", "native"]
    flip: bool
    scales: Annotated[list[Annotated[float, Field(ge=0.25, le=4)]], Field(min_length=1, max_length=8)]
    window: Annotated[int, Field(ge=32, le=4096)] | None
    dropout_samples: Annotated[int, Field(ge=0, le=100)]
    refine: Literal["none", "crf", "grabcut"]
    crf: CrfParams
    samples: Annotated[int, Field(ge=1, le=24)]
