"""A runner as a process: started, asked, ended."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from benchmarks.models.participants import HERE, Participant

REALTIME_PRIORITY = 50
PROTOCOL = HERE / "peers" / "common"


class WorkerError(Exception):
    """A runner ended before it answered; the message has the end of what it said."""


@contextmanager
def running(
    python: Path, participant: Participant, case: dict[str, Any], environment: dict[str, str]
) -> Iterator["Worker"]:
    """A runner with data and model ready; it is ended with the context.

    Args:
        python: interpreter of the participant's environment.
        participant: whose runner.
        case: see ``Case.to_json``.
        environment: variables in addition to those of this process.

    Raises:
        WorkerError: if the runner fails.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryFile("w+") as log, os.fdopen(reading) as answers:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(python), str(participant.runner), str(writing)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=(writing,),
            env=os.environ | {"PYTHONPATH": str(PROTOCOL)} | environment,
        )
        os.close(writing)
        worker = Worker(participant.name, process, answers, log, started)
        try:
            worker.description = worker.ask(case)
            yield worker
        finally:
            worker.close()


class Worker:
    """A running runner; see ``running``.

    Attributes:
        started: when its process was started, as ``time.perf_counter`` counts.
        description: what the runner says of itself.
    """

    def __init__(
        self,
        name: str,
        process: subprocess.Popen[str],
        answers: IO[str],
        log: IO[str],
        started: float,
    ) -> None:
        self.started = started
        self.description: dict[str, Any] = {}
        self._name = name
        self._process = process
        self._answers = answers
        self._log = log

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            WorkerError: if the runner ends instead.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._failure() from error
        line = self._answers.readline()
        if not line:
            raise self._failure()
        return json.loads(line)

    def run(self, task: str, steps: int) -> tuple[list[float], list[int]]:
        """Seconds and structures of each of some steps of a task."""
        answer = self.ask({"do": "run", "task": task, "steps": steps})
        return answer["seconds"], answer["structures"]

    @contextmanager
    def realtime(self) -> Iterator[None]:
        """Before all ordinary processes meanwhile, so that a busy machine disturbs less."""
        self._change_priority("--rr", REALTIME_PRIORITY)
        try:
            yield
        finally:
            self._change_priority("--other", 0)

    def close(self) -> None:
        """End the process, by force if it does not end by itself."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _change_priority(self, policy: str, priority: int) -> None:
        command = ["chrt", "--all-tasks", policy, "--pid", str(priority), str(self._process.pid)]
        subprocess.run(command, check=True)

    def _failure(self) -> WorkerError:
        code = self._process.wait()
        self._log.seek(0)
        last_lines = "".join(self._log.readlines()[-30:])
        return WorkerError(f"{self._name} ended with exit code {code}:\n{last_lines}")
