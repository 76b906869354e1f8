"""A real study, as small as it can be, run by the real Snakefile."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

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
        status = self.start(*arguments).wait()
        return Result(status, (self.path / "snakemake.out").read_text(encoding="utf-8"))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Snakemake here; on this machine unless a profile says otherwise."""
        place = () if "--profile" in arguments else ("--cores", "2")
        with open(self.path / "snakemake.out", "wb") as output:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "snakemake"),
                    *("--snakefile", str(self.code / "Snakefile"), *place, *arguments),
                ],
                cwd=self.path,
                env=self._environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _environment(self) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if n != "JAX_COMPILATION_CACHE_DIR"}
        return {**kept, "PYTHONPATH": os.pathsep.join((str(self.code), str(ROOT)))}

    def read(self, path: str) -> str:
        """The content of a result."""
        return (self.path / "results" / path).read_text(encoding="utf-8")
