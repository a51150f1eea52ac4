"""Saving a model to a .keras file whose bytes depend on the model alone, and loading it."""

import io
import json
import tempfile
import zipfile
from pathlib import Path

import keras

from maskline.errors import ArtifactError
from maskline.files.artifacts import ZIP_EPOCH, write_bytes
from maskline.models.segmentation import SegmentationModel


def save_model(model: SegmentationModel, path: Path) -> None:
    """Write a .keras file, without the save time, archive times and memory addresses that Keras puts in."""
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:  # goes with the output's folder if killed here
        saved = Path(folder) / "model.keras"
        model.save(saved)
        write_bytes(path, _stable(saved))


def _stable(saved: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(out, "w") as target:
        for name in sorted(source.namelist()):
            data = source.read(name)
            if name.endswith(".json"):
                data = json.dumps(_without_chance(json.loads(data)), indent=1, sort_keys=True).encode()
            target.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), data)
    return out.getvalue()


def _without_chance(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: _without_chance(item) for key, item in value.items() if key not in ("date_saved", "shared_object_id")
        }
    return [_without_chance(item) for item in value] if isinstance(value, list) else value


def load_model(path: Path) -> SegmentationModel:
    """Load a saved model; code in the file is never run.

    Raises:
        ArtifactError: the file is missing, damaged, or not a model of this project.
    """
    if not Path(path).exists():
        raise ArtifactError(path, "is missing")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its readers meet
        reason = " ".join(str(error).split())[:200]
        raise ArtifactError(path, f"cannot be loaded ({reason})") from None
    if not isinstance(model, SegmentationModel):
        raise ArtifactError(path, f"holds a {type(model).__name__}, which is not a segmentation model")
    return model
