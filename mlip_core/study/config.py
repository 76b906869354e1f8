"""The study file: every dataset and every run, in the rooms' own configs.

One pydantic model describes the whole of ``config/config.yaml``. The JSON schema and the reference
of the keys are generated from it, so a key exists in one place only.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError, model_validator

from mlip_core.data.splits import SPLITS, SplitConfig
from mlip_core.physics.config import CostConfig, PhysicsConfig
from mlip_core.study.active_learning import ActiveLearning, expand_active_learning
from mlip_core.study.committee_config import CommitteeConfig
from mlip_core.study.config_base import DEFAULT_SEED, Closed, Name
from mlip_core.study.dataset_config import DatasetConfig
from mlip_core.study.evaluation_config import BaselineConfig, EvaluationConfig, TestsetConfig
from mlip_core.study.expansion import Shorthand, expand_study
from mlip_core.study.problems import describe_problems, nearest
from mlip_core.study.remote_file import SourceFile
from mlip_core.study.run_config import RunConfig
from mlip_core.study.select_best_config import SelectBestConfig
from mlip_core.study.starts import inherit_models
from mlip_core.utils.errors import UserError, printable
from mlip_core.utils.seeds import derive_seed

RESERVED_TESTSETS = (*SPLITS, "physics")
"""Names that directories beside those of the test sets have."""

RESERVED_RUN = "best"
"""The name that the best model and its card have beside those of the runs."""


class ExecutionConfig(Closed):
    """Means of computing; none of them is part of what is learned."""

    training_threads: PositiveInt | None = Field(
        default=None,
        description="Threads of one training; by default all that Snakemake has, shared out where "
        "there are several GPUs.",
    )
    gpus_per_training: NonNegativeInt | None = Field(
        default=None,
        description="GPUs of one training, one batch each; by default one if the machine has any. "
        "On a cluster the profile says it: the machine that Snakemake runs on need not have them.",
    )
    compilation_cache: str | None = Field(
        default="results/.cache/jax",
        description="Directory of compiled programs that all jobs share; `null` for none.",
    )


class StudyConfig(ActiveLearning, Shorthand, Closed):
    """A study: datasets, and runs on them."""

    title: str = Field(default="Study", description="Title of the report.")
    seed: NonNegativeInt = Field(
        default=DEFAULT_SEED,
        description="The one seed; datasets and runs derive theirs from it by name.",
    )
    datasets: dict[Name, DatasetConfig] = Field(
        min_length=1, description="The datasets by name; more come from `tables`."
    )
    runs: dict[Name, RunConfig] = Field(
        min_length=1,
        description="The trainings by name; more come from `grids` and `tables`, and what all have "
        "in common from `defaults`.",
    )
    testsets: dict[Name, TestsetConfig] = Field(
        default={}, description="Further test sets by name, on which all models are evaluated."
    )
    baselines: dict[Name, BaselineConfig] = Field(
        default={},
        description="Models that were not trained here, by name: they are evaluated as the runs "
        "are, but never chosen as the best.",
    )
    committees: dict[Name, CommitteeConfig] = Field(
        default={}, description="Runs that are asked together, by name."
    )
    evaluation: EvaluationConfig = Field(
        default=EvaluationConfig(), description="Predictions, errors, confidence intervals."
    )
    physics: PhysicsConfig | None = Field(
        default=PhysicsConfig(), description="Physics checks of each model; `null` for none."
    )
    cost: CostConfig | None = Field(
        default=CostConfig(), description="Time that each model takes; `null` for no such figures."
    )
    select_best: SelectBestConfig = Field(
        default=SelectBestConfig(), description="Which run becomes `models/best.zip`."
    )
    execution: ExecutionConfig = Field(default=ExecutionConfig(), description="Means of computing.")

    @model_validator(mode="after")
    def _runs_have_datasets(self) -> Self:
        for name, run in self.runs.items():
            replay = run.finetune.replay
            named = {"dataset": run.dataset}
            if replay is not None:
                named["finetune.replay.dataset"] = replay.dataset
            for key, dataset in named.items():
                if dataset not in self.datasets:
                    raise ValueError(
                        f"runs.{name}.{key}: there is no dataset {dataset!r}"
                        f"{nearest(dataset, self.datasets)} (there are: {', '.join(self.datasets)})"
                    )
        return self

    @model_validator(mode="after")
    def _losses_have_labels(self) -> Self:
        for run in self.runs.values():
            for name in run.datasets:
                self.datasets[name] = self.datasets[name].requiring(run.loss.weighed)
        return self

    @model_validator(mode="after")
    def _replayed_labels_are_alike(self) -> Self:
        for name, run in self.runs.items():
            required = {d: list(self.datasets[d].check.require) for d in run.datasets}
            own = required[run.dataset]
            for dataset, labels in required.items():
                if labels != own:
                    raise ValueError(
                        f"runs.{name}.finetune.replay: {dataset} requires {', '.join(labels)},"
                        f" {run.dataset} {', '.join(own)}; set datasets.<name>.check.require of"
                        " both alike"
                    )
        return self

    @model_validator(mode="after")
    def _runs_can_be_compared(self) -> Self:
        if RESERVED_RUN in self.runs:
            raise ValueError(
                f"runs.{RESERVED_RUN}: the name is that of the best run; choose another"
            )
        for name, run in self.runs.items():
            run.require_metric(self.select_best.metric, f"select_best.metric: runs.{name}")
        if self.select_best.metric == "loss":
            self._require_one_loss()
        return self

    def _require_one_loss(self) -> None:
        losses = {
            name: run.loss.model_dump(exclude={"extended_metrics"})
            for name, run in self.runs.items()
        }
        first = next(iter(losses))
        for name, loss in losses.items():
            differing = [key for key, value in loss.items() if value != losses[first][key]]
            if differing:
                key = differing[0]
                raise ValueError(
                    f"select_best.metric: 'loss' is not the same in all runs (loss.{key} is"
                    f" {losses[first][key]} in {first}, {loss[key]} in {name}); choose an error,"
                    " for example mae_f"
                )

    @model_validator(mode="after")
    def _committees_have_runs(self) -> Self:
        for name, committee in self.committees.items():
            if name in self.runs or name in self.baselines:
                raise ValueError(
                    f"committees.{name}: there is a run or a baseline of that name; rename one"
                )
            for run in committee.runs:
                if run not in self.runs:
                    raise ValueError(
                        f"committees.{name}.runs: there is no run {run!r}{nearest(run, self.runs)}"
                    )
            if len(set(committee.runs)) < len(committee.runs):
                raise ValueError(f"committees.{name}.runs: a run is named twice; name others")
            if len({self.runs[run].dataset for run in committee.runs}) > 1:
                raise ValueError(f"committees.{name}.runs: of several datasets; list those of one")
        return self

    @model_validator(mode="after")
    def _baselines_have_datasets(self) -> Self:
        for name, baseline in self.baselines.items():
            if name in self.runs:
                raise ValueError(f"baselines.{name}: there is a run of that name; rename one")
            if baseline.dataset is None and len(self.datasets) > 1:
                raise ValueError(
                    f"baselines.{name}.dataset: say which (there are: {', '.join(self.datasets)})"
                )
            if baseline.dataset is not None and baseline.dataset not in self.datasets:
                raise ValueError(
                    f"baselines.{name}.dataset: there is no dataset {baseline.dataset!r}"
                    f"{nearest(baseline.dataset, self.datasets)}"
                    f" (there are: {', '.join(self.datasets)})"
                )
        return self

    @model_validator(mode="after")
    def _something_is_evaluated(self) -> Self:
        for name in self.testsets:
            if name in RESERVED_TESTSETS:
                raise ValueError(f"testsets.{name}: the name is taken; choose another")
        if not self.evaluated_sets:
            raise ValueError("evaluation.splits: empty, and no testsets; list `test`")
        return self

    @model_validator(mode="after")
    def _runs_have_frames(self) -> Self:
        for name, run in self.runs.items():
            needed = [(run.dataset, "valid"), *((dataset, "train") for dataset in run.datasets)]
            for dataset, split in needed:
                if not getattr(self.datasets[dataset].split, split):
                    raise ValueError(
                        f"datasets.{dataset}.split.{split}: no frames, but runs.{name} needs them;"
                        " ask for some"
                    )
        return self

    @property
    def entries(self) -> list[str]:
        """The names of all that is evaluated: runs, then baselines, then committees."""
        return [*self.runs, *self.baselines, *self.committees]

    @property
    def evaluated_sets(self) -> list[str]:
        """The names of all that it is evaluated on: splits, then test sets."""
        return [*dict.fromkeys(self.evaluation.splits), *self.testsets]

    @property
    def source_files(self) -> list[SourceFile]:
        """All files of structures, of datasets, test sets and pools."""
        datasets = (dataset.source.files or [] for dataset in self.datasets.values())
        testsets = (testset.files for testset in self.testsets.values())
        pools = (learning.pool.files or [] for learning in self.active_learning.values())
        return [file for files in (*datasets, *testsets, *pools) for file in files]

    def dataset_of_entry(self, name: str) -> str:
        """The dataset of a run, a committee or a baseline."""
        if name in self.committees:
            name = self.committees[name].runs[0]
        if name in self.runs:
            return self.runs[name].dataset
        return self.baselines[name].dataset or next(iter(self.datasets))

    def entry_seed(self, name: str) -> int:
        """The seed of what is done with a run's model, or with a baseline."""
        if name in self.runs:
            seed = self.run_config(name).seed
            assert seed is not None
            return seed
        return derive_seed(self.seed, "baseline", name)

    def dataset_seed(self, name: str) -> int:
        """The seed of a dataset: of its reference data and its split."""
        given = self.datasets[name].seed
        return derive_seed(self.seed, "dataset", name) if given is None else given

    def split_config(self, name: str) -> SplitConfig:
        """The split of a dataset, with its seed, and with its files where they lie."""
        dataset = self.datasets[name]
        update = {"seed": self.split_seed(name), **dataset.local_split_files}
        return dataset.split.model_copy(update=update)

    def split_seed(self, name: str) -> int:
        """The seed of the split of a dataset."""
        split = self.datasets[name].split
        if "seed" in split.model_fields_set:
            return split.seed
        return derive_seed(self.dataset_seed(name), "split")

    def run_config(self, name: str) -> RunConfig:
        """A run with its seeds."""
        run = self.runs[name]
        seed = derive_seed(self.seed, "run", name) if run.seed is None else run.seed
        training = run.training
        if "random_seed" not in training.model_fields_set:
            random_seed = derive_seed(seed, "training loop")
            training = training.model_copy(update={"random_seed": random_seed})
        return run.model_copy(update={"seed": seed, "training": training})


def load_study(mapping: Mapping[str, Any], source: str = "config") -> StudyConfig:
    """Validate a study.

    Args:
        mapping: the content of the study file.
        source: what to call it in messages.

    Raises:
        UserError: with one line for each problem.
    """
    expanded: Mapping[str, Any] = mapping
    try:
        expanded = inherit_models(expand_active_learning(expand_study(mapping)))
        return StudyConfig.model_validate(expanded)
    except ValidationError as error:
        lines = describe_problems(error, StudyConfig, expanded)
        raise UserError("\n".join(f"{source}: {printable(line)}" for line in lines)) from None
