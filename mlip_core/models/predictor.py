"""From a batch of structures to energies, forces and stress."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import jraph

from mlip_core.data.helpers.edge_vectors import get_edge_relative_vectors
from mlip_core.models.mlip_network import MLIPNetwork
from mlip_core.models.neighbors import sum_by_receiver, sum_by_sender
from mlip_core.typing import Prediction

Array = Any


class ForceFieldPredictor(nn.Module):
    """A network and the derivatives of its energy.

    The energy depends on positions and strain through the edge vectors alone, so one gradient with
    respect to these gives both the forces and the virial.

    Attributes:
        mlip_network: the network.
        predict_stress: whether stress and pressure are predicted; needs cells.
    """

    mlip_network: MLIPNetwork
    predict_stress: bool = False

    def __call__(self, graph: jraph.GraphsTuple) -> Prediction:
        """Predict a batch whose last graph is padding."""
        vectors = _edge_vectors(graph)

        def total_energy(vectors: Array) -> tuple[Array, Array]:
            node_energies = self.node_energies(graph, vectors)
            return node_energies.sum(), node_energies

        gradient, node_energies = jax.grad(total_energy, has_aux=True)(vectors)
        interaction_energy = _sum_by_graph(node_energies, graph.n_node)
        stress = _stress(graph, vectors, gradient) if self.predict_stress else None
        return Prediction(
            energy=interaction_energy + self._sum_of_atomic_energies(graph, vectors.dtype),
            forces=_forces(graph, gradient),
            stress=stress,
            pressure=None if stress is None else -jnp.trace(stress, axis1=1, axis2=2) / 3,
            interaction_energy=interaction_energy,
            node_energies=node_energies,
        )

    def node_energies(self, graph: jraph.GraphsTuple, vectors: Array) -> Array:
        """The network alone: energies of atoms relative to their atomic energies, ``[n_nodes]``.

        Args:
            graph: a batch.
            vectors: of its edges, ``[n_edges, 3]``, Å.
        """
        return self.mlip_network(
            vectors, graph.nodes.species, graph.senders, graph.receivers, graph.edges.blocks
        )

    def _sum_of_atomic_energies(self, graph: jraph.GraphsTuple, dtype: Any) -> Array:
        energies = jnp.asarray(self.mlip_network.atomic_energies(), dtype)
        return _sum_by_graph(energies[graph.nodes.species], graph.n_node)


def _edge_vectors(graph: jraph.GraphsTuple) -> Array:
    displacement: Callable[..., Array] | None = graph.edges.displ_fun
    positions = graph.nodes.positions
    if displacement is not None:
        return jax.vmap(displacement)(positions[graph.receivers], positions[graph.senders])
    return get_edge_relative_vectors(
        positions=positions,
        senders=graph.senders,
        receivers=graph.receivers,
        shifts=graph.edges.shifts,
        cell=graph.globals.cell,
        n_edge=graph.n_edge,
    )


def _forces(graph: jraph.GraphsTuple, gradient: Array) -> Array:
    """Minus the derivative of the energy by positions: an edge pulls on both of its ends."""
    n_nodes, blocks = graph.nodes.positions.shape[0], graph.edges.blocks
    by_sender = sum_by_sender(gradient, graph.senders, graph.receivers, blocks, n_nodes)
    return by_sender - sum_by_receiver(gradient, graph.receivers, blocks, n_nodes)


def _stress(graph: jraph.GraphsTuple, vectors: Array, gradient: Array) -> Array:
    """(1/V) dE/d(strain), ``[n_graphs, 3, 3]``; zero where there is no volume."""
    per_edge = vectors[:, :, None] * gradient[:, None, :]
    n_nodes = graph.nodes.positions.shape[0]
    per_node = sum_by_receiver(per_edge, graph.receivers, graph.edges.blocks, n_nodes)
    virial = _sum_by_graph(per_node, graph.n_node)
    symmetric = (virial + virial.swapaxes(1, 2)) / 2
    volume = jnp.abs(jnp.linalg.det(graph.globals.cell))[:, None, None]
    has_volume = volume > 0
    return jnp.where(has_volume, symmetric / jnp.where(has_volume, volume, 1), 0)


def _sum_by_graph(values: Array, n_node: Array) -> Array:
    """Sum over the nodes of each graph: ``[n_nodes, ...]`` to ``[n_graphs, ...]``."""
    ends = jnp.cumsum(n_node)[:, None]
    nodes = jnp.arange(values.shape[0])
    is_member = (nodes < ends) & (nodes >= ends - n_node[:, None])
    # Chosen, not multiplied by zero: a structure that is not a number must not spoil the others.
    own = jnp.where(is_member.reshape(*is_member.shape, *[1] * (values.ndim - 1)), values, 0)
    return jnp.sum(own, axis=1)
