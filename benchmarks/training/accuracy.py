"""Errors on test sets that trainings of equal wall-clock time reach, from process start on.

Every participant trains by its own program for as many epochs as fit into the time. How many that
are is measured by short trainings of its own: what a start costs, and what an epoch.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.models.machine import describe
from benchmarks.models.participants import HERE, OURS, Participant, python_of
from benchmarks.models.table import markdown
from benchmarks.reporting import write_report
from mlip_core.utils.files import write_text

PARTICIPANTS = (
    OURS,
    Participant("mlip 0.1.10", "mlip01", frozenset({"mace"})),
    Participant("mace-torch 0.3.16", "mace_torch", frozenset({"mace"})),
    Participant("nequip 0.19.1", "nequip", frozenset({"nequip"})),
)
NOTES = (
    "`make -C benchmarks accuracy`. All train on the same structures, each by its own program and "
    "recipe, one after the other, from process start on; float32."
)
ROOT_MEAN_SQUARES = {"energy_rmse": "energy, RMSE, meV", "forces_rmse": "forces, RMSE, meV/Å"}
MEANS = {"energy_per_atom_mae": "energy, MAE, meV/atom", "forces_mae": "forces, MAE, meV/Å"}
TRIAL_SECONDS = 60.0
"""How long the epochs of the last short training take: the first ones are not like others."""

SEEN_SECONDS = 5.0
"""How much longer some epochs must take than one so that it is not the noise of a start."""

SAFETY = 0.97
"""Share of the time that is planned for: nobody may take longer than the others."""


@dataclass(frozen=True)
class Case:
    """What everybody trains on and is tested on.

    Attributes:
        file: with the structures to train on and to validate.
        valid: which of them are for validation; all others are trained on.
        tests: files of test sets by name.
        columns: headers of the errors to show, by the names that ``trainer_protocol`` has.
        stress: whether the stress is learned too.
        participants: who has a trainer for it.
    """

    file: str
    valid: slice
    tests: dict[str, str]
    columns: dict[str, str]
    stress: bool
    participants: tuple[Participant, ...]


CASES = {
    "acac": Case(
        file="acac/train_300K.xyz",
        valid=slice(450, None),
        tests={"300 K": "acac/test_MD_300K.xyz", "600 K": "acac/test_MD_600K.xyz"},
        columns=ROOT_MEAN_SQUARES,
        stress=False,
        participants=PARTICIPANTS,
    ),
    "silicon": Case(
        file="silicon/train.xyz",
        valid=slice(None, None, 11),  # they are sorted by kind
        tests={"test": "silicon/test.xyz"},
        columns=MEANS,
        stress=True,
        participants=(OURS,),
    ),
}


@dataclass(frozen=True)
class Reached:
    """What a participant has reached.

    Attributes:
        epochs: of its training.
        seconds: of its whole program.
        errors: for each test set as in ``trainer_protocol``.
    """

    epochs: int
    seconds: float
    errors: dict[str, dict[str, float]]


def compare(
    name: str,
    data: Path,
    work: Path,
    out: Path,
    minutes: float,
    threads: int,
    only: list[str],
    changes: list[str],
    environments: dict[str, Path],
) -> int:
    """Train all, one after another, and write ``training-<case>-<minutes>min`` in two formats.

    What others reached in such a comparison on this machine before stays in it.

    Args:
        name: of the case.
        data: directory of the benchmarks' data.
        work: directory for the files of the participants.
        out: directory of the results.
        minutes: time of each.
        threads: of each.
        only: peers that take part; all if empty.
        changes: settings of our run that are other than everybody's, as ``key.subkey=value``; they
            are part of our name in the table.
        environments: directories of environments to use, by peer.
    """
    case = CASES[name]
    files = _prepare(case, data, work)
    conditions = {"minutes": minutes, "threads": threads, "machine": describe()}
    path = out / f"training-{name}-{minutes:g}min"
    page = ""
    reached = _reached_before(path.with_name(f"{path.name}.json"), conditions)
    for participant in case.participants:
        if only and participant.peer not in only:
            continue
        python = python_of(participant, environments)
        settings = files | {"threads": threads, "changes": changes}
        label = participant.name
        if participant is OURS and changes:
            label += f", {' '.join(changes)}"
        runner = _Runner(participant, python, work / participant.peer, settings)
        reached[label] = runner.train_for(60 * minutes)
        figures = {"minutes": minutes, "reached": {key: vars(one) for key, one in reached.items()}}
        body = [NOTES, table(reached, minutes, case)]
        page = write_report(path, "Errors after equal times of training", threads, figures, body)
    sys.stdout.write(page)
    return 0


def _reached_before(path: Path, conditions: dict[str, Any]) -> dict[str, Reached]:
    before = json.loads(path.read_text()) if path.exists() else {}
    if any(before.get(key) != value for key, value in conditions.items()):
        return {}
    return {name: Reached(**one) for name, one in before["reached"].items()}


def table(reached: dict[str, Reached], minutes: float, case: Case) -> str:
    """Errors, Markdown."""
    header = [f"{minutes:g} min", "epochs", "time"]
    header += [f"{name}: {label}" for name in case.tests for label in case.columns.values()]
    rows = []
    for name, one in reached.items():
        errors = [one.errors[test][kind] for test in case.tests for kind in case.columns]
        rows.append([name, str(one.epochs), f"{one.seconds:.0f} s"])
        rows[-1] += [f"{1000 * error:.3g}" for error in errors]
    return markdown(header, rows)


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
        start, per_epoch = self._costs()
        epochs = max(1, int((SAFETY * seconds - start) / per_epoch))
        taken = self._run("train", epochs, "final")
        self._run("test", epochs, "final")
        errors = json.loads((self._directory / "final" / "errors.json").read_text())
        return Reached(epochs, taken, errors)

    def _costs(self) -> tuple[float, float]:
        """Seconds of a start and of an epoch, by trainings of more and more epochs."""
        self._run("train", 1, "trial-1")  # the first of all also brings the files into memory
        one = self._run("train", 1, "trial-1")
        epochs, longer = 1, 0.0
        while longer < SEEN_SECONDS:
            epochs *= 4
            longer = self._run("train", epochs, f"trial-{epochs}") - one
        if longer < TRIAL_SECONDS:
            epochs = 1 + math.ceil(TRIAL_SECONDS * (epochs - 1) / longer)
            longer = self._run("train", epochs, f"trial-{epochs}") - one
        per_epoch = longer / (epochs - 1)
        return one - per_epoch, per_epoch

    def _run(self, task: str, epochs: int, name: str) -> float:
        """Seconds from start to end of the program."""
        directory = self._directory / name
        if task == "train":
            shutil.rmtree(directory, ignore_errors=True)
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


def _prepare(case: Case, data: Path, work: Path) -> dict[str, Any]:
    """The structures to train on and those to validate as files, and what else trainers need."""
    work.mkdir(parents=True, exist_ok=True)
    frames = list(_frames(data / case.file))
    of_validation = set(range(len(frames))[case.valid])
    texts = {"train": "", "valid": ""}
    for index, frame in enumerate(frames):
        texts["valid" if index in of_validation else "train"] += frame
    settings: dict[str, Any] = {"stress": case.stress}
    for name, text in texts.items():
        settings[name] = str(work / f"{name}.xyz")
        write_text(Path(settings[name]), text)
    return settings | {"tests": {name: str(data / file) for name, file in case.tests.items()}}


def _frames(path: Path) -> Iterator[str]:
    """The texts of the frames of an extended XYZ file."""
    with open(path, encoding="utf-8") as lines:
        for count in lines:
            yield "".join([count, *islice(lines, int(count) + 1)])
