"""How a job of the workflow talks: everything into its log, mistakes of the user in one line."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mlip_core.study import checksums, provenance
from mlip_core.study.runtime import require_address_space
from mlip_core.utils.errors import UserError, exit_on_user_error, naming
from mlip_core.utils.files import remove_unfinished, write_json
from mlip_core.utils.stopping import EXIT_RESUME, StoppedError

_PARTS = {
    "dataset": "datasets",
    "run": "runs",
    "committee": "committees",
    "learning": "active_learning",
}
"""Keys of the study by the wildcards of its rules."""


@contextmanager
def run_job(job: provenance.Job) -> Iterator[TextIO | None]:
    """Send all output of the process, compiled libraries included, to the job's log.

    Before the block, the job's inputs are compared with their checksums. When it is done, those of
    its outputs are kept, and what made them is written beside the log, as JSON.

    Yields the terminal that standard error was connected to, for progress that a person watches, or
    ``None``. A ``UserError`` ends the process with status 1 and one line in the log; a
    ``StoppedError`` with status ``EXIT_RESUME`` (75): the same job, started again, goes on.
    """
    terminal, started = _terminal(), provenance.now()
    log = Path(job.log[0])
    with _saying_in_any_case(os.dup(2)), exit_on_user_error(), _exit_on_stop(), naming(log):
        _redirect_output(log)
        require_address_space()
        for path in (str(log.with_suffix(".json")), *job.output):
            remove_unfinished(path)
        inputs = checksums.verify(job.input)
        with _placing(job):
            yield terminal
        sys.stdout.flush()
        outputs = checksums.record(job.output)
        write_json(log.with_suffix(".json"), provenance.of_job(job, started, inputs, outputs))


@contextmanager
def _placing(job: provenance.Job) -> Iterator[None]:
    """Let mistakes that name no file name the part of the study that the job works on."""
    wildcards = dict(job.wildcards.items())
    parts = [f"{key}.{wildcards[name]}" for name, key in _PARTS.items() if name in wildcards]
    try:
        yield
    except UserError as error:
        if not parts or Path(str(error).partition(":")[0]).exists():
            raise
        raise UserError(f"{parts[0]}: {error}") from error


def _redirect_output(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as file:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", force=True)
    logging.captureWarnings(True)


@contextmanager
def _saying_in_any_case(stderr: int) -> Iterator[None]:
    """Say on ``stderr`` why the process ends if the log does not take it: the disk may be full."""
    try:
        yield
    except SystemExit as end:
        if not isinstance(end.code, str):
            raise
        line = f"{end.code}\n".encode()
        if _write(2, line) < len(line):
            _write(stderr, line)
        sys.exit(1)


def _write(file: int, line: bytes) -> int:
    """How much of a line a file takes; less than all of it if the disk is full."""
    try:
        return os.write(file, line)
    except OSError:
        return 0


@contextmanager
def _exit_on_stop() -> Iterator[None]:
    try:
        yield
    except StoppedError as error:
        sys.stderr.write(f"stopped: {error}\n")
        sys.exit(EXIT_RESUME)


def _terminal() -> TextIO | None:
    if not sys.stderr.isatty():
        return None
    return open(os.dup(2), "w", encoding="utf-8", buffering=1)
