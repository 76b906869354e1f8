"""Hyperparameters of NequIP."""

from typing import Annotated, ClassVar

from pydantic import (
    AfterValidator,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

from mlip_core.models.equivariant.irreps import SCALAR, parse_irreps
from mlip_core.models.network_config import NetworkConfig, Recipe
from mlip_core.models.options import Activation, RadialEnvelope


def _check_node_irreps(text: str) -> str:
    irreps = parse_irreps(text)
    if not all(multiplicity for multiplicity, _ in irreps):
        raise ValueError(f"node_irreps {text!r}: a multiplicity is zero; leave its term out")
    multiplicities = [multiplicity for multiplicity, irrep in irreps if irrep == SCALAR]
    if not multiplicities or multiplicities[-1] < 2:
        raise ValueError(
            f"node_irreps {text!r}: energies are read from the scalars; add at least '2x0e'"
        )
    return text


NodeIrrepsText = Annotated[str, AfterValidator(_check_node_irreps)]


class NequipConfig(NetworkConfig):
    """Hyperparameters of NequIP.

    Attributes:
        num_layers: number of message-passing layers.
        node_irreps: irreps of the node features with their multiplicities, e.g.
            ``"32x0e + 32x1o"``. Irreps that nothing couples to are left out.
        l_max: highest degree of the spherical harmonics of the edges.
        num_bessel: number of radial basis functions.
        radial_net_nonlinearity: activation of the radial MLP. All are zero at zero but "sigmoid",
            with which the energy jumps where an atom crosses the cutoff.
        radial_net_n_hidden: width of the hidden layers of the radial MLP.
        radial_net_n_layers: number of hidden layers of the radial MLP.
        radial_envelope: envelope of the radial basis.
        scalar_mlp_std: variance of the initial weights of the hidden layers of the radial MLP,
            times their number of inputs.
        avg_num_neighbors: normalises messages; default that of the dataset.
    """

    recipe: ClassVar[Recipe] = Recipe(
        energy_weight=100.0, init_learning_rate=1e-4, learning_rate=5e-3, warmup_steps=200
    )

    num_layers: PositiveInt = 2
    node_irreps: NodeIrrepsText = "128x0e + 128x0o + 64x1o + 64x1e + 4x2e + 4x2o"
    l_max: NonNegativeInt = 3
    num_bessel: PositiveInt = 8
    radial_net_nonlinearity: Activation = Activation.SWISH
    radial_net_n_hidden: PositiveInt = 64
    radial_net_n_layers: PositiveInt = 2
    radial_envelope: RadialEnvelope = RadialEnvelope.POLYNOMIAL
    scalar_mlp_std: PositiveFloat = 4.0
    avg_num_neighbors: PositiveFloat | None = None
