"""Hyperparameters of ViSNet."""

from typing import ClassVar, Self

from pydantic import Field, PositiveInt, model_validator

from mlip_core.models.network_config import NetworkConfig, Recipe
from mlip_core.models.options import Activation, VecNormType


class VisnetConfig(NetworkConfig):
    """Hyperparameters of ViSNet.

    Attributes:
        num_layers: number of message-passing layers.
        num_channels: channels of the scalar and of the vector features; a multiple of
            ``num_heads``.
        l_max: highest degree of the spherical harmonics of the edges, and of the vector features.
        num_heads: number of attention heads that share the channels.
        num_rbf: number of radial basis functions.
        trainable_rbf: whether centres and widths of the radial basis are parameters.
        activation: activation of all layers but the attention.
        attn_activation: activation of the attention's weights, which stands where a transformer has
            its softmax.
        vecnorm_type: how the vector features are normalised before each layer.
    """

    recipe: ClassVar[Recipe] = Recipe(
        energy_weight=100.0, init_learning_rate=1e-4, learning_rate=1e-3, warmup_steps=500
    )

    num_layers: PositiveInt = 4
    num_channels: int = Field(default=256, ge=2)
    l_max: PositiveInt = 2
    num_heads: PositiveInt = 8
    num_rbf: PositiveInt = 32
    trainable_rbf: bool = False
    activation: Activation = Activation.SILU
    attn_activation: Activation = Activation.SILU
    vecnorm_type: VecNormType = VecNormType.NONE

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.num_channels % self.num_heads:
            raise ValueError(
                f"num_channels ({self.num_channels}) is not a multiple of num_heads "
                f"({self.num_heads}): change one of them"
            )
        return self
