"""Errors that are the user's to mend, and how a program ends on one."""

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# As in Rust, "(os error 28)", and in TensorStore, "[os_error_code='28']".
_SYSTEM_ERROR = re.compile(r"os[_ ]error(?:_code)?\W+(\d+)")

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REMEDIES = {
    **dict.fromkeys(_FULL, "make room there, and run the same command again"),
    **dict.fromkeys((errno.EACCES, errno.EROFS), "make it accessible, or take another place"),
}
# The words of libraries of which the system maps no part, or that get no thread.
_NO_MEMORY = ("RESOURCE_EXHAUSTED", "can't start new thread", "failed to map segment")


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
        sys.exit(f"error: {_said_of_system_error(error)}")
    except (MemoryError, RuntimeError, ImportError) as error:
        if not _is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split()) or "more was asked for than there is"
        sys.exit(f"error: out of memory ({reason}); take smaller batches, or give it more memory")


@contextmanager
def naming(path: str | os.PathLike[str], instead_of: str | None = None) -> Iterator[None]:
    """Let a full disk be told with the file that did not fit: writing and flushing do not name it.

    Args:
        path: what is written.
        instead_of: a temporary name of it, which no error shall tell.
    """
    try:
        yield
    except OSError as error:
        nameless = error.filename is None and error.errno in _FULL
        if nameless or (instead_of is not None and error.filename == instead_of):
            error.filename = os.fspath(path)
        raise


def _said_of_system_error(error: OSError) -> str:
    place, reason = error.filename or "input/output", error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{place}: {reason}; {remedy}" if remedy else f"{place}: {reason}"


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY)


def as_system_error(error: Exception, path: str | os.PathLike[str]) -> Exception:
    """The ``OSError`` that a compiled library tells of in an error of its own, or that error."""
    code = _SYSTEM_ERROR.search(str(error))
    if code is None:
        return error
    return OSError(int(code[1]), os.strerror(int(code[1])), os.fspath(path))
