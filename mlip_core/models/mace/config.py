"""Hyperparameters of MACE."""

from typing import Annotated, ClassVar, Self

from pydantic import (
    AfterValidator,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from mlip_core.models.equivariant.irreps import SCALAR, Irrep, parse_irreps
from mlip_core.models.network_config import NetworkConfig, Recipe
from mlip_core.models.options import Activation, RadialEnvelope

_PSEUDOSCALAR = Irrep(0, -1)


def _check_irreps(text: str) -> str:
    parse_irreps(text)
    return text


IrrepsText = Annotated[str, AfterValidator(_check_irreps)]


class MaceConfig(NetworkConfig):
    """Hyperparameters of MACE.

    Attributes:
        num_layers: number of message-passing layers.
        num_channels: channels of each irrep.
        l_max: highest degree of the spherical harmonics of the edges.
        node_symmetry: highest degree of the node features between layers; default ``l_max``.
        correlation: highest order of the products of a node's features; body order minus one.
        readout_irreps: irreps of the hidden layer of the readout MLP of the last layer, and "0e".
        num_readout_heads: number of readouts whose energies are added up.
        num_bessel: number of radial basis functions.
        activation: activation of the MLPs. All are zero at zero but "sigmoid", with which the
            energy jumps where an atom crosses the cutoff.
        radial_envelope: envelope of the radial basis.
        symmetric_tensor_product_basis: whether the parameters belong to the basis of symmetric
            tensors (fewer) or to that of all tensors; the functions that can be learned are the
            same.
        avg_num_neighbors: normalises messages; default that of the dataset.
        avg_r_min: distance from which on the radial basis is normalised, Å; default that of the
            dataset.
        include_pseudotensors: whether messages have irreps of both parities, not only
            ``(-1)**l``. The other library fails with ``True``.
        gate_nodes: whether the products of messages are multiplied by learned linear functions of
            their scalars.
        species_embedding_dim: if given, the weights of messages are multiplied by an MLP of
            embeddings of both species, of this dimension.
        remat: whether intermediate results are computed again for derivatives, a few channels at
            a time, instead of being kept: about half the memory of a training step on large
            structures, more time. Parameters and results stay the same.
    """

    recipe: ClassVar[Recipe] = Recipe(
        energy_weight=1000.0, init_learning_rate=1e-3, learning_rate=1e-2, warmup_steps=100
    )

    num_layers: PositiveInt = 2
    num_channels: PositiveInt = 128
    l_max: NonNegativeInt = 3
    node_symmetry: NonNegativeInt | None = None
    correlation: PositiveInt = 3
    readout_irreps: tuple[IrrepsText, ...] = ("16x0e", "0e")
    num_readout_heads: PositiveInt = 1
    num_bessel: PositiveInt = 8
    activation: Activation = Activation.SILU
    radial_envelope: RadialEnvelope = RadialEnvelope.POLYNOMIAL
    symmetric_tensor_product_basis: bool = False
    avg_num_neighbors: PositiveFloat | None = None
    avg_r_min: PositiveFloat | None = None
    include_pseudotensors: bool = False
    gate_nodes: bool = False
    species_embedding_dim: PositiveInt | None = None
    remat: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.node_symmetry is not None and self.node_symmetry > self.l_max:
            raise ValueError(
                f"node_symmetry ({self.node_symmetry}) is larger than l_max ({self.l_max}): "
                "lower it or raise l_max"
            )
        if not self._can_read_out():
            raise ValueError(
                f"readout_irreps {list(self.readout_irreps)}: must be the irreps of one hidden "
                "layer that are not only pseudoscalars, and '0e', e.g. ['16x0e', '0e']"
            )
        return self

    def _can_read_out(self) -> bool:
        layers = [parse_irreps(text) for text in self.readout_irreps]
        return (
            len(layers) == 2
            and any(number > 0 and irrep != _PSEUDOSCALAR for number, irrep in layers[0])
            and layers[1] == [(1, SCALAR)]
        )
