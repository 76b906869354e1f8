"""A user's mistakes: one line that says what to do, and no traceback."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.emt import EMT

from mlip_core.reference import write_extxyz
from tests.workflow.tiny_study import StudyDirectory

Change = Callable[[dict[str, Any]], object]


def ethane(displacement: float, labelled: bool) -> Atoms:
    atoms = molecule("C2H6")
    atoms.rattle(0.02, seed=round(1000 * displacement))
    if labelled:
        atoms.calc = EMT()
        atoms.get_potential_energy()
        atoms.get_forces()
    return atoms


@pytest.fixture
def study(tmp_path: Path) -> StudyDirectory:
    write_extxyz(tmp_path / "labelled.xyz", [ethane(0.01 * i, True) for i in range(10)])
    unlabelled = [ethane(0.01 * i, i < 3) for i in range(10)]
    for atoms in unlabelled[:3]:
        assert atoms.calc is not None
        del atoms.calc.results["forces"]
    write_extxyz(tmp_path / "no_forces.xyz", unlabelled)
    return StudyDirectory(tmp_path)


def own_data(file: str, **split: object) -> Change:
    def change(mapping: dict[str, Any]) -> None:
        dataset = mapping["datasets"]["ethane"]
        dataset["source"] = {"files": [file]}
        dataset["atomic_energies"] = "least_squares"
        dataset["split"] = {"train": 6, "valid": 2, "test": 2} | split

    return change


def unknown_element(mapping: dict[str, Any]) -> None:
    mapping["datasets"]["ethane"]["atomic_energies"] = {"H": -1.0, "Cc": -2.0}


def unknown_calculator(mapping: dict[str, Any]) -> None:
    reference = mapping["datasets"]["ethane"]["source"]["reference"]
    reference["calculator"] = "ase.calculators.emtt.EMT"


def failing_calculator(mapping: dict[str, Any]) -> None:
    # EMT has no parameters for chlorine.
    mapping["datasets"]["ethane"]["source"]["reference"]["dynamics"]["structure"] = "CH3Cl"


CONFIG_MISTAKES = {
    "unknown key": (
        lambda mapping: mapping["runs"]["small"].update(batchsize=3),
        "config/config.yaml: runs.small.batchsize: unknown key, did you mean 'batch_size'?",
    ),
    "missing file": (
        own_data("labeled.xyz"),
        "config/config.yaml: datasets.ethane.source.files: labeled.xyz: no such file",
    ),
    "no test set": (
        own_data("labelled.xyz", test=0),
        "config/config.yaml: datasets.ethane.split.test: no frames, but evaluation.splits has the",
    ),
    "unknown element": (
        unknown_element,
        'config/config.yaml: datasets.ethane.atomic_energies: unknown element "Cc"; did you mean',
    ),
    "unknown calculator": (
        unknown_calculator,
        (
            "config/config.yaml: datasets.ethane.source.reference.calculator: calculator"
            " 'ase.calculators.emtt.EMT': cannot import 'ase.calculators.emtt'"
        ),
    ),
}

DATA_MISTAKES = {
    "frames without forces": (own_data("no_forces.xyz"), "no_forces.xyz: frame 0: no forces"),
    "too few frames": (
        own_data("labelled.xyz", train=60),
        "datasets.ethane: split: too few frames: there are 10, the split needs 64",
    ),
    "calculator that fails": (failing_calculator, "datasets.ethane: reference "),
}


@pytest.mark.parametrize("mistake", CONFIG_MISTAKES)
def test_mistake_in_the_config_is_said_before_any_job(study: StudyDirectory, mistake: str) -> None:
    change, expected = CONFIG_MISTAKES[mistake]
    study.configure(change)
    result = study.snakemake()
    assert result.status == 1
    assert "Traceback" not in result.output
    assert result.rules == {}
    (line,) = result.errors
    assert line.startswith(f"error: {expected}")
    assert result.output.rstrip().endswith(line)


@pytest.mark.parametrize("mistake", DATA_MISTAKES)
def test_mistake_in_the_data_is_said_once(study: StudyDirectory, mistake: str) -> None:
    change, expected = DATA_MISTAKES[mistake]
    study.configure(change)
    result = study.snakemake("results/datasets/ethane/splits/split.json", "--cores", "1")
    assert result.status == 1
    assert "Traceback" not in result.output
    (line,) = result.errors
    assert line.startswith(f"error: {expected}")
