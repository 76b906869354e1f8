"""NequIP (Batzner et al., E(3)-equivariant graph neural networks for data-efficient and accurate
interatomic potentials, 2022).
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import lax

from mlip_core.models.blocks import (
    Features,
    RadialEmbeddingBlock,
    mix_by_species,
    select_by_species,
)
from mlip_core.models.channel_mixing import mix_channels
from mlip_core.models.equivariant.irreps import SCALAR, Irrep, parse_irreps
from mlip_core.models.equivariant.message_passing import Edges, embed_edges, pass_messages
from mlip_core.models.initializers import normal
from mlip_core.models.mlip_network import MLIPNetwork, count_species
from mlip_core.models.nequip.config import NequipConfig
from mlip_core.models.nequip.layout import (
    IrrepsList,
    LayerLayout,
    existing_irreps,
    layer_layouts,
    merged,
)
from mlip_core.models.options import (
    Activation,
    normalized_activation,
    parse_activation,
    parse_radial_envelope,
)
from mlip_core.models.radial_embedding import bessel_basis
from mlip_core.models.radial_tables import by_length
from mlip_core.typing import EdgeBlocks

Array = Any

_STANDARD_NORMAL = normal(1.0)
_ACTIVATION_BY_PARITY = {1: Activation.SILU, -1: Activation.TANH}


class Nequip(MLIPNetwork):
    """NequIP, from edge vectors and species to atomic energies; see ``MLIPNetwork``."""

    config: NequipConfig

    Config: ClassVar[type[NequipConfig]] = NequipConfig

    def energies(
        self,
        edge_vectors: Array,
        node_species: Array,
        senders: Array,
        receivers: Array,
        blocks: EdgeBlocks | None,
    ) -> Array:
        """Dimensionless energies of atoms ``[n_nodes]``."""
        block = NequipBlock(
            config=self.config,
            cutoff=self.dataset_info.cutoff_distance_angstrom,
            num_species=count_species(self.dataset_info, self.config.num_species),
            avg_num_neighbors=(
                self.config.avg_num_neighbors or self.dataset_info.avg_num_neighbors
            ),
        )
        return block(edge_vectors, node_species, senders, receivers, blocks)

    def readout_blocks(self) -> tuple[str, ...]:
        """The two layers after the last message passing; layers before have the same names."""
        return "NequipBlock_0/Linear_1", "NequipBlock_0/Linear_2"


class NequipBlock(nn.Module):
    """The layers of NequIP and the readout of the last one.

    Attributes:
        config: hyperparameters.
        cutoff: Å.
        num_species: number of elements.
        avg_num_neighbors: by which messages are divided.
    """

    config: NequipConfig
    cutoff: float
    num_species: int
    avg_num_neighbors: float

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
        node_irreps = tuple(parse_irreps(self.config.node_irreps))
        features = self._embed(node_irreps, node_species)
        layouts = layer_layouts(node_irreps, self.config.l_max, self.config.num_layers)
        for index, layout in enumerate(layouts):
            layer = NequipLayer(
                config=self.config,
                layout=layout,
                num_species=self.num_species,
                avg_num_neighbors=self.avg_num_neighbors,
                name=f"NequipLayer_{index}",
            )
            features = layer(features, node_species, edges)
        return self._read_out(node_irreps, features[SCALAR][0])

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
            ),
        )

    def _embed(self, node_irreps: IrrepsList, node_species: Array) -> Features:
        one_hot = ((self.num_species, SCALAR),)
        weights = LinearWeights(one_hot, node_irreps, name="Linear_0")()
        return {SCALAR: select_by_species(weights[SCALAR][:, None], node_species)}

    def _read_out(self, node_irreps: IrrepsList, scalars: Array) -> Array:
        *_, last = (multiplicity for multiplicity, irrep in node_irreps if irrep == SCALAR)
        irreps = existing_irreps(node_irreps, self.config.l_max, self.config.num_layers)
        hidden = ((last // 2, SCALAR),)
        to_hidden = LinearWeights(irreps, hidden, name="Linear_1")()[SCALAR]
        to_energy = LinearWeights(hidden, ((1, SCALAR),), name="Linear_2")()[SCALAR]
        return (scalars @ (to_hidden @ to_energy))[:, 0]


class NequipLayer(nn.Module):
    """One layer: messages, a self-connection, and gates.

    Attributes:
        config: hyperparameters.
        layout: the layer's features and weights.
        num_species: number of elements.
        avg_num_neighbors: by which messages are divided.
    """

    config: NequipConfig
    layout: LayerLayout
    num_species: int
    avg_num_neighbors: float

    @nn.compact
    def __call__(self, features: Features, node_species: Array, edges: Edges) -> Features:
        """New features, those of ``layout.features_out``."""
        layout = self.layout
        old_weights = LinearWeights(
            layout.irreps_in,
            merged(layout.irreps_gated),
            self.num_species,
            name="FullyConnectedTensorProduct_0",
        )()
        messages = self._messages(features, edges)
        message_weights = LinearWeights(
            layout.irreps_messages, layout.irreps_gated, name="Linear_1"
        )()
        mixed = {}
        for irrep, columns in layout.gated_columns.items():
            rows = layout.message_columns[irrep]
            weight = _take(_take(message_weights[irrep], rows, axis=0), columns, axis=1)
            mixed[irrep] = mix_channels(messages[irrep], weight * self.avg_num_neighbors**-1)
            if irrep in features:
                old = _take(old_weights[irrep], columns, axis=2)
                mixed[irrep] += mix_by_species(features[irrep], old, node_species)
        return _gate(mixed, layout)

    def _messages(self, features: Features, edges: Edges) -> Features:
        layout = self.layout
        weights = LinearWeights(layout.irreps_in, layout.irreps_up, name="Linear_0")()
        up = {irrep: mix_channels(features[irrep], weights[irrep]) for irrep in layout.features_in}
        radial_network = MLP(
            widths=(self.config.radial_net_n_hidden,) * self.config.radial_net_n_layers,
            num_out=layout.num_radial,
            activation=self.config.radial_net_nonlinearity,
            variance=self.config.scalar_mlp_std,
            name="MLP_0",
        )

        def radial_weights() -> Array:
            weights = radial_network(edges.radial, layout.radial_columns)
            if self.config.radial_net_nonlinearity is Activation.SIGMOID:  # not zero at zero
                weights = jnp.where(edges.is_within[:, None], weights, 0)
            return weights

        radial = by_length(self, "radial_weights", edges.lengths, radial_weights)
        return pass_messages(up, edges, radial, layout.paths)


class LinearWeights(nn.Module):
    """Matrices that mix the channels of each irrep, in blocks as the file format has them.

    Attributes:
        irreps_in: what is mixed.
        irreps_out: the result; entries with the same irrep stand side by side.
        num_species: how many matrices there are, if each species has its own.
    """

    irreps_in: IrrepsList
    irreps_out: IrrepsList
    num_species: int | None = None

    @nn.compact
    def __call__(self) -> dict[Irrep, Array]:
        """``[n_in, n_out]`` or ``[n_in, num_species, n_out]``.

        Normalised: inputs of unit variance give outputs of unit variance.
        """
        inputs = {irrep for _, irrep in self.irreps_in}
        irreps = dict.fromkeys(irrep for _, irrep in self.irreps_out if irrep in inputs)
        return {irrep: self._matrix(irrep) for irrep in irreps}

    def _matrix(self, irrep: Irrep) -> Array:
        rows = _positions(self.irreps_in, irrep)
        columns = _positions(self.irreps_out, irrep)
        blocks = [jnp.concatenate([self._block(i, j) for j in columns], axis=-1) for i in rows]
        scales = [(len(rows) * np.prod(block.shape[:-1]).item()) ** -0.5 for block in blocks]
        return jnp.concatenate([x * scale for x, scale in zip(blocks, scales, strict=True)])

    def _block(self, i: int, j: int) -> Array:
        n_in, irrep = self.irreps_in[i]
        n_out, _ = self.irreps_out[j]
        if self.num_species is None:
            name = f"w[{i},{j}] {n_in}x{irrep},{n_out}x{irrep}"
            return self.param(name, _STANDARD_NORMAL, (n_in, n_out))
        name = f"w[{i},0,{j}] {n_in}x{irrep},{self.num_species}x0e,{n_out}x{irrep}"
        return self.param(name, _STANDARD_NORMAL, (n_in, self.num_species, n_out))


class MLP(nn.Module):
    """Radial weights as a function of the radial basis: dense layers without bias.

    Attributes:
        widths: of the hidden layers.
        num_out: width of the last layer.
        activation: between the layers.
        variance: of the initial weights of the hidden layers, times their number of inputs.
    """

    widths: Sequence[int]
    num_out: int
    activation: Activation
    variance: float

    @nn.compact
    def __call__(self, x: Array, columns: np.ndarray) -> Array:
        """``[n, num_in]`` to the given columns of the result, ``[n, len(columns)]``."""
        activation = parse_activation(self.activation)
        for index, width in enumerate(self.widths):
            kernel = DenseKernel(x.shape[1], width, self.variance, name=f"Dense_{index}")()
            x = activation(x @ kernel)
        last = DenseKernel(x.shape[1], self.num_out, name=f"Dense_{len(self.widths)}")()
        return x @ _take(last, columns, axis=1)


class DenseKernel(nn.Module):
    """The matrix of a dense layer."""

    num_in: int
    num_out: int
    variance: float = 1.0

    @nn.compact
    def __call__(self) -> Array:
        """``[num_in, num_out]``."""
        init = normal((self.variance / self.num_in) ** 0.5)
        return self.param("kernel", init, (self.num_in, self.num_out))


def _gate(features: Features, layout: LayerLayout) -> Features:
    """Activated scalars, and the other features times their activated gates."""
    gated = [irrep for irrep in features if irrep.degree > 0]
    sizes = [features[irrep].shape[2] for irrep in gated]
    even = normalized_activation(_ACTIVATION_BY_PARITY[1])(features[SCALAR])
    scalars, *gates = lax.split(even, (even.shape[2] - sum(sizes), *sizes), axis=2)
    result = {
        irrep: normalized_activation(_ACTIVATION_BY_PARITY[irrep.parity])(x)
        for irrep, x in features.items()
        if irrep.degree == 0
    }
    result[SCALAR] = scalars
    for irrep, gate in zip(gated, gates, strict=True):
        result[irrep] = features[irrep] * gate
    return {irrep: result[irrep] for irrep in layout.features_out}


def _take(x: Array, indices: np.ndarray, axis: int) -> Array:
    """``jnp.take`` of a few runs of neighbours, without a gather."""
    if np.array_equal(indices, np.arange(x.shape[axis])):
        return x
    starts = np.flatnonzero(np.diff(indices) != 1) + 1
    return jnp.concatenate(
        [
            lax.slice_in_dim(x, int(run[0]), int(run[-1]) + 1, axis=axis)
            for run in np.split(indices, starts)
        ],
        axis=axis,
    )


def _positions(irreps: IrrepsList, irrep: Irrep) -> list[int]:
    return [index for index, (_, other) in enumerate(irreps) if other == irrep]
