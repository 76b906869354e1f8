"""Errors of a batch, structure by structure, and their averages over what is labelled.

Padding never counts, nor does a label that a structure lacks (see ``LabelMasks``): it adds nothing
to a loss, and averages of errors are over the structures or atoms that have it. Energies are
compared as interaction energies when both sides have them (see
``GraphGlobals.interaction_energy``), otherwise as total energies.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

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


class LabelMasks(NamedTuple):
    """Which labels of a batch count.

    Attributes:
        energy: ``[n_graphs]``, real structures whose energy is known.
        forces: ``[n_nodes]``, real atoms whose forces are known.
        stress: ``[n_graphs]``, real structures whose stress is known.
    """

    energy: jax.Array
    forces: jax.Array
    stress: jax.Array


def label_masks(graph: jraph.GraphsTuple) -> LabelMasks:
    """The masks of a batch; nothing is computed for labels that no structure lacks."""
    graphs, nodes = jraph.get_graph_padding_mask(graph), jraph.get_node_padding_mask(graph)
    labels = graph.globals
    if labels.has_forces is not None:
        nodes &= (labels.has_forces > 0)[_graph_of_node(graph, nodes.shape[0])]
    return LabelMasks(
        graphs if labels.has_energy is None else graphs & (labels.has_energy > 0),
        nodes,
        graphs if labels.has_stress is None else graphs & (labels.has_stress > 0),
    )


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


def huber_loss_energy(
    graph: jraph.GraphsTuple, energy_pred: jax.Array, delta: float = HUBER_DELTA
) -> jax.Array:
    """Weighted Huber loss of the energy per atom, ``[n_graphs]``; 0 for padding.

    ``delta`` is where it turns linear, eV/atom.
    """
    return huber_energy_errors(graph, energy_pred - graph.globals.energy, delta)


def squared_energy_errors(graph: jraph.GraphsTuple, delta: jax.Array) -> jax.Array:
    """As ``mean_squared_error_energy``, from the error ``delta`` (``[n_graphs]``, eV)."""
    squared = jnp.square(safe_divide(delta, graph.n_node))
    return _weigh(graph, squared, graph.globals.has_energy)


def huber_energy_errors(
    graph: jraph.GraphsTuple, error: jax.Array, delta: float = HUBER_DELTA
) -> jax.Array:
    """As ``huber_loss_energy``, from the ``error`` (``[n_graphs]``, eV)."""
    losses = _huber(safe_divide(error, graph.n_node), delta)
    return _weigh(graph, losses, graph.globals.has_energy)


def mean_squared_error_forces(graph: jraph.GraphsTuple, forces_pred: jax.Array) -> jax.Array:
    """Weighted squared error of a structure's force components, ``[n_graphs]``, (eV/Å)²."""
    return _average_over_atoms(graph, jnp.square(forces_pred - graph.nodes.forces))


def adaptive_huber_loss_forces(
    graph: jraph.GraphsTuple, forces_pred: jax.Array, delta: float = HUBER_DELTA
) -> jax.Array:
    """Weighted Huber loss of a structure's force components, ``[n_graphs]``.

    The larger the reference force, the sooner the loss turns linear, so that a few atoms under huge
    forces do not rule the fit (Batatia et al., arXiv:2401.00096, "conditional Huber loss"). Under
    small forces it does so at ``delta``, eV/Å.
    """
    reference = graph.nodes.forces
    squared_norm = jnp.sum(jnp.square(reference), axis=-1, keepdims=True)
    deltas = jnp.full_like(squared_norm, delta)
    for norm, factor in HUBER_FORCE_STEPS:
        deltas = jnp.where(squared_norm >= norm**2, factor * delta, deltas)
    return _average_over_atoms(graph, _huber(forces_pred - reference, deltas))


def mean_squared_error_stress(graph: jraph.GraphsTuple, stress_pred: jax.Array) -> jax.Array:
    """Weighted squared error of the nine stress components, ``[n_graphs]``, (eV/Å³)²."""
    squared = jnp.square(stress_pred - graph.globals.stress)
    return _weigh(graph, squared.mean(axis=(-2, -1)), graph.globals.has_stress)


def huber_loss_stress(
    graph: jraph.GraphsTuple, stress_pred: jax.Array, delta: float = HUBER_DELTA
) -> jax.Array:
    """Weighted Huber loss of the nine stress components, ``[n_graphs]``; ``delta`` in eV/Å³."""
    losses = _huber(stress_pred - graph.globals.stress, delta)
    return _weigh(graph, losses.mean(axis=(-2, -1)), graph.globals.has_stress)


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
    """Mean absolute and squared errors over structures (energy, stress) and atoms with the label.

    Always ``mae_e``, ``mse_e`` and, where the data have forces, ``mae_f``, ``mse_f``. Extended: per
    atom (``_e_per_atom``), and ``_stress``, ``_stress_per_atom`` where stress is labelled and
    predicted. A metric that cannot be computed is left out. Units: eV, eV/Å, eV/Å³, or squared.
    """
    masks = label_masks(ref_graph)
    energy_delta = energy_error(prediction, ref_graph)
    metrics = _errors("e", energy_delta, masks.energy, compute_mae, compute_mse)
    if extended_metrics:
        per_atom = safe_divide(energy_delta, ref_graph.n_node)
        metrics |= _errors("e_per_atom", per_atom, masks.energy, compute_mae, compute_mse)
    if ref_graph.nodes.forces is not None and prediction.forces is not None:
        delta = prediction.forces - ref_graph.nodes.forces
        metrics |= _errors("f", delta, masks.forces, compute_mae_f, compute_mse_f)
    if extended_metrics:
        metrics |= _stress_metrics(prediction, ref_graph, masks.stress)
    return metrics


def _stress_metrics(
    prediction: Prediction, graph: jraph.GraphsTuple, mask: jax.Array
) -> dict[str, jax.Array]:
    if graph.globals.stress is None or prediction.stress is None:
        return {}
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


def _weigh(graph: jraph.GraphsTuple, errors: jax.Array, is_known: Any) -> jax.Array:
    """``errors`` (``[n_graphs]``) by the structures' weights; 0 for padding and unknown labels."""
    counts = jraph.get_graph_padding_mask(graph)
    if is_known is not None:
        counts &= is_known > 0
    return jnp.where(counts, graph.globals.weight * errors, 0.0)


def _average_over_atoms(graph: jraph.GraphsTuple, errors: jax.Array) -> jax.Array:
    """Mean over the atoms and components of each structure of ``errors`` (``[n_nodes, 3]``)."""
    n_graphs = graph.n_node.shape[0]
    sums = jax.ops.segment_sum(
        errors.sum(axis=-1),
        _graph_of_node(graph, errors.shape[0]),
        n_graphs,
        indices_are_sorted=True,
    )
    return _weigh(graph, safe_divide(sums, 3 * graph.n_node), graph.globals.has_forces)


def _graph_of_node(graph: jraph.GraphsTuple, n_nodes: int) -> jax.Array:
    """Number of the structure that each node belongs to, ``[n_nodes]``."""
    numbers = jnp.arange(graph.n_node.shape[0])
    return jnp.repeat(numbers, graph.n_node, total_repeat_length=n_nodes)
