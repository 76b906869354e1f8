"""A box for structures that have none."""

import numpy as np


def get_no_pbc_cell(positions: np.ndarray, graph_cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """An orthorhombic cell so large that periodic images are out of each other's reach.

    Args:
        positions: ``[n_atoms, 3]``, Å.
        graph_cutoff: Å.

    Returns:
        the cell ``[3, 3]``, Å, and the position of its origin ``[3]``, Å, with which all atoms lie
        inside, a cutoff or more away from its faces.
    """
    lowest = positions.min(axis=0)
    sides = positions.max(axis=0) - lowest + 2 * graph_cutoff + 1.0
    return np.diag(sides), lowest - graph_cutoff
