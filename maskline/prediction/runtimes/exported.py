"""The properties that all exported files have in common."""

from maskline.contracts.model_info import ExportInfo, ModelInfo


class ExportedRuntime:
    """An exported file's description of itself.

    Attributes:
        export: the description.
    """

    sampling = None

    def __init__(self, export: ExportInfo) -> None:
        self.export = export

    @property
    def info(self) -> ModelInfo:
        """The classes and the input of the model."""
        return self.export.model

    @property
    def stride(self) -> int:
        """The output stride of the encoder."""
        return self.info.stride

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """The only height and width that the model takes; None: it takes images of any size."""
        return self.info.fixed_size
