"""The default optimizer and the moving average: the trajectories of mlip 0.1.10."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from pydantic import ValidationError

from mlip_core.training import (
    OptimizerConfig,
    get_default_mlip_optimizer,
    get_mlip_optimizer_chain_with_flexible_base_optimizer,
)
from mlip_core.training.ema import exponentially_moving_average, get_debiased_params
from mlip_core.training.optimizer import learning_rate_schedule, weight_decay_mask
from tests.golden import training_inputs as inputs

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "training.json").read_text())


@pytest.mark.parametrize("case", inputs.OPTIMIZERS)
def test_trajectory_is_that_of_the_library_whose_api_it_has(case: str) -> None:
    with jax.enable_x64():
        rng = np.random.default_rng(11)
        params = jax.tree.map(jnp.asarray, inputs.parameters(rng))
        optimizer = get_default_mlip_optimizer(OptimizerConfig(**inputs.OPTIMIZERS[case]))
        state = optimizer.init(params)
        for factor in inputs.gradients(rng, inputs.N_STEPS):
            gradient = jax.tree.map(lambda x, f=factor: f * jnp.ones_like(x), params)
            updates, state = optimizer.update(gradient, state, params)
            params = optax.apply_updates(params, updates)
    is_array = lambda x: isinstance(x, list)  # noqa: E731
    golden = jax.tree.map(np.array, GOLDEN["trajectories"][case], is_leaf=is_array)
    # The learning rate is float32 in both; it may round in another place.
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), params, golden)


def test_learning_rate_warms_up_then_goes_to_its_final_value() -> None:
    config = OptimizerConfig(
        init_learning_rate=0.1,
        peak_learning_rate=1.0,
        final_learning_rate=0.2,
        warmup_steps=3,
        transition_steps=4,
    )
    rates = [float(learning_rate_schedule(config)(step)) for step in range(10)]
    np.testing.assert_allclose(rates, [0.1, 0.4, 0.7, 1.0, 0.8, 0.6, 0.4, 0.2, 0.2, 0.2], rtol=1e-6)


@pytest.mark.parametrize(
    ("transition", "expected"),
    [
        ("cosine", [1.0, 0.853553, 0.5, 0.146447, 0.0]),
        ("exponential", [1.0, 0.1**0.5, 0.1, 0.1**1.5, 0.01]),
    ],
)
def test_transition_has_its_shape(transition: str, expected: list[float]) -> None:
    config = OptimizerConfig(
        peak_learning_rate=1.0,
        final_learning_rate=expected[-1],
        warmup_steps=3,
        transition_steps=4,
        transition=transition,
    )
    rates = [float(learning_rate_schedule(config)(step)) for step in range(3, 10)]
    np.testing.assert_allclose(rates, [*expected, expected[-1], expected[-1]], rtol=1e-5, atol=1e-7)


def test_any_base_optimizer_gets_the_scheduled_learning_rate() -> None:
    config = OptimizerConfig(init_learning_rate=0.5, peak_learning_rate=1.0, warmup_steps=2)
    optimizer = get_mlip_optimizer_chain_with_flexible_base_optimizer(optax.sgd, config)
    params = {"w": jnp.ones(2)}
    state = optimizer.init(params)
    steps = []
    for _ in range(3):
        updates, state = optimizer.update({"w": jnp.ones(2)}, state, params)
        steps.append(float(updates["w"][0]))
    np.testing.assert_allclose(steps, [-0.5, -0.75, -1.0], rtol=1e-6)


def test_only_named_blocks_decay_and_all_do_where_there_are_none() -> None:
    mask = weight_decay_mask(inputs.parameters(np.random.default_rng(0)))
    layer = mask["params"]["mlip_network"]["MaceBlock_0"]["layer_0"]
    assert layer["EquivariantProductBasisBlock_0"]["SymmetricContraction_0"] == {"w1_0e": True}
    assert layer["InteractionBlock_0"]["linear_down"] == {"w[0,0] 2x0e,2x0e": True}
    assert layer["InteractionBlock_0"]["linear_up"] == {"w[0,0] 2x0e,2x0e": False}
    assert layer["EquivariantProductBasisBlock_0"]["Linear_0"] == {"w[0,0] 2x0e,2x0e": False}
    assert weight_decay_mask({"Dense_0": {"kernel": 1.0}}) == {"Dense_0": {"kernel": True}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"grad_norm": 0},
        {"peak_learning_rate": -1},
        {"learning_rate": 0.1},
        {"transition": "exponential", "final_learning_rate": 0},
    ],
)
def test_config_rejects_nonsense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OptimizerConfig(**wrong)


def test_debiased_average_is_the_weighted_mean() -> None:
    decay, values = 0.9, np.array([2.0, 3.0, 5.0])
    average = exponentially_moving_average(decay)
    state = average.init({"w": jnp.zeros(2)})
    for value in values:
        state = average.update(state, {"w": jnp.full(2, value)})
    weights = decay ** np.array([2, 1, 0])
    expected = np.sum(weights * values) / np.sum(weights)
    np.testing.assert_allclose(get_debiased_params(state, decay)["w"], expected, rtol=1e-6)
    np.testing.assert_allclose(
        state.params_ema["w"], np.sum((1 - decay) * weights * values), rtol=1e-6
    )
