"""What a job has written is what the jobs after it read.

Beside every file that a job makes stands its digest, in ``.checksums/<name>.sha256``. A job that
finds an input changed says so, and does not make other results of it in silence.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from mlip_core.utils.errors import UserError
from mlip_core.utils.files import file_digest, remove_unfinished, write_text

DIRECTORY = ".checksums"

_LARGEST_DIGESTED_BYTES = 100_000_000

PathLike = str | os.PathLike[str]


def digests(paths: Iterable[PathLike]) -> dict[str, str]:
    """The SHA-256 of each file; of one that is so large that this takes long, its size.

    Directories are left out: they hold figures, which are drawn from the inputs.
    """
    return {str(path): _digest(Path(path)) for path in paths if not Path(path).is_dir()}


def record(paths: Iterable[PathLike]) -> dict[str, str]:
    """The :func:`digests` of files that a job has made, which are kept beside them."""
    found = digests(paths)
    for path, digest in found.items():
        remove_unfinished(place(path))
        write_text(place(path), digest + "\n")
    return found


def verify(paths: Iterable[PathLike]) -> dict[str, str]:
    """The :func:`digests` of a job's inputs; those that no job has made are not compared.

    Raises:
        UserError: if one is not what the job that made it has written.
    """
    found = digests(paths)
    for path, digest in found.items():
        if _is_other(path, digest):
            raise UserError(
                f"{path}: is not what the job that made it has written: damaged, or changed by"
                " hand; remove it, and the same command makes it again"
            )
    return found


def place(path: PathLike) -> Path:
    """Where the digest of a file is kept."""
    path = Path(path)
    return path.parent / DIRECTORY / f"{path.name}.sha256"


def is_changed(path: PathLike) -> bool:
    """Whether a file is not what its digest was kept of; not if none was kept."""
    return _is_other(path, _digest(Path(path)))


def _is_other(path: PathLike, digest: str) -> bool:
    kept = place(path)
    return kept.exists() and kept.read_text(encoding="utf-8").strip() != digest


def _digest(path: Path) -> str:
    size = path.stat().st_size
    return file_digest(path) if size <= _LARGEST_DIGESTED_BYTES else f"{size} bytes"
