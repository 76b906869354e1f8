"""The study file: every dataset and every run, in the rooms' own configs.

One pydantic model describes the whole of ``config/config.yaml``. The JSON schema and the reference
of the keys are generated from it, so a key exists in one place only.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError, model_validator

from mlip_core.data.splits import SplitConfig
from mlip_core.simulation.nve_config import NveConfig
from mlip_core.study.config_base import Closed, Name
from mlip_core.study.dataset_config import DatasetConfig
from mlip_core.study.expansion import Shorthand, expand_study
from mlip_core.study.problems import describe_problems, nearest
from mlip_core.study.run_config import RunConfig
from mlip_core.utils.errors import UserError
from mlip_core.utils.seeds import derive_seed


class EvaluationConfig(Closed):
    """Evaluation on the test sets."""

    batch_size: PositiveInt = Field(default=32, description="Structures predicted at once.")


class SelectBestConfig(Closed):
    """Which run becomes `models/best.zip`."""

    metric: str = Field(
        default="loss", description="Metric on the validation set, smaller is better."
    )


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


class StudyConfig(Shorthand, Closed):
    """A study: datasets, and runs on them."""

    title: str = Field(default="Study", description="Title of the report.")
    seed: NonNegativeInt = Field(
        default=42,
        description="The one seed; datasets and runs derive theirs from it by name.",
    )
    datasets: dict[Name, DatasetConfig] = Field(min_length=1, description="The datasets by name.")
    runs: dict[Name, RunConfig] = Field(min_length=1, description="The trainings by name.")
    evaluation: EvaluationConfig = Field(
        default=EvaluationConfig(), description="Evaluation on the test sets."
    )
    nve: NveConfig | None = Field(
        default=NveConfig(),
        description="Dynamics at constant energy with each trained model; `null` for none.",
    )
    select_best: SelectBestConfig = Field(
        default=SelectBestConfig(), description="Which run becomes `models/best.zip`."
    )
    execution: ExecutionConfig = Field(default=ExecutionConfig(), description="Means of computing.")

    @model_validator(mode="after")
    def _runs_have_datasets(self) -> Self:
        for name, run in self.runs.items():
            if run.dataset not in self.datasets:
                raise ValueError(
                    f"runs.{name}.dataset: there is no dataset {run.dataset!r}"
                    f"{nearest(run.dataset, self.datasets)} (there are: {', '.join(self.datasets)})"
                )
        return self

    def dataset_seed(self, name: str) -> int:
        """The seed of a dataset: of its reference data and its split."""
        given = self.datasets[name].seed
        return derive_seed(self.seed, "dataset", name) if given is None else given

    def split_config(self, name: str) -> SplitConfig:
        """The split of a dataset, with its seed."""
        split = self.datasets[name].split
        if "seed" in split.model_fields_set:
            return split
        return split.model_copy(update={"seed": derive_seed(self.dataset_seed(name), "split")})

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
        expanded = expand_study(mapping)
        return StudyConfig.model_validate(expanded)
    except ValidationError as error:
        lines = describe_problems(error, StudyConfig, expanded)
        raise UserError("\n".join(f"{source}: {line}" for line in lines)) from None
