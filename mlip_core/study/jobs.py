"""How a job of the workflow talks: everything into its log, mistakes of the user in one line."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mlip_core.study import provenance
from mlip_core.utils.errors import exit_on_user_error
from mlip_core.utils.files import write_json
from mlip_core.utils.stopping import EXIT_RESUME, StoppedError


@contextmanager
def run_job(job: provenance.Job) -> Iterator[TextIO | None]:
    """Send all output of the process, compiled libraries included, to the job's log.

    When the block is done, what made the job's files is written beside the log, as JSON.

    Yields the terminal that standard error was connected to, for progress that a person watches, or
    ``None``. A ``UserError`` ends the process with status 1 and one line in the log; a
    ``StoppedError`` with status ``EXIT_RESUME`` (75): the same job, started again, goes on.
    """
    terminal, started = _terminal(), provenance.now()
    log = Path(job.log[0])
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as file:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", force=True)
    logging.captureWarnings(True)
    with exit_on_user_error(), _exit_on_stop():
        yield terminal
        write_json(log.with_suffix(".json"), provenance.of_job(job, started))


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
