"""The runs of a study file: one training each."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from mlip_core.models.network_config import Recipe
from mlip_core.models.registry import architectures, config_class
from mlip_core.study.config_base import Closed
from mlip_core.study.expansion import merge
from mlip_core.study.finetune_config import FinetuneConfig
from mlip_core.study.model_config import DEFAULT_ARCHITECTURE, AnyModelConfig, default_model
from mlip_core.study.problems import nearest
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
    huber_energy_delta: PositiveFloat = Field(
        default=0.01, description="Where Huber's loss turns linear, eV/atom."
    )
    huber_forces_delta: PositiveFloat = Field(
        default=0.01,
        description="The same for force components, eV/Å; less where the reference force is huge.",
    )
    huber_stress_delta: PositiveFloat = Field(
        default=0.01, description="The same for stress components, eV/Å³."
    )
    extended_metrics: bool = Field(
        default=True,
        description="Whether to report energies per atom and stress too, and the weights.",
    )

    @field_validator("energy_weight", "forces_weight", "stress_weight")
    @classmethod
    def _starts_at_zero(cls, weight: Weight) -> Weight:
        if isinstance(weight, dict) and 0 not in weight:
            raise ValueError("a table of weights must say the weight at epoch 0")
        return weight

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if not self.weighed:
            raise ValueError("all weights are 0, so nothing would be learned; give one of them")
        return self

    @property
    def weighed(self) -> set[str]:
        """Which of energy, forces and stress have a weight, if only in some epochs."""
        weights = {
            "energy": self.energy_weight,
            "forces": self.forces_weight,
            "stress": self.stress_weight,
        }
        return {
            name
            for name, weight in weights.items()
            if (any(weight.values()) if isinstance(weight, dict) else weight)
        }


class TrainingConfig(TrainingLoopConfig):
    """How long and how to train."""

    random_seed: int = Field(default=42, description="By default derived from the run's seed.")


RECIPE_PLATEAU = {"patience": 15, "patience_share": 0.1, "factor": 0.7, "min_scale": 1e-3}
"""How the learning rate of a recipe goes down when the validation set asks for it."""

ACCUMULATION = "num_gradient_accumulation_steps"

RECIPE_STRESS_WEIGHT = 1000.0
"""Weight of the stress in a recipe, if it is predicted: eV/Å³ are small numbers."""


class RunConfig(Closed):
    """One training: a model on a dataset.

    What a run does not say about loss, optimizer and `training.plateau` is the recipe of its
    architecture, in tables that it gives in part as well.
    """

    dataset: str = Field(description="Name of the dataset.")
    init_from: str | None = Field(
        default=None,
        description="Start from a trained model: the name of another run, or the path of a model "
        "zip (also one of the `mlip` 0.1 series). The network is then that of the model, and "
        "`model` may only ask for more `num_readout_heads`, for `remat` or `atomic_energies`.",
    )
    finetune: FinetuneConfig = Field(
        default=FinetuneConfig(), description="How to go on from the model of `init_from`."
    )
    model: AnyModelConfig = Field(default=default_model(), description="The network.")
    predict_stress: bool = Field(
        default=False, description="Whether the model also predicts stress (periodic structures)."
    )
    loss: LossConfig = Field(default=LossConfig(), description="What is minimised.")
    optimizer: OptimizerConfig = Field(
        default=OptimizerConfig(), description="The optimizer and its learning rates."
    )
    training: TrainingConfig = Field(description="How long and how to train.")
    batch_size: PositiveInt = Field(
        default=4,
        description="Structures in a batch. Small batches need fewer epochs, which counts with up "
        "to some thousand structures and on CPUs; a GPU is kept busy by larger ones.",
    )
    train_size: PositiveInt | None = Field(
        default=None,
        description="Train on so many structures of the training split only, for learning curves: "
        "a random sample that contains every smaller one. Statistics and atomic energies stay "
        "those of the whole split.",
    )
    seed: NonNegativeInt | None = Field(
        default=None, description="Instead of the one derived from the study's seed."
    )

    @model_validator(mode="before")
    @classmethod
    def _follow_recipe(cls, run: Any) -> Any:
        if not isinstance(run, Mapping):
            return run
        architecture = _architecture(run.get("model"))
        if architecture not in architectures():
            return run
        recipe = tables_of_recipe(config_class(architecture).recipe)
        if not run.get("predict_stress"):
            del recipe["loss"]["stress_weight"]
        if not isinstance(run.get("training"), Mapping):
            del recipe["training"]  # the number of epochs is missing, and this is no start of it
        return _say_accumulation_twice(merge(recipe, run))

    @model_validator(mode="after")
    def _finetunes_something(self) -> Self:
        if self.init_from is None and self.finetune != FinetuneConfig():
            raise ValueError("finetune: there is no init_from, which says what to go on from")
        return self

    @model_validator(mode="after")
    def _predicts_what_it_weighs(self) -> Self:
        if "stress" in self.loss.weighed and not self.predict_stress:
            raise ValueError(
                "loss.stress_weight: larger than 0, but the model does not predict stress; set"
                " predict_stress to true, or the weight to 0"
            )
        return self

    @model_validator(mode="after")
    def _accumulates_as_its_optimizer(self) -> Self:
        own, other = (getattr(part, ACCUMULATION) for part in (self.training, self.optimizer))
        if own != other:
            raise ValueError(
                f"training.{ACCUMULATION} is {own}, optimizer.{ACCUMULATION} {other}; "
                f"give one of them, or both alike"
            )
        return self

    @model_validator(mode="after")
    def _is_evaluated(self) -> Self:
        if self.training.num_epochs == 0 and not self.training.run_eval_at_start:
            raise ValueError(
                "training.num_epochs: 0 with run_eval_at_start: false leaves no model to choose;"
                " set one of them"
            )
        return self

    @model_validator(mode="after")
    def _is_judged_by_a_metric(self) -> Self:
        for key in ("early_stopping", "plateau"):
            judge = getattr(self.training, key)
            if judge is not None:
                self.require_metric(judge.metric, f"training.{key}.metric")
        return self

    @property
    def datasets(self) -> list[str]:
        """The names of the datasets that it is trained on, its own first."""
        replay = self.finetune.replay
        return [self.dataset, *([] if replay is None else [replay.dataset])]

    @property
    def validation_metrics(self) -> list[str]:
        """By which metrics of the validation set the run can be judged, as in `metrics.csv`."""
        quantities = ["e", "f"]
        if self.loss.extended_metrics:
            quantities += ["e_per_atom"]
            quantities += ["stress", "stress_per_atom"] if self.predict_stress else []
        return ["loss", *(f"{kind}_{name}" for name in quantities for kind in ("mae", "rmse"))]

    def require_metric(self, metric: str, key: str) -> None:
        """Raise a ``ValueError`` that begins with ``key`` unless the run has a metric."""
        allowed = self.validation_metrics
        if metric in allowed:
            return
        hint = nearest(metric.removeprefix("valid_"), allowed)
        if "stress" in metric and not self.predict_stress:
            hint = " without predict_stress"
        elif metric.endswith(("_per_atom", "_stress")) and not self.loss.extended_metrics:
            hint = " without loss.extended_metrics"
        raise ValueError(f"{key}: there is no {metric!r}{hint} (there are: {', '.join(allowed)})")


def _say_accumulation_twice(run: dict[str, Any]) -> dict[str, Any]:
    """A run in which training and optimizer both have the number that only one was given."""
    tables = {
        name: run[name] for name in ("training", "optimizer") if isinstance(run.get(name), Mapping)
    }
    given = [table[ACCUMULATION] for table in tables.values() if ACCUMULATION in table]
    if len(given) != 1:
        return run
    return run | {name: {**table, ACCUMULATION: given[0]} for name, table in tables.items()}


def tables_of_recipe(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """A recipe as tables of a run that predicts stress; others weigh none."""
    return {
        "loss": {
            "energy_weight": recipe.energy_weight,
            "forces_weight": 25.0,
            "stress_weight": RECIPE_STRESS_WEIGHT,
        },
        "optimizer": {
            "grad_norm": 10.0,
            "init_learning_rate": recipe.init_learning_rate,
            "peak_learning_rate": recipe.learning_rate,
            "final_learning_rate": recipe.learning_rate,
            "warmup_steps": recipe.warmup_steps,
        },
        "training": {"plateau": RECIPE_PLATEAU},
    }


def _architecture(model: Any) -> Any:
    if isinstance(model, Mapping):
        return model.get("architecture", DEFAULT_ARCHITECTURE)
    return getattr(model, "architecture", DEFAULT_ARCHITECTURE)
