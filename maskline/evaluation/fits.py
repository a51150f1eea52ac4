"""Whether a model was trained on images and classes such as the shards have."""

from collections.abc import Sequence
from pathlib import Path

from maskline.contracts.manifest import PATH as MANIFEST
from maskline.contracts.manifest import Manifest
from maskline.contracts.model_info import ModelInfo, Preprocessing
from maskline.errors import ArtifactError


def check_fits(path: Path, info: ModelInfo, manifest: Manifest, shards: Path) -> None:
    """Refuse a model of other classes, or of another size or fit of images, than the shards have.

    Raises:
        ArtifactError: the model does not fit the shards.
    """
    check_classes(path, [c.name for c in info.classes], manifest, shards)
    check_images(path, info.preprocessing, manifest, shards)


def seen(path: Path, info: ModelInfo, manifest: Manifest, shards: Path) -> str | None:
    """Return the start of a sentence if the model, or a member of an ensemble, was trained with another test split.

    Then it may have learned the test images of these shards, as a model of another fold has. None: it has the same test
    split, or does not record it.
    """
    if all(split == manifest.digest("test") for split in info.test_splits):
        return None
    who = "has members that were" if len(info.test_splits) > 1 else "was"
    return (
        f"{path} {who} trained with another test split than {shards / MANIFEST.name} has, and may know its test images"
    )


def check_classes(path: Path, classes: Sequence[str], manifest: Manifest, shards: Path) -> None:
    """Refuse the model in the file `path` if it has other classes, or in another order, than the shards.

    Raises:
        ArtifactError: the classes differ.
    """
    given = [c.name for c in manifest.classes]
    if list(classes) != given:
        raise ArtifactError(path, f"knows the classes {', '.join(classes)}, but {shards} has {', '.join(given)}")


def check_images(path: Path, made: Preprocessing, manifest: Manifest, shards: Path) -> None:
    """Refuse the model in the file `path` if its training images have another size or fit than those of the shards.

    Raises:
        ArtifactError: size or fit differs.
    """
    if made.size != (manifest.height, manifest.width):
        raise ArtifactError(
            path,
            f"was trained on images of {made.height}x{made.width} (height x width), but those of "
            f"{shards / MANIFEST.name} have {manifest.height}x{manifest.width}",
        )
    if made.fit != manifest.fit:
        raise ArtifactError(
            path,
            f"was trained on images with the fit {made.fit}, but those of {shards / MANIFEST.name} have {manifest.fit}",
        )
