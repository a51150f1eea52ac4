"""The exceptions that reach a user as a sentence instead of a traceback."""


class InputError(Exception):
    """Something the user can mend; the message names the file, the value received and the remedy."""


class Stopped(KeyboardInterrupt):
    """The user stopped the work; the message, if any, says what was saved and how to go on."""
