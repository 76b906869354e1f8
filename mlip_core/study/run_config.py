"""The runs of a study file: one training each."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, field_validator

from mlip_core.study.config_base import Closed
from mlip_core.study.model_config import AnyModelConfig, default_model
from mlip_core.training.optimizer_config import OptimizerConfig
from mlip_core.training.training_loop_config import TrainingLoopConfig

Weight = NonNegativeFloat | dict[NonNegativeInt, NonNegativeFloat]


class LossConfig(Closed):
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


class RunConfig(Closed):
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
