"""What nodes and edges start from (Wang et al. 2024, section "ViSNet architecture")."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from mlip_core.models.initializers import constant
from mlip_core.models.visnet.edges import Edges
from mlip_core.models.visnet.layers import Affine, Embedding

Array = Any


class ExpNormalBasis(nn.Module):
    """Gaussians of exp(-5 r / cutoff), times the cosine cutoff.

    Unke and Meuwly, PhysNet (2019), eq. 7, with the length in units of a fifth of the cutoff in
    the exponent but in Å for the range of the centres, as the file format has it.

    Attributes:
        cutoff: Å.
        num_rbf: number of functions.
        trainable: whether centres and widths are parameters.
    """

    cutoff: float
    num_rbf: int
    trainable: bool

    @nn.compact
    def __call__(self, edges: Edges) -> Array:
        """``[n_pairs, num_rbf]``, zero for pairs that do not count."""
        means, betas = (jnp.asarray(x, edges.lengths.dtype) for x in (self._means(), self._betas()))
        if self.trainable:
            means = self.param("means", constant(self._means()), (self.num_rbf,))
            betas = self.param("betas", constant(self._betas()), (self.num_rbf,))
        distances = jnp.exp(edges.lengths * (-5.0 / self.cutoff))[:, None] - means
        return jnp.exp(-betas * (distances * distances)) * edges.weights

    def _means(self) -> np.ndarray:
        return np.linspace(np.exp(-self.cutoff), 1.0, self.num_rbf)

    def _betas(self) -> np.ndarray:
        spacing = 2.0 / self.num_rbf * (1.0 - np.exp(-self.cutoff))
        return np.full(self.num_rbf, spacing**-2)


class NeighborEmbedding(nn.Module):
    """Adds to each atom's embedding that of its neighbours."""

    num_species: int
    num_channels: int

    @nn.compact
    def __call__(self, embedding: Array, node_species: Array, radial: Array, edges: Edges) -> Array:
        """Scalar features of the nodes.

        Args:
            embedding: ``[num_species, num_channels]``.
            node_species: ``[n_nodes]``.
            radial: ``[n_pairs, num_rbf]``.
            edges: the edges.

        Returns:
            ``[n_nodes, num_channels]``.
        """
        n_channels = self.num_channels
        own = Embedding(self.num_species, n_channels, name="embedding")()
        kernel, bias = Affine(radial.shape[1], n_channels, name="distance_proj")()
        weights = edges.of_pairs((radial @ kernel + bias) * edges.weights)
        neighbors = edges.sum_vectors(weights, own[node_species][:, None])[:, 0]
        combine, combine_bias = Affine(2 * n_channels, n_channels, name="combine")()
        by_species = embedding @ combine[:n_channels] + combine_bias
        return by_species[node_species] + neighbors @ combine[n_channels:]


class EdgeEmbedding(nn.Module):
    """Scalar features of edges from those of their ends."""

    num_channels: int

    @nn.compact
    def __call__(self, scalars: Array, radial: Array, edges: Edges) -> Array:
        """``[n_pairs, num_channels]``."""
        kernel, bias = Affine(radial.shape[1], self.num_channels, name="edge_proj")()
        return edges.sum_of_ends(scalars) * (radial @ kernel + bias)
