"""The shares of train that are held out: enough images to trust a score, and not more of many."""

from collections.abc import Mapping

from maskline.contracts.classes import Role
from maskline.errors import InputError
from maskline.planning.choice import Choice
from maskline.planning.fingerprint import Fingerprint
from maskline.planning.wording import plural

_FEWEST, _ENOUGH = 10, 500  # images of a held-out split
_MOST = 0.3
_FEW = 20  # images of a held-out split whose score depends on chance


def held_out(fingerprint: Fingerprint) -> list[Choice]:
    """Choose the share of each split that the source does not have."""
    images = fingerprint.images.get("train", 0)
    choices = []
    if not fingerprint.images.get("test"):
        choices.append(_choice("test_fraction", images, 0.2))
        images -= round(images * choices[0].value)
    if not fingerprint.images.get("validation"):
        choices.append(_choice("validation_fraction", images, 0.1))
    return choices


def _choice(key: str, images: int, usual: float) -> Choice:
    few, many = _FEWEST / max(1, images), _ENOUGH / max(1, images)
    share = round(min(_MOST, max(few, min(usual, many))), 3)
    count = max(1, round(images * share))
    if count < _FEWEST:
        reason = f"{count} of {images} images; a score of so few is rough, and more would be missing in training"
    elif share > usual:
        reason = f"{count} of {images} images; a score of fewer would be too rough"
    else:
        reason = f"{count} of {images} images"
    return Choice(f"dataset.{key}", share, reason)


def check_enough(fingerprint: Fingerprint) -> None:
    """Check that train keeps an image when one each is held out for the splits that the source does not have.

    Raises:
        InputError: it keeps none.
    """
    count = fingerprint.images.get("train", 0)
    least = 1 + sum(not fingerprint.images.get(split) for split in ("validation", "test"))
    if count < least:
        raise InputError(
            f"the data set has {plural(count, 'image')} with a mask for train, but at least {least} are needed, so "
            "that train, validation and test have one each; add images and their masks."
        )


def few_warnings(images: Mapping[Role, int]) -> list[str]:
    """Return a warning if few images choose the epoch, or few give the figures.

    Args:
        images: number of images by split, as the params will make them.
    """
    if min(images["validation"], images["test"]) >= _FEW:
        return []
    return [
        f"validation will have {plural(images['validation'], 'image')}, and test {plural(images['test'], 'image')}, so "
        "that the figures depend on chance; `maskline folds 5` tests on all images"
    ]
