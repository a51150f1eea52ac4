"""The exceptions that reach a user as a sentence instead of a traceback."""

from pathlib import Path


class InputError(Exception):
    """An error that the user can fix; the message names the file, the value received and the remedy."""


class ImageError(InputError):
    """An image cannot be read; others may."""


class ArtifactError(InputError):
    """A file or folder that a stage writes is missing, damaged, or made from other inputs.

    The message names the artifact and the reason. The caller that knows the pipeline adds the remedy.

    Args:
        path: the artifact, or a file in it.
        reason: what follows the path in the sentence, such as 'is missing', without a full stop.
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.path = Path(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type["ArtifactError"], tuple[Path, str]]:
        """Pickle by path and reason, so that the error of a worker reaches its caller."""
        return type(self), (self.path, self.reason)


class Stopped(KeyboardInterrupt):
    """The user stopped the work; the message, if any, says what was saved, without a full stop."""
