"""Errors of a batch, structure by structure, and their averages over real structures and atoms.

Padding never counts: structures are masked by ``jraph.get_graph_padding_mask``, atoms by
``jraph.get_node_padding_mask``. Energies are compared as interaction energies when both sides have
them (see ``GraphGlobals.interaction_energy``), otherwise as total energies.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import jraph
import optax

from mlip_core.typing import Prediction
from mlip_core.utils.errors import UserError

HUBER_DELTA = 0.01
"""Where the Huber loss turns linear: eV/atom for energies, eV/Å for forces, eV/Å³ for stress."""

HUBER_FORCE_STEPS = ((100.0, 0.7), (200.0, 0.4), (300.0, 0.1))
"""From which reference force norm (eV/Å) on the delta of the force loss shrinks to which factor."""


def safe_divide(x: jax.Array, y: jax.Array) -> jax.Array:
    """``x / y``, and 0 where ``y`` is 0, with finite gradients there too."""
    is_zero = y == 0
    return jnp.where(is_zero, 0.0, x / jnp.where(is_zero, 1, y))


def compute_mae(delta: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean of ``|delta|`` (``[n]``) over ``mask``."""
    return _masked_mean(jnp.abs(delta), mask)


def compute_mse(delta: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean of ``delta²`` (``[n]``) over ``mask``."""
    return _masked_mean(jnp.square(delta), mask)


def compute_mae_f(delta: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean of ``|delta|`` over the components (``[n_nodes, 3]``) of the atoms in ``mask``."""
    return _masked_mean(jnp.abs(delta).mean(axis=-1), mask)


def compute_mse_f(delta: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean of ``delta²`` over the components (``[n_nodes, 3]``) of the atoms in ``mask``."""
    return _masked_mean(jnp.square(delta).mean(axis=-1), mask)


def compute_mae_stress(delta: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean of ``|delta|`` over components (``[n_graphs, 3, 3]``) of the structures in ``mask``."""
    return _masked_mean(jnp.abs(delta).mean(axis=(-2, -1)), mask)


def compute_mse_stress(delta: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean of ``delta²`` over components (``[n_graphs, 3, 3]``) of the structures in ``mask``."""
    return _masked_mean(jnp.square(delta).mean(axis=(-2, -1)), mask)


def mean_squared_error_energy(graph: jraph.GraphsTuple, energy_pred: jax.Array) -> jax.Array:
    """Weighted squared error of the energy per atom, ``[n_graphs]``, eV²; 0 for padding.

    Args:
        graph: the reference, compared by its total energy.
        energy_pred: ``[n_graphs]``, eV.
    """
    return squared_energy_errors(graph, energy_pred - graph.globals.energy)


def huber_loss_energy(graph: jraph.GraphsTuple, energy_pred: jax.Array) -> jax.Array:
    """Weighted Huber loss of the energy per atom, ``[n_graphs]``; 0 for padding."""
    return huber_energy_errors(graph, energy_pred - graph.globals.energy)


def squared_energy_errors(graph: jraph.GraphsTuple, delta: jax.Array) -> jax.Array:
    """As ``mean_squared_error_energy``, from the error ``delta`` (``[n_graphs]``, eV)."""
    return _weigh_real_graphs(graph, jnp.square(safe_divide(delta, graph.n_node)))


def huber_energy_errors(graph: jraph.GraphsTuple, delta: jax.Array) -> jax.Array:
    """As ``huber_loss_energy``, from the error ``delta`` (``[n_graphs]``, eV)."""
    return _weigh_real_graphs(graph, _huber(safe_divide(delta, graph.n_node), HUBER_DELTA))


def mean_squared_error_forces(graph: jraph.GraphsTuple, forces_pred: jax.Array) -> jax.Array:
    """Weighted squared error of a structure's force components, ``[n_graphs]``, (eV/Å)²."""
    return _average_over_atoms(graph, jnp.square(forces_pred - graph.nodes.forces))


def adaptive_huber_loss_forces(graph: jraph.GraphsTuple, forces_pred: jax.Array) -> jax.Array:
    """Weighted Huber loss of a structure's force components, ``[n_graphs]``.

    The larger the reference force, the sooner the loss turns linear, so that a few atoms under huge
    forces do not rule the fit (Batatia et al., arXiv:2401.00096, "conditional Huber loss").
    """
    reference = graph.nodes.forces
    squared_norm = jnp.sum(jnp.square(reference), axis=-1, keepdims=True)
    delta = jnp.full_like(squared_norm, HUBER_DELTA)
    for norm, factor in HUBER_FORCE_STEPS:
        delta = jnp.where(squared_norm >= norm**2, factor * HUBER_DELTA, delta)
    return _average_over_atoms(graph, _huber(forces_pred - reference, delta))


def mean_squared_error_stress(graph: jraph.GraphsTuple, stress_pred: jax.Array) -> jax.Array:
    """Weighted squared error of the nine stress components, ``[n_graphs]``, (eV/Å³)²."""
    squared = jnp.square(stress_pred - graph.globals.stress)
    return _weigh_real_graphs(graph, squared.mean(axis=(-2, -1)))


def huber_loss_stress(graph: jraph.GraphsTuple, stress_pred: jax.Array) -> jax.Array:
    """Weighted Huber loss of the nine stress components, ``[n_graphs]``."""
    losses = _huber(stress_pred - graph.globals.stress, HUBER_DELTA)
    return _weigh_real_graphs(graph, losses.mean(axis=(-2, -1)))


def energy_error(prediction: Prediction, ref_graph: jraph.GraphsTuple) -> jax.Array:
    """Predicted minus reference energy, ``[n_graphs]``, eV, of interaction energies if possible.

    Raises:
        UserError: if the batch has no energies.
    """
    reference = ref_graph.globals.interaction_energy
    if reference is not None and prediction.interaction_energy is not None:
        return prediction.interaction_energy - reference
    if ref_graph.globals.energy is None:
        raise UserError("the data have no energies: name their key in the labels of the dataset")
    return prediction.energy - ref_graph.globals.energy


def compute_eval_metrics(
    prediction: Prediction, ref_graph: jraph.GraphsTuple, extended_metrics: bool = False
) -> dict[str, jax.Array]:
    """Mean absolute and squared errors over real structures (energy, stress) and atoms (forces).

    Always ``mae_e``, ``mse_e`` and, where the data have forces, ``mae_f``, ``mse_f``. Extended: per
    atom (``_e_per_atom``), and ``_stress``, ``_stress_per_atom`` where stress is labelled and
    predicted. A metric that cannot be computed is left out. Units: eV, eV/Å, eV/Å³, or squared.
    """
    real_graphs = jraph.get_graph_padding_mask(ref_graph)
    energy_delta = energy_error(prediction, ref_graph)
    metrics = _errors("e", energy_delta, real_graphs, compute_mae, compute_mse)
    if extended_metrics:
        per_atom = safe_divide(energy_delta, ref_graph.n_node)
        metrics |= _errors("e_per_atom", per_atom, real_graphs, compute_mae, compute_mse)
    if ref_graph.nodes.forces is not None and prediction.forces is not None:
        delta = prediction.forces - ref_graph.nodes.forces
        real_nodes = jraph.get_node_padding_mask(ref_graph)
        metrics |= _errors("f", delta, real_nodes, compute_mae_f, compute_mse_f)
    if extended_metrics:
        metrics |= _stress_metrics(prediction, ref_graph)
    return metrics


def _stress_metrics(prediction: Prediction, graph: jraph.GraphsTuple) -> dict[str, jax.Array]:
    if graph.globals.stress is None or prediction.stress is None:
        return {}
    mask = jraph.get_graph_padding_mask(graph)
    delta = prediction.stress - graph.globals.stress
    per_atom = safe_divide(delta, graph.n_node[:, None, None])
    return _errors("stress", delta, mask, compute_mae_stress, compute_mse_stress) | _errors(
        "stress_per_atom", per_atom, mask, compute_mae_stress, compute_mse_stress
    )


def _errors(
    name: str,
    delta: jax.Array,
    mask: jax.Array,
    mae: Callable[[jax.Array, jax.Array], jax.Array],
    mse: Callable[[jax.Array, jax.Array], jax.Array],
) -> dict[str, jax.Array]:
    return {f"mae_{name}": mae(delta, mask), f"mse_{name}": mse(delta, mask)}


def _masked_mean(x: jax.Array, mask: jax.Array) -> jax.Array:
    return safe_divide(jnp.sum(jnp.where(mask, x, 0.0)), jnp.sum(mask))


def _huber(x: jax.Array, delta: float | jax.Array) -> jax.Array:
    return optax.huber_loss(x, delta=delta)


def _weigh_real_graphs(graph: jraph.GraphsTuple, errors: jax.Array) -> jax.Array:
    real = jraph.get_graph_padding_mask(graph)
    return jnp.where(real, graph.globals.weight * errors, 0.0)


def _average_over_atoms(graph: jraph.GraphsTuple, errors: jax.Array) -> jax.Array:
    """Mean over the atoms and components of each structure of ``errors`` (``[n_nodes, 3]``)."""
    n_graphs = graph.n_node.shape[0]
    graph_of_node = jnp.repeat(
        jnp.arange(n_graphs), graph.n_node, total_repeat_length=errors.shape[0]
    )
    sums = jax.ops.segment_sum(
        errors.sum(axis=-1), graph_of_node, n_graphs, indices_are_sorted=True
    )
    return _weigh_real_graphs(graph, safe_divide(sums, 3 * graph.n_node))
