"""The one definition of what an edge's vector and its periodic shift mean."""

from typing import Any

import numpy as np

Array = Any


def get_edge_relative_vectors(
    positions: Array,
    senders: Array,
    receivers: Array,
    shifts: Array,
    cell: Array | None,
    n_edge: Array,
    use_np: bool = False,
) -> Array:
    """Vector from the sender to the receiver's periodic image, for each edge.

    ``vector = positions[receiver] - positions[sender] + shift @ cell``

    Args:
        positions: ``[n_nodes, 3]``, Å.
        senders: ``[n_edges]``, index of the atom where the edge starts.
        receivers: ``[n_edges]``, index of the atom where it ends.
        shifts: ``[n_edges, 3]``, how many cell vectors the receiver's image is displaced by.
        cell: ``[n_graphs, 3, 3]`` (or ``[3, 3]`` for one structure), rows are cell vectors, Å;
            ``None`` if no structure is periodic.
        n_edge: ``[n_graphs]``, number of edges of each graph.
        use_np: compute with NumPy instead of JAX.

    Returns:
        ``[n_edges, 3]``, Å.
    """
    starts, ends = get_edge_vectors(positions, senders, receivers, shifts, cell, n_edge, use_np)
    return ends - starts


def get_edge_vectors(
    positions: Array,
    senders: Array,
    receivers: Array,
    shifts: Array,
    cell: Array | None,
    n_edge: Array,
    use_np: bool = False,
) -> tuple[Array, Array]:
    """Positions of the two ends of each edge: of the sender, and of the receiver's image.

    Arguments as of :func:`get_edge_relative_vectors`. Returns two arrays ``[n_edges, 3]``, Å. Which
    end carries the shift is of no consequence to the difference; here it is the sender, displaced
    backwards, as in the 0.1 API.
    """
    xp = _array_module(use_np)
    starts, ends = positions[senders], positions[receivers]
    if cell is None:
        return starts, ends
    return starts - _displacements(xp, shifts, cell, n_edge), ends


def _array_module(use_np: bool) -> Any:
    """NumPy, or JAX's when it is asked for: statistics of datasets need none."""
    if use_np:
        return np
    import jax.numpy

    return jax.numpy


def _displacements(xp: Any, shifts: Array, cell: Array, n_edge: Array) -> Array:
    shifts = shifts.astype(cell.dtype)
    if cell.ndim == 2:
        return shifts @ cell
    if cell.shape[0] == 1:
        return shifts @ cell[0]
    if xp is np:
        graph = np.repeat(np.arange(len(n_edge)), n_edge)
        return np.einsum("ei,eij->ej", shifts, cell[graph])
    ends = xp.cumsum(n_edge)
    # Comparing with all ends is one small fused loop; repeating by counts would be a scatter.
    graph = xp.sum(xp.arange(shifts.shape[0])[:, None] >= ends[:-1], axis=1)
    return xp.einsum("ei,eij->ej", shifts, xp.take(cell, graph, axis=0))
