"""The loss and the class weights, by how unequal the classes are."""

from maskline.planning.choice import Choice
from maskline.planning.fingerprint import Fingerprint

_RARE = 200  # how many times more pixels the most common class has than a class that is called rare


def loss(fingerprint: Fingerprint) -> list[Choice]:
    """Choose the losses and the class weights."""
    seen = sorted((each for each in fingerprint.classes if each.pixels), key=lambda each: each.pixels)
    dice = "mean IoU counts each class equally, and so does Dice"
    choices = [
        Choice("train.loss.cross_entropy", 1.0, "gives every pixel a gradient from the first step"),
        Choice("train.loss.dice", 1.0, dice),
    ]
    if len(seen) < 2:
        return [*choices, Choice("train.class_weights", "none", "the sampled masks do not show two classes")]
    rare, common = seen[0], seen[-1]
    ratio = common.pixels / rare.pixels
    evidence = f"{common.name} has {ratio:,.3g} times the pixels of {rare.name}"
    if ratio > _RARE:
        return [*choices, Choice("train.class_weights", "median_frequency", evidence)]
    return [*choices, Choice("train.class_weights", "none", f"{evidence}, which Dice makes up for")]
