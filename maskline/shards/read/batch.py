"""One training batch as a pure function of the seed and the step."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from maskline.contracts.fit import Size
from maskline.shards.read.draws import DRAWS, epoch_order, uniform
from maskline.shards.read.operation import Operation, first
from maskline.shards.read.processes import New
from maskline.shards.read.reader import ShardReader

_order = lru_cache(maxsize=2)(epoch_order)


@dataclass(frozen=True)
class TrainingBatch:
    """A worker's part of each batch, shuffled and augmented.

    Args:
        augment: changes an image uint8 [H, W, 3] and its labels uint8 [H, W] in place, by draws float32 [DRAWS], and
            leaves the result in the first rows and columns.
        batch_size: images in the batch of all workers.
        epoch_steps: batches in an epoch.
        part: the worker's images in each batch.
        size: height and width of the result; pixels.
    """

    reader: ShardReader
    augment: Operation
    seed: int
    batch_size: int
    epoch_steps: int
    part: slice
    size: Size

    def __call__(self, step: int, empty: New) -> tuple[np.ndarray, np.ndarray]:
        """Return images uint8 [B, H, W, 3] and labels uint8 [B, H, W] of a step of the run.

        Args:
            empty: returns a uint8 array of a given shape to write into.
        """
        epoch, batch = divmod(step, self.epoch_steps)
        order = _order(self.seed, epoch, len(self.reader))
        chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size][self.part]
        draws = uniform(self.seed, epoch, chosen, DRAWS)
        return self._whole(chosen, draws, empty) if self.size == self.reader.size else self._parts(chosen, draws, empty)

    def _whole(self, chosen: np.ndarray, draws: np.ndarray, empty: New) -> tuple[np.ndarray, np.ndarray]:
        images, labels = self.reader.read(chosen, empty)
        for image, mask, of_image in zip(images, labels, draws, strict=True):
            self.augment(image, mask, of_image)
        return images, labels

    def _parts(self, chosen: np.ndarray, draws: np.ndarray, empty: New) -> tuple[np.ndarray, np.ndarray]:
        images, labels = empty((len(chosen), *self.size, 3)), empty((len(chosen), *self.size))
        for image, mask, index, of_image in zip(images, labels, chosen, draws, strict=True):
            whole_images, whole_masks = self.reader.read([index])
            self.augment(whole_images[0], whole_masks[0], of_image)
            image[...], mask[...] = first(whole_images[0], self.size), first(whole_masks[0], self.size)
        return images, labels
