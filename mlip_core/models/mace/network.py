"""MACE (Batatia et al., MACE: Higher Order Equivariant Message Passing Neural Networks, 2022)."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import lax

from mlip_core.models.blocks import (
    Features,
    FullyConnectedTensorProduct,
    Irreps,
    Linear,
    LinearNodeEmbeddingBlock,
    MultiLayerPerceptron,
    RadialEmbeddingBlock,
    in_groups_of_channels,
    mix_by_species,
    select_by_species,
)
from mlip_core.models.equivariant.coupling import unstack
from mlip_core.models.equivariant.irreps import SCALAR, Irrep, natural, parse_irreps
from mlip_core.models.equivariant.message_passing import (
    Edges,
    embed_edges,
    message_paths,
    pass_messages,
)
from mlip_core.models.equivariant.symmetric_contraction import (
    Contraction,
    Memo,
    contraction,
)
from mlip_core.models.initializers import normal
from mlip_core.models.mace.config import MaceConfig
from mlip_core.models.mlip_network import MLIPNetwork, count_species
from mlip_core.models.neighbors import pairs_to_edges
from mlip_core.models.options import Activation, normalized_activation, parse_radial_envelope
from mlip_core.models.radial_embedding import bessel_basis
from mlip_core.models.radial_tables import by_length
from mlip_core.typing import EdgeBlocks

Array = Any


class Mace(MLIPNetwork):
    """MACE, from edge vectors and species to atomic energies; see ``MLIPNetwork``."""

    config: MaceConfig

    Config: ClassVar[type[MaceConfig]] = MaceConfig

    def energies(
        self,
        edge_vectors: Array,
        node_species: Array,
        senders: Array,
        receivers: Array,
        blocks: EdgeBlocks | None,
    ) -> Array:
        """Dimensionless energies of atoms ``[n_nodes]``."""
        block = MaceBlock(
            config=self.config,
            cutoff=self.dataset_info.cutoff_distance_angstrom,
            num_species=count_species(self.dataset_info, self.config.num_species),
            avg_num_neighbors=(
                self.config.avg_num_neighbors or self.dataset_info.avg_num_neighbors
            ),
            avg_r_min=self.config.avg_r_min or self.dataset_info.avg_r_min_angstrom,
        )
        return block(edge_vectors, node_species, senders, receivers, blocks)

    def readout_blocks(self) -> tuple[str, ...]:
        """All heads of all layers."""
        kinds = ["NonLinearReadoutBlock"] + ["LinearReadoutBlock"] * (self.config.num_layers > 1)
        return tuple(f"{kind}_{n}" for kind in kinds for n in range(self.config.num_readout_heads))


class MaceBlock(nn.Module):
    """The layers of MACE and the sum of their readouts.

    Attributes:
        config: hyperparameters.
        cutoff: Å.
        num_species: number of elements.
        avg_num_neighbors: by which messages are normalised.
        avg_r_min: from which on the radial basis is normalised, Å.
    """

    config: MaceConfig
    cutoff: float
    num_species: int
    avg_num_neighbors: float
    avg_r_min: float | None

    @nn.compact
    def __call__(
        self,
        edge_vectors: Array,
        node_species: Array,
        senders: Array,
        receivers: Array,
        blocks: EdgeBlocks | None,
    ) -> Array:
        """Dimensionless energies of atoms ``[n_nodes]``."""
        edges = self._edges(edge_vectors, senders, receivers, blocks)
        pairs = self._species_pairs(node_species, senders, receivers)
        features = LinearNodeEmbeddingBlock(self.num_species, self.config.num_channels)(
            node_species
        )
        energies = jnp.zeros(node_species.shape, edge_vectors.dtype)
        layer_class = nn.remat(MaceLayer) if self.config.remat else MaceLayer
        for index in range(self.config.num_layers):
            layer = layer_class(
                config=self.config,
                num_species=self.num_species,
                avg_num_neighbors=self.avg_num_neighbors,
                is_first=index == 0,
                is_last=index == self.config.num_layers - 1,
                name=f"layer_{index}",
            )
            features, layer_energies = layer(features, node_species, edges, pairs)
            energies = energies + layer_energies
        return energies

    def _species_pairs(
        self, node_species: Array, senders: Array, receivers: Array
    ) -> "SpeciesPairs | None":
        if self.config.species_embedding_dim is None:
            return None
        dim = self.config.species_embedding_dim
        embed = nn.Embed(
            self.num_species, dim, embedding_init=normal(dim**-0.5), name="species_embedding"
        )
        sending, receiving = node_species[senders], node_species[receivers]
        n_pairs = self.num_species**2
        if n_pairs > senders.shape[0]:
            return SpeciesPairs(_pair_features(embed(sending), embed(receiving)), None)
        first, second = np.divmod(np.arange(n_pairs), self.num_species)
        features = _pair_features(embed(first), embed(second))
        return SpeciesPairs(features, sending * self.num_species + receiving)

    def _edges(
        self, vectors: Array, senders: Array, receivers: Array, blocks: EdgeBlocks | None
    ) -> Edges:
        return embed_edges(
            vectors,
            senders,
            receivers,
            blocks,
            cutoff=self.cutoff,
            l_max=self.config.l_max,
            radial_embedding=RadialEmbeddingBlock(
                r_max=self.cutoff,
                basis_functions=bessel_basis,
                envelope_function=parse_radial_envelope(self.config.radial_envelope),
                num_bessel=self.config.num_bessel,
                avg_r_min=self.avg_r_min,
            ),
        )


class SpeciesPairs(NamedTuple):
    """The species at the ends of edges, embedded.

    Attributes:
        features: ``[n_edges, 3 d]``, or ``[n_pairs, 3 d]`` for all pairs of species if these are
            fewer than the edges.
        of_edge: ``[n_edges]``, the row of ``features`` of each edge; ``None`` if they are in order.
    """

    features: Array
    of_edge: Array | None


def _pair_features(sender: Array, receiver: Array) -> Array:
    """``[n, d]`` of both ends to ``[n, 3 d]``."""
    return jnp.concatenate([sender, receiver, sender * receiver], axis=1)


class MaceLayer(nn.Module):
    """One layer: messages, their products with themselves, an update and a readout."""

    config: MaceConfig
    num_species: int
    avg_num_neighbors: float
    is_first: bool
    is_last: bool

    @nn.compact
    def __call__(
        self, features: Features, node_species: Array, edges: Edges, pairs: SpeciesPairs | None
    ) -> tuple[Features, Array]:
        """New features and the layer's energies ``[n_nodes]``."""
        irreps_out = _with_channels(self.config, _naturals(self._degree_out()))
        messages = InteractionBlock(self.config, self.avg_num_neighbors)(features, edges, pairs)
        if self.is_first:
            irreps = _with_channels(self.config, _message_irreps(self.config))
            messages = FullyConnectedTensorProduct(irreps, self.num_species)(messages, node_species)
        product = EquivariantProductBasisBlock(self.config, irreps_out, self.num_species)(
            messages, node_species
        )
        if not self.is_first:
            old = FullyConnectedTensorProduct(irreps_out, self.num_species)(features, node_species)
            product = {irrep: x + old.get(irrep, 0) for irrep, x in product.items()}
        return product, self._read_out(product)

    def _degree_out(self) -> int:
        if self.is_last:
            return 0
        symmetry = self.config.node_symmetry
        return self.config.l_max if symmetry is None else symmetry

    def _read_out(self, features: Features) -> Array:
        heads = [
            NonLinearReadoutBlock(self.config.readout_irreps, self.config.activation)
            if self.is_last
            else LinearReadoutBlock()
            for _ in range(self.config.num_readout_heads)
        ]
        return sum(head(features) for head in heads)


class InteractionBlock(nn.Module):
    """Messages from the neighbours, between two linear layers."""

    config: MaceConfig
    avg_num_neighbors: float

    @nn.compact
    def __call__(self, features: Features, edges: Edges, pairs: SpeciesPairs | None) -> Features:
        """Features of degrees up to ``l_max``."""
        irreps_up = [(x.shape[2], irrep) for irrep, x in features.items()]
        features = Linear(irreps_up, name="linear_up")(features)
        convolution = MessagePassingConvolution(self.config, self.avg_num_neighbors)
        messages = convolution(features, edges, pairs)
        irreps_down = _with_channels(self.config, _message_irreps(self.config))
        return Linear(irreps_down, name="linear_down")(messages)


class MessagePassingConvolution(nn.Module):
    """The messages, weighted by an MLP of the edge's length."""

    config: MaceConfig
    avg_num_neighbors: float

    @nn.compact
    def __call__(self, features: Features, edges: Edges, pairs: SpeciesPairs | None) -> Features:
        """Sum over neighbours; channels of all couplings to an irrep stand side by side."""
        paths = message_paths(list(features), self.config.l_max, _message_irreps(self.config))
        widths = (64, 64, 64, len(paths) * self.config.num_channels)
        activation = normalized_activation(self.config.activation)
        radial_network = MultiLayerPerceptron(widths, activation)

        def radial_weights() -> Array:
            weights = radial_network(edges.radial)
            if self.config.activation is Activation.SIGMOID:  # all others are zero at zero
                weights = jnp.where(edges.is_within[:, None], weights, 0)
            return weights

        weights = by_length(self, "radial_weights", edges.lengths, radial_weights)
        if pairs is not None:
            factors = MultiLayerPerceptron(widths, activation, use_bias=True)(pairs.features)
            edges, weights = _by_edge(edges, weights)
            weights = weights * (factors if pairs.of_edge is None else factors[pairs.of_edge])
        by_path = weights.reshape(-1, len(paths), self.config.num_channels)

        def send(features: Features, by_path: Array) -> Features:
            n_rows, _, n_channels = by_path.shape
            messages = pass_messages(features, edges, by_path.reshape(n_rows, -1), paths)
            return {irrep: x.reshape(*x.shape[:2], -1, n_channels) for irrep, x in messages.items()}

        if self.config.remat:
            messages = in_groups_of_channels(send, features, by_path)
        else:
            messages = send(features, by_path)
        scale = self.avg_num_neighbors**-1
        irreps_out = dict.fromkeys(path.irrep_out for path in paths)  # JAX sorts dictionaries
        flat = ((irrep, messages[irrep]) for irrep in irreps_out)
        return {irrep: scale * x.reshape(*x.shape[:2], -1) for irrep, x in flat}


def _by_edge(edges: Edges, weights: Array) -> tuple[Edges, Array]:
    """Weights for each edge where there was one for each pair of opposite edges."""
    if edges.blocks is None or edges.blocks.pairs is None:
        return edges, weights
    blocks = dataclasses.replace(edges.blocks, pairs=None, pair_edges=None)
    return edges._replace(blocks=blocks), pairs_to_edges(weights, edges.blocks)


class EquivariantProductBasisBlock(nn.Module):
    """Products of the messages with themselves, then a linear layer."""

    config: MaceConfig
    irreps_out: Irreps
    num_species: int

    @nn.compact
    def __call__(self, features: Features, node_species: Array) -> Features:
        """Features of ``irreps_out``."""
        products = SymmetricContraction(
            irreps_out=tuple(irrep for _, irrep in self.irreps_out),
            correlation=self.config.correlation,
            num_species=self.num_species,
            is_symmetric=self.config.symmetric_tensor_product_basis,
            remat=self.config.remat,
        )(features, node_species)
        if self.config.gate_nodes:
            products = self._gated(products, node_species)
        return Linear(self.irreps_out)(products)

    def _gated(self, products: Features, node_species: Array) -> Features:
        """The products times linear functions of their scalars, other ones for each species."""
        n_channels = self.config.num_channels
        n_gates = len(self.irreps_out) * n_channels
        shape = (self.num_species, n_channels, n_gates)
        init = normal(n_channels**-0.5)
        weights = self.param("species_wise_gate_weights", init, shape)
        bias = self.param("species_wise_gate_bias", normal(0.01), (self.num_species, n_gates))
        gates = mix_by_species(products[SCALAR], weights.swapaxes(0, 1), node_species)
        gates = gates + bias[node_species]
        own_gates = lax.split(gates, [n_channels] * len(self.irreps_out), axis=2)
        return {
            irrep: x * gate for (irrep, x), gate in zip(products.items(), own_gates, strict=True)
        }


class SymmetricContraction(nn.Module):
    """Products up to order ``correlation``, with other weights for each species and channel."""

    irreps_out: Sequence[Irrep]
    correlation: int
    num_species: int
    is_symmetric: bool
    remat: bool = False

    @nn.compact
    def __call__(self, features: Features, node_species: Array) -> Features:
        """Features of ``irreps_out``, same channels as the input."""
        contractions = {
            irrep: contraction(tuple(features), irrep, self.correlation, self.is_symmetric)
            for irrep in self.irreps_out
        }
        n_channels = next(iter(features.values())).shape[2]
        weights = self._weights(contractions, n_channels)

        def contract_all(features: Features, weights: Array) -> Features:
            by_tree = iter(unstack(select_by_species(weights, node_species), axis=0))
            memo: Memo = {}
            products = {}
            for irrep, contract in contractions.items():
                own = [[next(by_tree) for _ in trees] for trees in contract.trees]
                products[irrep] = contract(features, own, memo)
            return products

        if self.remat:
            return in_groups_of_channels(contract_all, features, weights)
        return contract_all(features, weights)

    def _weights(self, contractions: dict[Irrep, Contraction], n_channels: int) -> Array:
        """``[num_species, n_trees, n_channels]``, trees of all orders of all contractions."""
        return jnp.concatenate(
            [
                self._weights_of_trees(f"w{order}_{irrep}", transform, n_channels)
                for irrep, contract in contractions.items()
                for order, transform in enumerate(contract.transforms, start=1)
            ],
            axis=1,
        )

    def _weights_of_trees(self, name: str, transform: np.ndarray, n_channels: int) -> Array:
        """``[num_species, n_trees, n_channels]``."""
        n_weights, _ = transform.shape
        init = normal(n_weights**-0.5)
        weight = self.param(name, init, (self.num_species, n_weights, n_channels))
        return jnp.einsum("swc,wt->stc", weight, jnp.asarray(transform, weight.dtype))


class LinearReadoutBlock(nn.Module):
    """Energies as a linear function of the scalars."""

    @nn.compact
    def __call__(self, features: Features) -> Array:
        """``[n_nodes]``."""
        return Linear(((1, SCALAR),))({SCALAR: features[SCALAR]})[SCALAR][0, :, 0]


class NonLinearReadoutBlock(nn.Module):
    """Energies by an MLP with one hidden layer of the scalars."""

    readout_irreps: Sequence[str]
    activation: Activation

    @nn.compact
    def __call__(self, features: Features) -> Array:
        """``[n_nodes]``."""
        hidden = Linear(self._hidden_scalars())({SCALAR: features[SCALAR]})
        activated = {SCALAR: normalized_activation(self.activation)(hidden[SCALAR])}
        return Linear(((1, SCALAR),))(activated)[SCALAR][0, :, 0]

    def _hidden_scalars(self) -> Irreps:
        """Of the irreps, the scalars and one scalar, their gate, for each that is not of degree 0.

        The gated irreps themselves are left out: the last layer has no others than scalars.
        """
        irreps = parse_irreps(self.readout_irreps[0])
        n_scalars = sum(number for number, irrep in irreps if irrep == SCALAR)
        n_gates = sum(number for number, irrep in irreps if irrep.degree > 0)
        return [(number, SCALAR) for number in (n_scalars, n_gates) if number]


def _naturals(l_max: int) -> list[Irrep]:
    return [natural(degree) for degree in range(l_max + 1)]


def _message_irreps(config: MaceConfig) -> list[Irrep]:
    """The irreps that messages may have; those that nothing couples to do not occur."""
    if not config.include_pseudotensors:
        return _naturals(config.l_max)
    return [
        Irrep(irrep.degree, parity)
        for irrep in _naturals(config.l_max)
        for parity in (irrep.parity, -irrep.parity)
    ]


def _with_channels(config: MaceConfig, irreps: Sequence[Irrep]) -> Irreps:
    return tuple((config.num_channels, irrep) for irrep in irreps)
