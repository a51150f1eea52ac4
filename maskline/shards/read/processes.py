"""A function called in processes of its own, whose arrays come back through shared memory.

Threads of one process share Python's interpreter lock, which every OpenCV call takes. On 16 cores, 16 threads augment
fewer images than 4.
"""

import contextlib
import math
import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any

import cv2
import numpy as np

from maskline.errors import InputError

New = Callable[[tuple[int, ...]], np.ndarray]
Make = Callable[[int, New], tuple[np.ndarray, ...]]


class Processes:
    """A function that gives the arrays of another, which runs in processes; threads may call it at the same time.

    The processes end when `close` is called, and with the process that made them, even if that is killed.

    Args:
        make: takes a number and a function that returns a uint8 array of a given shape, and fills one array of each of
            the shapes. It must be picklable.
        shapes: of the arrays; all differ.
        count: the number of processes.
    """

    def __init__(self, make: Make, shapes: list[tuple[int, ...]], count: int) -> None:
        self._make = make
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        self._is_closed = False
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        resource_tracker.ensure_running()  # its start, now or with the first process, unblocks signals
        # The processes inherit a blocked SIGINT, so that only this process answers Ctrl-C.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for _ in range(count):
                self._idle.put(_Process(shapes))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def __call__(self, number: int, empty: New) -> tuple[np.ndarray, ...]:
        """Return copies of the arrays for a number, in arrays of `empty`.

        Raises:
            InputError: a process was killed, or this object is closed.
            Exception: what the function raised.
        """
        process = self._idle.get()
        try:
            return process.call(self._make, number, empty)
        finally:
            self._idle.put(process)
            if self._is_closed:
                self._end_idle()

    def close(self) -> None:
        """End the processes, those that work as soon as they have finished."""
        self._is_closed = True
        self._end_idle()

    def _end_idle(self) -> None:
        with contextlib.suppress(Empty):
            for _ in range(self._idle.qsize()):
                process = self._idle.get_nowait()
                process.end()
                self._idle.put(process)  # a call that waits for one must not wait for ever


class _Process:
    """A process, and the memory that is shared with it."""

    def __init__(self, shapes: list[tuple[int, ...]]) -> None:
        context = multiprocessing.get_context("spawn")
        memory = context.RawArray("B", sum(map(math.prod, shapes)))
        self._arrays = _arrays(memory, shapes)
        self._connection, theirs = context.Pipe()
        context.Process(target=_work, args=(theirs, memory, shapes), daemon=True).start()
        theirs.close()
        self._has_function = False

    def call(self, make: Make, number: int, empty: New) -> tuple[np.ndarray, ...]:
        try:
            if not self._has_function:  # not an argument of the process, which would take longer to start with it
                self._connection.send(make)
                self._has_function = True
            self._connection.send(number)
            error = self._connection.recv()
        except (EOFError, OSError):
            raise InputError(
                "a process that makes batches was killed, most likely because memory ran out; free some memory, or "
                "lower train.batch_size."
            ) from None
        if error is not None:
            raise error
        copies = tuple(empty(array.shape) for array in self._arrays)
        for copy, array in zip(copies, self._arrays, strict=True):
            copy[...] = array
        return copies

    def end(self) -> None:
        self._connection.close()


def _arrays(memory: Any, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Return the parts of the memory as arrays."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    parts = np.split(np.frombuffer(memory, np.uint8), ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _work(connection: Connection, memory: Any, shapes: list[tuple[int, ...]]) -> None:
    """Answer each number by None once the arrays are filled, or by an exception, until the other end closes."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # Python ends the processes by it when it exits
    cv2.setNumThreads(1)
    arrays = {array.shape: array for array in _arrays(memory, shapes)}
    try:
        make = connection.recv()
        while True:
            number = connection.recv()
            try:
                make(number, arrays.__getitem__)
                connection.send(None)
            except Exception as error:
                connection.send(error)
    except (EOFError, OSError):
        return
