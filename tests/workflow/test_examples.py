"""The examples of config/examples: each is run, made so small that it takes seconds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from mlip_core.reference import write_extxyz
from tests.workflow.test_mistakes import ethane
from tests.workflow.tiny_study import ROOT, Result, StudyDirectory

EXAMPLES = {path.stem: path for path in sorted((ROOT / "config/examples").glob("*.yaml"))}
EXAMPLES["default"] = ROOT / "config/config.yaml"

# What makes any study small, by the last part of a key: no number is larger than this.
SMALL: dict[str, Any] = {
    "calculator": "ase.calculators.emt.EMT",
    "arguments": {},
    "relax_steps": 0,
    "frames_per_trajectory": 15,
    "equilibration_fs": 10,
    "spacing_fs": 5,
    "train": 10,
    "valid": 2,
    "test": 3,
    "shard_jobs": 2,
    "structures_per_shard": 4,
    "num_channels": 8,
    "num_layers": 1,
    "num_heads": 2,
    "node_irreps": "2x0e + 2x1o",
    "l_max": 1,
    "train_size": 5,
    "num_epochs": 1,
    "rounds": 2,
    "committee": 2,
    "per_round": 2,
}

# Fewer of the runs that differ in nothing but their seed.
SEEDS = {"cluster": [1], "learning_curve": [1, 2]}


def small(value: Any, key: str = "") -> Any:
    """A part of a study with other numbers."""
    if key in SMALL and value is not None:
        return min(value, SMALL[key]) if isinstance(value, int) else SMALL[key]
    if isinstance(value, dict):
        return {name: small(entry, str(name)) for name, entry in value.items()}
    return value


def configure(directory: Path, example: str) -> StudyDirectory:
    """The example, small, with the data that it asks the user for."""
    mapping = small(yaml.safe_load(EXAMPLES[example].read_text()))
    # Checks of physics have tests of their own.
    mapping |= {"physics": None, "cost": None}
    if example in SEEDS:
        for grid in mapping["grids"].values():
            grid["vary"]["seed"] = SEEDS[example]
    study = StudyDirectory(directory)
    study.write(mapping)
    for dataset in mapping["datasets"].values():
        for file in dataset["source"].get("files", []):
            write_extxyz(directory / file, DATA[example]())
    return study


def ethanes() -> list[Atoms]:
    return [ethane(0.01 * i, labelled=True) for i in range(15)]


def strained_copper() -> list[Atoms]:
    """Cells of several volumes and shapes, with stress in GPa, positive under tension."""
    frames = []
    for i in range(15):
        atoms = bulk("Cu", cubic=True) if i % 2 else bulk("Cu") * (2, 1, 1)
        strain = [[0.004 * (i - 7), 0.01, 0.0], [0.0, 0.003 * i, 0.0], [0.0, 0.002 * i, 0.01]]
        atoms.set_cell(atoms.cell + atoms.cell @ strain, scale_atoms=True)
        atoms.rattle(0.05, seed=i)
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.calc.results["stress"] = atoms.get_stress() * 160.21766208
        frames.append(atoms)
    return frames


DATA: dict[str, Callable[[], list[Atoms]]] = {
    "own_data": ethanes,
    "cluster": ethanes,
    "periodic_solid": strained_copper,
}


def run(study: StudyDirectory, *arguments: str) -> Result:
    result = study.snakemake(*arguments)
    assert result.status == 0, result.output
    return result


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_can_be_run(tmp_path: Path, example: str) -> None:
    planned = run(configure(tmp_path, example), "--dry-run").planned
    assert planned["train_run"] >= 1
    assert planned["report"] == 1


def test_data_of_the_user_become_a_model(tmp_path: Path) -> None:
    study = configure(tmp_path, "periodic_solid")
    run(study, "results/evaluation/mace/test/metrics.json")
    metrics = json.loads(study.read("evaluation/mace/test/metrics.json"))
    assert metrics["n_structures"] == 3
    assert metrics["stress"]["count"] == 3 * 9


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs_to_its_report(tmp_path: Path, example: str) -> None:
    study = configure(tmp_path, example)
    run(study)
    assert (tmp_path / "results/report/index.html").stat().st_size
    assert (tmp_path / "results/models/best.zip").stat().st_size
