"""maskline: reproducible semantic segmentation, from images and masks to a report.

`maskline.load_model(path).predict(image)` labels an image with a trained model, and `maskline.metrics` holds the
metrics. Both are imported when they are first used, so that `import maskline` is fast. TensorFlow is imported only for
a model that needs it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskline import metrics
    from maskline.prediction.predictor import load_model

    __version__: str

__all__ = ["__version__", "load_model", "metrics"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("maskline")
    if name == "load_model":
        from maskline.prediction.predictor import load_model

        return load_model
    if name == "metrics":
        return importlib.import_module("maskline.metrics")
    raise AttributeError(f"module 'maskline' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
