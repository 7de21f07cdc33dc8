"""Errors whose message is written for the user, not for a programmer."""

import difflib
import math
from collections.abc import Iterable


class UserError(Exception):
    """A problem that the user can fix.

    The message is one clear sentence saying what is wrong and what to do. The command line
    prints it without a traceback, adds which of its options set the parameters in `options`,
    and exits with status 2.
    """

    def __init__(self, message: str, *options: str):
        super().__init__(message)
        self.options = options  # parameters to change, such as "out"


class PuzzleError(UserError):
    """A puzzle that cannot be read, breaks its rules or cannot be generated as requested."""


def nearest(name: str, names: Iterable[str], otherwise: str) -> str:
    """The end of an error message about an unknown `name`: "did you mean ...?".

    Args:
        name: what the user wrote.
        names: the names that exist.
        otherwise: what to return when no name is similar.
    """
    near = difflib.get_close_matches(name, names, n=3)
    return f"did you mean {' or '.join(near)}?" if near else otherwise


def check_range(name: str, value: float, lowest: float, highest: float = math.inf) -> None:
    """Raise UserError unless a number is between two others, which NaN never is.

    Args:
        name: the parameter that holds it.
        value: the number.
        lowest: the least that it may be.
        highest: the most that it may be; infinity for any.
    """
    if not lowest <= value <= highest:
        allowed = f"at least {lowest}" if highest == math.inf else f"{lowest} to {highest}"
        raise UserError(f"'{name}' must be {allowed}, not {value}.", name)
