"""One process at a time in a directory: an orphaned training and its restart cannot both write."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlip_core.utils.errors import UserError


@contextmanager
def exclusive(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Hold a lock file while the block runs.

    The kernel holds the lock and lets go of it when the process ends, however it ends: a lock that
    was left behind by a crash or a reboot is free, and no process id has to be trusted. The file
    says who holds it. It is not removed: another process could already wait on it.

    Args:
        path: the lock file; made if missing.
        what: what is locked, for the message.

    Raises:
        UserError: if another process holds the lock.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{what} is already being written by {_holder(target)}") from error
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        file.flush()
        yield


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return "another process; wait for it or end it"
    pid = holder["pid"]
    return f"process {pid} on {holder['host']}; wait for it, or end it (kill {pid})"
