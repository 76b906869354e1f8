"""Hyperparameters of SchNet."""

from typing import ClassVar

from pydantic import PositiveFloat, PositiveInt

from mlip_core.models.network_config import NetworkConfig, Recipe
from mlip_core.models.options import RadialEnvelope


class SchnetConfig(NetworkConfig):
    """Hyperparameters of SchNet.

    Attributes:
        num_layers: number of interaction blocks.
        num_channels: channels of the features of atoms and of the filters.
        num_rbf: number of radial basis functions.
        radial_envelope: envelope of the radial basis.
        avg_num_neighbors: normalises messages; default that of the dataset.
    """

    recipe: ClassVar[Recipe] = Recipe(
        energy_weight=100.0, init_learning_rate=1e-3, learning_rate=1e-2, warmup_steps=200
    )

    num_layers: PositiveInt = 3
    num_channels: PositiveInt = 64
    num_rbf: PositiveInt = 32
    radial_envelope: RadialEnvelope = RadialEnvelope.POLYNOMIAL
    avg_num_neighbors: PositiveFloat | None = None
