"""One process at a time in a directory, whatever host it runs on and however it ends."""

import fcntl
import json
import logging
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mlip_core.utils.errors import UserError
from mlip_core.utils.stopping import EXIT_RESUME

BEAT_SECONDS = 10.0
"""How often the holder of a lock shows that it is alive."""

MISSED_BEATS = 4
"""After how many beats that did not come a holder on another host counts as dead."""

RECORD_BYTES = 512

Holder = dict[str, Any]

logger = logging.getLogger(__name__)


@contextmanager
def exclusive(
    path: str | os.PathLike[str], what: str, beat_seconds: float = BEAT_SECONDS
) -> Iterator[None]:
    """Hold a lock file while the block runs.

    On one host the kernel holds the lock and lets go of it when the process ends, however it ends.
    Between hosts, whose file system may not share such locks, the holder writes a new number into
    the file every ``beat_seconds``. One whose number stands still for ``MISSED_BEATS`` beats is
    dead: its lock is taken over. So is, at once, that of the same Slurm job, which has been started
    again, and one that was released. A holder that finds another one in the file, since it was
    itself suspended for too long, ends at once with ``EXIT_RESUME``: it must write no more. So does
    one that cannot show that it is alive, a beat before it counts as dead.

    The file is not removed: another process could already wait on it.

    Args:
        path: the lock file; made if missing.
        what: what is locked, for messages.
        beat_seconds: time between beats.

    Raises:
        UserError: if another process holds the lock.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()
    with open(target, "r+b") as file:
        is_kernels = _lock_in_kernel(file, what)
        holder = _read(target)
        if holder is not None and _may_be_alive(holder, is_kernels):
            _wait_for_death(holder, target, what, beat_seconds)
        heart = _Heart(file, what, beat_seconds)
        _take(target, heart, what, beat_seconds)
        heart.start()
        try:
            yield
        finally:
            heart.stop()


class _Heart:
    """Writes into a lock file, again and again, that its holder is alive."""

    def __init__(self, file: IO[bytes], what: str, beat_seconds: float) -> None:
        self.holder: Holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "boot": _boot_id(),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
            "token": uuid.uuid4().hex,
            "beat": 0,
        }
        self._file, self._what, self._beat_seconds = file, what, beat_seconds
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lock", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Release the lock; a file that cannot be written is found released some beats later."""
        self._is_stopped.set()
        self._thread.join()
        try:
            if self._is_holder():
                self.write(self.holder | {"released": True})
        except OSError as error:
            logger.warning("%s: not released (%s)", self._file.name, error)

    def write(self, holder: Holder) -> None:
        """All at once and always of one length: nobody finds an empty file meanwhile."""
        record = json.dumps(holder).ljust(RECORD_BYTES - 1) + "\n"
        os.pwrite(self._file.fileno(), record.encode(), 0)
        os.fsync(self._file.fileno())

    def _run(self) -> None:
        missed = 0
        while not self._is_stopped.wait(self._beat_seconds):
            try:
                if not self._is_holder():
                    self._end("another process has taken it over")
                self.holder["beat"] += 1
                self.write(self.holder)
                missed = 0
            except OSError as error:  # a network file system may be back at the next beat
                missed += 1
                if missed >= MISSED_BEATS - 1:
                    self._end(f"{self._file.name}: cannot be written ({error.strerror})")

    def _end(self, reason: str) -> None:
        sys.stderr.write(f"error: {self._what}: {reason}\n")
        sys.stderr.flush()
        os._exit(EXIT_RESUME)

    def _is_holder(self) -> bool:
        found = _read(Path(self._file.name))
        return found is not None and found["token"] == self.holder["token"]


def _lock_in_kernel(file: IO[bytes], what: str) -> bool:
    """Lock against processes of this host; ``False`` where the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _is_held(what, _read(Path(file.name))) from error
    except OSError as error:
        logger.info("%s: no locks on this file system (%s)", file.name, error)
        return False
    return True


def _may_be_alive(holder: Holder, is_kernels: bool) -> bool:
    """Whether the holder that the file names could be running.

    Args:
        holder: what the file says.
        is_kernels: whether the kernel has given the lock to this process; then no other process of
            this host has it.
    """
    if holder.get("released") or (is_kernels and holder["boot"] == _boot_id()):
        return False
    job = os.environ.get("SLURM_JOB_ID")
    return job is None or holder["slurm_job"] != job


def _wait_for_death(holder: Holder, path: Path, what: str, beat_seconds: float) -> None:
    seconds = MISSED_BEATS * beat_seconds
    name = _name(holder)
    logger.warning("%s: not released by %s; watching it for %g s", path, name, seconds)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(beat_seconds / 4)
        if _read(path) != holder:
            raise _is_held(what, holder)
    logger.warning("%s: %s is dead; its lock is taken over", path, name)


def _take(path: Path, heart: _Heart, what: str, beat_seconds: float) -> None:
    """Write the new holder; of two that do it at the same time on two hosts, the last one wins."""
    is_contested = _read(path) is not None
    heart.write(heart.holder)
    if is_contested:
        time.sleep(beat_seconds / 4)
    found = _read(path)
    if found is None or found["token"] != heart.holder["token"]:
        raise _is_held(what, found)


def _is_held(what: str, holder: Holder | None) -> UserError:
    name = "another process; wait for it or end it" if holder is None else _name(holder)
    if holder is not None:
        name += f"; wait for it, or end it (kill {holder['pid']})"
    return UserError(f"{what} is already being written by {name}")


def _name(holder: Holder) -> str:
    return f"process {holder['pid']} on {holder['host']}"


def _read(path: Path) -> Holder | None:
    """What the file says; ``None`` if it is empty or is being written."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return holder if isinstance(holder, dict) and "token" in holder else None


def _boot_id() -> str:
    """Which start of which machine this is: host names may be the same in two containers."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="utf-8").strip() if path.exists() else socket.gethostname()
