"""From rows of a graph store to one padded batch."""

from dataclasses import dataclass
from typing import Any

import jraph
import numpy as np

from mlip_core.data.helpers.edge_blocks import index_blocks, lay_out_in_blocks
from mlip_core.data.helpers.graph_store import GraphStore
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
        n_node = self._with_padding(self.store.n_node[rows], self.shape.n_node)
        senders, receivers, shifts, real_edges = self._edges(rows)
        n_edge = self._with_padding(real_edges, self.shape.n_edge)
        blocks = None
        if self.block_size is not None:
            blocks = index_blocks(
                senders, receivers, shifts, self.shape.n_node, self.block_size, self.max_runs
            )
        return jraph.GraphsTuple(
            nodes=self._nodes(rows),
            edges=GraphEdges(shifts=shifts, blocks=blocks),
            senders=senders,
            receivers=receivers,
            globals=self._globals(rows),
            n_node=n_node,
            n_edge=n_edge,
        )

    def _nodes(self, rows: np.ndarray) -> GraphNodes:
        n_node = self.shape.n_node
        positions = np.zeros((n_node, 3), dtype=self.dtype)
        self.store.gather("positions", rows, positions)
        codes = np.zeros(int(self.store.n_node[rows].sum()), dtype=np.int32)
        self.store.gather("codes", rows, codes)
        species = np.zeros(n_node, dtype=np.int32)
        species[: len(codes)] = self.store.species(codes)
        if not self.store.has_forces:
            return GraphNodes(positions=positions, species=species)
        forces = np.zeros((n_node, 3), dtype=self.dtype)
        self.store.gather("forces", rows, forces)
        return GraphNodes(positions=positions, species=species, forces=forces)

    def _edges(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Padded senders, receivers and shifts, and the number of edges of each graph."""
        n_node, n_edge = self.store.n_node[rows], self.store.n_edge[rows]
        first_atoms = np.repeat((np.cumsum(n_node) - n_node).astype(np.int32), n_edge)
        senders = np.empty(len(first_atoms), dtype=np.int32)
        receivers = np.empty(len(first_atoms), dtype=np.int32)
        shifts = np.empty((len(first_atoms), 3), dtype=self.dtype)
        for name, out in (("senders", senders), ("receivers", receivers), ("shifts", shifts)):
            self.store.gather(name, rows, out)
        senders += first_atoms
        receivers += first_atoms
        if self.block_size is not None:
            n_real = int(n_node.sum())
            senders, receivers, shifts = lay_out_in_blocks(
                senders, receivers, shifts, n_real, self.block_size
            )
            last_atoms = np.cumsum(n_node)
            n_edge = np.diff(np.searchsorted(receivers, last_atoms), prepend=0)
        last_node = self.shape.n_node - 1
        return (
            _padded(senders, self.shape.n_edge, last_node),
            _padded(receivers, self.shape.n_edge, last_node),
            _padded(shifts, self.shape.n_edge, 0),
            n_edge,
        )

    def _globals(self, rows: np.ndarray) -> GraphGlobals:
        values = {
            "cell": self.store.cell,
            "weight": self.store.weight,
            "energy": self.store.energy,
            "stress": self.store.stress,
            "interaction_energy": self.interaction_energy,
        }
        length = self.shape.n_graph
        return GraphGlobals(
            **{
                name: None if v is None else _padded(v[rows].astype(self.dtype), length, 0)
                for name, v in values.items()
            }
        )

    def _with_padding(self, counts: np.ndarray, total: int) -> np.ndarray:
        """Sizes of real graphs, of the padding graph that takes what is left, and zeros."""
        sizes = np.zeros(self.shape.n_graph, dtype=np.int32)
        sizes[: len(counts)] = counts
        sizes[len(counts)] = total - counts.sum()
        return sizes


def _padded(values: np.ndarray, length: int, filling: Any) -> np.ndarray:
    result = np.full((length, *values.shape[1:]), filling, dtype=values.dtype)
    result[: len(values)] = values
    return result
