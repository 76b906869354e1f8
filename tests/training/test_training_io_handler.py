"""Checkpoints of the best models, restoring, uploading and tables."""

import dataclasses
import json
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mlip_core.data import DatasetInfo
from mlip_core.models.params_loading import load_parameters_from_checkpoint
from mlip_core.training import (
    TrainingIOHandler,
    TrainingLoop,
)
from mlip_core.training.training_io_handler import CheckpointRestorationError
from mlip_core.utils.errors import UserError
from tests.training.tiny import INFO, make_force_field, make_loop


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingLoop]:
    directory = tmp_path_factory.mktemp("trained")
    loop = make_loop(directory, num_epochs=4)
    loop.run()
    return directory, loop


def assert_equal(one: Any, other: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_dataset_info_and_models_lie_beside_each_other(
    trained: tuple[Path, TrainingLoop],
) -> None:
    directory = trained[0] / "checkpoints"
    info = json.loads((directory / "dataset_info.json").read_text())
    assert DatasetInfo(**info) == INFO
    assert (directory / "model" / str(trained[1].best_epoch)).is_dir()


def test_checkpoint_of_the_best_epoch_holds_the_best_model(
    trained: tuple[Path, TrainingLoop],
) -> None:
    directory, loop = trained
    model_dir = directory / "checkpoints" / "model"
    initial = make_force_field(seed=5).params
    loaded = load_parameters_from_checkpoint(
        model_dir, initial, loop.best_epoch, load_ema_params=True
    )
    assert_equal(loaded, loop.best_model.params)
    if loop.best_epoch == 4:
        raw = load_parameters_from_checkpoint(model_dir, initial, 4)
        assert_equal(raw, loop.training_state.params)


def test_loading_parameters_explains_what_is_wrong(trained: tuple[Path, TrainingLoop]) -> None:
    directory, loop = trained
    model_dir = directory / "checkpoints" / "model"
    params = make_force_field().params
    with pytest.raises(UserError, match=r"no such checkpoint; epochs there: .*"):
        load_parameters_from_checkpoint(model_dir, params, 99)
    larger = jax.tree.map(lambda x: np.zeros((*x.shape, 2)), params)
    with pytest.raises(UserError, match="is of another model: parameter"):
        load_parameters_from_checkpoint(model_dir, larger, loop.best_epoch)


def test_only_the_latest_best_models_are_kept(tmp_path: Path) -> None:
    handler = TrainingIOHandler(
        TrainingIOHandler.Config(local_model_output_dir=tmp_path, max_checkpoints_to_keep=2)
    )
    state = make_loop(num_epochs=0).training_state
    for epoch in (1, 2, 5, 9):
        handler.save_checkpoint(state, epoch)
    handler.wait_until_finished()
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["5", "9"]


def test_same_model_is_not_written_twice(tmp_path: Path) -> None:
    handler = TrainingIOHandler(TrainingIOHandler.Config(local_model_output_dir=tmp_path))
    state = make_loop(num_epochs=0).training_state
    handler.save_checkpoint(state, 1, best_loss=2.0)
    handler.wait_until_finished()
    before = (tmp_path / "model" / "1").stat().st_ino
    handler.save_checkpoint(state, 1, best_loss=2.0)
    handler.wait_until_finished()
    assert (tmp_path / "model" / "1").stat().st_ino == before
    moved = dataclasses.replace(state, params=jax.tree.map(lambda x: x + 1, state.params))
    handler.save_checkpoint(moved, 1, best_loss=1.0)
    handler.wait_until_finished()
    assert_equal(load_parameters_from_checkpoint(tmp_path / "model", state.params, 1), moved.params)


@pytest.mark.parametrize("with_optimizer", [True, False])
def test_model_checkpoint_can_be_restored(
    trained: tuple[Path, TrainingLoop], tmp_path: Path, with_optimizer: bool
) -> None:
    directory, loop = trained
    model_dir = tmp_path / "checkpoints" / "model"
    source = directory / "checkpoints" / "model"
    shutil.copytree(source, model_dir)
    options = {
        "resume": False,
        "restore_checkpoint_if_exists": True,
        "restore_optimizer_state": with_optimizer,
    }
    restored = make_loop(tmp_path, num_epochs=4, io_options=options)
    assert restored.best_epoch == loop.best_epoch
    assert restored.best_loss == loop.best_loss
    assert_equal(restored.best_model.params, loop.best_model.params)
    mu = jax.tree.leaves(restored.training_state.optimizer_state)
    assert any(np.any(np.asarray(leaf) != 0) for leaf in mu[3:]) == with_optimizer
    with pytest.raises(CheckpointRestorationError, match="no checkpoint of epoch 77"):
        make_loop(tmp_path, io_options=options | {"epoch_to_restore": 77})


def test_nothing_to_restore_is_a_fresh_start(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, io_options={"resume": False, "restore_checkpoint_if_exists": True})
    assert int(loop.training_state.num_steps) == 0


@pytest.mark.parametrize("use", ["resume", "restore_checkpoint_if_exists"])
def test_checkpoints_are_not_both_used_and_removed(use: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {use: True, "local_model_output_dir": tmp_path}
    with pytest.raises(ValidationError, match="clear_previous_checkpoints"):
        TrainingIOHandler.Config(**options, clear_previous_checkpoints=True)
    with pytest.raises(ValidationError, match="local_model_output_dir"):
        TrainingIOHandler.Config(**{use: True})


def test_upload_function_is_called_and_waited_for(tmp_path: Path) -> None:
    uploaded: list[tuple[str, bool]] = []
    with ThreadPoolExecutor() as executor:

        def upload(source: Any) -> Future[None]:
            has_info = (Path(source) / "dataset_info.json").is_file()
            return executor.submit(lambda: uploaded.append((str(source), has_info)))

        config = TrainingIOHandler.Config(local_model_output_dir=tmp_path)
        handler = TrainingIOHandler(config, upload)
        handler.save_dataset_info(INFO)
        handler.wait_until_finished()
        assert uploaded == [(str(tmp_path), True)]


def test_failed_write_is_raised(tmp_path: Path) -> None:
    handler = TrainingIOHandler(TrainingIOHandler.Config(local_model_output_dir=tmp_path / "out"))
    (tmp_path / "out").write_text("in the way of the directory")
    handler.save_dataset_info(INFO)
    with pytest.raises(OSError, match="out"):
        handler.wait_until_finished()


def test_metrics_table_is_read_by_pandas(trained: tuple[Path, TrainingLoop]) -> None:
    directory, loop = trained
    table = pd.read_csv(directory / "metrics.csv")
    assert list(table["epoch"]) == [0, 1, 2, 3, 4]
    assert table["valid_rmse_f"].notna().all()
    assert table["train_loss"].isna().sum() == 1
    assert table["valid_loss"].min() == loop.best_loss == table["best_loss"].iloc[-1]
    assert "seconds" not in " ".join(table.columns)
    timing = pd.read_csv(directory / "timing.csv")
    assert list(timing["epoch"]) == [1, 2, 3, 4]
    assert (timing["graphs_per_second"] > 0).all()


def test_default_handler_prints_lines(capsys: pytest.CaptureFixture[str]) -> None:
    make_loop(num_epochs=1, io_handler=None).run()
    assert "Epoch 1 | Training set | gradient_norm: " in capsys.readouterr().out
