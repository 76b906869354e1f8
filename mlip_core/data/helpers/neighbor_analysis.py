"""How many neighbours atoms have, and how near the nearest is."""

import math
from typing import TYPE_CHECKING

import numpy as np

from mlip_core.data.helpers.edge_vectors import get_edge_relative_vectors

if TYPE_CHECKING:
    import jraph


def compute_avg_num_neighbors(graphs: "list[jraph.GraphsTuple]") -> float:
    """Mean number of neighbours of an atom: edges by atoms, atoms without neighbours included."""
    n_atoms = sum(int(graph.n_node.sum()) for graph in graphs)
    return sum(int(graph.n_edge.sum()) for graph in graphs) / n_atoms if n_atoms else 0.0


def compute_avg_min_neighbor_distance(graphs: "list[jraph.GraphsTuple]") -> float | None:
    """Mean over structures of the smallest distance of two atoms, Å.

    Structures without edges do not count; ``None`` if there is no other.
    """
    distances = [min_neighbor_distance(graph) for graph in graphs if graph.n_edge.sum()]
    return math.fsum(distances) / len(distances) if distances else None


def min_neighbor_distance(graph: "jraph.GraphsTuple") -> float:
    """Length of the shortest edge, Å; infinite if there is none."""
    vectors = get_edge_relative_vectors(
        graph.nodes.positions,
        graph.senders,
        graph.receivers,
        graph.edges.shifts,
        graph.globals.cell,
        graph.n_edge,
        use_np=True,
    )
    squares = np.einsum("ei,ei->e", vectors, vectors)
    return float(np.sqrt(squares.min(initial=np.inf)))
