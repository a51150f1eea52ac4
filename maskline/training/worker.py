"""One worker process of a training: its share of the host, its connection to the others, and its reports."""

import _thread
import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

from tqdm import tqdm

from maskline.engine.cores import take_share
from maskline.engine.device import choose_device
from maskline.engine.place import VARIABLE, Place
from maskline.errors import InputError, Stopped
from maskline.files.digests import trust
from maskline.messages import system_error, unexpected_sentence, without_stderr

CONNECTED, FINISHED = "connected", "finished"  # reports to the parent
STOP = "stop"  # from the parent
_PR_SET_PDEATHSIG = 1  # in <sys/prctl.h>


class LostWorker(InputError):
    """Another worker has ended."""


def run_worker(work: Callable[[], None], place: Place, pipe: Connection, known: dict[tuple, str]) -> None:
    """Do the work as the worker at a place, and report its end, or its error, to the parent process.

    Only the first worker prints; the first of each other host says what it runs on. `known` are digests of files that
    the parent has read.
    """
    trust(known)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _die_with_parent()
    _thread.start_new_thread(_obey, (pipe,))
    tqdm.set_lock(threading.RLock())  # its own lock is one of the system's, which a killed process leaves behind
    try:
        _connect(place)
        pipe.send(CONNECTED)
        with _lost_workers():
            work()
            _wait_for_all()
        pipe.send(FINISHED)
    except KeyboardInterrupt as stop:
        pipe.send(Stopped(str(stop)))
    except Exception as error:
        pipe.send(_portable(error))


def _die_with_parent() -> None:
    """Let Linux end this process with its parent, also while TensorFlow waits for other workers and stops all threads.

    Elsewhere, it ends after that wait.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _obey(pipe: Connection) -> None:
    """Interrupt the work when the parent asks for it, and end this process when the parent has ended."""
    with contextlib.suppress(EOFError, OSError):
        while pipe.recv() == STOP:
            _thread.interrupt_main(signal.SIGINT)
    os._exit(1)


def _be_silent() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _connect(place: Place) -> None:
    """Take this worker's share of cores and GPUs, and connect it to all others, for which it waits."""
    neighbors = place.neighbors
    number = neighbors.index(place.rank)
    take_share(number, len(neighbors))
    with without_stderr():
        import tensorflow as tf
    from maskline.engine import replicas

    device = choose_device(number, len(neighbors))
    if number == 0:
        print(f"train: runs in {len(place.addresses)} workers, this one on {device}.", flush=True)
    if place.rank:
        _be_silent()
    os.environ[VARIABLE] = place.tf_config()
    try:
        tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.UnknownError as error:
        if "gRPC server" not in error.message:
            raise
        address = place.addresses[place.rank]
        raise InputError(f"worker {place.rank} cannot use the port of {address}; free it or choose another.") from None
    replicas.join(place.rank, len(place.addresses))


@contextlib.contextmanager
def _lost_workers() -> Iterator[None]:
    """Within the block, an exchange that fails because another worker has ended raises a LostWorker.

    Raises:
        LostWorker: another worker has ended.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        ended = isinstance(error, tf.errors.UnavailableError | tf.errors.AbortedError | tf.errors.CancelledError)
        if not ended and "collective" not in error.message.lower():
            raise
        raise LostWorker(
            "another worker was lost, so training stopped here too; see what that worker says, and start all workers "
            "again; they go on from the last checkpoint."
        ) from None


def _wait_for_all() -> None:
    """Return when all workers are here, because the end of one would stop the others.

    A worker can leave an exchange while another one still reads from it. So each stays for a second exchange, which
    may fail, because all work is done.
    """
    import tensorflow as tf

    from maskline.engine.replicas import all_sum

    all_sum(tf.zeros([1]))
    with contextlib.suppress(tf.errors.OpError):
        all_sum(tf.zeros([1]))


def _portable(error: Exception) -> Exception:
    """Return an error that the parent process can read and print; one that is not expected is logged here."""
    if isinstance(error, InputError):
        return error
    return system_error(error) or InputError(unexpected_sentence(error))
