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
    "nve": {"time_fs": 10},
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
    def errors(self) -> list[str]:
        """The lines in which the user's mistakes are said."""
        return [line for line in self.output.splitlines() if line.startswith("error: ")]


@dataclass(frozen=True)
class StudyDirectory:
    """A directory with a study of its own."""

    path: Path

    def configure(self, change: Callable[[dict[str, Any]], object] | None = None) -> None:
        """Write the study file: the tiny study, changed."""
        study = deepcopy(TINY)
        if change is not None:
            change(study)
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
                    *("--snakefile", str(ROOT / "Snakefile"), *place, *arguments),
                ],
                cwd=self.path,
                env={n: v for n, v in os.environ.items() if n != "JAX_COMPILATION_CACHE_DIR"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def read(self, path: str) -> str:
        """The content of a result."""
        return (self.path / "results" / path).read_text(encoding="utf-8")
