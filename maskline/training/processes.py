"""The worker processes of one training on this host: started together, watched, and ended together."""

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from maskline.engine.place import Place
from maskline.errors import InputError, Stopped
from maskline.files.digests import known_digests
from maskline.training.worker import CONNECTED, FINISHED, STOP, LostWorker, run_worker

_DEFERRED = {signal.SIGINT, signal.SIGTERM}
_MOMENT = 1.0  # seconds in which a worker that lost another one ends


@dataclass
class _Worker:
    """A worker process, the parent's end of its pipe, and what it has reported."""

    rank: int
    process: BaseProcess
    pipe: Connection
    is_connected: bool = False
    is_finished: bool = False


def train_in_processes(work: Callable[[Place], None], places: Sequence[Place]) -> None:
    """Train with a worker process at each of the places, and return when all have finished.

    Whatever ends one of them ends all, and none is left when the function returns or raises.

    Args:
        work: what a worker does once it is connected to all others; picklable.
        places: of the workers on this host.

    Raises:
        InputError: of the first worker that raises one, or a worker was killed.
        Stopped: Ctrl-C or SIGTERM. The first worker, if it is on this host, has saved its last finished step.
    """
    workers: list[_Worker] = []
    try:
        for place in places:
            workers.append(_started(work, place))
        _until_finished(workers)
    except KeyboardInterrupt as stop:
        if isinstance(stop, Stopped):
            raise
        _stop(workers)
        raise
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()


def _started(work: Callable[[Place], None], place: Place) -> _Worker:
    """Start a worker that inherits blocked signals, so that only the parent answers Ctrl-C and SIGTERM."""
    context = multiprocessing.get_context("spawn")
    pipe, end = context.Pipe()
    resource_tracker.ensure_running()  # its start would unblock the signals
    process = context.Process(target=run_worker, args=(partial(work, place), place, end, known_digests()))
    signal.pthread_sigmask(signal.SIG_BLOCK, _DEFERRED)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _DEFERRED)
    end.close()
    return _Worker(place.rank, process, pipe)


def _until_finished(workers: Sequence[_Worker]) -> None:
    """Return when all workers have finished; raise what one of them raised, or that it was killed."""
    while running := [worker for worker in workers if not worker.is_finished]:
        wait([each for worker in running for each in (worker.pipe, worker.process.sentinel)])
        try:
            for worker in running:
                _hear(worker, len(workers))
        except LostWorker:
            _refuse_killed(workers)
            raise


def _hear(worker: _Worker, count: int) -> None:
    """Take what a worker reports; raise it if it is an error."""
    while not worker.is_finished and worker.pipe.poll():
        report = _report(worker, count)
        if isinstance(report, BaseException):
            raise report
        worker.is_connected |= report == CONNECTED
        worker.is_finished |= report == FINISHED


def _report(worker: _Worker, count: int) -> str | BaseException:
    """Return a worker's next report.

    Raises:
        InputError: the worker was killed.
    """
    try:
        report: str | BaseException = worker.pipe.recv()
        return report
    except (EOFError, ConnectionError):
        raise _killed(worker, count) from None


def _refuse_killed(workers: Sequence[_Worker]) -> None:
    """Raise the InputError of a worker of this host that was killed, if there is one: the others lost it."""
    for worker in workers:
        worker.process.join(_MOMENT)
        if (worker.process.exitcode or 0) < 0:
            raise _killed(worker, len(workers))


def _killed(worker: _Worker, count: int) -> InputError:
    return InputError(
        f"worker {worker.rank} of the {count} on this host was killed, most likely because memory ran out, so "
        "training stopped; free some memory, or lower train.batch_size or train.workers; the next run goes on "
        "from the last checkpoint."
    )


def _stop(workers: Sequence[_Worker]) -> None:
    """Let the first worker save its last finished step, if it has begun; the others only wait for it.

    Raises:
        Stopped: with what was saved.
    """
    first = next((worker for worker in workers if worker.rank == 0), None)
    if workers and first is None:
        raise Stopped("all other workers stop too, worker 0 has the last checkpoint")
    if first and first.is_connected:
        with contextlib.suppress(ConnectionError):  # if it has just ended, its last report says why
            first.pipe.send(STOP)
        _until_finished(workers)
