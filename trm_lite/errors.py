"""Errors that carry a message for the person at the keyboard."""


class UserError(Exception):
    """A problem the user can mend.

    The message is one clear sentence saying what is wrong and what to do. The command line
    prints it without a traceback and exits with status 2.
    """


class PuzzleError(UserError):
    """A puzzle that cannot be read, breaks its rules or cannot be made as asked."""
