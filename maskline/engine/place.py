"""The place of a training process among the workers of all hosts, as the environment variable TF_CONFIG has it."""

import json
import os
import socket
from contextlib import ExitStack
from typing import NamedTuple

from maskline.errors import InputError

VARIABLE = "TF_CONFIG"


class Place(NamedTuple):
    """One worker of a training.

    Attributes:
        addresses: 'host:port' of each worker, in the order of their ranks.
        rank: this worker's number, from 0 on.
    """

    addresses: tuple[str, ...]
    rank: int

    @property
    def neighbors(self) -> list[int]:
        """The ranks of all workers on this one's host, this one included."""
        hosts = [address.rpartition(":")[0] for address in self.addresses]
        return [rank for rank, host in enumerate(hosts) if host == hosts[self.rank]]

    def tf_config(self) -> str:
        """Return the place as TensorFlow reads it from TF_CONFIG."""
        return json.dumps({"cluster": {"worker": self.addresses}, "task": {"type": "worker", "index": self.rank}})


def given_place(workers: int) -> Place | None:
    """Return the place that TF_CONFIG gives this process, or None if the variable is not set.

    Args:
        workers: the number of workers that params ask for.

    Raises:
        InputError: TF_CONFIG is not a cluster of workers alone and one of them as the task, or has another number.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    place = _parsed(text)
    if len(place.addresses) != workers:
        raise InputError(
            f"{VARIABLE} has {len(place.addresses)} workers, but train.workers is another number; make them equal. "
            f"Received: {workers}"
        )
    return place


def _parsed(text: str) -> Place:
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        place = Place(tuple(cluster["worker"]), task["index"])
        is_whole = cluster.keys() == {"worker"} and task["type"] == "worker" and type(place.rank) is int
        hosts, _, ports = zip(*(address.rpartition(":") for address in place.addresses), strict=True)
        if is_whole and all(hosts) and all(map(str.isdecimal, ports)) and 0 <= place.rank < len(place.addresses):
            return place
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise InputError(
        f'{VARIABLE} must be such as {{"cluster": {{"worker": ["a:2222", "b:2222"]}}, "task": {{"type": "worker", '
        f'"index": 0}}}}, with the address of each worker and the index of this one; correct it or unset it. '
        f"Received: {text[:200]!r}"
    )


def local_places(workers: int) -> list[Place]:
    """Return the places of workers that are all on this host, at ports that are free now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(workers)]
        addresses = tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
    return [Place(addresses, rank) for rank in range(workers)]
