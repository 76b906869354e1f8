"""The training loop: exact metrics, the best model, schedules, devices, divergence."""

import math
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mlip_core.models.loss import HuberLoss, MSELoss
from mlip_core.training import LogCategory, TrainingIOHandler
from mlip_core.training.ema import get_debiased_params
from mlip_core.utils.errors import UserError
from tests.training.tiny import INFO, make_dataset, make_force_field, make_graphs, make_loop


class Recorder:
    """A logger that keeps what it is given."""

    def __init__(self) -> None:
        self.entries: list[tuple[LogCategory, dict[str, Any], int]] = []

    def __call__(self, category: LogCategory, to_log: dict[str, Any], epoch: int) -> None:
        self.entries.append((category, dict(to_log), epoch))

    def of(self, category: LogCategory) -> dict[int, dict[str, Any]]:
        return {epoch: to_log for kind, to_log, epoch in self.entries if kind is category}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def io_handler(recorder: Recorder) -> TrainingIOHandler:
    handler = TrainingIOHandler()
    handler.attach_logger(recorder)
    return handler


def direct_errors(force_field: Any, dataset: Any) -> dict[str, float]:
    """Errors computed graph by graph, in NumPy float64."""
    energy_errors, force_errors = [], []
    for batch in dataset.epoch(0):
        prediction = jax.device_get(force_field(batch))
        n_real = int(np.sum(np.asarray(batch.globals.weight) > 0))
        delta = prediction.interaction_energy - batch.globals.interaction_energy
        energy_errors += list(delta[:n_real].astype(float))
        n_atoms = int(batch.n_node[:n_real].sum())
        force_errors += list((prediction.forces - batch.nodes.forces)[:n_atoms].astype(float))
    energies, forces = np.array(energy_errors), np.array(force_errors)
    return {
        "mae_e": np.abs(energies).mean(),
        "mse_e": (energies**2).mean(),
        "mae_f": np.abs(forces).mean(),
        "mse_f": (forces**2).mean(),
    }


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_metrics_are_exact_over_the_dataset_however_it_is_batched(batch_size: int) -> None:
    loop = make_loop(num_epochs=0, loop_options={"run_eval_at_start": False})
    dataset = make_dataset(14, batch_size, seed=3)
    metrics = loop.test(dataset)
    expected = direct_errors(make_force_field(), dataset)
    for name, value in expected.items():
        np.testing.assert_allclose(metrics[name], value, rtol=2e-6, err_msg=name)


def test_best_model_is_what_was_evaluated(
    io_handler: TrainingIOHandler, recorder: Recorder
) -> None:
    valid = make_dataset(5, 2, seed=1, shuffle=False)
    loop = make_loop(
        num_epochs=4, learning_rate=0.05, io_handler=io_handler, validation_dataset=valid
    )
    loop.run()
    losses = {epoch: m["loss"] for epoch, m in recorder.of(LogCategory.EVAL_METRICS).items()}
    assert list(losses) == [0, 1, 2, 3, 4]
    assert loop.best_epoch == min(losses, key=losses.__getitem__)
    assert loop.best_loss == losses[loop.best_epoch]
    assert loop.test(valid)["loss"] == loop.best_loss
    logged = recorder.of(LogCategory.EVAL_METRICS)[loop.best_epoch]
    for name, value in direct_errors(loop.best_model, valid).items():
        np.testing.assert_allclose(logged[name], value, rtol=2e-6, err_msg=name)
    best = recorder.of(LogCategory.BEST_MODEL)[4]
    assert best == {"best_loss": loop.best_loss, "best_epoch": loop.best_epoch}


@pytest.mark.parametrize("use_ema", [True, False])
def test_evaluated_parameters_are_the_average_or_the_raw_ones(use_ema: bool) -> None:
    loop = make_loop(num_epochs=1, loop_options={"use_ema_params_for_eval": use_ema})
    loop.run()
    state = loop.training_state
    expected = get_debiased_params(state.ema_state, 0.99) if use_ema else state.params
    assert loop.best_epoch == 1
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), loop.best_model.params, expected
    )


def test_logged_metrics_have_the_names_of_the_api(
    io_handler: TrainingIOHandler, recorder: Recorder
) -> None:
    loop = make_loop(num_epochs=1, loss=MSELoss(extended_metrics=True), io_handler=io_handler)
    loop.run()
    weights = {"energy_weight", "forces_weight", "stress_weight"}
    train = recorder.of(LogCategory.TRAIN_METRICS)[1]
    assert train.keys() == weights | {
        "loss",
        "gradient_norm",
        "param_update_norm",
        "learning_rate",
    }
    assert (train["energy_weight"], train["forces_weight"]) == (1.0, 25.0)
    assert recorder.of(LogCategory.EVAL_METRICS)[1].keys() == {
        *("loss", "mae_e", "mse_e", "mae_f", "mse_f", "mae_e_per_atom", "mse_e_per_atom")
    }
    assert recorder.of(LogCategory.SYSTEM_METRICS)[1].keys() == {
        *("runtime_in_seconds", "nodes_per_second", "graphs_per_second"),
        *("edges_per_second", "share_waiting_for_data"),
    }


def test_training_loss_is_the_mean_over_structures(
    io_handler: TrainingIOHandler, recorder: Recorder
) -> None:
    """With learning rate 0 it is the validation loss of the same data."""
    dataset = make_dataset(14, 3)
    loop = make_loop(
        num_epochs=1,
        train_dataset=dataset,
        validation_dataset=dataset,
        optimizer=optax.sgd(0.0),
        io_handler=io_handler,
        loss=HuberLoss(),
    )
    loop.run()
    train = recorder.of(LogCategory.TRAIN_METRICS)[1]
    valid = recorder.of(LogCategory.EVAL_METRICS)[0]
    np.testing.assert_allclose(train["loss"], valid["loss"], rtol=1e-6)


def test_accumulated_gradients_give_the_step_of_a_large_batch() -> None:
    """Two batches of 4 equal graphs' worth, accumulated, are one batch of 8."""
    graphs = make_dataset(8, 8, n_atoms=4)
    halves = make_dataset(8, 4, n_atoms=4)
    optimizer = optax.sgd(0.01)
    whole = make_loop(num_epochs=1, train_dataset=graphs, optimizer=optimizer)
    accumulated = make_loop(
        num_epochs=1,
        accumulate=2,
        train_dataset=halves,
        optimizer=optax.MultiSteps(optimizer, 2).gradient_transformation(),
    )
    whole.run()
    accumulated.run()
    assert int(accumulated.training_state.num_steps) == 1
    assert int(accumulated.training_state.ema_state.step) == 1
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7),
        whole.training_state.params,
        accumulated.training_state.params,
    )


def test_accumulation_of_loop_and_optimizer_have_to_agree() -> None:
    multi = optax.MultiSteps(optax.sgd(0.01), 2).gradient_transformation()
    loop = make_loop(num_epochs=1, optimizer=multi)  # 5 steps
    with pytest.raises(UserError, match="num_gradient_accumulation_steps"):
        loop.run()
    loop = make_loop(num_epochs=1, accumulate=3, optimizer=optax.sgd(0.01))
    with pytest.raises(UserError, match="num_gradient_accumulation_steps"):
        loop.run()


def test_diverging_training_ends_with_one_line_and_keeps_the_best_model(tmp_path: Path) -> None:
    make_loop(tmp_path, num_epochs=1).run()
    good = make_loop(tmp_path, num_epochs=1)
    poisoned = make_dataset(14, 3)

    class Poisoned:
        def __len__(self) -> int:
            return len(poisoned)

        def epoch(self, number: int, start_batch: int = 0) -> Any:
            for i, batch in enumerate(poisoned.epoch(number, start_batch)):
                forces = batch.nodes.forces * (np.nan if i == 2 else 1)
                yield batch._replace(nodes=batch.nodes._replace(forces=forces))

    loop = make_loop(
        tmp_path,
        num_epochs=3,
        train_dataset=Poisoned(),
        io_options={"checkpoint_interval_seconds": 1e-6},
    )
    with pytest.raises(UserError, match=r"diverged in epoch 2.*peak_learning_rate"):
        loop.run()
    jax.tree.map(np.testing.assert_array_equal, loop.best_model.params, good.best_model.params)
    restored = make_loop(tmp_path, num_epochs=3)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(restored.training_state.params))


def test_missing_labels_end_the_training_before_it_starts() -> None:
    loop = make_loop(loss=MSELoss(stress_weight_schedule=lambda _: 1.0))
    with pytest.raises(UserError, match="the data have no stress"):
        loop.run()


def test_stress_can_be_trained(recorder: Recorder, io_handler: TrainingIOHandler) -> None:
    dataset = make_dataset(6, 2, with_stress=True)
    loop = make_loop(
        num_epochs=1,
        train_dataset=dataset,
        validation_dataset=dataset,
        force_field=make_force_field(predict_stress=True),
        loss=MSELoss(stress_weight_schedule=lambda _: 1.0, extended_metrics=True),
        io_handler=io_handler,
    )
    loop.run()
    assert np.isfinite(recorder.of(LogCategory.EVAL_METRICS)[1]["mae_stress"])


def test_empty_sets_are_refused() -> None:
    with pytest.raises(UserError, match="training set is empty"):
        make_loop(train_dataset=[])
    with pytest.raises(UserError, match="validation set is empty"):
        make_loop(validation_dataset=[])


def test_plain_list_of_batches_is_a_dataset() -> None:
    dataset = make_dataset()
    from_list = make_loop(num_epochs=2, train_dataset=list(dataset.epoch(1)))
    from_list.run()
    assert int(from_list.training_state.num_steps) == 2 * len(dataset)


def test_part_of_the_validation_set_can_be_evaluated(
    io_handler: TrainingIOHandler, recorder: Recorder
) -> None:
    loop = make_loop(num_epochs=0, loop_options={"eval_num_graphs": 3}, io_handler=io_handler)
    loop.run()
    first = make_dataset(5, 2, seed=1, shuffle=False).subset(3)
    expected = direct_errors(make_force_field(), first)["mae_e"]
    found = recorder.of(LogCategory.EVAL_METRICS)[0]["mae_e"]
    np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_nothing_is_compiled_after_the_first_epoch(caplog: pytest.LogCaptureFixture) -> None:
    compiled_in_epoch: list[int] = []

    def count(category: LogCategory, to_log: dict[str, Any], epoch: int) -> None:
        if category is LogCategory.BEST_MODEL:
            compiled_in_epoch.append(sum("Compiling" in r.message for r in caplog.records))

    handler = TrainingIOHandler()
    handler.attach_logger(count)
    with jax.log_compiles():
        make_loop(num_epochs=4, io_handler=handler).run()
    assert compiled_in_epoch[1] > 0
    assert compiled_in_epoch[2] == compiled_in_epoch[3] == compiled_in_epoch[4]


def test_factors_of_matrix_products_have_the_precision_asked_for() -> None:
    """CPUs ignore it, so look at what the program asks for."""
    params = make_force_field().params
    batch = next(make_dataset().epoch(1))
    found = {}
    for precision in (None, "bfloat16", "float32"):
        options = {"matmul_precision": precision}
        loop = make_loop(num_epochs=0, loop_options=options)
        step = loop._evaluation_step
        found[precision] = str(jax.make_jaxpr(step._metrics_fun)(params, batch, 1))
    precisions = {name: set(re.findall(r"Precision\.(\w+)", text)) for name, text in found.items()}
    assert precisions == {None: set(), "bfloat16": {"DEFAULT"}, "float32": {"HIGHEST"}}
    assert "bf16" not in found["bfloat16"], "parameters, energies and sums stay float32"


def test_best_loss_before_training_is_infinite() -> None:
    assert make_loop(num_epochs=0).best_loss == math.inf


def test_graphs_of_the_fixture_differ_in_size() -> None:
    """Otherwise averages over structures and over atoms could not be told apart."""
    assert len({int(graph.n_node[0]) for graph in make_graphs(14, 3)}) > 2
    assert jnp.float32(INFO.cutoff_distance_angstrom) == 3.0
