"""Errors that carry a message for the person at the keyboard."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A problem the user can mend.

    The message is one clear sentence saying what is wrong and what to do. The command line
    prints it without a traceback, names the options that `options` are set by, and exits with
    status 2.
    """

    def __init__(self, message: str, *options: str):
        super().__init__(message)
        self.options = options  # parameters that would mend it, such as "out"


class PuzzleError(UserError):
    """A puzzle that cannot be read, breaks its rules or cannot be made as asked."""


def nearest(name: str, names: Iterable[str], otherwise: str) -> str:
    """The second half of a sentence about a misspelled `name`; `otherwise` if none is near."""
    near = difflib.get_close_matches(name, names, n=3)
    return f"did you mean {' or '.join(near)}?" if near else otherwise
