"""Physics checks in the workflow: what they make again, and what becomes of a run that fails."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.tiny_study import StudyDirectory


@pytest.fixture
def study(finished: StudyDirectory, tmp_path: Path) -> StudyDirectory:
    """A finished study that may be changed."""
    shutil.copytree(finished.path, tmp_path / "study", symlinks=True)
    return StudyDirectory(tmp_path / "study")


def with_checks(mapping: dict[str, Any]) -> None:
    """Two more checks of the model, and of the calculator that made the data."""
    vibrations = {"relax_max_steps": 3, "relax_max_force_ev_per_angstrom": 0.01}
    mapping["physics"] |= {"invariance": {}, "vibrations": vibrations}
    mapping["cost"] = {"copies": [1], "steps": 2}
    calculator = mapping["datasets"]["ethane"]["source"]["reference"]["calculator"]
    mapping["baselines"] = {"emt": {"calculator": {"calculator": calculator}}}
    mapping["select_best"] = {"gates": False}


@pytest.mark.slow
def test_checks_of_a_model_and_of_the_reference_calculator(study: StudyDirectory) -> None:
    study.configure(with_checks)
    result = study.snakemake()
    assert result.status == 0, result.output
    # The NVE check of the run is there; that of the baseline, and two of each, are new.
    assert result.rules["physics"] == 5
    assert result.rules["physics_reference"] == 1
    assert result.rules["cost"] == 2
    assert "physics_subject" not in result.rules
    reference = json.loads(study.read("datasets/ethane/physics/vibrations.json"))
    assert len(reference["C2H6"]) == 18
    own = json.loads(study.read("evaluation/emt/physics/vibrations.json"))
    values = {quantity["name"]: quantity["value"] for quantity in own["quantities"]}
    assert values["mean absolute error"] == pytest.approx(0.0, abs=1e-6)
    # A model that learned for two epochs has no minimum there, and is chosen all the same.
    choice = json.loads(study.read("models/best.json"))
    assert choice["gates"] == {"small": ["vibrations"]}
    assert choice["run"] == "small"
    cost = json.loads(study.read("evaluation/small/cost.json"))
    assert [row["n_atoms"] for row in cost["rows"]] == [8]
    _a_threshold_makes_one_check_again(study)
    _a_setting_of_the_measurement_asks_the_reference_again(study)


def _a_threshold_makes_one_check_again(study: StudyDirectory) -> None:
    def change(mapping: dict[str, Any]) -> None:
        with_checks(mapping)
        mapping["physics"]["vibrations"]["max_mean_error_per_cm"] = 40

    study.configure(change)
    planned = study.snakemake("--dry-run").planned
    assert planned["physics"] == 2  # of the run and of the baseline
    assert planned["select_best"] == 1
    untouched = {"train_run", "evaluate_entry", "cost", "physics_subject", "physics_reference"}
    assert not untouched & planned.keys()


def _a_setting_of_the_measurement_asks_the_reference_again(study: StudyDirectory) -> None:
    def change(mapping: dict[str, Any]) -> None:
        with_checks(mapping)
        mapping["physics"]["vibrations"]["displacement_angstrom"] = 0.02

    study.configure(change)
    planned = study.snakemake("--dry-run").planned
    assert planned["physics_reference"] == 1
    assert planned["physics"] == 2
    assert "train_run" not in planned
    assert "cost" not in planned


def test_no_best_model_if_every_run_fails_a_check(study: StudyDirectory) -> None:
    def change(mapping: dict[str, Any]) -> None:
        mapping["physics"]["nve"]["max_drift_mev_per_atom"] = 1e-9

    study.configure(change)
    result = study.snakemake()
    assert result.status == 1
    assert "best" not in result.rules
    assert result.rules["report"] == 1
    (line,) = result.errors
    assert "every run failed a physics check (small: nve)" in line
    assert "select_best.gates: false" in line
    assert json.loads(study.read("models/best.json"))["run"] is None
    assert study.read("report/index.html")
    assert not (study.path / "results/models/best.zip").exists()
