"""A training that is killed again and again at random moments, beside one that is not.

The training is that of ``tests.training.killed_training``: a tiny network, so that steps,
evaluations and checkpoints take about the same time and a random moment hits each of them.
"""

import filecmp
import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlip_core.utils.stopping import EXIT_RESUME

ROOT = Path(__file__).parents[2]
FILES = ("metrics.csv", "model.zip")
SHARE_OF_STOPS = 0.2
"""How many of the signals are SIGTERM, after which the training saves itself and ends."""


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        kills: how many processes were ended by SIGKILL.
        stops: how many ended by themselves after SIGTERM.
        half_written: how many left a checkpoint that was being written.
        positions: number of steps and ends of epochs in the newest checkpoint after each.
        differences: what is not as in the training that was left alone; empty if all is.
    """

    kills: int = 0
    stops: int = 0
    half_written: int = 0
    positions: list[int] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def run_kill_matrix(
    directory: Path, n_kills: int, num_epochs: int, scenario: str, seed: int
) -> Outcome:
    """Train once undisturbed, once with ``n_kills`` signals at random moments, and compare.

    The moments are chosen so that the training should outlast the signals; if it ends before the
    last of them, there are fewer: ``Outcome`` says how many.

    Raises:
        RuntimeError: if a process ends by itself in another way than it should.
    """
    start = time.monotonic()
    whole = _results(_start(directory / "whole", num_epochs, scenario))
    longest = (time.monotonic() - start) / n_kills
    outcome, rng = Outcome(), random.Random(seed)  # noqa: S311
    killed = directory / "killed"
    while outcome.kills + outcome.stops < n_kills:
        number = signal.SIGTERM if rng.random() < SHARE_OF_STOPS else signal.SIGKILL
        process = _start(killed, num_epochs, scenario)
        if not _disturb(process, number, rng.uniform(0, longest), outcome):
            break
        checkpoints = list((killed / "checkpoints").glob("*/*"))
        outcome.half_written += any(not path.name.isdigit() for path in checkpoints)
        resume = [
            int(p.name) for p in checkpoints if p.parent.name == "resume" and p.name.isdigit()
        ]
        outcome.positions.append(max(resume, default=0))
    resumed = _results(_start(killed, num_epochs, scenario))
    outcome.differences = [name for name in whole if whole[name] != resumed[name]] + [
        name
        for name in FILES
        if not filecmp.cmp(directory / "whole" / name, killed / name, shallow=False)
    ]
    return outcome


def _start(directory: Path, num_epochs: int, scenario: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "tests.training.killed_training"]
    return subprocess.Popen(
        [*program, str(directory), str(num_epochs), "never:0", scenario],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _disturb(
    process: subprocess.Popen[str], number: signal.Signals, seconds: float, outcome: Outcome
) -> bool:
    """Whether the signal came before the end of the training."""
    assert process.stdout is not None
    assert process.stderr is not None
    while process.stdout.readline().strip() not in ("training", ""):
        continue
    time.sleep(seconds)
    process.send_signal(number)
    process.stdout.read()
    error = process.stderr.read()
    status = process.wait()
    outcome.kills += status == -signal.SIGKILL
    outcome.stops += status == EXIT_RESUME
    if status not in (0, EXIT_RESUME, -signal.SIGKILL):
        raise RuntimeError(f"ended with status {status}:\n{error}")
    return status != 0


def _look_at_checkpoints(directory: Path, outcome: Outcome) -> None:
    names = [path.name for path in directory.glob("*/*")]
    outcome.half_written += not all(name.isdigit() for name in names)
    resume = [int(path.name) for path in directory.glob("resume/*") if path.name.isdigit()]
    outcome.positions.append(max(resume, default=0))


def _results(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, error = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"ended with status {process.returncode}:\n{error}")
    results: dict[str, Any] = json.loads(output.splitlines()[-1])["results"]
    return results
