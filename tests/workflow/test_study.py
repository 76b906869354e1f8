"""The whole chain, and what a change makes again."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from ase.io import read, write

from mlip_core.data.splits import read_split
from mlip_core.models.model_io import load_model
from mlip_core.models.registry import architectures, network_class
from mlip_core.study.config import load_study
from mlip_core.utils.files import file_digest
from tests.workflow.tiny_study import StudyDirectory, add_run

AFTER_TRAINING = {
    "train_run": 1,
    "select_best": 1,
    "best": 1,
    "evaluate_entry": 1,
    "physics": 1,
    "model_card": 1,
    "best_card": 1,
    "report_entry": 1,
    "report": 1,
}


def copy_of(study: StudyDirectory, directory: Path) -> StudyDirectory:
    """A study that may be changed."""
    shutil.copytree(study.path, directory / "study", symlinks=True)
    return StudyDirectory(directory / "study")


@pytest.fixture
def study(finished: StudyDirectory, tmp_path: Path) -> StudyDirectory:
    """A finished study that may be changed."""
    return copy_of(finished, tmp_path)


def test_all_results_are_there(finished: StudyDirectory) -> None:
    results = finished.path / "results"
    expected = [
        "datasets/ethane/reference.extxyz",
        "datasets/ethane/quality.json",
        "datasets/ethane/splits/split.json",
        "datasets/ethane/dataset_info.json",
        *(f"datasets/ethane/shards/{split}/manifest.json" for split in ("train", "valid", "test")),
        *(f"runs/small/{name}" for name in ("config.yaml", "metrics.csv", "timing.csv")),
        "runs/small/provenance.json",
        "models/small.zip",
        "models/small.md",
        "models/best.zip",
        "models/best.md",
        "evaluation/small/test/metrics.json",
        "evaluation/small/test/predictions.extxyz",
        "evaluation/small/physics/nve.json",
        "evaluation/small/physics/nve.csv",
        "report/index.html",
        "report/entries/small.html",
        "report/datasets/ethane.html",
        "report/leaderboard.csv",
    ]
    assert [name for name in expected if not (results / name).stat().st_size] == []


def test_results_belong_together(finished: StudyDirectory) -> None:
    results = finished.path / "results"
    split = read_split(results / "datasets/ethane/splits/split.json")
    assert {name: len(indices) for name, indices in split.items()} == {
        "train": 12,
        "valid": 4,
        "test": 4,
    }
    model = load_model(results / "models/best.zip")
    assert model.allowed_atomic_numbers == {1, 6}
    assert file_digest(results / "models/best.zip") == file_digest(results / "models/small.zip")
    metrics = pd.read_csv(results / "runs/small/metrics.csv")
    assert metrics["epoch"].tolist() == [0, 1, 2]
    named = load_study(yaml.safe_load(finished.read("runs/small/study.yaml"))).runs["small"]
    assert {f"valid_{name}" for name in named.validation_metrics} == {
        name for name in metrics if name.startswith("valid_")
    }
    assert "Tiny" in finished.read("report/index.html")


def test_each_architecture_goes_through_to_the_report(two: StudyDirectory, tmp_path: Path) -> None:
    study = copy_of(two, tmp_path)
    others = [name for name in architectures() if name != "mace"]

    def add_runs(mapping: dict[str, Any]) -> None:
        for architecture in others:
            add_run(mapping, architecture)

    study.configure(add_runs)
    result = study.snakemake()
    assert result.status == 0, result.output
    # The runs with MACE and NequIP are not made again.
    per_run = ("train_run", "evaluate_entry", "physics", "model_card", "report_entry")
    assert result.rules == {
        **AFTER_TRAINING,
        "all": 1,
        **dict.fromkeys(per_run, len(others) - 1),
    }
    runs = {"small": "mace", **{name: name for name in others}}
    for run, architecture in runs.items():
        network = load_model(study.path / f"results/models/{run}.zip").predictor.mlip_network
        assert type(network) is network_class(architecture)
        config = yaml.safe_load(study.read(f"runs/{run}/config.yaml"))
        assert config["model"].pop("architecture") == architecture
        assert network.config == network.Config(**config["model"])
    leaderboard = pd.read_csv(study.path / "results/report/leaderboard.csv")
    assert set(leaderboard["entry"]) == set(runs)
    for run, text in (
        ("nequip", "nequip, layers 1, node irreps 2x0e, l_max 0"),
        ("schnet", "schnet, layers 1, channels 2"),
        ("visnet", "visnet, layers 1, channels 2, heads 1, l_max 1"),
    ):
        assert text in study.read(f"report/entries/{run}.html")
        assert text in study.read(f"models/{run}.md")


def test_free_atoms_give_the_atomic_energies_and_nothing_else(finished: StudyDirectory) -> None:
    from ase import Atoms
    from ase.calculators.emt import EMT

    info = json.loads(finished.read("datasets/ethane/dataset_info.json"))
    expected = {}
    for symbol, number in (("H", "1"), ("C", "6")):
        atom = Atoms(symbol)
        atom.calc = EMT()
        expected[number] = atom.get_potential_energy()
    assert info["atomic_energies_map"] == expected
    assert json.loads(finished.read("datasets/ethane/quality.json"))["summary"]["frames"] == 24


def test_provenance_says_what_made_the_model(finished: StudyDirectory) -> None:
    provenance = json.loads(finished.read("runs/small/provenance.json"))
    manifest = finished.path / "results/datasets/ethane/shards/train/manifest.json"
    assert provenance["inputs"][str(manifest.relative_to(finished.path))] == file_digest(manifest)
    assert provenance["config"] == yaml.safe_load(finished.read("runs/small/config.yaml"))
    assert provenance["started"] <= provenance["finished"]
    assert {"jax", "mlip-core", "python"} <= provenance["versions"].keys()


def test_nothing_changed_runs_nothing(finished: StudyDirectory) -> None:
    start = time.monotonic()
    assert finished.start().wait() == 0  # its imports, which take most of the time, included
    seconds = time.monotonic() - start
    result = finished.snakemake()
    assert "Nothing to be done" in result.output
    assert result.rules == {}
    # Ten seconds are promised; other tests may share the machine.
    assert seconds < 30


def test_more_epochs_continue_from_the_checkpoint(study: StudyDirectory) -> None:
    before = study.read("runs/small/metrics.csv").splitlines()
    study.configure(lambda s: s["runs"]["small"]["training"].update(num_epochs=4))
    assert study.snakemake("--dry-run").planned == AFTER_TRAINING
    result = study.snakemake("results/models/small.zip")
    assert result.status == 0, result.output
    assert result.rules == {"train_run": 1}
    after = study.read("runs/small/metrics.csv").splitlines()
    assert len(after) == len(before) + 2
    assert after[: len(before)] == before
    log = study.read("logs/train/small.log")
    assert "epoch 3/4" in log
    assert "epoch 4/4" in log
    assert "epoch 1/4" not in log
    assert "epoch 2/4" not in log


def test_fewer_epochs_train_anew_beside_the_longer_training(study: StudyDirectory) -> None:
    checkpoints = study.path / "results/runs/small/checkpoints"
    longer = {path.name for path in checkpoints.iterdir() if path.is_dir()}
    before = study.read("runs/small/metrics.csv").splitlines()
    study.configure(lambda s: s["runs"]["small"]["training"].update(num_epochs=1))
    assert study.snakemake("results/models/small.zip").rules == {"train_run": 1}
    assert study.read("runs/small/metrics.csv").splitlines() == before[:-1]
    assert longer < {path.name for path in checkpoints.iterdir() if path.is_dir()}


def test_number_of_jobs_changes_no_shard_and_trains_nothing_again(study: StudyDirectory) -> None:
    files = ("dataset_info.json", "shards/train/manifest.json")
    before = [study.read(f"datasets/ethane/{file}") for file in files]
    study.configure(lambda s: s["datasets"]["ethane"].update(shard_jobs=2))
    result = study.snakemake("results/datasets/ethane/dataset_info.json")
    assert result.rules == {"shard": 6, "dataset_info": 1}
    assert [study.read(f"datasets/ethane/{file}") for file in files] == before
    assert "train_run" not in study.snakemake("--dry-run").planned


def test_a_split_is_never_lost(study: StudyDirectory) -> None:
    target = "results/datasets/ethane/splits/split.json"
    splits = study.path / "results/datasets/ethane/splits"
    first = (splits / "split.json").read_bytes()
    study.configure(lambda s: s["datasets"]["ethane"]["split"].update(train=10))
    assert study.snakemake(target).rules == {"split": 1}
    second = (splits / "split.json").read_bytes()
    assert second != first
    (kept,) = splits.glob("split-*.json")
    assert kept.read_bytes() == first

    # Nor by a job that fails, or by one that is forced.
    study.configure(lambda s: s["datasets"]["ethane"]["split"].update(train=1000))
    failed = study.snakemake(target)
    assert failed.status == 1
    assert len(failed.errors) == 1
    assert "split: too few frames: there are 24" in failed.errors[0]
    assert (splits / "split.json").read_bytes() == second
    study.configure(lambda s: s["datasets"]["ethane"]["split"].update(train=10))
    assert study.snakemake(target, "--force").status == 0
    assert (splits / "split.json").read_bytes() == second
    assert [path.name for path in splits.glob("split-*.json")] == [kept.name]


@pytest.mark.slow
def test_run_is_repeated_elsewhere_in_the_same_bytes(
    finished: StudyDirectory, tmp_path: Path
) -> None:
    shutil.copyfile(finished.path / "results/runs/small/study.yaml", tmp_path / "study.yaml")
    again = StudyDirectory(tmp_path)
    # The command that the file itself gives.
    (command,) = re.findall("snakemake --cores all (.*)", (tmp_path / "study.yaml").read_text())
    result = again.snakemake(*command.split())
    assert result.status == 0, result.output
    for name in (
        "datasets/ethane/reference.extxyz",
        "datasets/ethane/dataset_info.json",
        "datasets/ethane/shards/train/manifest.json",
        "runs/small/metrics.csv",
        "models/small.zip",
    ):
        paths = [study.path / "results" / name for study in (finished, again)]
        assert file_digest(paths[0]) == file_digest(paths[1]), name


def test_a_dataset_that_grew_is_repeated_elsewhere_with_its_split(
    finished: StudyDirectory, tmp_path: Path
) -> None:
    def own_data(mapping: dict[str, Any]) -> None:
        dataset = mapping["datasets"]["ethane"]
        dataset["source"], dataset["atomic_energies"] = {"files": ["own.xyz"]}, "least_squares"
        dataset["split"] = {"train": 0.6, "valid": 0.2, "test": 0.2}

    def split(name: str, frames: list[Any]) -> bytes:
        directory = StudyDirectory(tmp_path / name)
        directory.configure(own_data)
        write(directory.path / "own.xyz", frames)
        result = directory.snakemake("results/datasets/ethane/splits/split.json")
        assert result.status == 0, result.output
        return (directory.path / files / "split.safetensors").read_bytes()

    files = Path("results/datasets/ethane/splits")
    frames = read(finished.path / "results/datasets/ethane/reference.extxyz", ":")[-24:]
    split("here", frames[:12])
    grown = split("here", frames)
    assert split("anew", frames) != grown
    for file in ("split.json", "split.safetensors"):
        (tmp_path / "there" / files).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tmp_path / "here" / files / file, tmp_path / "there" / files / file)
    assert split("there", frames) == grown
