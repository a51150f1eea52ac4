"""How many images each split will have."""

from typing import Any

from maskline.contracts.classes import ROLES, Role
from maskline.planning.fingerprint import Fingerprint


def images_by_role(params: dict[str, Any], fingerprint: Fingerprint) -> dict[Role, int]:
    """Return the number of images of each split, held-out ones included, as download and preprocess will make them."""
    dataset, images = params["dataset"], dict(fingerprint.images)
    train = images.get("train", 0)
    if dataset["folds"]:  # divide all but a test split of the source, which is left out
        images = {"train": train + images.get("validation", 0)}
        test = round(images["train"] / dataset["folds"])
        train = images["train"] - test
    else:
        test = images.get("test", 0) or _held_out(train, dataset["test_fraction"])
        train -= 0 if images.get("test") else test
    validation = images.get("validation", 0) or _held_out(train, dataset["validation_fraction"])
    train -= 0 if images.get("validation") else validation
    limit = dataset["limit"] or max(train, validation, test)
    return dict(zip(ROLES, (min(limit, count) for count in (train, validation, test)), strict=True))


def _held_out(images: int, share: float) -> int:
    return max(1, round(images * share))
