"""Several replicas in one process, each with its part of the batch: the towers of one TensorFlow graph.

TensorFlow runs the operations of different towers at the same time. Two towers therefore keep two cores busy, also
where one operation alone is too small, or too bound to memory, to be divided over them.

Each tower is traced in a thread of its own, but never two at the same time: they take turns, and change them where they
exchange tensors. The graph is therefore the same every time.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from maskline.engine.cores import tensorflow_threads

_MOST = 4  # towers, of which each takes seconds to trace
_SMALL = 1 << 17  # pixels of a batch that is not worth dividing


def tower_count(images: int, pixels: int) -> int:
    """Return into how many towers to divide a batch: none on a GPU, else at most one for each of TensorFlow's threads.

    Args:
        images: of a batch.
        pixels: of an image.
    """
    if tf.config.list_logical_devices("GPU") or images * pixels < _SMALL:
        return 1
    return max(count for count in range(1, min(tensorflow_threads(), _MOST) + 1) if images % count == 0)


class Meeting:
    """Where the towers of a graph exchange what they have traced, in the order of their ranks.

    Args:
        count: the number of towers.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._brought: list[Any] = [None] * count
        self._result: Any = None
        self._turns = [threading.Semaphore(0) for _ in range(count)]
        self._errors: list[BaseException] = []

    def exchange(self, rank: int, brought: Any, combine: Callable[[list[Any]], Any]) -> Any:
        """Return to each tower what `combine` makes of the list of what all towers have brought."""
        self._brought[rank] = brought
        if rank == self.count - 1:
            self._result = combine(self._brought)
            self._brought = [None] * self.count
        self._pass_on(rank)
        self._await(rank)
        return self._result

    def run(self, works: Sequence[Callable[[], Any]]) -> list[Any]:
        """Let the towers work in turns, and return their results.

        Args:
            works: what each tower traces into the current graph.

        Raises:
            BaseException: the first that a tower raises.
        """
        graph = tf.compat.v1.get_default_graph()
        graph.switch_to_thread_local()  # of its contexts, such as devices and control dependencies
        results: list[Any] = [None] * self.count

        def trace(rank: int) -> None:
            try:
                self._await(rank)
                with graph.as_default():
                    results[rank] = works[rank]()
            except BaseException as error:
                self._errors.append(error)
            finally:
                self._pass_on(rank)

        threads = [threading.Thread(target=trace, args=(rank,)) for rank in range(self.count)]
        for thread in threads:
            thread.start()
        self._turns[0].release()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        return results

    def _pass_on(self, rank: int) -> None:
        self._turns[(rank + 1) % self.count].release()

    def _await(self, rank: int) -> None:
        self._turns[rank].acquire()
        if self._errors:
            raise RuntimeError("another tower has failed")
