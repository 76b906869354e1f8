"""Neighbour lists: which atoms, and which of their periodic images, lie within the cutoff."""

import numpy as np
from vesin import NeighborList

# Up to this many atoms of a molecule, all distances at once are faster than vesin's call: 8 µs
# against 29 µs for 9 atoms, 45 µs both for 48 atoms (vesin 0.6.2).
_DENSE_UP_TO = 48


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
    if pbc is None or not any(pbc):
        return _molecular_neighborhood(positions, cutoff)
    box = _complete_cell(cell, np.asarray(pbc, dtype=bool))
    receivers, senders, images = _neighbor_list(cutoff).compute(
        points=positions, box=box, periodic=list(map(bool, pbc)), quantities="ijS"
    )
    # The list's image shifts are those of the second atom, our sender; ours are the receiver's.
    return senders.astype(np.int32), receivers.astype(np.int32), -images.astype(np.int32)


def _molecular_neighborhood(
    positions: np.ndarray, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if len(positions) <= _DENSE_UP_TO:
        receivers, senders = _all_pairs(positions, cutoff)
    else:
        receivers, senders = _neighbor_list(cutoff).compute(
            points=positions, box=np.zeros((3, 3)), periodic=False, quantities="ij"
        )
    shifts = np.zeros((len(senders), 3), dtype=np.int32)
    return senders.astype(np.int32), receivers.astype(np.int32), shifts


def _all_pairs(positions: np.ndarray, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    differences = positions[:, None] - positions[None]
    squares = np.einsum("ijk,ijk->ij", differences, differences)
    np.fill_diagonal(squares, np.inf)
    receivers, senders = np.nonzero(squares < cutoff * cutoff)
    return receivers, senders


def _neighbor_list(cutoff: float) -> NeighborList:
    return NeighborList(cutoff=cutoff, full_list=True, sorted=True)


def _complete_cell(cell: np.ndarray | None, pbc: np.ndarray) -> np.ndarray:
    """Replace the vectors of directions that are not periodic by ones normal to the others."""
    if cell is None:
        raise ValueError("a periodic structure needs a cell")
    box = np.array(cell, dtype=np.float64)
    if np.linalg.matrix_rank(box[pbc]) < pbc.sum():
        raise ValueError(f"the cell vectors of the periodic directions are not independent: {box}")
    if not pbc.all():
        box[~pbc] = np.linalg.svd(box[pbc])[2][pbc.sum() :]
    return box
