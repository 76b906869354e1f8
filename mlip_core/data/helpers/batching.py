"""From rows of a graph store to one padded batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import jraph
import numpy as np

from mlip_core.data.helpers.edge_blocks import PaddedEdges, count_block_slots, pad_edges
from mlip_core.data.helpers.graph_store import GraphStore, Place, gather_atoms, gather_edges
from mlip_core.typing import GraphEdges, GraphGlobals, GraphNodes


@dataclass(frozen=True)
class BatchShape:
    """The one shape of all batches of a dataset, padding included.

    Attributes:
        n_node: nodes; at least one is padding.
        n_edge: edges; a multiple of the length of a run.
        n_graph: graphs; at least one is padding.
    """

    n_node: int
    n_edge: int
    n_graph: int


@dataclass(frozen=True)
class BatchAssembler:
    """Makes batches.

    Attributes:
        store: the graphs.
        shape: of every batch.
        block_size: length of the runs of edges with one receiver; ``None`` for no runs.
        max_runs: the most runs of a node.
        interaction_energy: ``[n_graphs]``, eV, of the graphs in the store, or ``None``.
        dtype: of all floating-point arrays.
    """

    store: GraphStore
    shape: BatchShape
    block_size: int | None
    max_runs: int
    interaction_energy: np.ndarray | None
    dtype: np.dtype

    def __call__(self, rows: np.ndarray) -> jraph.GraphsTuple:
        """The batch of some graphs; none gives a batch of padding only."""
        places = self.store.places(rows)
        n_node = self.store.n_node[rows]
        counts = np.zeros(int(n_node.sum()), dtype=np.int64)
        gather_atoms(places, "neighbor_counts", counts)
        edges = pad_edges(
            gather_edges(places, counts),
            self.shape.n_node,
            self.shape.n_edge,
            self.dtype,
            self.block_size,
            self.max_runs,
        )
        return make_batch(
            nodes=self._nodes(places, len(counts)),
            edges=edges,
            globals_=self._globals(places, rows),
            n_node=n_node,
            n_edge=self._slots_of_graphs(counts, n_node),
        )

    def _nodes(self, places: Sequence[Place], n_atoms: int) -> GraphNodes:
        n_node = self.shape.n_node
        positions = np.zeros((n_node, 3), dtype=self.dtype)
        gather_atoms(places, "positions", positions)
        codes = np.zeros(n_atoms, dtype=np.int32)
        gather_atoms(places, "codes", codes)
        species = np.zeros(n_node, dtype=np.int32)
        species[:n_atoms] = self.store.species(codes)
        if "forces" not in self.store.labels:
            return GraphNodes(positions=positions, species=species)
        forces = np.zeros((n_node, 3), dtype=self.dtype)
        gather_atoms(places, "forces", forces)
        if "forces" in self.store.incomplete_labels:
            forces[np.isnan(forces)] = 0.0
        return GraphNodes(positions=positions, species=species, forces=forces)

    def _slots_of_graphs(self, counts: np.ndarray, n_node: np.ndarray) -> np.ndarray:
        """Edges of each graph, filling of runs included."""
        slots = counts if self.block_size is None else count_block_slots(counts, self.block_size)
        ends = np.append(0, np.cumsum(slots))
        return np.diff(ends[np.cumsum(n_node)], prepend=0)

    def _globals(self, places: Sequence[Place], rows: np.ndarray) -> GraphGlobals:
        store = self.store
        values = {"cell": np.zeros((0, 3, 3)), "weight": np.zeros(0)}
        values |= {"energy": np.zeros(0)} if "energy" in store.labels else {}
        values |= {"stress": np.zeros((0, 3, 3))} if "stress" in store.labels else {}
        for name, empty in values.items():
            found = [getattr(place.segment, name)[place.row] for place in places]
            values[name] = np.array(found).reshape(len(places), *empty.shape[1:])
        for label in store.incomplete_labels:
            has = [place.segment.is_labelled(label, place.row) for place in places]
            values[f"has_{label}"] = np.array(has, dtype=np.float64)
        if self.interaction_energy is not None:
            values["interaction_energy"] = self.interaction_energy[rows]
        return GraphGlobals(**{name: self._padded(value) for name, value in values.items()})

    def _padded(self, values: np.ndarray) -> np.ndarray:
        """Zeros for padding graphs and for labels that are missing."""
        result = np.zeros((self.shape.n_graph, *values.shape[1:]), dtype=self.dtype)
        result[: len(values)] = np.where(np.isnan(values), 0.0, values)
        return result


def make_batch(
    nodes: GraphNodes,
    edges: PaddedEdges,
    globals_: GraphGlobals,
    n_node: np.ndarray,
    n_edge: np.ndarray,
) -> jraph.GraphsTuple:
    """Put padded parts together; the graph after the real ones takes what is left, then come zeros.

    Args:
        nodes: ``[all nodes]``.
        edges: ``[all edges]``.
        globals_: ``[all graphs]``, more than there are real ones.
        n_node: ``[real graphs]``, atoms of each.
        n_edge: ``[real graphs]``, edges of each.
    """
    n_graph = len(globals_.weight)
    return jraph.GraphsTuple(
        nodes=nodes,
        edges=GraphEdges(shifts=edges.shifts, blocks=edges.blocks),
        senders=edges.senders,
        receivers=edges.receivers,
        globals=globals_,
        n_node=_with_padding(n_node, len(nodes.positions), n_graph),
        n_edge=_with_padding(n_edge, len(edges.senders), n_graph),
    )


def _with_padding(counts: np.ndarray, total: int, n_graph: int) -> np.ndarray:
    sizes = np.zeros(n_graph, dtype=np.int32)
    sizes[: len(counts)] = counts
    sizes[len(counts)] = total - counts.sum()
    return sizes
