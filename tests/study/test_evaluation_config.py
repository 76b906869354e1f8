"""What a study says about its evaluation, and what is said about mistakes in that."""

from pathlib import Path
from typing import Any

import pytest
from ase.calculators.emt import EMT

from mlip_core.study.checks import check_study
from mlip_core.study.config import load_study
from mlip_core.study.entries import entry_calculator, load_entry
from mlip_core.utils.errors import UserError

EMT_ENTRY = {"calculator": {"calculator": "emt"}}


def study(**keys: Any) -> dict[str, Any]:
    source = {"source": {"files": ["water.xyz"]}, "split": {"train": 8}}
    return {
        "datasets": {"water": source, "ice": source},
        "runs": {"first": {"dataset": "water", "training": {"num_epochs": 3}}},
        **keys,
    }


def test_runs_come_before_baselines_and_splits_before_test_sets() -> None:
    loaded = load_study(
        study(
            evaluation={"splits": ["test", "valid", "test"]},
            testsets={"hot": {"files": ["hot.xyz"]}},
            baselines={"emt": EMT_ENTRY | {"dataset": "ice"}},
        )
    )
    assert loaded.entries == ["first", "emt"]
    assert loaded.evaluated_sets == ["test", "valid", "hot"]
    assert [loaded.dataset_of_entry(name) for name in loaded.entries] == ["water", "ice"]


def test_the_only_dataset_is_that_of_a_baseline() -> None:
    mapping = study(baselines={"emt": EMT_ENTRY})
    del mapping["datasets"]["ice"]
    assert load_study(mapping).dataset_of_entry("emt") == "water"


MISTAKES = {
    "unknown split": (
        {"evaluation": {"splits": ["tests"]}},
        "evaluation.splits[0]: 'tests' is not allowed, did you mean 'test'?",
    ),
    "nothing to evaluate on": ({"evaluation": {"splits": []}}, "evaluation.splits: empty, and no"),
    "unknown key of a test set": (
        {"testsets": {"hot": {"files": ["hot.xyz"], "label": {}}}},
        "testsets.hot.label: unknown key, did you mean 'labels'?",
    ),
    "test set without files": ({"testsets": {"hot": {}}}, "testsets.hot.files: missing (Files"),
    "name of a split": ({"testsets": {"valid": {"files": ["a"]}}}, "testsets.valid: the name is"),
    "no file name": ({"testsets": {"a/b": {"files": ["a"]}}}, "testsets.a/b: names become file"),
    "two kinds": (
        {"baselines": {"emt": EMT_ENTRY | {"model": "a.zip"}}},
        "baselines.emt: exactly one of `calculator` and `model` must be given",
    ),
    "name of a run": (
        {"baselines": {"first": EMT_ENTRY | {"dataset": "ice"}}},
        "baselines.first: there is a run of that name; rename one",
    ),
    "no dataset": (
        {"baselines": {"emt": EMT_ENTRY}},
        "baselines.emt.dataset: say which (there are: water, ice)",
    ),
    "unknown dataset": (
        {"baselines": {"emt": EMT_ENTRY | {"dataset": "icy"}}},
        "baselines.emt.dataset: there is no dataset 'icy', did you mean 'ice'?",
    ),
    "unknown key of a calculator": (
        {"baselines": {"emt": {"calculator": {"calculator": "emt", "argument": {}}}}},
        "baselines.emt.calculator.argument: unknown key, did you mean 'arguments'?",
    ),
}


def message(keys: dict[str, Any]) -> str:
    """What is said about a study before any job."""
    try:
        check_study(load_study(study(**keys), "study.yaml"))
    except UserError as error:
        return str(error)
    pytest.fail("the mistake was not seen")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_said_in_one_line(mistake: str) -> None:
    keys, expected = MISTAKES[mistake]
    assert message(keys).startswith(f"study.yaml: {expected}")
    assert "\n" not in message(keys)


MISSING = {
    "file of a test set": (
        {"testsets": {"hot": {"files": ["hot.xyz"]}}},
        "testsets.hot.files: hot.xyz: no such file",
    ),
    "model": (
        {"baselines": {"old": {"model": "old.zip", "dataset": "ice"}}},
        "baselines.old.model: old.zip: no such file; expected a model zip",
    ),
    "calculator of ASE": (
        {"baselines": {"emt": {"calculator": {"calculator": "EMT2"}, "dataset": "ice"}}},
        "baselines.emt.calculator.calculator: calculator 'EMT2': neither an import path nor a",
    ),
    "class of a module": (
        {
            "baselines": {
                "lj": {"calculator": {"calculator": "ase.calculators.lj.LJ"}, "dataset": "ice"}
            }
        },
        "baselines.lj.calculator.calculator: calculator 'ase.calculators.lj.LJ':",
    ),
}


@pytest.mark.parametrize("what", MISSING)
def test_what_is_missing_is_said_before_any_job(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("water.xyz").touch()
    keys, expected = MISSING[what]
    assert message(keys).startswith(f"config: {expected}")
    assert "\n" not in message(keys)


def test_an_entry_is_a_model_or_a_calculator() -> None:
    assert isinstance(load_entry(calculator={"calculator": "emt"}), EMT)
    assert isinstance(entry_calculator(calculator={"calculator": "ase.calculators.emt.EMT"}), EMT)
    with pytest.raises(ValueError, match="either a model or a calculator"):
        load_entry()
    with pytest.raises(UserError, match="no such file; expected a model zip"):
        load_entry("no.zip")
