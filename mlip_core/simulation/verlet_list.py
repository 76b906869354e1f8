"""Neighbour lists that outlive the moves of atoms, in a shape that outlives the lists.

A list holds the pairs within the cutoff and a skin (Verlet, Phys. Rev. 159, 98 (1967)); networks
ignore edges beyond the cutoff. It has to be made anew only when atoms may have crossed the skin. A
compiled program needs edges in a fixed number, with head-room for more: the skin is what fills the
head-room, so it costs nothing, and it gives way where a structure becomes denser.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from mlip_core.data.helpers.edge_blocks import (
    PaddedEdges,
    SortedEdges,
    count_block_slots,
    pad_edges,
)
from mlip_core.data.helpers.neighborhood import Pairs, both_directions, get_pairs
from mlip_core.simulation.capacity import Capacity
from mlip_core.utils.errors import UserError

# The widest skin: beyond it, lists last longer than it takes to notice.
WIDEST_SKIN = 1.0
# Fractions of the widest skin that are tried until all edges fit.
_FRACTIONS = np.linspace(1.0, 0.0, 9)
# A molecule of so few atoms is asked for all its pairs: if they fit, the list is good for ever.
_ALL_PAIRS_UP_TO = 48
# Where all pairs are listed, so far may an atom go: single precision holds short ways better.
_FARTHEST = 2.0


class Geometry(NamedTuple):
    """Where the atoms of a structure are.

    Attributes:
        positions: ``[n_atoms, 3]``, Å.
        cell: ``[3, 3]``, rows are the cell vectors, Å; zeros without periodic directions.
        pbc: which of them are periodic.
    """

    positions: np.ndarray
    cell: np.ndarray
    pbc: tuple[bool, bool, bool]

    @classmethod
    def of(cls, atoms: Atoms) -> "Geometry":
        """That of a structure now; not changed when its atoms move."""
        pbc = (bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2]))
        cell = atoms.cell.array.copy() if any(pbc) else np.zeros((3, 3))
        return cls(atoms.positions.copy(), cell, pbc)


class VerletList:
    """The edges of one or several structures, padded together to one shape.

    Args:
        cutoff: Å.
        edge_capacity_multiplier: head-room for edges within the cutoff, at least 1. Only if they
            need more than that does the shape change.
        node_capacity_multiplier: head-room for atoms, at least 1.
        widest_skin: Å; 0 for none, so that each move of an atom needs a new list.
    """

    def __init__(
        self,
        cutoff: float,
        edge_capacity_multiplier: float = 1.25,
        node_capacity_multiplier: float = 1.0,
        widest_skin: float = WIDEST_SKIN,
    ) -> None:
        self._cutoff = cutoff
        self._edge_multiplier = edge_capacity_multiplier
        self._node_multiplier = node_capacity_multiplier
        self._widest_skin = widest_skin
        self._capacity: Capacity | None = None
        self._references: tuple[Geometry, ...] = ()
        self._skin = 0.0
        self._edges: SortedEdges | None = None

    @property
    def references(self) -> tuple[Geometry, ...]:
        """The structures as they were when the list was made."""
        return self._references

    @property
    def reach(self) -> float:
        """How far, Å, an atom may move in an unchanged cell before a list has to be made anew."""
        return min(self._skin / 2, _FARTHEST)

    @property
    def capacity(self) -> Capacity:
        """The shape, once there is a list."""
        assert self._capacity is not None
        return self._capacity

    def update(self, geometries: Sequence[Geometry]) -> bool:
        """Make a new list if the present one does not hold for these structures.

        Returns:
            Whether it was made.

        Raises:
            UserError: if a cell is not usable, or positions are not finite.
        """
        if self._is_valid(geometries):
            return False
        self.build(geometries)
        return True

    def build(self, geometries: Sequence[Geometry], capacity: Capacity | None = None) -> None:
        """Make a new list; with a capacity from earlier, exactly the one that was made then.

        Raises:
            UserError: as :meth:`update`.
        """
        self._capacity = capacity or self._capacity
        found = [self._pairs(geometry) for geometry in geometries]
        sizes = [len(geometry.positions) for geometry in geometries]
        within = _joined_counts(found, sizes, self._cutoff)
        if self._capacity is None or not self._capacity.holds(within):
            molten = _neighbors_when_molten(geometries, self._cutoff)
            expected = np.maximum(within, molten) if self._edge_multiplier > 1 else within
            self._capacity = Capacity.made_for(
                expected,
                _most_neighbors(geometries),
                self._edge_multiplier,
                self._node_multiplier,
                self._capacity,
            )
        self._skin = self._widest_that_fits(found, sizes)
        kept = [_nearer(pairs, self._cutoff + self._skin) for pairs in found]
        self._edges = _joined_edges(kept, sizes)
        self._references = tuple(geometries)

    def padded_shifts(self, dtype: Any) -> PaddedEdges:
        """The edges with their shifts, whole numbers of cell vectors."""
        assert self._edges is not None
        return self._padded(self._edges, dtype)

    def padded_vectors(self, dtype: Any) -> PaddedEdges:
        """The edges, each with its vector at the reference positions, Å, in place of its shift.

        These are differences in double precision: what atoms have moved since is small, so that
        vectors lose no digits however far from the origin a structure is.
        """
        assert self._edges is not None
        edges = self._edges
        receivers = np.repeat(np.arange(len(edges.counts)), edges.counts)
        positions = np.concatenate([geometry.positions for geometry in self._references])
        vectors = positions.take(receivers, axis=0) - positions.take(edges.senders, axis=0)
        ends = np.append(0, np.cumsum(edges.counts))[np.cumsum(self.n_atoms)]
        for geometry, start, end in zip(self._references, [0, *ends[:-1]], ends, strict=True):
            if any(geometry.pbc):
                vectors[start:end] += edges.shifts[start:end] @ geometry.cell
        return self._padded(edges._replace(shifts=vectors), dtype)

    @property
    def n_atoms(self) -> np.ndarray:
        """Atoms of each structure, ``[n_structures]``."""
        return np.array([len(geometry.positions) for geometry in self._references], dtype=np.int64)

    @property
    def n_slots(self) -> np.ndarray:
        """Edge slots of each structure, ``[n_structures]``."""
        assert self._edges is not None
        slots = count_block_slots(self._edges.counts, self.capacity.block_size)
        ends = np.append(0, np.cumsum(slots))[np.cumsum(self.n_atoms)]
        return np.diff(ends, prepend=0)

    def _is_valid(self, geometries: Sequence[Geometry]) -> bool:
        return len(geometries) == len(self._references) and all(
            self._is_near(now, reference)
            for now, reference in zip(geometries, self._references, strict=True)
        )

    def _is_near(self, now: Geometry, reference: Geometry) -> bool:
        """Whether no pair that the list lacks can have come within the cutoff.

        A pair that it lacks was farther apart than cutoff + skin. A strain F of the cell leaves at
        least its smallest stretch of that, and moves u on top of it take away twice the longest.
        """
        if now.pbc != reference.pbc or now.positions.shape != reference.positions.shape:
            return False
        stretch, expected = 1.0, reference.positions
        if not np.array_equal(now.cell, reference.cell):
            if not all(now.pbc):
                return False
            strain = np.linalg.solve(reference.cell, now.cell)
            stretch = float(np.linalg.svd(strain, compute_uv=False)[-1])
            expected = reference.positions @ strain
        moves = now.positions - expected
        longest = float(np.sqrt(np.einsum("ni,ni->n", moves, moves).max(initial=0.0)))
        if np.isinf(self._skin):
            return longest <= _FARTHEST
        return stretch * (self._cutoff + self._skin) - 2.0 * longest >= self._cutoff

    def _pairs(self, geometry: Geometry) -> Pairs:
        if not np.isfinite(geometry.positions).all():
            raise UserError("positions are not finite: did the dynamics explode?")
        few = len(geometry.positions) <= _ALL_PAIRS_UP_TO and not any(geometry.pbc)
        reach = np.inf if few and self._widest_skin else self._cutoff + self._widest_skin
        try:
            return get_pairs(geometry.positions, reach, geometry.pbc, geometry.cell)
        except ValueError as error:
            raise UserError(str(error)) from None

    def _widest_that_fits(self, found: Sequence[Pairs], sizes: Sequence[int]) -> float:
        skins = self._widest_skin * _FRACTIONS
        for skin in [np.inf, *skins] if self._are_complete(found, sizes) else skins:
            if self.capacity.holds(_joined_counts(found, sizes, self._cutoff + skin)):
                return float(skin)
        return 0.0

    @staticmethod
    def _are_complete(found: Sequence[Pairs], sizes: Sequence[int]) -> bool:
        """Whether all pairs of atoms are among those found, and no image of an atom."""
        return all(
            len(pairs.first) == size * (size - 1) // 2 and not pairs.images.any()
            for pairs, size in zip(found, sizes, strict=True)
        )

    def _padded(self, edges: SortedEdges, dtype: Any) -> PaddedEdges:
        return pad_edges(
            edges,
            self.capacity.n_node,
            self.capacity.n_edge,
            dtype,
            self.capacity.block_size,
            self.capacity.max_runs,
        )


def _most_neighbors(geometries: Sequence[Geometry]) -> int:
    """The most neighbours that an atom can ever have: without images, all other atoms."""
    if any(any(geometry.pbc) for geometry in geometries):
        return np.iinfo(np.int32).max
    return max((len(geometry.positions) - 1 for geometry in geometries), default=0)


def _neighbors_when_molten(geometries: Sequence[Geometry], cutoff: float) -> np.ndarray:
    """Neighbours of each atom if its crystal lost all order, ``[n_atoms]``; else 0.

    Where the cutoff lies between two shells of a crystal, disorder brings many more within it.
    """
    volume_within = 4.0 / 3.0 * np.pi * cutoff**3
    counts = [
        len(geometry.positions) / abs(np.linalg.det(geometry.cell)) if all(geometry.pbc) else 0.0
        for geometry in geometries
    ]
    sizes = [len(geometry.positions) for geometry in geometries]
    return np.ceil(np.repeat(counts, sizes) * volume_within).astype(np.int64)


def _nearer(pairs: Pairs, distance: float) -> Pairs:
    is_near = pairs.distances < distance
    return pairs if is_near.all() else Pairs(*(values[is_near] for values in pairs))


def _joined_counts(found: Sequence[Pairs], sizes: Sequence[int], distance: float) -> np.ndarray:
    """Neighbours nearer than a distance of each atom of all structures, ``[n_atoms]``."""
    counts = []
    for pairs, size in zip(found, sizes, strict=True):
        near = _nearer(pairs, distance)
        counts.append(
            np.bincount(near.first, minlength=size) + np.bincount(near.second, minlength=size)
        )
    return np.concatenate([np.zeros(0, np.int64), *counts])


def _joined_edges(kept: Sequence[Pairs], sizes: Sequence[int]) -> SortedEdges:
    """The edges of all structures, one after the other."""
    parts = [both_directions(pairs) for pairs in kept]
    counts = [
        np.bincount(edges.receivers, minlength=size)
        for edges, size in zip(parts, sizes, strict=True)
    ]
    first_atoms = np.cumsum([0, *sizes[:-1]])
    first_edges = np.cumsum([0, *(len(edges.senders) for edges in parts[:-1])])
    return SortedEdges(
        senders=np.concatenate([e.senders + a for e, a in zip(parts, first_atoms, strict=True)]),
        shifts=np.concatenate([edges.shifts for edges in parts]),
        counts=np.concatenate(counts),
        reverse=np.concatenate([e.reverse + n for e, n in zip(parts, first_edges, strict=True)]),
    )
