"""The study file: every dataset and every run, in the rooms' own configs.

One pydantic model describes the whole of ``config/config.yaml``. The JSON schema and the reference
of the keys are generated from it, so a key exists in one place only.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from mlip_core.data.frames import LabelKeys
from mlip_core.data.helpers.atomic_energies import parse_atomic_energies
from mlip_core.data.quality import QualityConfig
from mlip_core.data.splits import SplitConfig
from mlip_core.reference.config import ReferenceConfig
from mlip_core.simulation.nve import NveConfig
from mlip_core.study.model_config import AnyModelConfig, default_model
from mlip_core.study.problems import describe_problems, nearest
from mlip_core.training.optimizer_config import OptimizerConfig
from mlip_core.training.training_loop_config import TrainingLoopConfig
from mlip_core.utils.errors import UserError
from mlip_core.utils.seeds import derive_seed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            "names become file names: use letters, digits, '.', '_' and '-', "
            "with a letter or digit first"
        )
    return name


Name = Annotated[str, AfterValidator(_check_name)]


class _Closed(BaseModel):
    """A part of the study file: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(_Closed):
    """Where a dataset's structures come from; exactly one of the two."""

    files: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Files with structures and labels, in any format that ASE reads, e.g. extxyz; "
        "paths relative to the directory Snakemake runs in.",
    )
    reference: ReferenceConfig | None = Field(
        default=None, description="Make the data here, by an ASE calculator."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.files is None) == (self.reference is None):
            raise ValueError("exactly one of `files` and `reference` must be given")
        return self


class GraphConfig(_Closed):
    """How structures become graphs."""

    graph_cutoff_angstrom: PositiveFloat = Field(
        default=5.0, description="Two atoms nearer than this are joined by an edge each way, Å."
    )
    avg_num_neighbors: NonNegativeFloat | None = Field(
        default=None, description="Instead of the mean number of neighbours of the training set."
    )
    avg_r_min_angstrom: PositiveFloat | None = Field(
        default=None,
        description="Instead of the training set's mean over structures of the smallest distance "
        "of two atoms, Å.",
    )


class SplitKeys(SplitConfig):
    """Which frames are for training, validation and test.

    Frames of one free atom are never in any of them.
    """

    seed: int = Field(default=0, description="By default derived from the dataset's seed.")


class DatasetConfig(_Closed):
    """One set of structures and its preparation."""

    source: SourceConfig = Field(description="Where the structures come from.")
    labels: LabelKeys = Field(
        default=LabelKeys(), description="Under which keys the files have their labels."
    )
    check: QualityConfig = Field(
        default=QualityConfig(), description="What the check of the data looks at."
    )
    split: SplitKeys = Field(description="How many frames are for training, validation, test.")
    graph: GraphConfig = Field(default=GraphConfig(), description="How structures become graphs.")
    atomic_energies: Literal["isolated_atoms", "least_squares"] | dict[str, float] = Field(
        default="least_squares",
        description="Energies of free atoms, eV, which are subtracted before anything is learned: "
        "from the source's frames of one atom, from a least-squares fit to the training set, or "
        "given by element symbol, e.g. `{H: -10.7, O: -102.6}`.",
    )
    num_shards: PositiveInt = Field(
        default=1,
        description="Jobs, and files, over which the making of a split's graphs is scattered; the "
        "result does not depend on it.",
    )
    seed: NonNegativeInt | None = Field(
        default=None, description="Instead of the one derived from the study's seed."
    )

    @field_validator("atomic_energies")
    @classmethod
    def _known_elements(cls, energies: str | dict[str, float]) -> str | dict[str, float]:
        table = {} if isinstance(energies, str) else energies
        try:
            parse_atomic_energies(dict(table.items()))
        except UserError as error:
            raise ValueError(str(error).removeprefix("atomic energies: ")) from None
        return energies


Weight = NonNegativeFloat | dict[NonNegativeInt, NonNegativeFloat]


class LossConfig(_Closed):
    """The loss.

    A weight is a number, or a table that gives it from an epoch on, e.g. `{0: 1, 100: 25}`: 1 to
    begin with and 25 from epoch 100 on.
    """

    name: Literal["mse", "huber"] = Field(
        default="mse", description="Mean squared errors, or Huber's, which is robust to outliers."
    )
    energy_weight: Weight = Field(default=1.0, description="Weight of the energy per atom.")
    forces_weight: Weight = Field(default=25.0, description="Weight of the forces.")
    stress_weight: Weight = Field(
        default=0.0, description="Weight of the stress; larger than 0 needs `predict_stress`."
    )

    @field_validator("energy_weight", "forces_weight", "stress_weight")
    @classmethod
    def _starts_at_zero(cls, weight: Weight) -> Weight:
        if isinstance(weight, dict) and 0 not in weight:
            raise ValueError("a table of weights must say the weight at epoch 0")
        return weight


class TrainingConfig(TrainingLoopConfig):
    """How long and how to train."""

    random_seed: int = Field(default=42, description="By default derived from the run's seed.")


class RunConfig(_Closed):
    """One training: a model on a dataset."""

    dataset: str = Field(description="Name of the dataset.")
    model: AnyModelConfig = Field(default=default_model(), description="The network.")
    predict_stress: bool = Field(
        default=False, description="Whether the model also predicts stress (periodic structures)."
    )
    loss: LossConfig = Field(default=LossConfig(), description="What is minimised.")
    optimizer: OptimizerConfig = Field(
        default=OptimizerConfig(), description="The optimizer and its learning rates."
    )
    training: TrainingConfig = Field(description="How long and how to train.")
    batch_size: PositiveInt = Field(default=16, description="Structures in a batch.")
    seed: NonNegativeInt | None = Field(
        default=None, description="Instead of the one derived from the study's seed."
    )


class EvaluationConfig(_Closed):
    """Evaluation on the test sets."""

    batch_size: PositiveInt = Field(default=32, description="Structures predicted at once.")


class SelectBestConfig(_Closed):
    """Which run becomes `models/best.zip`."""

    metric: str = Field(
        default="loss", description="Metric on the validation set, smaller is better."
    )


class ExecutionConfig(_Closed):
    """Means of computing; none of them is part of what is learned."""

    training_threads: PositiveInt | None = Field(
        default=None, description="Threads of one training; by default all that Snakemake has."
    )
    compilation_cache: str | None = Field(
        default="results/.cache/jax",
        description="Directory of compiled programs that all jobs share; `null` for none.",
    )


class StudyConfig(_Closed):
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
    try:
        return StudyConfig.model_validate(mapping)
    except ValidationError as error:
        lines = describe_problems(error, StudyConfig, mapping)
        raise UserError("\n".join(f"{source}: {line}" for line in lines)) from None
