"""From a structure to its graph."""

import jraph
import numpy as np

from mlip_core.data.chemical_system import ChemicalSystem
from mlip_core.data.helpers.neighborhood import get_neighborhood
from mlip_core.typing import GraphEdges, GraphGlobals, GraphNodes


def create_graph_from_chemical_system(
    chemical_system: ChemicalSystem,
    distance_cutoff_angstrom: float,
    batch_it_with_minimal_dummy: bool = False,
) -> jraph.GraphsTuple:
    """The graph of one structure: float64 arrays, edges within the cutoff, no padding.

    Args:
        chemical_system: the structure.
        distance_cutoff_angstrom: two atoms nearer than this are joined by an edge each way.
        batch_it_with_minimal_dummy: append a padding graph of one node and one edge, which makes
            the graph a batch that a model accepts.
    """
    graph = _graph(chemical_system, distance_cutoff_angstrom)
    if not batch_it_with_minimal_dummy:
        return graph
    n_node, n_edge = len(chemical_system.positions), len(graph.senders)
    return jraph.pad_with_graphs(graph, n_node + 1, n_edge + 1, n_graph=2)


def _graph(system: ChemicalSystem, cutoff: float) -> jraph.GraphsTuple:
    senders, receivers, shifts = get_neighborhood(system.positions, cutoff, system.pbc, system.cell)
    periodic = system.pbc is not None and any(system.pbc)
    cell = system.cell if periodic and system.cell is not None else np.zeros((3, 3))
    return jraph.GraphsTuple(
        nodes=GraphNodes(
            positions=np.asarray(system.positions, dtype=np.float64),
            species=np.asarray(system.atomic_species, dtype=np.int32),
            forces=_float64(system.forces, -1, 3),
        ),
        edges=GraphEdges(shifts=shifts),
        senders=senders,
        receivers=receivers,
        globals=GraphGlobals(
            cell=np.asarray(cell, dtype=np.float64)[None],
            weight=np.array([system.weight], dtype=np.float64),
            energy=_float64(system.energy, 1),
            stress=_float64(system.stress, 1, 3, 3),
        ),
        n_node=np.array([len(system.positions)], dtype=np.int32),
        n_edge=np.array([len(senders)], dtype=np.int32),
    )


def _float64(values: np.ndarray | float | None, *shape: int) -> np.ndarray | None:
    return None if values is None else np.asarray(values, dtype=np.float64).reshape(shape)
