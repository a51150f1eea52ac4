"""The one exception that reaches a user as a sentence instead of a traceback."""


class InputError(Exception):
    """Something the user can mend; the message names the file, the value received and the remedy."""
