"""Saving a model to a .keras file whose bytes depend only on the model, and loading it."""

import io
import json
import tempfile
import zipfile
from pathlib import Path

import keras

from maskline.errors import ArtifactError
from maskline.files.artifacts import ZIP_EPOCH, write_bytes
from maskline.models.ensemble import AnyModel, Ensemble
from maskline.models.segmentation import SegmentationModel


def save_model(model: AnyModel, path: Path) -> None:
    """Write a .keras file without the save time, archive times and memory addresses that Keras adds."""
    with tempfile.TemporaryDirectory(
        dir=Path(path).parent
    ) as folder:  # is removed with the output's folder after a kill
        saved = Path(folder) / "model.keras"
        model.save(saved)
        write_bytes(path, _stable(saved))


def _stable(saved: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(out, "w") as target:
        for name in sorted(source.namelist()):
            data = source.read(name)
            if name.endswith(".json"):
                data = json.dumps(_deterministic(json.loads(data)), indent=1, sort_keys=True).encode()
            target.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), data)
    return out.getvalue()


def _deterministic(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: _deterministic(item) for key, item in value.items() if key not in ("date_saved", "shared_object_id")
        }
    return [_deterministic(item) for item in value] if isinstance(value, list) else value


def load_model(path: Path) -> AnyModel:
    """Load a saved model; code in the file is never executed.

    Raises:
        ArtifactError: the file is missing, damaged, or not a model of this project.
    """
    if not Path(path).exists():
        raise ArtifactError(path, "is missing")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras passes on any error of its readers
        reason = " ".join(str(error).split())[:200]
        raise ArtifactError(path, f"cannot be loaded ({reason})") from None
    if not isinstance(model, SegmentationModel | Ensemble):
        raise ArtifactError(path, f"holds a {type(model).__name__}, which is not a segmentation model")
    return model
