"""Test sets and baselines: what is evaluated on what, and what a change evaluates again."""

import json
import shutil
from pathlib import Path
from typing import Any

import ase.io
import pandas as pd
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.emt import EMT

from mlip_core.reference import write_extxyz
from tests.workflow.tiny_study import StudyDirectory

FILES = [
    f"results/evaluation/{place}/metrics.json"
    for place in ("small/valid", "small/hot", "copy/hot", "emt/hot", "emt/valid")
]


def rattled(index: int, labels: bool = True) -> Atoms:
    atoms = molecule("C2H6")
    atoms.rattle(0.1, seed=index)
    if labels:
        atoms.calc = EMT()
        atoms.get_potential_energy()
        atoms.get_forces()
    return atoms


def change(mapping: dict[str, Any]) -> None:
    mapping["evaluation"] = {"splits": ["valid"]}
    mapping["testsets"] = {"hot": {"files": ["hot.xyz"]}}
    mapping["baselines"] = {
        "emt": {"calculator": {"calculator": "emt"}, "energy_shift": "fit"},
        "copy": {"model": "foreign.zip"},
    }


@pytest.fixture(scope="module")
def study(finished: StudyDirectory, tmp_path_factory: pytest.TempPathFactory) -> StudyDirectory:
    """The tiny study, with a test set and two baselines, evaluated."""
    path = tmp_path_factory.mktemp("evaluation") / "study"
    shutil.copytree(finished.path, path, symlinks=True)
    shutil.copy(path / "results/models/small.zip", path / "foreign.zip")
    write_extxyz(path / "hot.xyz", [rattled(index) for index in range(6)])
    study = StudyDirectory(path)
    study.configure(change)
    result = study.snakemake(*FILES)
    assert result.status == 0, result.output
    assert result.rules == {"energy_shift": 1, "evaluate_entry": len(FILES)}
    return study


def metrics(study: StudyDirectory, place: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(study.read(f"evaluation/{place}/metrics.json"))
    return content


def test_valid_split_has_the_errors_of_the_last_validation(study: StudyDirectory) -> None:
    history = pd.read_csv(study.path / "results/runs/small/metrics.csv")
    best = history.set_index("epoch").loc[history["best_epoch"].iloc[-1]]
    evaluated = metrics(study, "small/valid")
    for ours, theirs in (("energy", "e"), ("energy_per_atom", "e_per_atom"), ("forces", "f")):
        for error in ("mae", "rmse"):
            expected = best[f"valid_{error}_{theirs}"]
            assert evaluated[ours][error] == pytest.approx(expected, rel=1e-5)


def test_a_foreign_zip_is_evaluated_as_a_run_is(study: StudyDirectory) -> None:
    assert metrics(study, "copy/hot") == metrics(study, "small/hot")
    assert metrics(study, "copy/hot")["forces"]["rmse"] > 0


def test_the_reference_calculator_makes_no_errors(study: StudyDirectory) -> None:
    for testset in ("hot", "valid"):
        of_emt = metrics(study, f"emt/{testset}")
        assert of_emt["energy"]["max"] < 1e-9
        assert of_emt["forces"]["max"] < 1e-9
        assert of_emt["n_parameters"] is None
        # Fitted to differences of nothing.
        assert of_emt["energy_shift"] == pytest.approx({"C": 0.0, "H": 0.0}, abs=1e-9)
    # Both leave out the same atomic energies, so their references vary alike.
    std = metrics(study, "small/hot")["energy"]["reference_std"]
    assert metrics(study, "emt/hot")["energy"]["reference_std"] == pytest.approx(std, rel=1e-9)


def test_files_are_those_that_pandas_and_ase_read(study: StudyDirectory) -> None:
    directory = study.path / "results/evaluation/small/hot"
    structures = pd.read_parquet(directory / "structures.parquet")
    atoms = pd.read_parquet(directory / "atoms.parquet")
    assert structures["source"].tolist() == [f"hot.xyz:{index}" for index in range(6)]
    assert len(atoms) == 6 * 8
    for frame, (_, table) in zip(
        ase.io.iread(directory / "predictions.extxyz"), atoms.groupby("structure"), strict=True
    ):
        columns = [f"predicted_f{axis}" for axis in "xyz"]
        assert frame.arrays["MLIP_forces"].tolist() == table[columns].to_numpy().tolist()


def test_a_change_of_one_test_set_evaluates_that_one_again(study: StudyDirectory) -> None:
    def also_cold(mapping: dict[str, Any]) -> None:
        change(mapping)
        mapping["testsets"] = {"cold": {"files": ["cold.xyz"]}} | mapping["testsets"]

    def other_labels(mapping: dict[str, Any]) -> None:
        change(mapping)
        mapping["testsets"]["hot"]["require"] = ["energy"]

    write_extxyz(study.path / "cold.xyz", [rattled(7)])
    study.configure(also_cold)
    assert study.snakemake("--dry-run", *FILES).planned == {}
    study.configure(other_labels)
    assert study.snakemake("--dry-run", *FILES).planned == {"evaluate_entry": 3}


def test_missing_labels_follow_the_rules_of_datasets(study: StudyDirectory) -> None:
    def bare(mapping: dict[str, Any], missing: str) -> None:
        change(mapping)
        mapping["testsets"] = {"bare": {"files": ["bare.xyz"], "labels": {"missing": missing}}}

    write_extxyz(study.path / "bare.xyz", [rattled(8, labels=False), rattled(9)])
    target = "results/evaluation/emt/bare/metrics.json"
    study.configure(lambda mapping: bare(mapping, "error"))
    refused = study.snakemake(target)
    assert refused.status == 1
    (line,) = refused.errors
    assert line.startswith("error: bare.xyz: frame 0: no energy under key")
    study.configure(lambda mapping: bare(mapping, "mask"))
    assert study.snakemake(target).status == 0
    assert metrics(study, "emt/bare")["energy"]["count"] == 1


def test_best_is_chosen_among_runs(study: StudyDirectory) -> None:
    study.configure(change)
    assert study.snakemake("--dry-run", "results/models/best.json").planned == {}
    assert list(json.loads(study.read("models/best.json"))["values"]) == ["small"]


def test_results_are_not_in_the_way_of_each_other(study: StudyDirectory) -> None:
    directory = Path(study.path, "results/evaluation/copy/hot")
    names = {path.name for path in directory.iterdir() if path.is_file()}
    assert names == {"metrics.json", "predictions.extxyz", "structures.parquet", "atoms.parquet"}
