"""Errors on test sets that trainings of equal wall-clock time reach, from process start on.

Every participant trains by its own program for as many epochs as fit into the time. How many that
are is measured by short trainings of its own: what a start costs, and what an epoch.
"""

import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.models.machine import describe
from benchmarks.models.participants import HERE, OURS, Participant, python_of
from mlip_core.utils.files import write_json, write_text

PARTICIPANTS = (
    OURS,
    Participant("mlip 0.1.10", "mlip01", frozenset({"mace"})),
    Participant("mace-torch 0.3.16", "mace_torch", frozenset({"mace"})),
    Participant("nequip 0.19.1", "nequip", frozenset({"nequip"})),
)
TITLE = "# Errors after equal times of training"
SPLIT = {"train": 450, "valid": 50}
TEST_SETS = {"300 K": "acac/test_MD_300K.xyz", "600 K": "acac/test_MD_600K.xyz"}
KINDS = {"energy": "energy, meV", "forces": "forces, meV/Å"}
TRIAL_SECONDS = 60.0
"""How long the epochs of the last short training take: the first ones are not like others."""

SAFETY = 0.97
"""Share of the time that is planned for: nobody may take longer than the others."""


@dataclass(frozen=True)
class Reached:
    """What a participant has reached.

    Attributes:
        epochs: of its training.
        seconds: of its whole program.
        errors: ``{"energy": eV, "forces": eV/Å}`` for each test set.
    """

    epochs: int
    seconds: float
    errors: dict[str, dict[str, float]]


def compare(
    data: Path,
    work: Path,
    out: Path,
    minutes: float,
    threads: int,
    only: list[str],
    environments: dict[str, Path],
) -> int:
    """Train all, one after another, and write ``out`` with ``.md`` and ``.json``.

    Args:
        data: directory of the benchmarks' data.
        work: directory for the files of the participants.
        out: path of the results without suffix.
        minutes: time of each.
        threads: of each.
        only: peers that take part; all if empty.
        environments: directories of environments to use, by peer.
    """
    files = _prepare(data, work)
    reached = {}
    for participant in PARTICIPANTS:
        if only and participant.peer not in only:
            continue
        python = python_of(participant, environments)
        settings = files | {"threads": threads}
        runner = _Runner(participant, python, work / participant.peer, settings)
        reached[participant.name] = runner.train_for(60 * minutes)
    result = {"minutes": minutes, "threads": threads, "machine": describe()}
    write_json(out.with_suffix(".json"), result | {"reached": _plain(reached)})
    write_text(out.with_suffix(".md"), f"{TITLE}\n\n{table(reached, minutes)}\n")
    return 0


def table(reached: dict[str, Reached], minutes: float) -> str:
    """Root mean squared errors, Markdown."""
    tests = next(iter(reached.values())).errors if reached else {}
    header = [f"{minutes:g} min", "epochs", "time"]
    header += [f"{name}: {label}" for name in tests for label in KINDS.values()]
    lines = [header, ["---"] * len(header)]
    for name, one in reached.items():
        cells = [name, str(one.epochs), f"{one.seconds:.0f} s"]
        cells += [
            f"{1000 * one.errors[test][kind]:.3g}"
            for test in tests
            for kind in ("energy", "forces")
        ]
        lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


class _Runner:
    """Calls a participant's ``trainer.py``."""

    def __init__(
        self, participant: Participant, python: Path, directory: Path, settings: dict[str, Any]
    ) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        self._python, self._directory, self._settings = python, directory, settings
        self._program = participant.runner.with_name("trainer.py")
        threads = str(settings["threads"])
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(HERE / "peers" / "common"), str(HERE.parent)]),
            "OMP_NUM_THREADS": threads,
            "NPROC": threads,
        }

    def train_for(self, seconds: float) -> Reached:
        one, three = (self._run("train", epochs, f"trial-{epochs}") for epochs in (1, 3))
        more = max(3, 1 + math.ceil(TRIAL_SECONDS * 2 / max(three - one, 1e-3)))
        taken = three if more == 3 else self._run("train", more, f"trial-{more}")
        per_epoch = max((taken - one) / (more - 1), 1e-3)
        start = one - per_epoch
        epochs = max(1, int((SAFETY * seconds - start) / per_epoch))
        taken = self._run("train", epochs, "final")
        self._run("test", epochs, "final")
        errors = json.loads((self._directory / "final" / "errors.json").read_text())
        return Reached(epochs, taken, errors)

    def _run(self, task: str, epochs: int, name: str) -> float:
        """Seconds from start to end of the program."""
        directory = self._directory / name
        directory.mkdir(parents=True, exist_ok=True)
        settings = directory / "settings.json"
        content = self._settings | {"directory": str(directory), "epochs": epochs}
        settings.write_text(json.dumps(content), encoding="utf-8")
        start = time.perf_counter()
        with open(directory / f"{task}.log", "w", encoding="utf-8") as log:
            subprocess.run(
                [str(self._python), str(self._program), task, str(settings)],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=True,
            )
        return time.perf_counter() - start


def _prepare(data: Path, work: Path) -> dict[str, Any]:
    """The first 450 structures to train on and the next 50 to validate, as files."""
    work.mkdir(parents=True, exist_ok=True)
    frames = _frames(data / "acac" / "train_300K.xyz")
    paths = {"both": work / "both.xyz"}
    chosen = {name: list(islice(frames, count)) for name, count in SPLIT.items()}
    for name, texts in chosen.items():
        paths[name] = work / f"{name}.xyz"
        paths[name].write_text("".join(texts), encoding="utf-8")
    both = "".join(text for texts in chosen.values() for text in texts)
    paths["both"].write_text(both, encoding="utf-8")
    tests = {name: str(data / file) for name, file in TEST_SETS.items()}
    files: dict[str, Any] = {name: str(path) for name, path in paths.items()}
    return files | {"tests": tests, "split": SPLIT}


def _frames(path: Path) -> Iterator[str]:
    """The texts of the frames of an extended XYZ file."""
    with open(path, encoding="utf-8") as lines:
        for count in lines:
            yield "".join([count, *islice(lines, int(count) + 1)])


def _plain(reached: dict[str, Reached]) -> dict[str, Any]:
    return {name: vars(one) for name, one in reached.items()}
