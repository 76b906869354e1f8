"""Losses: the numbers of mlip 0.1.10, padding, missing labels, interaction energies."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import optax
import pytest

from mlip_core.models.loss import HuberLoss, MSELoss, Schedule, WeightedEFSLoss
from mlip_core.models.loss_helpers import (
    adaptive_huber_loss_forces,
    compute_eval_metrics,
    huber_loss_energy,
    label_masks,
    mean_squared_error_energy,
    safe_divide,
)
from mlip_core.typing import GraphEdges, GraphGlobals, GraphNodes, Prediction
from mlip_core.utils.errors import UserError
from tests.golden import training_inputs as inputs

Batch = tuple[jraph.GraphsTuple, Prediction]

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "training.json").read_text())["losses"]


def constant(weight: float) -> Schedule:
    return lambda _: weight


def make_batch(labels: dict[str, np.ndarray]) -> jraph.GraphsTuple:
    n_atoms, n_graphs = sum(inputs.N_NODE), len(inputs.N_NODE)
    return jraph.GraphsTuple(
        nodes=GraphNodes(np.zeros((n_atoms, 3)), np.zeros(n_atoms, int), labels["forces"]),
        edges=GraphEdges(np.zeros((0, 3))),
        senders=np.zeros(0, int),
        receivers=np.zeros(0, int),
        globals=GraphGlobals(
            np.zeros((n_graphs, 3, 3)), labels["weight"], labels["energy"], labels["stress"]
        ),
        n_node=np.array(inputs.N_NODE),
        n_edge=np.zeros(n_graphs, int),
    )


@pytest.fixture
def batch_and_prediction() -> tuple[jraph.GraphsTuple, Prediction]:
    rng = np.random.default_rng(7)
    labels = inputs.reference(rng)
    return make_batch(labels), Prediction(**inputs.prediction(labels, rng))


@pytest.mark.parametrize("case", inputs.LOSSES)
@pytest.mark.parametrize("kind", [MSELoss, HuberLoss])
def test_loss_and_metrics_are_those_of_the_library_whose_api_it_has(
    batch_and_prediction: Batch, kind: type[WeightedEFSLoss], case: str
) -> None:
    batch, prediction = batch_and_prediction
    schedules = {
        f"{name}_weight_schedule": constant(weight) for name, weight in inputs.LOSSES[case].items()
    }
    with jax.enable_x64():
        loss, metrics = kind(**schedules, extended_metrics=True)(prediction, batch, 1, True)
    golden = GOLDEN[f"{kind.__name__}/{case}"]
    assert metrics.keys() == golden.keys()
    assert loss == metrics["loss"]
    for name, value in golden.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", [MSELoss, HuberLoss])
def test_padding_changes_neither_loss_nor_gradient(
    batch_and_prediction: Batch, kind: type[WeightedEFSLoss]
) -> None:
    batch, prediction = batch_and_prediction
    nodes, graphs = sum(inputs.N_NODE[:-1]), len(inputs.N_NODE) - 1

    def loss(forces: Any, energy: Any, stress: Any) -> Any:
        predicted = Prediction(energy=energy, forces=forces, stress=stress)
        return kind(stress_weight_schedule=lambda _: 1.0)(predicted, batch, 1)[0]

    def spoiled(x: Any, n_real: int) -> np.ndarray:
        return np.concatenate([x[:n_real], np.full_like(x[n_real:], 1e6)])

    clean = (prediction.forces, prediction.energy, prediction.stress)
    spoilt = (
        spoiled(prediction.forces, nodes),
        spoiled(prediction.energy, graphs),
        spoiled(prediction.stress, graphs),
    )
    assert loss(*clean) == loss(*spoilt)
    for gradient, n_real in zip(
        jax.grad(loss, argnums=(0, 1, 2))(*spoilt), (nodes, graphs, graphs), strict=True
    ):
        assert np.isfinite(gradient).all()
        assert not gradient[n_real:].any()
        assert gradient[:n_real].any()


def test_batch_of_padding_only_has_loss_zero_and_finite_gradients(
    batch_and_prediction: Batch,
) -> None:
    batch, prediction = batch_and_prediction
    empty = batch._replace(n_node=np.array([sum(inputs.N_NODE), 0, 0, 0]))
    loss, gradient = jax.value_and_grad(
        lambda forces: MSELoss()(dataclasses.replace(prediction, forces=forces), empty, 1)[0]
    )(prediction.forces)
    assert loss == 0
    assert not gradient.any()


def test_interaction_energies_are_used_when_both_sides_have_them(
    batch_and_prediction: Batch,
) -> None:
    batch, prediction = batch_and_prediction
    large = 1e9  # in float32, total energies of this size have no digits left for the errors
    small_reference = np.asarray(batch.globals.energy)
    batch = batch._replace(
        globals=batch.globals._replace(
            energy=np.float32(small_reference + large), interaction_energy=small_reference
        )
    )
    predicted = dataclasses.replace(
        prediction,
        energy=np.float32(np.asarray(prediction.energy) + large),
        interaction_energy=prediction.energy,
    )
    loss, metrics = MSELoss()(predicted, batch, 1, True)
    golden = GOLDEN["MSELoss/default"]
    np.testing.assert_allclose(loss, golden["loss"], rtol=1e-5)
    np.testing.assert_allclose(metrics["mae_e"], golden["mae_e"], rtol=1e-5)
    without = dataclasses.replace(predicted, interaction_energy=None)
    assert abs(MSELoss()(without, batch, 1, True)[1]["mae_e"] - golden["mae_e"]) > 0.01


def test_missing_labels_with_a_weight_are_an_error(batch_and_prediction: Batch) -> None:
    batch, prediction = batch_and_prediction
    without_stress = batch._replace(globals=batch.globals._replace(stress=None))
    without_forces = batch._replace(nodes=batch.nodes._replace(forces=None))
    without_energy = batch._replace(globals=batch.globals._replace(energy=None))
    weighs_stress = MSELoss(stress_weight_schedule=lambda _: 1.0)
    with pytest.raises(UserError, match="data have no stress"):
        weighs_stress(prediction, without_stress, 1)
    with pytest.raises(UserError, match="predict_stress=True"):
        weighs_stress(dataclasses.replace(prediction, stress=None), batch, 1)
    with pytest.raises(UserError, match="data have no forces"):
        MSELoss()(prediction, without_forces, 1)
    with pytest.raises(UserError, match="data have no energies"):
        MSELoss()(prediction, without_energy, 1)


def test_missing_labels_without_a_weight_are_left_out(batch_and_prediction: Batch) -> None:
    batch, prediction = batch_and_prediction
    bare = batch._replace(
        nodes=batch.nodes._replace(forces=None), globals=batch.globals._replace(stress=None)
    )
    loss = MSELoss(forces_weight_schedule=lambda _: 0.0, extended_metrics=True)
    metrics = loss(prediction, bare, 1, True)[1]
    assert metrics.keys() == {"loss", "mae_e", "mse_e", "mae_e_per_atom", "mse_e_per_atom"}


@pytest.mark.parametrize("kind", [MSELoss, HuberLoss])
def test_metrics_are_few_unless_they_are_extended(
    batch_and_prediction: Batch, kind: type[WeightedEFSLoss]
) -> None:
    batch, prediction = batch_and_prediction
    assert kind()(prediction, batch, 1)[1].keys() == {"loss"}
    evaluated = kind()(prediction, batch, 1, True)[1].keys()
    assert evaluated == {"loss", "mae_e", "mse_e", "mae_f", "mse_f"}


def test_masks_leave_out_padding_and_what_is_not_labelled(batch_and_prediction: Batch) -> None:
    batch, _ = batch_and_prediction
    full = label_masks(batch)
    n_graphs = len(inputs.N_NODE)
    is_real = np.arange(n_graphs) < n_graphs - 1
    atoms_are_real = np.repeat(is_real, inputs.N_NODE)
    np.testing.assert_array_equal(full.energy, is_real)
    np.testing.assert_array_equal(full.forces, atoms_are_real)
    np.testing.assert_array_equal(full.stress, is_real)
    # A label that padding claims to have does not count either.
    has = np.array([[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0]])
    partly = label_masks(
        batch._replace(
            globals=batch.globals._replace(has_energy=has[0], has_forces=has[1], has_stress=has[2])
        )
    )
    np.testing.assert_array_equal(partly.energy, is_real & (has[0] == 1))
    np.testing.assert_array_equal(
        partly.forces, atoms_are_real & np.repeat(has[1] == 1, inputs.N_NODE)
    )
    np.testing.assert_array_equal(partly.stress, is_real & (has[2] == 1))


def test_weight_that_may_become_positive_later_counts(batch_and_prediction: Batch) -> None:
    batch, prediction = batch_and_prediction
    without_stress = batch._replace(globals=batch.globals._replace(stress=None))
    loss = MSELoss(stress_weight_schedule=optax.piecewise_constant_schedule(0.0, {100: 1.0}))
    with pytest.raises(UserError, match="data have no stress"):
        jax.jit(lambda epoch: loss(prediction, without_stress, epoch)[0])(1)


def test_weights_follow_the_epoch_and_are_reported_if_extended(batch_and_prediction: Batch) -> None:
    batch, prediction = batch_and_prediction
    flip = MSELoss(
        optax.piecewise_constant_schedule(1.0, {100: 25.0}),
        optax.piecewise_constant_schedule(25.0, {100: 0.04}),
        extended_metrics=True,
    )
    compiled = jax.jit(lambda epoch: flip(prediction, batch, epoch))
    for epoch, weights in ((1, (1, 25)), (101, (25, 1))):
        loss, metrics = compiled(epoch)
        assert metrics.keys() == {"loss", "energy_weight", "forces_weight", "stress_weight"}
        found = (metrics["energy_weight"], metrics["forces_weight"])
        np.testing.assert_allclose(found, weights, rtol=1e-6)
        unscheduled = MSELoss(constant(weights[0]), constant(weights[1]))
        np.testing.assert_allclose(loss, unscheduled(prediction, batch, epoch)[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("norm", "factor"), [(99.0, 1), (100.0, 0.7), (199.0, 0.7), (200.0, 0.4), (300.0, 0.1)]
)
def test_delta_of_the_force_loss_shrinks_with_the_reference_force(
    batch_and_prediction: Batch, norm: float, factor: float
) -> None:
    batch, _ = batch_and_prediction
    forces = np.tile([0.0, 0.0, norm], (sum(inputs.N_NODE), 1))
    batch = batch._replace(nodes=batch.nodes._replace(forces=forces))
    delta = 0.01 * factor
    losses = adaptive_huber_loss_forces(batch, jnp.asarray(forces + 0.5))
    expected = delta * (0.5 - delta / 2)
    np.testing.assert_allclose(losses, expected * batch.globals.weight, rtol=2e-5)


def test_energy_helpers_compare_total_energies(batch_and_prediction: Batch) -> None:
    batch, prediction = batch_and_prediction
    energy = jnp.asarray(prediction.energy)
    per_atom = (energy - batch.globals.energy) / np.array(inputs.N_NODE)
    squared = batch.globals.weight * per_atom**2
    np.testing.assert_allclose(mean_squared_error_energy(batch, energy), squared, rtol=1e-5)
    huber = batch.globals.weight * optax.huber_loss(per_atom, delta=0.01)
    np.testing.assert_allclose(huber_loss_energy(batch, energy), huber, rtol=1e-5)


def test_force_metrics_are_means_over_real_atoms(batch_and_prediction: Batch) -> None:
    batch, prediction = batch_and_prediction
    n_real = sum(inputs.N_NODE[:-1])
    delta = (prediction.forces - batch.nodes.forces)[:n_real]
    metrics = compute_eval_metrics(prediction, batch)
    np.testing.assert_allclose(metrics["mae_f"], np.abs(delta).mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["mse_f"], (delta**2).mean(), rtol=1e-5)


def test_huber_losses_turn_linear_at_their_deltas(batch_and_prediction: Batch) -> None:
    batch, prediction = batch_and_prediction
    none = constant(0.0)
    for name, delta in (("energy", 1e-3), ("forces", 1e-2), ("stress", 1e-2)):
        only = {f"{other}_weight_schedule": none for other in ("energy", "forces", "stress")}
        only[f"{name}_weight_schedule"] = constant(1.0)
        found = HuberLoss(**only, **{f"{name}_delta": delta})(prediction, batch, 1)[0]
        huge = HuberLoss(**only, **{f"{name}_delta": 1e9})(prediction, batch, 1)[0]
        squared = MSELoss(**only)(prediction, batch, 1)[0]
        np.testing.assert_allclose(huge, squared / 2, rtol=1e-5, err_msg=name)
        assert found < HuberLoss(**only, **{f"{name}_delta": 2 * delta})(prediction, batch, 1)[0]


def test_safe_divide_by_zero_is_zero_with_zero_gradient() -> None:
    x, y = jnp.array([3.0, 3.0]), jnp.array([0.0, 2.0])
    np.testing.assert_array_equal(safe_divide(x, y), [0.0, 1.5])
    gradient = jax.grad(lambda x, y: safe_divide(x, y).sum(), argnums=(0, 1))(x, y)
    np.testing.assert_array_equal(gradient, [[0.0, 0.5], [0.0, -0.75]])
