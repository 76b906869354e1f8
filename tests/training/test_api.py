"""Names, arguments and defaults of the 0.1 API of training."""

import inspect
from importlib import import_module
from typing import Any

import jax
import numpy as np
import optax
import pytest

import mlip_core.training
from mlip_core.training import OptimizerConfig, TrainingIOHandler, TrainingLoop
from mlip_core.training.finetuning_utils import mask_optimizer_for_finetuning
from mlip_core.utils.errors import UserError
from tests.training.tiny import make_force_field, make_loop

EXPORTS = {
    *("OptimizerConfig", "TrainingIOHandler", "TrainingIOHandlerConfig", "TrainingLoop"),
    *("TrainingLoopConfig", "convert_mse_to_rmse_in_logs", "get_default_mlip_optimizer"),
    *("get_mlip_optimizer_chain_with_flexible_base_optimizer", "log_metrics_to_line"),
    "log_metrics_to_table",
}
LOGGER_ARGUMENTS = ["category", "to_log", "epoch_number"]
LOSS_ARGUMENTS = [
    *("energy_weight_schedule", "forces_weight_schedule", "stress_weight_schedule"),
    "extended_metrics",
]
ARGUMENTS = {
    "training.ema:exponentially_moving_average": ["decay"],
    "training.ema:get_debiased_params": ["state", "decay"],
    "training.evaluation:make_evaluation_step": ["predictor", "eval_loss_fun"],
    "training.finetuning_utils:mask_optimizer_for_finetuning": [
        *("optimizer", "params", "finetuning_blocks")
    ],
    "training.metrics_reweighting:reweight_metrics_by_number_of_graphs": [
        *("metrics", "batch", "avg_n_graphs_per_batch")
    ],
    "training.optimizer:get_default_mlip_optimizer": ["config"],
    "training.optimizer:get_mlip_optimizer_chain_with_flexible_base_optimizer": [
        *("base_optimizer_factory_fun", "config")
    ],
    "training.training_io_handler:TrainingIOHandler": ["config", "data_upload_fun"],
    "training.training_io_handler:TrainingIOHandler.attach_logger": ["self", "logger"],
    "training.training_io_handler:TrainingIOHandler.log": ["self", *LOGGER_ARGUMENTS],
    "training.training_io_handler:TrainingIOHandler.save_dataset_info": ["self", "dataset_info"],
    "training.training_io_handler:TrainingIOHandler.save_checkpoint": [
        *("self", "training_state", "epoch_number")
    ],
    "training.training_io_handler:TrainingIOHandler.restore_training_state": [
        *("self", "training_state")
    ],
    "training.training_io_handler:TrainingIOHandler.wait_until_finished": ["self"],
    "training.training_loggers:convert_mse_to_rmse_in_logs": ["to_log"],
    "training.training_loggers:log_metrics_to_table": LOGGER_ARGUMENTS,
    "training.training_loggers:log_metrics_to_line": LOGGER_ARGUMENTS,
    "training.training_loop:TrainingLoop": [
        *("train_dataset", "validation_dataset", "force_field", "loss", "optimizer", "config"),
        *("io_handler", "mesh", "should_parallelize"),
    ],
    "training.training_loop:TrainingLoop.run": ["self"],
    "training.training_loop:TrainingLoop.test": ["self", "test_dataset"],
    "training.training_state:init_training_state": ["initial_params", "optimizer", "ema_fun"],
    "training.training_step:make_train_step": ["predictor", "loss_fun", "optimizer", "ema_fun"],
    "models.loss:MSELoss": LOSS_ARGUMENTS,
    "models.loss:HuberLoss": LOSS_ARGUMENTS,
    "models.loss:WeightedEFSLoss.__call__": [
        *("self", "prediction", "ref_graph", "epoch", "eval_metrics")
    ],
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "training.optimizer_config:OptimizerConfig": {
        "apply_weight_decay_mask": True,
        "weight_decay": 0.0,
        "grad_norm": 500,
        "num_gradient_accumulation_steps": 1,
        "init_learning_rate": 0.01,
        "peak_learning_rate": 0.01,
        "final_learning_rate": 0.01,
        "warmup_steps": 4000,
        "transition_steps": 360000,
    },
    "training.training_io_handler:TrainingIOHandlerConfig": {
        "local_model_output_dir": None,
        "max_checkpoints_to_keep": 5,
        "save_debiased_ema": True,
        "ema_decay": 0.99,
        "restore_checkpoint_if_exists": False,
        "epoch_to_restore": None,
        "restore_optimizer_state": False,
        "clear_previous_checkpoints": False,
    },
    "training.training_loop_config:TrainingLoopConfig": {
        "num_gradient_accumulation_steps": 1,
        "random_seed": 42,
        "ema_decay": 0.99,
        "use_ema_params_for_eval": True,
        "eval_num_graphs": None,
        "run_eval_at_start": True,
    },
}


def find(name: str) -> Any:
    module, _, path = name.partition(":")
    found = import_module(f"mlip_core.{module}")
    for part in path.split("."):
        found = getattr(found, part)
    return found


def test_package_exports_the_names() -> None:
    assert set(mlip_core.training.__all__) > EXPORTS
    assert all(hasattr(mlip_core.training, name) for name in EXPORTS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_come_first_and_what_is_ours_has_defaults(name: str) -> None:
    parameters = list(inspect.signature(find(name)).parameters.values())
    names = ARGUMENTS[name]
    assert [parameter.name for parameter in parameters[: len(names)]] == names
    assert all(p.default is not inspect.Parameter.empty for p in parameters[len(names) :])


@pytest.mark.parametrize("name", DEFAULTS)
def test_configs_have_the_defaults(name: str) -> None:
    fields = find(name).model_fields
    assert {key: fields[key].default for key in DEFAULTS[name]} == DEFAULTS[name]
    extra = set(fields) - set(DEFAULTS[name]) - {"num_epochs"}
    assert not any(fields[key].is_required() for key in extra)


def test_configs_are_reachable_from_their_classes() -> None:
    assert TrainingLoop.Config is find("training.training_loop_config:TrainingLoopConfig")
    config = find("training.training_io_handler:TrainingIOHandlerConfig")
    assert TrainingIOHandler.Config is config


def test_members() -> None:
    categories = {
        *("BEST_MODEL", "TRAIN_METRICS", "EVAL_METRICS", "TEST_METRICS", "SYSTEM_METRICS"),
        "CLEANUP_AFTER_CKPT_RESTORATION",
    }
    module = import_module("mlip_core.training.training_io_handler")
    assert {category.name for category in module.LogCategory} == categories
    assert issubclass(module.CheckpointRestorationError, Exception)
    state = make_loop(num_epochs=0).training_state
    fields = ("params", "optimizer_state", "ema_state", "num_steps", "acc_steps", "extras")
    assert tuple(vars(state)) == fields
    assert isinstance(TrainingLoop.best_model, property)


def test_only_named_blocks_are_trained() -> None:
    params = make_force_field().params
    optimizer = mask_optimizer_for_finetuning(optax.sgd(0.1), params, ["Dense_1"])
    gradients = jax.tree.map(np.ones_like, params)
    updates = optimizer.update(gradients, optimizer.init(params), params)[0]
    for path, update in jax.tree_util.tree_leaves_with_path(updates):
        expected = -0.1 if "Dense_1" in jax.tree_util.keystr(path) else 0.0
        np.testing.assert_allclose(update, expected, rtol=1e-6)
    with pytest.raises(UserError, match=r"no block 'Dense_9'; there are: .*Dense_0, Dense_1"):
        mask_optimizer_for_finetuning(optax.sgd(0.1), params, ["Dense_9"])


def test_fine_tuning_works_with_the_default_optimizer() -> None:
    force_field = make_force_field()
    default = mlip_core.training.get_default_mlip_optimizer(OptimizerConfig())
    optimizer = mask_optimizer_for_finetuning(default, force_field.params, ["Dense_1"])
    loop = make_loop(num_epochs=1, force_field=force_field, optimizer=optimizer)
    loop.run()
    changed = jax.tree.map(
        lambda x, y: bool(np.any(x != y)), force_field.params, loop.training_state.params
    )
    for path, is_changed in jax.tree_util.tree_leaves_with_path(changed):
        assert is_changed == ("Dense_1" in jax.tree_util.keystr(path))
