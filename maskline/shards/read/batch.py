"""One training batch as a pure function of the seed and the step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from maskline.shards.read.draws import DRAWS, epoch_order, uniform
from maskline.shards.read.reader import ShardReader

_order = lru_cache(maxsize=2)(epoch_order)


@dataclass(frozen=True)
class TrainingBatch:
    """A worker's part of each batch, shuffled and augmented.

    Args:
        augment: changes an image uint8 [H, W, 3] and its labels uint8 [H, W] in place, by draws float32 [DRAWS].
        batch_size: images in the batch of all workers.
        epoch_steps: batches in an epoch.
        part: the worker's images in each batch.
    """

    reader: ShardReader
    augment: Callable[[np.ndarray, np.ndarray, np.ndarray], None]
    seed: int
    batch_size: int
    epoch_steps: int
    part: slice

    def __call__(self, step: int, empty: Callable[[tuple[int, ...]], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return images uint8 [B, H, W, 3] and labels uint8 [B, H, W] of a step of the run.

        Args:
            empty: returns a uint8 array of a given shape to write into.
        """
        epoch, batch = divmod(step, self.epoch_steps)
        order = _order(self.seed, epoch, len(self.reader))
        chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size][self.part]
        images, labels = self.reader.read(chosen, empty)
        for image, mask, draws in zip(images, labels, uniform(self.seed, epoch, chosen, DRAWS), strict=True):
            self.augment(image, mask, draws)
        return images, labels
