"""Runs that go on from others, and datasets that grow by what a committee chooses."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mlip_core.data.dataset_info import read_dataset_info
from mlip_core.data.frames import read_frames
from mlip_core.data.splits import load_split
from mlip_core.models.model_io import load_model
from mlip_core.utils.files import file_digest
from tests.workflow.tiny_study import StudyDirectory, grow, write_pool


@pytest.fixture
def study(finished: StudyDirectory, tmp_path: Path) -> StudyDirectory:
    """A finished study that may be changed."""
    shutil.copytree(finished.path, tmp_path / "study", symlinks=True)
    return StudyDirectory(tmp_path / "study")


def add_run(name: str, **keys: Any) -> Any:
    def change(mapping: dict[str, Any]) -> None:
        run = {"dataset": "ethane", "batch_size": 4, "training": {"num_epochs": 1}}
        mapping["runs"][name] = run | keys

    return change


def test_a_run_waits_for_the_run_it_starts_from(study: StudyDirectory) -> None:
    study.configure(add_run("tuned", init_from="small", finetune={"trainable": "heads"}))
    (study.path / "results/models/small.zip").unlink()
    result = study.snakemake("results/models/tuned.zip")
    assert result.status == 0, result.output
    assert result.rules == {"train_run": 2}
    start = file_digest(study.path / "results/models/small.zip")
    provenance = json.loads(study.read("runs/tuned/provenance.json"))
    assert provenance["inputs"]["results/models/small.zip"] == start
    tuned, small = (load_model(study.path / f"results/models/{n}.zip") for n in ("tuned", "small"))
    assert tuned.config == small.config


def test_a_circle_of_starts_is_named_before_anything_runs(study: StudyDirectory) -> None:
    study.configure(add_run("tuned", init_from="tuned"))
    result = study.snakemake("--dry-run")
    (error,) = result.errors
    assert error.startswith("error: runs: init_from goes in a circle: tuned → tuned; let one of")


def test_a_random_round_needs_no_model(study: StudyDirectory) -> None:
    study.configure(grow("random", 1))
    write_pool(study.path)
    result = study.snakemake("results/datasets/grown-r1/dataset_info.json")
    assert result.status == 0, result.output
    assert "train_run" not in result.rules
    before, after = (
        load_split(study.path / f"results/datasets/{name}/splits/split.json")
        for name in ("ethane", "grown-r1")
    )

    def digests(split: Any, name: str) -> set[bytes]:
        return {digest.tobytes() for digest in split.digests[name]}

    for name in ("valid", "test"):
        assert digests(after, name) == digests(before, name)
    labelled = read_frames(study.path / "results/active_learning/grown/round-1/labelled.extxyz")
    new = digests(after, "train") - digests(before, "train")
    assert new == {bytes.fromhex(frame.digest) for frame in labelled}
    assert len(new) == 2
    energies = [
        read_dataset_info(study.path / f"results/datasets/{name}/dataset_info.json")
        for name in ("ethane", "grown-r1")
    ]
    assert energies[0].atomic_energies_map == energies[1].atomic_energies_map  # of free atoms


@pytest.mark.slow
def test_a_round_of_active_learning_up_to_the_calibrated_committee(study: StudyDirectory) -> None:
    study.configure(grow("spread", 2))
    write_pool(study.path)
    assert study.snakemake("select").status == 0
    selection = json.loads(study.read("active_learning/grown/round-1/selection.json"))
    assert selection["pool"] == 8
    spreads = [each["max_force_spread_ev_per_angstrom"] for each in selection["selected"]]
    assert spreads[0] == selection["spread_quantiles_ev_per_angstrom"]["1.0"]
    assert spreads[0] > spreads[1] >= selection["spread_quantiles_ev_per_angstrom"]["0.5"]
    calibrations = [f"results/evaluation/grown-r{n}/physics/calibration.json" for n in (0, 1)]
    page = "report/entries/grown-r0.html"
    result = study.snakemake(*calibrations, f"results/{page}")
    assert result.status == 0, result.output
    assert result.rules["train_run"] == 2
    for path in calibrations:
        found = json.loads((study.path / path).read_text())
        assert found["check"] == Path(path).stem
        values = {quantity["name"]: quantity["value"] for quantity in found["quantities"]}
        assert values["factor on the spread, forces"] > 0
    text = study.read(page)
    assert "Spread against error" in text
    assert 'Committee of <a href="grown-r0-1.html">' in text
    assert "the committee&#39;s mean is off" in text
    assert study.snakemake("select").rules == {}
