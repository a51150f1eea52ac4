"""How well input pipelines shuffle, compared with a full permutation.

2,048 examples are in 16 shards of 128, in the worst order: all examples of a class, or of a video, are together. For
each way of shuffling, over the epochs:

- order: the correlation between an example's place in the files and its place in the epoch; 0 for a permutation;
- neighbors: the share of consecutive examples in the files that are within 32 places in the epoch;
- spread: the standard deviation over the batches (of 16) of the mean place in the files, as a multiple of a
  permutation's: how much batches differ from each other;
- repeats: the correlation between an example's places in two consecutive epochs.

    python benchmarks/shuffle.py
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from maskline.shards.read.batches import training_batches  # noqa: E402

EXAMPLES, SHARD, BATCH, EPOCHS, NEAR = 2048, 128, 16, 20, 32

Order = Callable[[int], np.ndarray]


class Numbered:
    """A split whose images hold their number in two bytes."""

    size = (1, 1)

    def __len__(self) -> int:
        return EXAMPLES

    def read(self, indices: np.ndarray, empty: Callable) -> tuple[np.ndarray, np.ndarray]:
        """Return images whose first two channels hold the number."""
        images, labels = empty((len(indices), 1, 1, 3)), empty((len(indices), 1, 1))
        images[:, 0, 0, 0], images[:, 0, 0, 1] = np.divmod(indices, 256)
        return images, labels


def nothing(image: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> None:
    """Augment nothing; a lambda could not be sent to the processes that make batches for a GPU."""


def maskline(epoch: int) -> np.ndarray:
    """The project's own batches."""
    steps = EXAMPLES // BATCH
    data = training_batches(Numbered(), BATCH, nothing, 1, range(epoch * steps, (epoch + 1) * steps))
    images = np.concatenate([images for images, _ in data.as_numpy_iterator()])
    return images[:, 0, 0, 0].astype(int) * 256 + images[:, 0, 0, 1]


def permutation(epoch: int) -> np.ndarray:
    """NumPy's full permutation."""
    return np.random.default_rng(epoch).permutation(EXAMPLES)


def buffered(epoch: int, buffer: int) -> np.ndarray:
    """tf.data's shuffle with a buffer."""
    return numbers(tf.data.Dataset.range(EXAMPLES).shuffle(buffer, seed=epoch + 1))


def interleaved(epoch: int, buffer: int) -> np.ndarray:
    """Shuffled files, four of which are read in turns, and a buffer."""
    shards = tf.data.Dataset.range(EXAMPLES // SHARD).shuffle(EXAMPLES // SHARD, seed=epoch + 1)
    examples = shards.interleave(
        lambda shard: tf.data.Dataset.range(shard * SHARD, (shard + 1) * SHARD), cycle_length=4, block_length=1
    )
    return numbers(examples.shuffle(buffer, seed=epoch + 1))


def numbers(data: tf.data.Dataset) -> np.ndarray:
    """Return what a data set of numbers yields."""
    return np.array(list(data.as_numpy_iterator()))


WAYS: dict[str, Order] = {
    "full permutation (NumPy)": permutation,
    "none": lambda _: np.arange(EXAMPLES),
    "buffer of 32": partial(buffered, buffer=32),
    "buffer of 256": partial(buffered, buffer=256),
    "shuffled files, 4 in turns, buffer of 32": partial(interleaved, buffer=32),
    "shuffled files, 4 in turns, buffer of 256": partial(interleaved, buffer=256),
    "buffer of all": partial(buffered, buffer=EXAMPLES),
    "maskline": maskline,
}


def places(order: np.ndarray) -> np.ndarray:
    """Return the place of each example."""
    place_of = np.empty_like(order)
    place_of[order] = np.arange(len(order))
    return place_of


def statistics(orders: list[np.ndarray]) -> list[float]:
    """Return order, neighbors, spread and repeats, as means over the epochs."""
    files = np.arange(EXAMPLES)
    epoch_places = [places(order) for order in orders]
    correlation = np.mean([abs(np.corrcoef(files, place)[0, 1]) for place in epoch_places])
    neighbors = np.mean([np.mean(np.abs(np.diff(place)) <= NEAR) for place in epoch_places])
    # Standard deviation of the mean of BATCH places out of EXAMPLES, drawn without replacement.
    expected = np.sqrt((EXAMPLES**2 - 1) / 12 / BATCH * (EXAMPLES - BATCH) / (EXAMPLES - 1))
    spread = np.mean([order.reshape(-1, BATCH).mean(axis=1).std() for order in orders]) / expected
    repeats = np.mean([abs(np.corrcoef(one, other)[0, 1]) for one, other in pairwise(epoch_places)])
    return [float(value) for value in (correlation, neighbors, spread, repeats)]


def main() -> None:
    """Print a table."""
    print("| shuffled by | order | neighbors | spread | repeats |\n|---|---|---|---|---|")
    for name, way in WAYS.items():
        found = statistics([way(epoch) for epoch in range(EPOCHS)])
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in found)} |")


if __name__ == "__main__":
    main()
