"""Rounds of active learning are datasets, runs and committees; nothing else is new."""

from pathlib import Path
from typing import Any

import pytest

from mlip_core.study.checks import check_study
from mlip_core.study.config import StudyConfig, load_study
from mlip_core.utils.errors import UserError

EMT = {"calculator": "ase.calculators.emt.EMT"}
DYNAMICS = {"structure": "C2H6", "temperatures_kelvin": [300], "frames_per_trajectory": 9}
SPLITS = {
    name: f"results/datasets/start/splits/{name}.extxyz" for name in ("train", "valid", "test")
}


def study(changes: dict[str, Any] | None = None, **keys: Any) -> StudyConfig:
    start = {
        "source": {"reference": EMT | {"dynamics": DYNAMICS}},
        "split": {"train": 4, "valid": 2, "test": 2},
        "graph": {"graph_cutoff_angstrom": 3.5},
        "atomic_energies": {"H": 0.5, "C": 1.0},
    }
    learning = {
        "dataset": "start",
        "pool": {"dataset": "start"},
        "run": {"model": {"num_channels": 4}, "training": {"num_epochs": 1}},
        "committee": 2,
        "rounds": 2,
        "select": {"per_round": 2},
    } | (changes or {})
    mapping = {
        "datasets": {"start": start},
        "runs": {},
        "defaults": {"batch_size": 3},
        "active_learning": {"grown": learning},
    }
    return load_study(mapping | keys)


def test_rounds_are_datasets_runs_and_committees() -> None:
    grown = study()
    assert list(grown.datasets) == ["start", "grown-r1", "grown-r2"]
    assert list(grown.runs) == [f"grown-r{n}-{member}" for n in (0, 1, 2) for member in (1, 2)]
    assert [run.dataset for run in grown.runs.values()] == [
        *["start"] * 2,
        *["grown-r1"] * 2,
        *["grown-r2"] * 2,
    ]
    assert grown.committees["grown-r1"].runs == ["grown-r1-1", "grown-r1-2"]
    assert all(run.batch_size == 3 for run in grown.runs.values())


def test_members_have_seeds_of_their_own_that_are_the_same_in_all_rounds() -> None:
    """So that active learnings that differ in the choice of structures alone start as equals."""

    def seeds(grown: StudyConfig) -> list[int | None]:
        return [grown.run_config(name).seed for name in grown.runs]

    first, second = seeds(study())[:2]
    assert first != second
    assert seeds(study()) == [first, second] * 3
    learning = study().active_learning["grown"].model_dump()
    assert seeds(study(active_learning={"other": learning})) == [first, second] * 3
    given = seeds(study({"run": {"seed": 7, "training": {"num_epochs": 1}}}))
    assert given[0] != given[1]
    assert {*given[:2]}.isdisjoint({first, second})
    with pytest.raises(UserError, match="seed"):
        study(seed="seven")


def test_only_the_training_split_grows() -> None:
    last = study().datasets["grown-r2"]
    labelled = [f"results/active_learning/grown/round-{n}/labelled.extxyz" for n in (1, 2)]
    assert last.split.train == {"files": [SPLITS["train"], *labelled]}
    assert last.split.valid == {"files": [SPLITS["valid"]]}
    assert last.split.test == {"files": [SPLITS["test"]]}
    assert last.source.files == [SPLITS["train"], *labelled, SPLITS["valid"], SPLITS["test"]]
    assert last.graph.graph_cutoff_angstrom == 3.5
    assert last.atomic_energies == {"H": 0.5, "C": 1.0}


def test_files_that_jobs_make_need_not_be_there(tmp_path: Path) -> None:
    check_study(study(testsets={"hot": {"files": ["results/datasets/start/reference.extxyz"]}}))
    with pytest.raises(
        UserError, match=r"active_learning.grown.pool.files: here.xyz: no such file"
    ):
        check_study(study({"pool": {"files": ["here.xyz"]}}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "begin"}, "active_learning.grown.dataset: there is no dataset 'begin'"),
        ({"dataset": "strat"}, "grown.dataset: there is no dataset 'strat', did you mean 'start'"),
        ({"select": {"per_round": 5}}, "select.per_round: 5 in each of 2 rounds are 10, but the p"),
        ({"committee": 1}, "active_learning.grown: committee: the spread needs at least 2 runs"),
        ({"pool": {}}, "active_learning.grown.pool: exactly one of `files` and `dataset`"),
        ({"pool": {"dataset": "strat"}}, "pool.dataset: there is no dataset 'strat', did you mean"),
        ({"label": {"calculator": "ase.None"}}, "active_learning.grown.label.calculator: calculat"),
        ({"select": {"strategy": "best"}}, "select.strategy: 'best' is not allowed"),
        ({"run": {"bach_size": 2}}, "runs.grown-r0-1.bach_size: unknown key, did you mean 'batch"),
    ],
)
def test_mistakes_are_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_study(study(changes))


def test_a_name_that_is_taken_is_said() -> None:
    run = {"dataset": "start", "training": {"num_epochs": 1}}
    with pytest.raises(UserError, match="runs: 'grown-r0-1' is a name of active_learning, too"):
        study(runs={"grown-r0-1": run})


@pytest.mark.parametrize(
    ("committee", "message"),
    [
        ({"runs": ["a", "c"]}, "committees.both.runs: there is no run 'c'"),
        ({"runs": ["a"]}, "committees.both.runs"),
        ({"runs": ["a", "a"]}, "committees.both.runs: a run is named twice"),
    ],
)
def test_committees_are_of_runs(committee: dict[str, Any], message: str) -> None:
    run = {"dataset": "start", "training": {"num_epochs": 1}}
    with pytest.raises(UserError, match=message):
        study(runs={"a": run, "b": run}, committees={"both": committee})


@pytest.mark.parametrize("name", ["a", "other"])
def test_committees_have_names_of_their_own(name: str) -> None:
    run = {"dataset": "start", "training": {"num_epochs": 1}}
    with pytest.raises(UserError, match=f"committees.{name}: there is a run or a baseline of that"):
        study(
            runs={"a": run, "b": run},
            baselines={"other": {"model": "other.zip", "dataset": "start"}},
            committees={name: {"runs": ["a", "b"]}},
        )
