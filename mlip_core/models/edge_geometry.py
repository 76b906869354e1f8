"""Lengths and directions of edges, safe to differentiate twice."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from mlip_core.models.neighbors import mean_over_pairs
from mlip_core.typing import EdgeBlocks

Array = Any


class EdgeGeometry(NamedTuple):
    """Geometry of ``n_edges`` edges.

    Attributes:
        lengths: ``[n_edges]``, Å; beyond the cutoff for edges that do not count.
        directions: ``[3, n_edges]``, unit vectors.
        is_within: ``[n_edges]``, whether the edge counts.
    """

    lengths: Array
    directions: Array
    is_within: Array


def edge_geometry(vectors: Array, cutoff: float) -> EdgeGeometry:
    """Geometry of edge vectors ``[n_edges, 3]``, Å.

    Edges of zero length (padding) and those beyond the cutoff do not count; they are replaced by a
    fixed vector, so that neither they nor their derivatives of any order are ever evaluated at a
    singularity.
    """
    squares = jnp.sum(vectors * vectors, axis=1)
    is_within = (squares > 0) & (squares < cutoff * cutoff)
    outside = jnp.array([2.0 * cutoff, 0.0, 0.0], vectors.dtype)
    safe = jnp.where(is_within[:, None], vectors, outside)
    lengths = jnp.sqrt(jnp.sum(safe * safe, axis=1))
    return EdgeGeometry(lengths, (safe / lengths[:, None]).T, is_within)


def pair_lengths(lengths: Array, blocks: EdgeBlocks | None, cutoff: float) -> Array:
    """Lengths of the pairs of an edge and its reverse, or of the edges where pairs are not known.

    Args:
        lengths: as of ``edge_geometry``.
        blocks: the order of the edges, if known.
        cutoff: Å.

    Returns:
        ``[n_pairs]`` or ``[n_edges]``, Å; beyond the cutoff for those that do not count.
    """
    if blocks is None or blocks.pair_edges is None:
        return lengths
    is_real = blocks.pair_edges < len(lengths)
    return jnp.where(is_real, mean_over_pairs(lengths, blocks), 2.0 * cutoff)
