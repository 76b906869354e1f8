"""Errors that are the user's to mend, and how a program ends on one."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# As in Rust, "(os error 28)", and in TensorStore, "[os_error_code='28']".
_SYSTEM_ERROR = re.compile(r"os[_ ]error(?:_code)?\W+(\d+)")


class UserError(Exception):
    """A mistake in the user's data, config or environment.

    The message is one line that says what is wrong and where (file, frame, key) and how to mend it.
    It is shown without a traceback, so it has to be enough on its own. What a file or a config has
    put into it stands there in characters that can be printed.
    """

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(map(printable, message.split("\n"))))


def printable(text: str) -> str:
    """A text of one line, with escapes in place of what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


@contextmanager
def exit_on_user_error() -> Iterator[None]:
    """End the program with status 1 and one line on standard error when a ``UserError`` is raised.

    A full disk, a file or directory without permission and too little memory are the user's to mend
    as well.
    """
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'input/output'}: {error.strerror or error}")
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split()) or "more was asked for than there is"
        sys.exit(f"error: out of memory ({reason}); take smaller batches, or give it more memory")


def _is_out_of_memory(error: Exception) -> bool:
    """XLA's own error is a ``RuntimeError`` that begins with this word."""
    return isinstance(error, MemoryError) or str(error).startswith("RESOURCE_EXHAUSTED")


def as_system_error(error: Exception, path: str | os.PathLike[str]) -> Exception:
    """The ``OSError`` that a compiled library tells of in an error of its own, or that error."""
    code = _SYSTEM_ERROR.search(str(error))
    if code is None:
        return error
    return OSError(int(code[1]), os.strerror(int(code[1])), os.fspath(path))
