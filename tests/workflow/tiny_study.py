"""A real study, as small as it can be, run by the real Snakefile."""

import atexit
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ase.build import molecule
from ase.io import write

ROOT = Path(__file__).parents[2]

TINY: dict[str, Any] = {
    "title": "Tiny",
    "seed": 1,
    "datasets": {
        "ethane": {
            "source": {
                "reference": {
                    "calculator": "ase.calculators.emt.EMT",
                    "isolated_atoms": True,
                    "dynamics": {
                        "structure": "C2H6",
                        "temperatures_kelvin": [300],
                        "trajectories_per_temperature": 2,
                        "frames_per_trajectory": 12,
                        "spacing_fs": 10,
                        "equilibration_fs": 20,
                    },
                }
            },
            "atomic_energies": "isolated_atoms",
            "split": {"train": 12, "valid": 4, "test": 4},
            "graph": {"graph_cutoff_angstrom": 3.0},
        }
    },
    "runs": {
        "small": {
            "dataset": "ethane",
            "model": {
                "num_layers": 1,
                "num_channels": 2,
                "l_max": 1,
                "correlation": 2,
                "readout_irreps": ["2x0e", "0e"],
            },
            "training": {"num_epochs": 2},
            "batch_size": 4,
        }
    },
    "physics": {
        "nve": {"time_fs": 10, "max_drift_mev_per_atom": 100},
        "stability": None,
        "equation_of_state": None,
        "relaxation": None,
        "dimers": None,
        "invariance": None,
        "vibrations": None,
    },
    "cost": None,
}

SMALLEST: dict[str, dict[str, Any]] = {
    "nequip": {"num_layers": 1, "node_irreps": "2x0e", "l_max": 0, "radial_net_n_hidden": 2},
    "schnet": {"num_layers": 1, "num_channels": 2, "num_rbf": 2},
    "visnet": {"num_layers": 1, "num_channels": 2, "num_heads": 1, "l_max": 1, "num_rbf": 2},
}
"""The smallest model of each architecture but MACE, which the tiny study has."""


def add_run(study: dict[str, Any], architecture: str) -> None:
    """Add a run of another architecture to the tiny study, named after it."""
    model = {"architecture": architecture, **SMALLEST[architecture]}
    other = {"model": model, "training": {"num_epochs": 1}}
    study["runs"][architecture] = study["runs"]["small"] | other
    study["select_best"] = {"metric": "mae_f"}


def grow(strategy: str, committee: int) -> Callable[[dict[str, Any]], None]:
    """Active learning in one round of two structures out of the eight of :func:`write_pool`."""

    def change(mapping: dict[str, Any]) -> None:
        small = {key: value for key, value in mapping["runs"]["small"].items() if key != "dataset"}
        mapping["active_learning"] = {
            "grown": {
                "dataset": "ethane",
                "pool": {"files": ["pool.extxyz"]},
                "run": small | {"training": {"num_epochs": 1}},
                "committee": committee,
                "rounds": 1,
                "select": {"per_round": 2, "strategy": strategy, "candidates_per_choice": 2},
            }
        }

    return change


def write_pool(directory: Path) -> None:
    """Write the structures that active learning may choose from."""
    pool = []
    for seed in range(8):
        atoms = molecule("C2H6")
        atoms.rattle(0.1, seed=seed)
        pool.append(atoms)
    write(directory / "pool.extxyz", pool)


@dataclass(frozen=True)
class Result:
    """What a run of Snakemake said."""

    status: int
    output: str

    @property
    def rules(self) -> dict[str, int]:
        """Number of jobs of each rule that ran."""
        rules = re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", self.output)
        return {rule: rules.count(rule) for rule in rules}

    @property
    def planned(self) -> dict[str, int]:
        """Number of jobs of each rule that a dry run would run, but for the target."""
        if "Nothing to be done" in self.output:
            return {}
        table = self.output.split("Job stats:")[1].split("total")[0].splitlines()
        rows = [line.split() for line in table if line and not line.startswith(("job ", "---"))]
        return {rule: int(count) for rule, count in rows if rule != "all"}

    @property
    def errors(self) -> list[str]:
        """The lines in which the user's mistakes are said."""
        return [line for line in self.output.splitlines() if line.startswith("error: ")]


@dataclass(frozen=True)
class StudyDirectory:
    """A directory with a study of its own.

    Attributes:
        path: the directory.
        code: the checkout whose Snakefile and package it runs with.
    """

    path: Path
    code: Path = ROOT

    def configure(self, change: Callable[[dict[str, Any]], object] | None = None) -> None:
        """Write the study file: the tiny study, changed."""
        study = deepcopy(TINY)
        if change is not None:
            change(study)
        self.write(study)

    def write(self, study: dict[str, Any]) -> None:
        """Write any study file."""
        (self.path / "config").mkdir(parents=True, exist_ok=True)
        (self.path / "config" / "config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))

    def snakemake(self, *arguments: str) -> Result:
        """Run Snakemake here, as a user does."""
        if self.code == ROOT:
            status = _ask_server(
                arguments=self._arguments(arguments),
                directory=str(self.path),
                environment=self._environment(),
                output=str(self._output),
            )
        else:
            status = self.start(*arguments).wait()
        return Result(status, self._output.read_text(encoding="utf-8"))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Snakemake here."""
        with open(self._output, "wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "snakemake", *self._arguments(arguments)],
                cwd=self.path,
                env=self._environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def _output(self) -> Path:
        return self.path / "snakemake.out"

    def _arguments(self, given: tuple[str, ...]) -> list[str]:
        """On this machine unless a profile says otherwise."""
        place = () if "--profile" in given else ("--cores", "2")
        return ["--snakefile", str(self.code / "Snakefile"), *place, *given]

    def _environment(self) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if n != "JAX_COMPILATION_CACHE_DIR"}
        return {**kept, "PYTHONPATH": os.pathsep.join((str(self.code), str(ROOT)))}

    def read(self, path: str) -> str:
        """The content of a result."""
        return (self.path / "results" / path).read_text(encoding="utf-8")


@cache
def _server() -> subprocess.Popen[str]:
    """The program that runs Snakemake without importing it each time; it ends with this one."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.workflow.snakemake_server"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)  # closes its input
    return server


def _ask_server(**request: Any) -> int:
    """The exit status of Snakemake."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{json.dumps(request)}\n")
    server.stdin.flush()
    return int(server.stdout.readline())
