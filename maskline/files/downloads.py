"""Downloads: attempts with growing pauses between them, and a server's refusal as a sentence."""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

import requests

from maskline.errors import InputError
from maskline.messages import one_line

ATTEMPTS = 4
BACKOFF = 1.0  # seconds before the second attempt, doubled before each further one
STALL = 60.0  # seconds without a byte after which a connection has failed

_TRANSIENT = (408, 429)  # client errors after which another attempt may succeed

_Result = TypeVar("_Result")


def retry(work: Callable[[], _Result], what: str, remedy: str) -> _Result:
    """Call `work`, which needs the network, and call it again after a growing pause if the connection fails.

    Raises:
        InputError: every attempt failed.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except (requests.RequestException, ConnectionError, TimeoutError) as error:
            if attempt == ATTEMPTS:
                raise InputError(
                    f"{what} could not be downloaded in {ATTEMPTS} attempts ({one_line(error, None)}). {remedy}"
                ) from None
            print(f"{what}: the connection failed, attempt {attempt} of {ATTEMPTS}; trying again", file=sys.stderr)
            time.sleep(BACKOFF * 2 ** (attempt - 1))
    raise AssertionError


def check_status(response: requests.Response, url: str, remedy: str) -> None:
    """Refuse a server's answer that is not the file.

    Raises:
        InputError: the server refuses the file.
        requests.HTTPError: another attempt may succeed.
    """
    status = response.status_code
    if 400 <= status < 500 and status not in _TRANSIENT:
        raise InputError(f"{url} could not be downloaded: the server answered {status} {response.reason}. {remedy}")
    response.raise_for_status()
