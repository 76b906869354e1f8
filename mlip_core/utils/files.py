"""Files appear whole or not at all: written under a temporary name, then moved into place."""

import glob
import json
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlip_core.utils.errors import UserError, naming


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it to ``path`` on success, remove it on failure.

    The suffix is kept, since many writers choose the format by it. Missing parent directories are
    made.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix
    )
    os.close(handle)
    temporary = Path(name)
    try:
        with naming(target, instead_of=name):
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            _sync(temporary)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(path: str | os.PathLike[str]) -> None:
    """Remove what processes that were killed in :func:`atomic_path` have left of ``path``.

    Only where no other process writes it: that one would find its temporary file gone, and fail.
    """
    target = Path(path)
    name = f".{glob.escape(target.stem)}-{'[a-z0-9_]' * 8}{glob.escape(target.suffix)}"
    for temporary in target.parent.glob(name):
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON atomically, readable and always in the same bytes for the same value.

    Raises:
        ValueError: if a number is not finite: JSON has no word for it.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def require_writable(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Make sure, before anything is computed, that files of these paths can be made or replaced.

    Of what is not there yet, the nearest directory above counts.

    Raises:
        UserError: with one line for each directory that may not be written.
    """
    parents = dict.fromkeys(Path(path).parent for path in paths)
    directories = dict.fromkeys(map(_nearest_directory, parents))
    refused = [path for path in directories if not os.access(path, os.W_OK | os.X_OK)]
    if refused:
        raise UserError(
            "\n".join(
                f"{path}: is read-only, but files have to be written there; make it writable, or"
                " start in another directory"
                for path in refused
            )
        )


def require_past(paths: Iterable[str | os.PathLike[str]], tolerance: float = 60.0) -> None:
    """Make sure that no file bears a time that is yet to come.

    Whatever is made of such a file is older than it: for Snakemake it would always be out of date.

    Args:
        paths: files; those that are not there do not count.
        tolerance: seconds that the clocks of machines may differ by.

    Raises:
        UserError: names one of the files, and the command that mends them all.
    """
    now = time.time()
    times = {path: path.stat().st_mtime for path in map(Path, paths) if path.exists()}
    ahead = sorted(path for path, seconds in times.items() if seconds > now + tolerance)
    if ahead:
        place = _common_directory(ahead)
        others = f" (and {len(ahead) - 1} more)" if len(ahead) > 1 else ""
        raise UserError(
            f"{ahead[0]}{others}: changed at {_date(times[ahead[0]])}, which is ahead of this"
            f" machine's clock, {_date(now)}; correct the clock, or run"
            f" find {shlex.quote(place)} -newermt now -exec touch {{}} +"
        )


def _common_directory(paths: Iterable[Path]) -> str:
    """Below the working directory relative to it."""
    common = Path(os.path.commonpath([path.parent.absolute() for path in paths]))
    return str(common.relative_to(Path.cwd()) if common.is_relative_to(Path.cwd()) else common)


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def require_room(path: str | os.PathLike[str], least: int = 1 << 16) -> None:
    """Make sure that the disk of a directory, or of the nearest one above, is not full.

    Raises:
        UserError: if less than ``least`` bytes are free for this user.
    """
    directory = _nearest_directory(Path(path))
    if shutil.disk_usage(directory).free < least:
        raise UserError(
            f"{directory}: the disk is full; make room there, and run the same command again"
        )


def _nearest_directory(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.is_dir())


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content as a hexadecimal string."""
    digest = sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def json_digest(value: Any) -> str:
    """SHA-256 of a JSON-serialisable value, independent of the order of keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256(canonical.encode()).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
