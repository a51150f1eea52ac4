"""dataset.json: the few numbers of the audit that people compare."""

from maskline.contracts.annotations import AnnotationCounts
from maskline.contracts.audit import Audit
from maskline.contracts.classes import ROLES
from maskline.contracts.folders import METRICS

PATH = METRICS / "dataset.json"


def dataset_figures(audit: Audit) -> dict[str, int | float]:
    """Return images by split, void share, class drift by split, pairs of duplicates by kind, and leakage by split.

    The void share is the mean over images. Leakage is the share of a split's images that have a near neighbor in train.
    A source of annotations adds, before leakage, the number of annotations that were not drawn and of pixels that two
    classes claim. dataset.group adds at the end the number of groups in several splits.
    """
    images = sum(audit.images.values())
    void = sum(audit.void_share[role] * audit.images[role] for role in ROLES)
    return {
        **{f"images.{role}": audit.images[role] for role in ROLES},
        "void_share": round(void / images, 6) if images else 0.0,
        **{f"class_drift.{role}": drift for role, drift in audit.class_drift.items()},
        "duplicates.exact": audit.duplicates.exact,
        "duplicates.near": audit.duplicates.near,
        **_annotations(audit.annotations),
        **{f"leakage.{role}": near.share for role, near in audit.leakage.items()},
        **({} if audit.groups is None else {"groups.cut": audit.groups.cut}),
    }


def _annotations(counts: AnnotationCounts | None) -> dict[str, int]:
    if counts is None:
        return {}
    return {"annotations.not_drawn": counts.not_drawn, "annotations.overlap_pixels": counts.overlap_pixels}
