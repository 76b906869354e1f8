"""Neighbour lists: which atoms, and which of their periodic images, lie within the cutoff.

Each pair of atoms is looked for once; its two edges and which is the reverse of which then follow
without a search. Structures are best looked at many at a time: small molecules of one size are then
a single array, and what NumPy costs for each call is shared.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mlip_core.data.helpers.pair_search import PairSearch

# Up to this many atoms of a molecule, all distances at once are faster than vesin: 8 µs
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


class Geometries(NamedTuple):
    """Where the atoms of several structures are, those of one after those of the other.

    Attributes:
        n_node: ``[n]``, atoms of each structure.
        positions: ``[n_atoms, 3]``, Å.
        cells: ``[n, 3, 3]``, rows are cell vectors, Å; ignored without periodic directions.
        pbc: ``[n, 3]``, which cell vectors are periodic.
    """

    n_node: np.ndarray
    positions: np.ndarray
    cells: np.ndarray
    pbc: np.ndarray


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
    if pbc is not None and any(pbc) and cell is None:
        raise ValueError("a periodic structure needs a cell")
    one = Geometries(
        n_node=np.array([len(positions)]),
        positions=np.asarray(positions, dtype=np.float64),
        cells=np.zeros((1, 3, 3)) if cell is None else np.asarray(cell, dtype=np.float64)[None],
        pbc=np.array([(False,) * 3 if pbc is None else pbc], dtype=bool),
    )
    return get_pairs_of_many(one, cutoff)[0]


def get_pairs_of_many(
    structures: Geometries, cutoff: float | np.ndarray
) -> tuple[Pairs, np.ndarray]:
    """The pairs of several structures, those of one after those of the other.

    Args:
        structures: the structures.
        cutoff: Å, exclusive; one for all, or ``[n]``, where 0 finds nothing.

    Returns:
        The pairs, with atoms counted from the first of their structure, and ``[n]``, how many each
        structure has.

    Raises:
        ValueError: as :func:`get_neighborhood`.
    """
    cutoffs = np.broadcast_to(np.asarray(cutoff, dtype=np.float64), structures.n_node.shape)
    are_dense = ~structures.pbc.any(axis=1) & (structures.n_node <= _DENSE_UP_TO)
    parts = list(_dense_parts(structures, cutoffs, np.flatnonzero(are_dense)))
    are_listed = ~are_dense & (cutoffs > 0)
    if are_listed.any():
        parts.append(_listed(structures, cutoffs, np.flatnonzero(are_listed)))
    return _in_order(parts, len(cutoffs))


def both_directions(pairs: Pairs) -> Edges:
    """The two edges of each pair, ordered by receiver.

    An image displaced by so much is that of the second atom, a shift that of the receiver: the edge
    that the first atom receives has the opposite one.
    """
    n_pairs = len(pairs.first)
    receivers = np.concatenate([pairs.first, pairs.second], dtype=np.int32, casting="unsafe")
    senders = np.concatenate([receivers[n_pairs:], receivers[:n_pairs]])
    shifts = np.concatenate([-pairs.images, pairs.images])
    order, partners = order_by_receiver(receivers)
    # ``take`` is several times as fast as indexing for rows.
    return Edges(senders.take(order), receivers.take(order), shifts.take(order, axis=0), partners)


def order_by_receiver(receivers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order of the edges of pairs: first those that the first atoms receive, then the others.

    Args:
        receivers: ``[2 * n_pairs]``, atoms in that order.

    Returns:
        ``[2 * n_pairs]``: where each edge in order is among ``receivers``, and the place in order
        of the other edge of its pair (int32).
    """
    n_pairs = len(receivers) // 2
    order = stable_order(receivers)
    places = np.empty(2 * n_pairs, dtype=np.int32)
    places[order] = np.arange(2 * n_pairs, dtype=np.int32)
    others = np.concatenate([places[n_pairs:], places[:n_pairs]])
    return order, others.take(order)


def stable_order(numbers: np.ndarray) -> np.ndarray:
    """Where the numbers, none of them negative, are when they ascend; equal ones as they were."""
    # NumPy sorts integers of 16 bits by counting, five times as fast as longer ones.
    is_short = numbers.max(initial=0) <= np.iinfo(np.uint16).max
    keys = numbers.astype(np.uint16, copy=False) if is_short else numbers
    return np.argsort(keys, kind="stable")


class _Part(NamedTuple):
    """Pairs of some of the structures, and which structure each is of."""

    owners: np.ndarray
    pairs: Pairs


def _in_order(parts: list[_Part], n: int) -> tuple[Pairs, np.ndarray]:
    """All pairs in the order of their structures, and how many each structure has."""
    if len(parts) == 1:
        return parts[0].pairs, np.bincount(parts[0].owners, minlength=n)
    owners = np.concatenate([np.zeros(0, np.int64), *(part.owners for part in parts)])
    none = Pairs(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros((0, 3), np.int32), owners[:0])
    joined = map(np.concatenate, zip(none, *(part.pairs for part in parts), strict=True))
    order = stable_order(owners)
    pairs = Pairs(*(values.take(order, axis=0) for values in joined))
    return pairs, np.bincount(owners, minlength=n)


def _listed(structures: Geometries, cutoffs: np.ndarray, which: np.ndarray) -> _Part:
    """Pairs found by vesin."""
    boxes = _complete_cells(structures.cells[which], structures.pbc[which])
    ends = np.cumsum(structures.n_node)
    starts = ends - structures.n_node
    positions = np.ascontiguousarray(structures.positions, dtype=np.float64)
    pbc = np.ascontiguousarray(structures.pbc[which])
    counts, atoms, images, distances = PairSearch().search(
        (positions[start:end], cutoff, box, periodic)
        for start, end, cutoff, box, periodic in zip(
            starts[which].tolist(),
            ends[which].tolist(),
            cutoffs[which].tolist(),
            boxes,
            pbc,
            strict=True,
        )
    )
    first, second = atoms.astype(np.int64).T.copy()
    return _Part(np.repeat(which, counts), Pairs(first, second, images, distances))


def _dense_parts(structures: Geometries, cutoffs: np.ndarray, which: np.ndarray) -> Iterator[_Part]:
    """Pairs of small molecules, found by looking at all distances, those of one size at once."""
    sizes = structures.n_node[which]
    starts = (np.cumsum(structures.n_node) - structures.n_node)[which]
    for n_atoms in np.unique(sizes).tolist():
        alike = np.flatnonzero(sizes == n_atoms)
        first, second = _pairs_of_atoms(n_atoms)
        molecules = structures.positions[starts[alike, None] + np.arange(n_atoms)]
        vectors = molecules.take(second, axis=1) - molecules.take(first, axis=1)
        vectors = vectors.reshape(-1, 3)
        squares = np.einsum("pi,pi->p", vectors, vectors)
        limits = np.square(cutoffs[which[alike]])
        near = np.flatnonzero(squares < np.repeat(limits, len(first)))
        molecule, pair = np.divmod(near, max(1, len(first)))
        images = np.zeros((len(near), 3), dtype=np.int32)
        pairs = Pairs(first[pair], second[pair], images, np.sqrt(squares[near]))
        yield _Part(which[alike][molecule], pairs)


@lru_cache(maxsize=_DENSE_UP_TO + 1)
def _pairs_of_atoms(n_atoms: int) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(n_atoms, k=1)


def _complete_cells(cells: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Cells ``[n, 3, 3]`` of which :func:`_complete_cell` replaced vectors; zeros of molecules."""
    boxes = np.zeros((len(cells), 3, 3))
    are_full = pbc.all(axis=1)
    boxes[are_full] = cells[are_full]
    _require_independent(boxes[are_full])
    for row in np.flatnonzero(pbc.any(axis=1) & ~are_full).tolist():
        boxes[row] = _complete_cell(cells[row], pbc[row])
    return boxes


def _complete_cell(cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Replace the vectors of directions that are not periodic by ones normal to the others."""
    _require_independent(cell[None, pbc])
    box = cell.copy()
    box[~pbc] = np.linalg.svd(box[pbc])[2][pbc.sum() :]
    return box


def _require_independent(vectors: np.ndarray) -> None:
    """Raise ``ValueError`` unless the vectors of each structure, ``[n, any, 3]``, are."""
    products = vectors @ vectors.swapaxes(1, 2)
    # The square of the volume that the vectors span, against that of a box with sides as long.
    diagonals = np.einsum("nii->ni", products).prod(axis=1)
    for row in np.flatnonzero(~(np.linalg.det(products) > 1e-14 * diagonals)).tolist():
        raise ValueError(
            f"the cell vectors of the periodic directions are not independent: {vectors[row]}"
        )
