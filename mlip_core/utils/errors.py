"""Errors that are the user's to mend, and how a program ends on one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """A mistake in the user's data, config or environment.

    The message is one line that says what is wrong and where (file, frame, key) and how to mend it.
    It is shown without a traceback, so it has to be enough on its own.
    """


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End the program with status 1 and one line on standard error when a ``UserError`` is raised.

    A full disk and a file or directory without permission are the user's to mend as well.
    """
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'input/output'}: {error.strerror or error}")
