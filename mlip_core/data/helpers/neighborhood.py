"""Neighbour lists: which atoms, and which of their periodic images, lie within the cutoff.

Each pair of atoms is looked for once; its two edges and which is the reverse of which then follow
without a search.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from vesin import NeighborList

# Up to this many atoms of a molecule, all distances at once are faster than vesin's call: 8 µs
# against 35 µs for 5 atoms, 38 against 48 for 48 atoms, 61 against 54 for 64 (vesin 0.6.2).
_DENSE_UP_TO = 48


class Pairs(NamedTuple):
    """Pairs of atoms nearer than the cutoff, each once.

    Attributes:
        first: ``[n_pairs]``.
        second: ``[n_pairs]``.
        images: ``[n_pairs, 3]``, by how many cell vectors the second atom's image is displaced.
        distances: ``[n_pairs]``, Å.
    """

    first: np.ndarray
    second: np.ndarray
    images: np.ndarray
    distances: np.ndarray


class Edges(NamedTuple):
    """Both edges of each pair, ordered by receiver.

    Attributes:
        senders: ``[n_edges]``, int32.
        receivers: ``[n_edges]``, int32, ascending.
        shifts: ``[n_edges, 3]``, with the meaning given by
            :func:`~mlip_core.data.helpers.edge_vectors.get_edge_relative_vectors`.
        reverse: ``[n_edges]``, int32, the edge with exchanged ends and opposite shift.
    """

    senders: np.ndarray
    receivers: np.ndarray
    shifts: np.ndarray
    reverse: np.ndarray


def get_neighborhood(
    positions: np.ndarray,
    cutoff: float,
    pbc: tuple[bool, bool, bool] | None = None,
    cell: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All directed edges shorter than the cutoff, ordered by receiver.

    The cell may be triclinic and smaller than the cutoff: then an atom has several edges from the
    same neighbour, and from images of itself. Cell vectors along directions that are not periodic
    are never used; a structure without any periodic direction has no cell. Atoms without neighbours
    have no edges.

    Args:
        positions: ``[n_nodes, 3]``, Å; atoms may lie outside the cell.
        cutoff: Å, exclusive.
        pbc: which cell vectors are periodic; ``None`` for none.
        cell: ``[3, 3]``, rows are cell vectors, Å.

    Returns:
        ``senders [n_edges]``, ``receivers [n_edges]`` and ``shifts [n_edges, 3]``, all int32, with
        the meaning given by :func:`~mlip_core.data.helpers.edge_vectors.get_edge_relative_vectors`.

    Raises:
        ValueError: if a direction is periodic and the cell vectors are missing or not independent.
    """
    return both_directions(get_pairs(positions, cutoff, pbc, cell))[:3]


def get_pairs(
    positions: np.ndarray,
    cutoff: float,
    pbc: tuple[bool, bool, bool] | None = None,
    cell: np.ndarray | None = None,
) -> Pairs:
    """The pairs of :func:`get_neighborhood`, each once."""
    if pbc is not None and any(pbc):
        periodic = np.asarray(pbc, dtype=bool)
        return _listed(positions, cutoff, _complete_cell(cell, periodic), periodic.tolist())
    if len(positions) <= _DENSE_UP_TO:
        return _all_at_once(positions, cutoff)
    return _listed(positions, cutoff, np.zeros((3, 3)), False)


def both_directions(pairs: Pairs) -> Edges:
    """The two edges of each pair, ordered by receiver.

    An image displaced by so much is that of the second atom, a shift that of the receiver: the edge
    that the first atom receives has the opposite one.
    """
    n_pairs = len(pairs.first)
    receivers = np.concatenate([pairs.first, pairs.second], dtype=np.int32, casting="unsafe")
    senders = np.concatenate([receivers[n_pairs:], receivers[:n_pairs]])
    shifts = np.concatenate([-pairs.images, pairs.images])
    # NumPy sorts integers of 16 bits by counting, five times as fast as longer ones.
    is_short = receivers.max(initial=0) <= np.iinfo(np.uint16).max
    order = np.argsort(receivers.astype(np.uint16) if is_short else receivers, kind="stable")
    places = np.empty(2 * n_pairs, dtype=np.int32)
    places[order] = np.arange(2 * n_pairs, dtype=np.int32)
    partners = np.concatenate([places[n_pairs:], places[:n_pairs]])
    # ``take`` is several times as fast as indexing for rows.
    return Edges(
        senders.take(order), receivers.take(order), shifts.take(order, axis=0), partners.take(order)
    )


def _listed(
    positions: np.ndarray, cutoff: float, box: np.ndarray, periodic: list[bool] | bool
) -> Pairs:
    found = NeighborList(cutoff=cutoff, full_list=False, sorted=False)
    return Pairs(*found.compute(points=positions, box=box, periodic=periodic, quantities="ijSd"))


def _all_at_once(positions: np.ndarray, cutoff: float) -> Pairs:
    first, second = _pairs_of_atoms(len(positions))
    vectors = positions[second] - positions[first]
    squares = np.einsum("pi,pi->p", vectors, vectors)
    near = np.flatnonzero(squares < cutoff * cutoff)
    images = np.zeros((len(near), 3), dtype=np.int32)
    return Pairs(first[near], second[near], images, np.sqrt(squares[near]))


@lru_cache(maxsize=_DENSE_UP_TO + 1)
def _pairs_of_atoms(n_atoms: int) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(n_atoms, k=1)


def _complete_cell(cell: np.ndarray | None, pbc: np.ndarray) -> np.ndarray:
    """Replace the vectors of directions that are not periodic by ones normal to the others."""
    if cell is None:
        raise ValueError("a periodic structure needs a cell")
    box = np.array(cell, dtype=np.float64)
    products = box[pbc] @ box[pbc].T
    # The square of the volume that the vectors span, against that of a box with sides as long.
    if not np.linalg.det(products) > 1e-14 * products.diagonal().prod():
        raise ValueError(f"the cell vectors of the periodic directions are not independent: {box}")
    if not pbc.all():
        box[~pbc] = np.linalg.svd(box[pbc])[2][pbc.sum() :]
    return box
