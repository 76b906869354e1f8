"""ViSNet (Wang et al., Nature Communications 15, 313, 2024)."""

from typing import Any, ClassVar

import flax.linen as nn

from mlip_core.models.mlip_network import MLIPNetwork, count_species
from mlip_core.models.visnet.config import VisnetConfig
from mlip_core.models.visnet.edges import Edges, make_edges
from mlip_core.models.visnet.embeddings import EdgeEmbedding, ExpNormalBasis, NeighborEmbedding
from mlip_core.models.visnet.layers import Embedding, LayerNorm
from mlip_core.models.visnet.message_passing import State, VisnetLayer
from mlip_core.models.visnet.readout import EquivariantScalar
from mlip_core.models.visnet.vector_norm import normalize_vectors
from mlip_core.typing import EdgeBlocks

Array = Any


class Visnet(MLIPNetwork):
    """ViSNet, from edge vectors and species to atomic energies; see ``MLIPNetwork``."""

    config: VisnetConfig

    Config: ClassVar[type[VisnetConfig]] = VisnetConfig

    def energies(
        self,
        edge_vectors: Array,
        node_species: Array,
        senders: Array,
        receivers: Array,
        blocks: EdgeBlocks | None,
    ) -> Array:
        """Dimensionless energies of atoms ``[n_nodes]``."""
        block = VisnetBlock(
            config=self.config,
            cutoff=self.dataset_info.cutoff_distance_angstrom,
            num_species=count_species(self.dataset_info, self.config.num_species),
        )
        scalars, vectors = block(edge_vectors, node_species, senders, receivers, blocks)
        return EquivariantScalar(self.config.activation)(scalars, vectors)

    def readout_blocks(self) -> tuple[str, ...]:
        """The gated blocks after the last layer."""
        return ("EquivariantScalar_0",)


class VisnetBlock(nn.Module):
    """Embeddings and layers of ViSNet.

    Attributes:
        config: hyperparameters.
        cutoff: Å.
        num_species: number of elements.
    """

    config: VisnetConfig
    cutoff: float
    num_species: int

    @nn.compact
    def __call__(
        self,
        edge_vectors: Array,
        node_species: Array,
        senders: Array,
        receivers: Array,
        blocks: EdgeBlocks | None,
    ) -> tuple[Array, Array]:
        """Features of the nodes; arguments as of ``MLIPNetwork``.

        Returns:
            Scalars ``[n_nodes, num_channels]``, vectors ``[n_nodes, n_components, num_channels]``.
        """
        config = self.config
        edges = make_edges(
            edge_vectors,
            senders,
            receivers,
            blocks,
            cutoff=self.cutoff,
            l_max=config.l_max,
            n_nodes=node_species.shape[0],
        )
        state = self._initial_state(node_species, edges)
        for index in range(config.num_layers):
            is_last = index == config.num_layers - 1
            state = VisnetLayer(config, is_last, name=f"visnet_layers_{index}")(state, edges)
        scalars = LayerNorm(name="out_norm")(state.scalars)
        return scalars, normalize_vectors(state.vectors, config.l_max, config.vecnorm_type)

    def _initial_state(self, node_species: Array, edges: Edges) -> State:
        n_channels = self.config.num_channels
        radial = ExpNormalBasis(
            self.cutoff, self.config.num_rbf, self.config.trainable_rbf, name="radial_embedding"
        )(edges)
        embedding = Embedding(self.num_species, n_channels, name="node_embedding")()
        scalars = NeighborEmbedding(self.num_species, n_channels, name="neighbor_embedding")(
            embedding, node_species, radial, edges
        )
        edge_scalars = EdgeEmbedding(n_channels, name="edge_embedding")(scalars, radial, edges)
        return State(scalars, None, edge_scalars, is_symmetric=True)
