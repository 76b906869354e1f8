"""GPUs for jobs that share a machine: each job sees as many as it asked for, and nobody else's."""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from mlip_core.utils.errors import UserError

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_POLL_SECONDS = 0.5

_logger = logging.getLogger(__name__)


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    named = os.environ.get(_VISIBLE)
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    return [str(index) for index, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]


@contextmanager
def claim_gpus(count: int) -> Iterator[list[str]]:
    """Hide all GPUs from this process but ``count`` of its own, until the block ends.

    Waits while others use them. The kernel holds the claims and ends them with the process, however
    it ends. To be called before JAX is imported.

    Args:
        count: how many; 0 for a job that computes on the CPU.

    Raises:
        UserError: if there are fewer than ``count``.
    """
    available = visible_gpus()
    if count > len(available):
        raise UserError(
            f"execution.gpus_per_training: {count} asked for, but this machine shows"
            f" {len(available)} ({_VISIBLE}={os.environ.get(_VISIBLE, '')}); ask for fewer,"
            " or run on a machine that has them"
        )
    with ExitStack() as claims:
        mine = _wait_for(count, available, claims)
        if available:
            os.environ[_VISIBLE] = ",".join(mine) or "-1"
        yield mine


def _wait_for(count: int, available: list[str], claims: ExitStack) -> list[str]:
    mine = _try_to_claim(count, available, claims)
    if mine is None:
        _logger.warning("%d of %d GPUs asked for; waiting for others", count, len(available))
    while mine is None:
        time.sleep(_POLL_SECONDS)
        mine = _try_to_claim(count, available, claims)
    return mine


def _try_to_claim(count: int, available: list[str], claims: ExitStack) -> list[str] | None:
    """The names of as many GPUs, held as long as ``claims``; or ``None``, and nothing is held."""
    mine: list[str] = []
    with ExitStack() as attempt:
        for name in available:
            if len(mine) < count and _claim(name, attempt):
                mine.append(name)
        if len(mine) < count:
            return None
        claims.push(attempt.pop_all())
    return mine


def _claim(name: str, claims: ExitStack) -> bool:
    """Whether this process got the lock of a GPU, which it then holds as long as ``claims``."""
    file = _open(_directory() / f"{name.replace('/', '-')}.lock")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    claims.enter_context(file)
    return True


def _open(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "w", encoding="utf-8")


def _directory() -> Path:
    """A cluster numbers the GPUs of each of its jobs from 0, so each has claims of its own."""
    job = os.environ.get("SLURM_JOB_ID", "")
    return Path(tempfile.gettempdir()) / f"mlip-core-gpus-{os.getuid()}{job and '-'}{job}"
