"""What the loop decides from its history: early stopping, plateaus, limits of the loss."""

import math
from typing import Any

import jax
import numpy as np
import optax
import pytest

from mlip_core.models.loss import MSELoss
from mlip_core.training.averages import params_to_evaluate
from mlip_core.training.decisions import (
    cooldown_scale,
    epochs_before_cooldown,
    loss_limit,
    plateau_scale,
    stopping_epoch,
)
from mlip_core.training.training_loop_config import (
    CooldownConfig,
    EarlyStoppingConfig,
    PlateauConfig,
)
from mlip_core.utils.errors import UserError
from tests.training.tiny import make_loop


def rows(*values: float) -> list[dict[str, Any]]:
    return [{"epoch": i, "valid_mae_f": value} for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "epoch"),
    [
        ((3.0, 2.0, 1.0), None),
        ((3.0, 2.0, 2.5, 2.4), 3),
        ((3.0, 2.0, 2.5, 1.9), None),
        ((3.0, 2.0, math.nan, math.nan), 3),
        ((1.0, 0.99, 0.98, 0.97), None),
        ((3.0, 2.0, 2.5, 2.4, 1.0, 0.5), 3),
    ],
)
def test_stops_after_epochs_without_improvement(
    values: tuple[float, ...], epoch: int | None
) -> None:
    config = EarlyStoppingConfig(metric="mae_f", patience=2)
    assert stopping_epoch(rows(*values), config) == epoch


def test_small_improvements_do_not_count_if_so_configured() -> None:
    config = EarlyStoppingConfig(metric="mae_f", patience=2, min_improvement=0.05)
    assert stopping_epoch(rows(1.0, 0.99, 0.98), config) == 2
    assert stopping_epoch(rows(1.0, 0.99, 0.94), config) is None


def test_learning_rate_follows_plateaus_as_optax_does() -> None:
    values = [5.0, 4.0, 4.5, 4.4, 4.6, 4.7, 3.0, 3.0, 3.0, 3.0, 2.0, 2.5]
    patience = 2
    config = PlateauConfig(metric="mae_f", patience=patience, factor=0.5, min_scale=0.2)
    reference = optax.contrib.reduce_on_plateau(
        factor=0.5, patience=patience, rtol=1e-9, min_scale=0.2
    )
    state = reference.init({})
    for n in range(1, len(values) + 1):
        _, state = reference.update({}, state, value=np.float32(values[n - 1]))
        assert plateau_scale(rows(*values[:n]), config) == state.scale


def test_patience_grows_with_the_epochs_so_far() -> None:
    config = PlateauConfig(metric="mae_f", patience=2, patience_share=0.5, factor=0.5)
    improving = [1.0 / (1 + epoch) for epoch in range(11)]
    scales = [plateau_scale(rows(*improving, *[1.0] * n), config) for n in range(30)]
    # Without an improvement since epoch 10: lowered in epoch 20, and in epoch 40 after 20 more.
    assert scales == [1.0] * 10 + [0.5] * 20
    assert plateau_scale(rows(*improving, *[1.0] * 30), config) == 0.25
    assert plateau_scale(rows(1.0, 1.0, 1.0), config) == 0.5  # patience is the least


def test_unknown_metric_is_named() -> None:
    with pytest.raises(UserError, match=r"no metric 'mae_x' .* there are: mae_f"):
        stopping_epoch(rows(1.0), EarlyStoppingConfig(metric="mae_x"))
    not_evaluated = [{"epoch": 1, "train_loss": 1.0}]
    assert stopping_epoch(not_evaluated, EarlyStoppingConfig(metric="mae_x")) is None


def test_limit_of_the_loss_follows_growing_weights() -> None:
    loss = MSELoss(
        optax.piecewise_constant_schedule(1.0, {4: 40.0}),
        optax.piecewise_constant_schedule(25.0, {4: 0.04}),
    )
    history = [{"epoch": 3, "train_loss": 0.5}]
    assert loss_limit(history, loss, 3, 100.0) == 50.0
    assert loss_limit(history, loss, 4, 100.0) == pytest.approx(40 * 50.0)
    assert loss_limit(history, loss, 4, None) == math.inf
    assert loss_limit([], loss, 1, 100.0) == math.inf
    new_term = MSELoss(stress_weight_schedule=lambda epoch: float(epoch > 4))
    assert loss_limit(history, new_term, 5, 100.0) == math.inf


def test_training_ends_when_the_validation_set_says_so() -> None:
    loop = make_loop(
        num_epochs=50,
        optimizer=optax.sgd(0.0),
        loop_options={"early_stopping": {"metric": "rmse_f", "patience": 3}},
    )
    loop.run()
    assert [row["epoch"] for row in loop.history.metrics] == [0, 1, 2, 3]


def test_plateau_lowers_the_learning_rate_of_steps_and_log() -> None:
    options = {"plateau": {"patience": 1, "factor": 0.5, "min_improvement": 0.99}}
    loop = make_loop(num_epochs=4, loop_options=options, learning_rate=0.01)
    plain = make_loop(num_epochs=4, learning_rate=0.01)
    loop.run()
    plain.run()
    rates = [
        [row["train_learning_rate"] for row in each.history.metrics[1:]] for each in (loop, plain)
    ]
    np.testing.assert_allclose(np.divide(*rates), [1, 0.5, 0.25, 0.125], rtol=1e-6)
    norms = [
        [row["train_param_update_norm"] for row in each.history.metrics[1:]]
        for each in (loop, plain)
    ]
    assert norms[0][0] == norms[1][0]
    np.testing.assert_allclose(norms[0][1] / norms[1][1], 0.5, rtol=0.1)


def test_weights_are_averaged_from_an_epoch_on() -> None:
    ends = []
    for num_epochs in (2, 3, 4):
        plain = make_loop(num_epochs=num_epochs, loop_options={"use_ema_params_for_eval": False})
        plain.run()
        ends.append(plain.training_state.params)
    loop = make_loop(num_epochs=4, loop_options={"swa_start_epoch": 2})
    loop.run()
    mean = jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *ends)
    evaluated = params_to_evaluate(loop.training_state, loop.config)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7), evaluated, mean
    )
    assert loop.history.metrics[1]["valid_loss"] != loop.history.metrics[4]["valid_loss"]


def test_cooldown_falls_by_one_minus_the_root() -> None:
    config = CooldownConfig(share=0.3)
    assert epochs_before_cooldown(10, config) == 7
    scales = [cooldown_scale(epoch, 10, config) for epoch in range(1, 11)]
    assert scales[:7] == [1.0] * 7
    assert scales[7:] == pytest.approx([0.5, 1 - math.sqrt(0.5), 1 - math.sqrt(0.75)])
    assert {cooldown_scale(epoch, 10, None) for epoch in range(1, 11)} == {1.0}


def test_cooldown_reaches_the_optimizer() -> None:
    loop = make_loop(num_epochs=4, loop_options={"cooldown": {"share": 0.5}})
    loop.run()
    constant = make_loop(num_epochs=4)
    constant.run()
    rates = [
        [row.get("train_learning_rate") for row in one.history.metrics] for one in (loop, constant)
    ]
    shares = [a / b for a, b in zip(rates[0][1:], rates[1][1:], strict=True)]
    assert shares == pytest.approx([1, 1, 1 - math.sqrt(1 / 3), 1 - math.sqrt(2 / 3)])
