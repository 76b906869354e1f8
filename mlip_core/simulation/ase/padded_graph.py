"""One structure as a padded batch of a shape that stays the same while atoms move."""

import jraph
import numpy as np
from ase import Atoms

from mlip_core.data.helpers.batching import make_batch
from mlip_core.data.helpers.edge_blocks import (
    SortedEdges,
    choose_block_size,
    count_block_slots,
    pad_edges,
)
from mlip_core.data.helpers.neighborhood import both_directions, get_pairs
from mlip_core.typing import GraphGlobals, GraphNodes
from mlip_core.utils.errors import UserError


class PaddedGraphBuilder:
    """Makes graphs of structures, padded so that a compiled model can be used again and again.

    A graph is padded with head-room for more edges than the structure has now. Only a structure
    that needs more than that changes the shape, and so compiles the model anew.

    Args:
        elements: the atomic numbers of the model, sorted.
        cutoff: Å.
        edge_capacity_multiplier: head-room for edges, at least 1.
        node_capacity_multiplier: head-room for atoms, at least 1.
        dtype: of positions and cells.
    """

    def __init__(
        self,
        elements: list[int],
        cutoff: float,
        edge_capacity_multiplier: float = 1.25,
        node_capacity_multiplier: float = 1.0,
        dtype: type[np.floating] = np.float32,
    ) -> None:
        self._elements = np.asarray(sorted(elements))
        self._cutoff = cutoff
        self._edge_multiplier = edge_capacity_multiplier
        self._node_multiplier = node_capacity_multiplier
        self._dtype = dtype
        self._block_size = 0
        self._n_node = 0
        self._n_edge = 0
        self._max_runs = 1

    def build(self, atoms: Atoms) -> jraph.GraphsTuple:
        """The structure and one padding graph.

        Raises:
            UserError: if an element is unknown to the model, or the cell of a periodic structure
                is not usable.
        """
        species = self._species(atoms)
        cell = atoms.cell.array if atoms.pbc.any() else np.zeros((3, 3))
        try:
            pairs = get_pairs(atoms.positions, self._cutoff, tuple(atoms.pbc), cell)
        except ValueError as error:
            raise UserError(f"{atoms.get_chemical_formula()}: {error}") from None
        found = both_directions(pairs)
        counts = np.bincount(found.receivers, minlength=len(atoms))
        self._fit(counts)
        edges = SortedEdges(found.senders, found.shifts, counts, found.reverse)
        return self._pad(atoms.positions, species, cell, edges)

    def _species(self, atoms: Atoms) -> np.ndarray:
        unknown = set(atoms.numbers.tolist()) - set(self._elements.tolist())
        if unknown:
            raise UserError(
                f"{atoms.get_chemical_formula()}: the model knows no atomic number "
                f"{sorted(unknown)}; it was trained on {self._elements.tolist()}"
            )
        return np.searchsorted(self._elements, atoms.numbers).astype(np.int32)

    def _fit(self, neighbour_counts: np.ndarray) -> None:
        """Enlarge the capacities if the structure does not fit into them."""
        n_atoms = len(neighbour_counts)
        size = self._block_size or choose_block_size(np.bincount(neighbour_counts))
        n_slots = int(count_block_slots(neighbour_counts, size).sum())
        self._max_runs = max(self._max_runs, -(-int(neighbour_counts.max(initial=0)) // size))
        if n_atoms < self._n_node and n_slots < self._n_edge:
            return
        self._block_size = size
        self._n_node = max(self._n_node, int(np.ceil(n_atoms * self._node_multiplier)) + 1)
        runs = int(np.ceil(n_slots * self._edge_multiplier / size)) + 1
        self._n_edge = max(self._n_edge, runs * size)

    def _pad(
        self, positions: np.ndarray, species: np.ndarray, cell: np.ndarray, edges: SortedEdges
    ) -> jraph.GraphsTuple:
        n_slots = count_block_slots(edges.counts, self._block_size).sum()
        nodes = GraphNodes(
            positions=_padded(positions, self._n_node, self._dtype),
            species=_padded(species, self._n_node, np.int32),
        )
        return make_batch(
            nodes=nodes,
            edges=pad_edges(
                edges, self._n_node, self._n_edge, self._dtype, self._block_size, self._max_runs
            ),
            globals_=GraphGlobals(
                cell=_padded(cell[None], 2, self._dtype),
                weight=np.array([1.0, 0.0], self._dtype),
            ),
            n_node=np.array([len(positions)]),
            n_edge=np.array([n_slots]),
        )


def _padded(values: np.ndarray, length: int, dtype: type) -> np.ndarray:
    padded = np.zeros((length, *values.shape[1:]), dtype)
    padded[: len(values)] = values
    return padded
