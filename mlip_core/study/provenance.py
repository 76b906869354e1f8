"""Where an artifact comes from: config, inputs, versions, machine, time."""

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mlip_core.utils.files import file_digest

_PACKAGES = ("mlip-core", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "ase")


def collect(inputs: Iterable[str | os.PathLike[str]]) -> dict[str, Any]:
    """Digests of input files, versions, machine, state of the code's repository.

    Nothing of it stands in an artifact that has to be the same bytes on every run.
    """
    return {
        "inputs": {str(path): file_digest(path) for path in inputs},
        "versions": {"python": platform.python_version()} | _versions(),
        "host": {"name": socket.gethostname(), "platform": platform.platform()},
        "command": sys.argv,
        "git": git_state(Path(__file__).parent),
    }


def now() -> str:
    """The time in UTC to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def git_state(directory: Path) -> dict[str, Any] | None:
    """Commit of the checkout that a directory lies in, and whether files differ from it.

    ``None`` if it is no checkout or git is not installed.
    """
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "modified": bool(_git(directory, "status", "--porcelain", "-uno"))}


def _git(directory: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    try:
        result = subprocess.run(
            [git, "-C", str(directory), *arguments], capture_output=True, text=True, check=True
        )
    except subprocess.CalledProcessError:
        return None
    return result.stdout.strip()


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
