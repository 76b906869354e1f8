"""The guide's way to train: its imports, names and arguments."""

import os
from pathlib import Path
from typing import Any

import jax
import optax
import pytest

from mlip_core.models import ForceField
from mlip_core.models.loss import MSELoss
from mlip_core.training import (
    OptimizerConfig,
    TrainingIOHandler,
    TrainingLoop,
    get_default_mlip_optimizer,
)
from mlip_core.training.training_io_handler import LogCategory
from tests.training.tiny import make_dataset, make_force_field


def test_training_as_the_guide_has_it(tmp_path: Path) -> None:
    energy_weight_schedule = optax.piecewise_constant_schedule(1.0, {100: 25.0})
    forces_weight_schedule = optax.piecewise_constant_schedule(25.0, {100: 0.04})
    loss = MSELoss(energy_weight_schedule, forces_weight_schedule)
    optimizer = get_default_mlip_optimizer(OptimizerConfig(peak_learning_rate=0.001))
    synced: list[str | os.PathLike[str]] = []

    def remote_storage_sync_fun(source: str | os.PathLike[str]) -> None:
        synced.append(source)

    io_config = TrainingIOHandler.Config(local_model_output_dir=str(tmp_path))
    io_handler = TrainingIOHandler(io_config, remote_storage_sync_fun)
    logged: list[LogCategory] = []

    def train_logging_fun(category: LogCategory, to_log: dict[str, Any], epoch_number: int) -> None:
        logged.append(category)

    io_handler.attach_logger(train_logging_fun)
    training_loop = TrainingLoop(
        train_dataset=make_dataset(),
        validation_dataset=make_dataset(5, 2, seed=1),
        force_field=make_force_field(),
        loss=loss,
        optimizer=optimizer,
        config=TrainingLoop.Config(num_epochs=2),
        io_handler=io_handler,
        should_parallelize=len(jax.devices()) > 1,
    )
    training_loop.run()
    final_params = training_loop.training_state.params
    best = training_loop.best_model
    assert isinstance(best, ForceField)
    shapes = jax.tree.map(lambda x, y: x.shape == y.shape, best.params, final_params)
    assert jax.tree.all(shapes)
    training_loop.test(make_dataset(4, 2, seed=2))
    assert logged[-1] is LogCategory.TEST_METRICS
    assert set(synced) == {str(tmp_path)}
    assert (tmp_path / "dataset_info.json").is_file()
    assert (tmp_path / "model").is_dir()


def test_defaults_of_optimizer_and_loss(capsys: pytest.CaptureFixture[str]) -> None:
    loop = TrainingLoop(
        make_dataset(),
        make_dataset(5, 2, seed=1),
        make_force_field(),
        MSELoss(),
        get_default_mlip_optimizer(),
        TrainingLoop.Config(num_epochs=1),
    )
    loop.run()
    assert "Epoch 1 | Validation set | loss: " in capsys.readouterr().out
