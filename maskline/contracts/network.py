"""network.json: the network that train trained, by stage, with what it costs."""

from typing import Annotated, Literal

from pydantic import Field

from maskline.contracts.folders import MODEL
from maskline.contracts.numbers import Count, Length
from maskline.files.records import Record

PATH = MODEL / "network.json"

Part = Literal["encoder", "decoder", "head", "training"]


class NetworkStage(Record):
    """The layers of one part of a network whose outputs have the same stride.

    Attributes:
        part: 'training' holds what only the loss uses.
        stride: of the outputs: pixels of the image for one of theirs.
        height: of the last output.
        width: of the last output.
        channels: of the last output.
        layers: number of layers with kernels, by kind, such as 'convolution 3x3'.
        parameters: weights and statistics of all layers; a layer that several stages share counts for the first.
        multiply_adds: for one image; one multiplication and one addition count as one.
    """

    part: Part
    stride: Length
    height: Length
    width: Length
    channels: Length
    layers: dict[str, Length]
    parameters: Count
    multiply_adds: Count


class Network(Record):
    """A network at the size of its training images, from its input to its output.

    Attributes:
        height: of an image in pixels, padded to a multiple of the encoder's output stride.
        width: as `height`.
        passes: how often a prediction runs the network.
        stages: in the order of the data's way.
    """

    height: Length
    width: Length
    passes: Length
    stages: Annotated[list[NetworkStage], Field(min_length=1)]

    @property
    def parameters(self) -> int:
        """Of all stages."""
        return sum(stage.parameters for stage in self.stages)

    @property
    def multiply_adds(self) -> int:
        """Of one pass for one image, without what only training does."""
        return sum(stage.multiply_adds for stage in self.stages if stage.part != "training")
