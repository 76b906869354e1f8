"""Edges as ViSNet sees them, and the ways between nodes, edges and pairs of edges.

What depends on the distance and on both ends alike is the same for an edge and its reverse. It is
computed for one of the two, where the order of the edges is known, and then given to both.
"""

from typing import Any, NamedTuple, TypeGuard

import jax.numpy as jnp
import numpy as np

from mlip_core.models.edge_geometry import EdgeGeometry, edge_geometry, pair_lengths
from mlip_core.models.equivariant.spherical_harmonics import spherical_harmonics
from mlip_core.models.neighbor_products import multiply_ends, sum_weighted_neighbors
from mlip_core.models.neighbors import (
    mean_over_pairs,
    pairs_to_edges,
    reverse_edges,
    sum_by_receiver,
    sum_runs,
    take_owners,
    take_senders,
)
from mlip_core.models.visnet.harmonic_products import project, spread
from mlip_core.typing import EdgeBlocks

Array = Any

# The other library of the file format divides edge vectors by their length plus this, in Å.
_LENGTH_OFFSET = 1e-8


class Edges(NamedTuple):
    """Geometry and order of the edges.

    Edges come in ``n_runs`` runs of equal length with one receiver each, which have length 1 where
    the order of the edges is not known. Pairs are the edges themselves where it is not known which
    edge is the reverse of which.

    Attributes:
        senders: ``[n_edges]``.
        receivers: ``[n_edges]``.
        blocks: the order of the edges, if known.
        n_nodes: number of nodes.
        lengths: of the pairs, ``[n_pairs]``, Å; beyond the cutoff for those that do not count.
        weights: of the pairs, ``[n_pairs, 1]``, cosine cutoff, zero for those that do not count.
        is_within: ``[n_edges, 1]``, whether the edge counts.
        harmonics: ``[n_edges, n_components]``, spherical harmonics of degrees 1 to ``l_max``, each
            degree of norm one; zero for edges that do not count.
    """

    senders: Array
    receivers: Array
    blocks: EdgeBlocks | None
    n_nodes: int
    lengths: Array
    weights: Array
    is_within: Array
    harmonics: Array

    def of_senders(self, x: Array) -> Array:
        """``[n_nodes, n]`` to ``[n_edges, n]``."""
        return take_senders(x, self.senders, self.receivers, self.blocks)

    def of_receivers(self, x: Array) -> Array:
        """``[n_nodes, ...]`` to ``[n_runs, ...]``."""
        return take_owners(x, self._owners, self.blocks)

    def in_runs(self, x: Array) -> Array:
        """``[n_edges, n]`` to ``[n_runs, size of a run, n]``."""
        return x.reshape(-1, self._size, x.shape[1])

    def of_pairs(self, x: Array) -> Array:
        """``[n_pairs, n]`` to ``[n_edges, n]``."""
        return pairs_to_edges(x, self.blocks) if _has_pairs(self.blocks) else x

    def sum_of_ends(self, x: Array) -> Array:
        """What the two ends of each pair have in sum, ``[n_nodes, n]`` to ``[n_pairs, n]``."""
        if _has_pairs(self.blocks):
            return 2.0 * mean_over_pairs(self.of_senders(x), self.blocks)
        return self.of_senders(x) + jnp.repeat(self.of_receivers(x), self._size, axis=0)

    def sum_edges(self, x: Array) -> Array:
        """Sum over the edges that each node receives, ``[n_edges, n]`` to ``[n_nodes, n]``."""
        return sum_by_receiver(x, self.receivers, self.blocks, self.n_nodes)

    def sum_harmonics(self, x: Array) -> Array:
        """Sum over the edges of each receiver of weights times harmonics.

        Args:
            x: ``[n_edges, n]``.

        Returns:
            ``[n_nodes, n_components, n]``.
        """
        runs = spread(self.in_runs(self.harmonics), self.in_runs(x))
        return sum_runs(runs, self._owners, self.blocks, self.n_nodes)

    def sum_vectors(self, weights: Array, vectors: Array) -> Array:
        """Sum over the neighbours of each node of their vectors, times weights of the edges.

        Args:
            weights: ``[n_edges, n]``.
            vectors: ``[n_nodes, n_components, n]``.

        Returns:
            ``[n_nodes, n_components, n]``.
        """
        return sum_weighted_neighbors(weights, vectors, self.senders, self.receivers, self.blocks)

    def multiply_rejections(self, targets: Array, sources: Array) -> Array:
        """Scalar products of what two vectors have perpendicular to the edge between them.

        With d the harmonics of the edge, the rejections of t and s are t - (t.d) d and s - (s.d) d.
        Their product is t.s - (2 - d.d) (t.d) (s.d), where d.d is ``l_max``.

        Args:
            targets: of the receivers, ``[n_nodes, n_components, n]``.
            sources: of the senders, same shape.

        Returns:
            ``[n_edges, n]``.
        """
        square = jnp.sum(self.harmonics * self.harmonics, axis=1, keepdims=True)
        along = self._project_receivers(targets) * self._project_senders(sources)
        whole = multiply_ends(targets, sources, self.senders, self.receivers, self.blocks)
        return whole - (2.0 - square) * along

    def _project_receivers(self, vectors: Array) -> Array:
        return self._project(self.harmonics, vectors)

    def _project_senders(self, vectors: Array) -> Array:
        """Projections on the edges that leave: those on the edges that come in, exchanged."""
        if not _has_pairs(self.blocks):
            return jnp.sum(self.harmonics[..., None] * vectors[self.senders], axis=1)
        return reverse_edges(
            self._project(reverse_edges(self.harmonics, self.blocks), vectors), self.blocks
        )

    def _project(self, harmonics: Array, vectors: Array) -> Array:
        projections = project(self.in_runs(harmonics), self.of_receivers(vectors))
        return projections.reshape(-1, vectors.shape[2])

    @property
    def _size(self) -> int:
        return self.blocks.size if self.blocks else 1

    @property
    def _owners(self) -> Array:
        return self.receivers[:: self._size]


def make_edges(
    vectors: Array,
    senders: Array,
    receivers: Array,
    blocks: EdgeBlocks | None,
    cutoff: float,
    l_max: int,
    n_nodes: int,
) -> Edges:
    """The edges of edge vectors ``[n_edges, 3]``, Å; see :class:`Edges` for the other arguments."""
    geometry = edge_geometry(vectors, cutoff)
    lengths = pair_lengths(geometry.lengths, blocks, cutoff)
    return Edges(
        senders=senders,
        receivers=receivers,
        blocks=blocks,
        n_nodes=n_nodes,
        lengths=lengths,
        weights=_cosine_cutoff(lengths, cutoff)[:, None],
        is_within=geometry.is_within[:, None],
        harmonics=_harmonics(geometry, l_max),
    )


def _has_pairs(blocks: EdgeBlocks | None) -> TypeGuard[EdgeBlocks]:
    return blocks is not None and blocks.pairs is not None


def _cosine_cutoff(lengths: Array, cutoff: float) -> Array:
    """One at zero length, zero with its first derivative at the cutoff (Behler 2011, eq. 4)."""
    return jnp.where(lengths < cutoff, 0.5 * (jnp.cos(lengths * (np.pi / cutoff)) + 1.0), 0)


def _harmonics(geometry: EdgeGeometry, l_max: int) -> Array:
    """Harmonics of degrees 1 to ``l_max``, each of norm one but for the offset of the length."""
    shrunk = geometry.lengths / (geometry.lengths + _LENGTH_OFFSET)
    unit = geometry.directions * jnp.where(geometry.is_within, shrunk, 0)
    degrees = enumerate(spherical_harmonics(l_max, unit))
    scaled = [x * float(2 * degree + 1) ** -0.5 for degree, x in degrees if degree > 0]
    return jnp.concatenate(scaled).T
