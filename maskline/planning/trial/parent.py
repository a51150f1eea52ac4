"""The end of a process together with the one that writes to its stdin."""

import os
import select
import threading


def end_with_stdin() -> None:
    """End this process when nobody can write to its stdin any more, even if the writer was killed."""

    def wait() -> None:
        hangup = select.poll()
        hangup.register(0, 0)
        hangup.poll()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
