"""What makes two trainings the same one, and the loss of a run."""

from pathlib import Path
from typing import Any

import pytest

from mlip_core.models.loss import HuberLoss
from mlip_core.models.loss_helpers import HUBER_DELTA
from mlip_core.models.registry import architectures, config_class
from mlip_core.study.run_config import (
    RECIPE_PLATEAU,
    RECIPE_STRESS_WEIGHT,
    LossConfig,
    RunConfig,
)
from mlip_core.study.train import fingerprint, make_loss
from mlip_core.training.training_loop_config import PlateauConfig


def run(**changes: Any) -> RunConfig:
    mapping = {"dataset": "water", "seed": 1, "training": {"num_epochs": 3}}
    return RunConfig.model_validate(mapping | changes)


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    (tmp_path / "info.json").write_text("{}")
    (tmp_path / "manifest.json").write_text("[]")
    return [tmp_path / "info.json", tmp_path / "manifest.json"]


def test_more_epochs_and_other_names_are_the_same_training(inputs: list[Path]) -> None:
    same = [
        run(training={"num_epochs": 9}),
        run(training={"num_epochs": 9, "early_stopping": {"patience": 3}}),
        run(dataset="renamed"),
        run(model={"architecture": "mace"}),
    ]
    assert {fingerprint(other, inputs) for other in same} == {fingerprint(run(), inputs)}


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"batch_size": 7},
        {"model": {"num_channels": 4}},
        {"model": {"architecture": "nequip"}},
        {"loss": {"energy_weight": 2}},
        {"optimizer": {"peak_learning_rate": 0.5}},
        {"training": {"num_epochs": 3, "ema_decay": 0.5}},
        {"predict_stress": True},
    ],
)
def test_everything_else_makes_another(change: dict[str, Any], inputs: list[Path]) -> None:
    assert fingerprint(run(**change), inputs) != fingerprint(run(), inputs)


def test_other_data_make_another(inputs: list[Path]) -> None:
    before = fingerprint(run(), inputs)
    inputs[1].write_text("[1]")
    assert fingerprint(run(), inputs) != before


def test_weights_follow_their_table() -> None:
    loss = make_loss(LossConfig(energy_weight={0: 1.0, 3: 25.0, 5: 2.0}, forces_weight=7))
    weights = [float(loss.energy_weight_schedule(epoch)) for epoch in range(7)]
    assert weights == [1, 1, 1, 25, 25, 2, 2]
    assert float(loss.forces_weight_schedule(4)) == 7


def test_huber_loss_turns_linear_where_the_config_says() -> None:
    loss = make_loss(LossConfig(name="huber", huber_energy_delta=0.5, huber_forces_delta=0.2))
    assert isinstance(loss, HuberLoss)
    assert (loss.energy_delta, loss.forces_delta, loss.stress_delta) == (0.5, 0.2, 0.01)
    assert loss.extended_metrics
    default = make_loss(LossConfig(name="huber"))
    assert isinstance(default, HuberLoss)
    assert vars(default).items() > {
        (f"{name}_delta", HUBER_DELTA) for name in ("energy", "forces", "stress")
    }


@pytest.mark.parametrize("architecture", architectures())
def test_sections_that_a_run_lacks_come_from_the_recipe(architecture: str) -> None:
    model, recipe = {"architecture": architecture}, config_class(architecture).recipe
    bare = run(model=model)
    assert bare.loss == LossConfig(energy_weight=recipe.energy_weight, forces_weight=25.0)
    assert bare.optimizer.peak_learning_rate == recipe.learning_rate
    assert bare.optimizer.warmup_steps == recipe.warmup_steps
    assert bare.training.plateau is not None
    assert run(model=model, predict_stress=True).loss.stress_weight == RECIPE_STRESS_WEIGHT


@pytest.mark.parametrize("architecture", architectures())
def test_what_a_section_leaves_out_comes_from_the_recipe(architecture: str) -> None:
    model, recipe = {"architecture": architecture}, config_class(architecture).recipe
    own = run(
        model=model,
        loss={"forces_weight": 3},
        optimizer={"grad_norm": 7},
        training={"num_epochs": 1, "plateau": {"patience": 4}},
    )
    assert own.loss == LossConfig(energy_weight=recipe.energy_weight, forces_weight=3)
    assert own.optimizer.grad_norm == 7
    assert own.optimizer.peak_learning_rate == recipe.learning_rate
    assert own.training.plateau == PlateauConfig(**RECIPE_PLATEAU | {"patience": 4})
    none = run(model=model, training={"num_epochs": 1, "plateau": None})
    assert none.training.plateau is None


def test_gradient_accumulation_is_said_once_and_keeps_the_recipe() -> None:
    steps = {"num_gradient_accumulation_steps": 4}
    of_training = run(training={"num_epochs": 3, **steps})
    assert of_training.optimizer == run().optimizer.model_copy(update=steps)
    assert run(optimizer=steps).training.num_gradient_accumulation_steps == 4


def test_resolved_config_is_the_same_run() -> None:
    """Snakemake hands the job a config with all keys."""
    for config in (run(), run(optimizer={"grad_norm": 7}), run(training={"num_epochs": 3})):
        assert RunConfig.model_validate(config.model_dump(mode="json")) == config
