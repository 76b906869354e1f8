"""What is measured of structures: distances, pieces, cells."""

import numpy as np
from ase.data import covalent_radii
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mlip_core.data.frames import FrameBlock
from mlip_core.data.helpers.neighborhood import Geometries, get_pairs_of_many

# Two atoms are bonded up to this multiple of the sum of their covalent radii (those of Cordero et
# al. 2008, doi:10.1039/b801115j): protons on their way between two atoms count as bonded.
MAX_BOND = 1.5


def measure_geometry(
    block: FrameBlock, min_distance: float, max_gap: float
) -> dict[str, np.ndarray]:
    """Distances and pieces of each frame.

    Args:
        block: the frames.
        min_distance: up to which the smallest distance must be found, Å.
        max_gap: pieces farther apart than this stand alone, Å.

    Returns:
        Arrays ``[n_frames]``: ``smallest_distance``, Å, and ``shortest_bond``, a distance over the
        sum of the covalent radii, infinite if no atoms are near; ``n_pieces`` that no bond holds
        together; ``n_parts`` farther apart than ``max_gap``; ``n_isolated``, atoms farther than
        that from all others.
    """
    radii = covalent_radii[block.numbers]
    reach = 2 * MAX_BOND * np.maximum.reduceat(radii, block.starts)
    first, second, distances = _pairs(block, np.maximum(reach, min_distance))
    lengths = distances / (radii[first] + radii[second])
    bonded = lengths < MAX_BOND
    n_pieces = _count_pieces(block, first[bonded], second[bonded])
    n_parts, n_isolated = np.ones(len(block), dtype=int), np.zeros(len(block), dtype=int)
    scattered = np.flatnonzero(n_pieces > 1)
    if len(scattered):
        n_parts[scattered], n_isolated[scattered] = _gaps(block, scattered, max_gap)
    return {
        "smallest_distance": _smallest(block, first, distances),
        "shortest_bond": _smallest(block, first, lengths),
        "n_pieces": n_pieces,
        "n_parts": n_parts,
        "n_isolated": n_isolated,
    }


def measure_cells(block: FrameBlock) -> dict[str, np.ndarray]:
    """Cells of each frame.

    Returns:
        Arrays ``[n_frames]``: ``volume``, Å³, negative of a left-handed cell, NaN if not periodic
        in all directions; ``cell_height``, Å, the smallest distance of two opposite faces of the
        cell along periodic directions, infinite without any.
    """
    cells = block.cells * block.pbc[:, :, None]
    volume = np.where(block.pbc.all(axis=1), np.linalg.det(cells), np.nan)
    height = np.full(len(block), np.inf)
    periodic = block.pbc.any(axis=1)
    if periodic.any():
        # The columns of the inverse are normal to the faces, and as long as 1 / height.
        normals = np.linalg.norm(np.linalg.pinv(cells[periodic]), axis=1)
        height[periodic] = 1 / normals.max(axis=1)
    return {"volume": volume, "cell_height": height}


def _gaps(block: FrameBlock, which: np.ndarray, max_gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Parts of frames that are farther apart than ``max_gap``, and atoms that stand alone."""
    radii = np.zeros(len(block))
    radii[which] = max_gap
    first, second, _ = _pairs(block, radii)
    alone = np.bincount(np.concatenate([first, second]), minlength=len(block.numbers)) == 0
    n_isolated = np.add.reduceat(alone.astype(int), block.starts)
    return _count_pieces(block, first, second)[which], n_isolated[which]


def _pairs(block: FrameBlock, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both atoms (in the block's numbering) of each pair within its frame's radius; distances."""
    structures = Geometries(block.n_atoms, block.positions, block.cells, block.pbc)
    pairs, n_pairs = get_pairs_of_many(structures, radii)
    starts = np.repeat(block.starts, n_pairs)
    return pairs.first + starts, pairs.second + starts, pairs.distances


def _smallest(block: FrameBlock, atoms: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The smallest of the values of each frame's pairs, by one of their atoms."""
    smallest = np.full(len(block), np.inf)
    np.minimum.at(smallest, block.frame_of_atom[atoms], values)
    return smallest


def _count_pieces(block: FrameBlock, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Connected components of each frame's atoms."""
    n = len(block.numbers)
    links = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(n, n))
    _, piece = connected_components(links, directed=False)
    _, first_atom = np.unique(piece, return_index=True)
    return np.bincount(block.frame_of_atom[first_atom], minlength=len(block))
