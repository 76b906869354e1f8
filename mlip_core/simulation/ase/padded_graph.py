"""One structure as a padded batch of a shape that stays the same while atoms move."""

import jraph
import numpy as np
from ase import Atoms

from mlip_core.data.helpers.batching import make_batch
from mlip_core.data.helpers.edge_blocks import PaddedEdges
from mlip_core.simulation.utils import species_of
from mlip_core.simulation.verlet_list import WIDEST_SKIN, Geometry, VerletList
from mlip_core.typing import GraphGlobals, GraphNodes
from mlip_core.utils.errors import UserError


class PaddedGraphBuilder:
    """Makes graphs of structures, padded so that a compiled model can be used again and again.

    A graph has head-room for more edges than the structure has now. Only a structure that needs
    more than that changes the shape, and so compiles the model anew. Edges are looked for beyond
    the cutoff, as far as the head-room holds them, and used again until an atom has moved half of
    that skin.

    Args:
        elements: the atomic numbers of the model, sorted.
        cutoff: Å.
        edge_capacity_multiplier: head-room for edges, at least 1.
        node_capacity_multiplier: head-room for atoms, at least 1.
        dtype: of positions and cells.
        widest_skin: Å; 0 to list only edges within the cutoff, anew for each structure.
    """

    def __init__(
        self,
        elements: list[int],
        cutoff: float,
        edge_capacity_multiplier: float = 1.25,
        node_capacity_multiplier: float = 1.0,
        dtype: type[np.floating] = np.float32,
        widest_skin: float = WIDEST_SKIN,
    ) -> None:
        self._elements = set(elements)
        self._dtype = dtype
        self.edges = VerletList(
            cutoff, edge_capacity_multiplier, node_capacity_multiplier, widest_skin
        )
        self._padded: PaddedEdges | None = None

    def build(self, atoms: Atoms) -> jraph.GraphsTuple:
        """The structure and one padding graph.

        Raises:
            UserError: if an element is unknown to the model, positions are not finite, or the cell
                of a periodic structure is not usable.
        """
        species = self.species(atoms)
        geometry = Geometry.of(atoms)
        if self.update(atoms, geometry) or self._padded is None:
            self._padded = self.edges.padded_shifts(self._dtype)
        cells = np.stack([geometry.cell, np.zeros((3, 3))]).astype(self._dtype)
        return self._batch(species, geometry.positions, self._padded, cells)

    def build_relative(self, atoms: Atoms) -> jraph.GraphsTuple:
        """The structure as the list refers to it, for positions relative to those of the list.

        Positions are zero. The shift of an edge is its vector at the reference positions, and the
        cell the unit matrix, so that displacements put in place of positions give the vectors of
        the displaced structure. The unit cell has the volume 1: stress comes out as the virial.
        """
        edges = self.edges.padded_vectors(self._dtype)
        cell = np.eye(3, dtype=self._dtype)[None]
        return self._batch(self.species(atoms), np.zeros((len(atoms), 3)), edges, cell)

    def update(self, atoms: Atoms, geometry: Geometry) -> bool:
        """Make a new list if the present one does not hold; whether it was made.

        Raises:
            UserError: as :meth:`build`.
        """
        try:
            is_new = self.edges.update([geometry])
        except UserError as error:
            raise UserError(f"{atoms.get_chemical_formula()}: {error}") from None
        if is_new:
            self._padded = None
        return is_new

    def species(self, atoms: Atoms) -> np.ndarray:
        """Index of each atom's element among the model's, ``[n_atoms]``.

        Raises:
            UserError: if the model does not know an element.
        """
        return species_of(atoms, self._elements)

    def _batch(
        self, species: np.ndarray, positions: np.ndarray, edges: PaddedEdges, cell: np.ndarray
    ) -> jraph.GraphsTuple:
        n_node = self.edges.capacity.n_node
        return make_batch(
            nodes=GraphNodes(
                positions=padded(positions, n_node, self._dtype),
                species=padded(species, n_node, np.int32),
            ),
            edges=edges,
            globals_=GraphGlobals(cell=cell, weight=np.array([1.0, 0.0], self._dtype)),
            n_node=self.edges.n_atoms,
            n_edge=self.edges.n_slots,
        )


def padded(values: np.ndarray, length: int, dtype: type) -> np.ndarray:
    """Rows of values, then zeros."""
    rows = np.zeros((length, *values.shape[1:]), dtype)
    rows[: len(values)] = values
    return rows
