"""Rounds of active learning as what they are: more datasets, runs and committees.

All of them follow from the study file, so that the workflow knows every job before the first runs.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from mlip_core.data.splits.config import SPLITS
from mlip_core.study.committee_config import ActiveLearningConfig
from mlip_core.study.config_base import DEFAULT_SEED, Name
from mlip_core.study.expansion import Tree, merge
from mlip_core.study.problems import nearest
from mlip_core.utils.errors import UserError
from mlip_core.utils.seeds import derive_seed


class ActiveLearning(BaseModel):
    """The part of a study file that stands for rounds of active learning."""

    active_learning: dict[Name, ActiveLearningConfig] = Field(
        default={},
        description="Datasets that grow by structures about which a committee is unsure.",
    )


def round_dataset(name: str, config: ActiveLearningConfig, number: int) -> str:
    """The name of the dataset of a round."""
    return f"{name}-r{number}" if number else config.dataset


def round_runs(name: str, config: ActiveLearningConfig, number: int) -> list[str]:
    """The names of the runs of a round."""
    return [f"{name}-r{number}-{member}" for member in range(1, config.committee + 1)]


def round_file(name: str, number: int, file: str) -> str:
    """The path of a file that a round makes, from 1 on."""
    return f"results/active_learning/{name}/round-{number}/{file}"


def split_file(dataset: str, split: str) -> str:
    """The path of a split's frames as a file of their own."""
    return f"results/datasets/{dataset}/splits/{split}.extxyz"


def reference_file(dataset: str) -> str:
    """The path of the frames that a dataset's calculator makes."""
    return f"results/datasets/{dataset}/reference.extxyz"


def labelled_files(name: str, until: int) -> list[str]:
    """The paths of what has been labelled in the rounds up to one."""
    return [round_file(name, number, "labelled.extxyz") for number in range(1, until + 1)]


def expand_active_learning(study: Mapping[str, Any]) -> Mapping[str, Any]:
    """The study with datasets, runs and committees of all rounds written out.

    Raises:
        UserError: if the dataset to begin with is not there, or a name occurs twice.
        pydantic.ValidationError: if a config is not what it should be.
    """
    configs = ActiveLearning.model_validate(study).active_learning
    if not configs:
        return study
    given = {key: study.get(key) or {} for key in ("datasets", "runs", "committees")}
    if not all(isinstance(table, Mapping) for table in given.values()):
        return study  # said when the study as a whole is validated
    tables = {key: dict(table) for key, table in given.items()}
    for name, config in configs.items():
        start = tables["datasets"].get(config.dataset)
        if not isinstance(start, Mapping):
            raise UserError(
                f"active_learning.{name}.dataset: there is no dataset {config.dataset!r}"
                f"{nearest(config.dataset, tables['datasets'])}"
                f" (there are: {', '.join(tables['datasets'])})"
            )
        run = {
            "seed": study.get("seed", DEFAULT_SEED),
            **merge(study.get("defaults", {}), config.run),
        }
        for number in range(config.rounds + 1):
            for key, more in _round(name, config, number, start, run).items():
                _add(tables[key], key, more)
    return {**study, **tables}


def _round(
    name: str, config: ActiveLearningConfig, number: int, start: Mapping[str, Any], run: Tree
) -> dict[str, Tree]:
    dataset, runs = round_dataset(name, config, number), round_runs(name, config, number)
    grown = _grown(start, config.dataset, labelled_files(name, number))
    return {
        "datasets": {dataset: grown} if number else {},
        "runs": {
            key: {**run, "dataset": dataset, "seed": _member_seed(run["seed"], member)}
            for member, key in enumerate(runs, start=1)
        },
        "committees": {f"{name}-r{number}": {"runs": runs}} if config.committee > 1 else {},
    }


def _member_seed(seed: Any, member: int) -> Any:
    """The same in all rounds, whatever their name: what then differs is the data alone."""
    is_seed = isinstance(seed, int)  # what is none is said when the study as a whole is validated
    return derive_seed(seed, "committee member", member) if is_seed else seed


def _grown(start: Mapping[str, Any], dataset: str, labelled: list[str]) -> Tree:
    """The dataset with more structures in its training split."""
    split = {name: {"files": [split_file(dataset, name)]} for name in SPLITS}
    split["train"]["files"] += labelled
    labels = start.get("labels") or {}
    return {
        **{key: start[key] for key in start if key != "seed"},
        # Written by this program, under the default keys and in its units.
        "labels": {key: labels[key] for key in labels if key == "missing"},
        "source": {"files": [file for share in split.values() for file in share["files"]]},
        "split": split,
    }


def _add(table: Tree, key: str, more: Mapping[str, Any]) -> None:
    if twice := sorted(table.keys() & more.keys()):
        raise UserError(f"{key}: {twice[0]!r} is a name of active_learning, too; rename one")
    table.update(more)
