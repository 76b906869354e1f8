"""Where an artifact comes from: config, inputs, versions, machine, time."""

import json
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

_PACKAGES = ("mlip-core", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "ase")


class Job(Protocol):
    """What the script of a job knows of it, as Snakemake says it."""

    rule: str
    input: Iterable[str]
    output: Iterable[str]
    log: Sequence[str]
    params: Any
    wildcards: Any
    threads: int


def of_job(
    job: Job, started: str, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> dict[str, Any]:
    """What made the files of a job that is done: rule, config and seeds, inputs, versions, machine.

    Args:
        job: the job.
        started: when it was started, see :func:`now`.
        inputs: digests of what it was made from.
        outputs: digests of what it made.
    """
    return {
        "rule": job.rule,
        "wildcards": dict(job.wildcards.items()),
        "outputs": outputs,
        "params": json.loads(json.dumps(dict(job.params.items()), default=str)),
        "started": started,
        "finished": now(),
        "threads": job.threads,
        "devices": _devices(),
        **collect(inputs),
    }


def _devices() -> list[str]:
    """What JAX computes on; nothing if it was not needed."""
    jax = sys.modules.get("jax")
    return [] if jax is None else [str(device) for device in jax.devices()]


def collect(inputs: Mapping[str, str]) -> dict[str, Any]:
    """Digests of input files, versions, machine, state of the code's repository.

    Nothing of it stands in an artifact that has to be the same bytes on every run.
    """
    return {
        "inputs": inputs,
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
