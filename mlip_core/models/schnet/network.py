"""SchNet (Schütt et al., SchNet: A deep learning architecture for molecules and materials, 2018).

Features are scalars: all that an atom knows of its surroundings are distances. Differences from the
paper: an envelope takes the filters to zero at the cutoff, where the paper's energy jumps, and
filters and sums over neighbours are normalised as in the other networks here.
"""

from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from mlip_core.models.blocks import Dense, LinearNodeEmbeddingBlock, MultiLayerPerceptron
from mlip_core.models.edge_geometry import edge_geometry, pair_lengths
from mlip_core.models.equivariant.irreps import SCALAR
from mlip_core.models.mlip_network import MLIPNetwork, count_species
from mlip_core.models.neighbor_products import sum_weighted_neighbors
from mlip_core.models.neighbors import pairs_to_edges
from mlip_core.models.options import parse_radial_envelope
from mlip_core.models.radial_tables import by_length
from mlip_core.models.schnet.config import SchnetConfig
from mlip_core.typing import EdgeBlocks

Array = Any


class Schnet(MLIPNetwork):
    """SchNet, from edge vectors and species to atomic energies; see ``MLIPNetwork``."""

    config: SchnetConfig

    Config: ClassVar[type[SchnetConfig]] = SchnetConfig

    def energies(
        self,
        edge_vectors: Array,
        node_species: Array,
        senders: Array,
        receivers: Array,
        blocks: EdgeBlocks | None,
    ) -> Array:
        """Dimensionless energies of atoms ``[n_nodes]``."""
        n_species = count_species(self.dataset_info, self.config.num_species)
        n_channels = self.config.num_channels
        embedding = LinearNodeEmbeddingBlock(n_species, n_channels, name="embedding")
        features = embedding(node_species)[SCALAR][0]
        cutoff = self.dataset_info.cutoff_distance_angstrom
        lengths = pair_lengths(edge_geometry(edge_vectors, cutoff).lengths, blocks, cutoff)
        basis = self._radial_basis(lengths)
        for index in range(self.config.num_layers):
            # Without biases: filters are zero where the basis is.
            perceptron = _perceptron(n_channels, n_channels, name=f"filters_{index}")
            filters = by_length(self, f"values_{index}", lengths, partial(perceptron, basis))
            if blocks is not None and blocks.pairs is not None:
                filters = pairs_to_edges(filters, blocks)
            neighbors = Dense(n_channels, name=f"neighbors_{index}")(features)
            received = sum_weighted_neighbors(
                filters, neighbors[:, None], senders, receivers, blocks
            )
            update = _perceptron(n_channels, n_channels, use_bias=True, name=f"update_{index}")
            features = features + update(received[:, 0] / self._num_neighbors() ** 0.5)
        readout = _perceptron(max(n_channels // 2, 1), 1, use_bias=True, name="readout")
        return readout(features)[:, 0]

    def readout_blocks(self) -> tuple[str, ...]:
        """The perceptron after the last layer."""
        return ("readout",)

    def _radial_basis(self, lengths: Array) -> Array:
        """Gaussians times the envelope, ``[n, num_rbf]``; zero beyond the cutoff."""
        cutoff = self.dataset_info.cutoff_distance_angstrom
        envelope = parse_radial_envelope(self.config.radial_envelope)(lengths, cutoff)
        return gaussian_basis(lengths, cutoff, self.config.num_rbf) * envelope[:, None]

    def _num_neighbors(self) -> float:
        return self.config.avg_num_neighbors or self.dataset_info.avg_num_neighbors


def gaussian_basis(lengths: Array, cutoff: float, number: int) -> Array:
    """Gaussians on a grid from 0 to the cutoff, as wide as the grid is fine.

    Section II B of the paper, scaled so that the squares of a length's values average to one.

    Args:
        lengths: ``[n]``, Å.
        cutoff: Å.
        number: how many functions.

    Returns:
        ``[n, number]``.
    """
    spacing = cutoff / max(number - 1, 1)
    centres = np.linspace(0.0, cutoff, number, dtype=lengths.dtype)
    distances = (lengths[:, None] - centres) / spacing
    return (number / np.sqrt(np.pi)).item() ** 0.5 * jnp.exp(-0.5 * distances * distances)


def shifted_softplus(x: Array) -> Array:
    """``log((exp(x) + 1) / 2)``, the paper's activation: infinitely smooth, zero at zero."""
    return jax.nn.softplus(x) - np.log(2.0).item()


def _perceptron(
    num_hidden: int, num_out: int, *, name: str, use_bias: bool = False
) -> MultiLayerPerceptron:
    return MultiLayerPerceptron((num_hidden, num_out), shifted_softplus, use_bias, name=name)
