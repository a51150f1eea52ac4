"""Simulated confusion matrices."""

import numpy as np

NAMES = ["sky", "tree", "crème brûlée"]
EASY, SPREAD = 0.8, 0.08  # mean accuracy of an image and its deviation among images


def simulated(truth, accuracy, rng):
    """Draw matrices int64 [N, C, C] of images with true pixels [N, C], each right at a share [N] of them."""
    hits = rng.binomial(truth, np.clip(accuracy, 0, 1)[:, None])
    identity = np.eye(truth.shape[1], dtype=int)
    return hits[:, :, None] * identity + (truth - hits)[:, :, None] * np.roll(identity, 1, axis=1)


def truths(images, rng):
    return rng.multinomial(4000, [0.6, 0.3, 0.1], images)
