"""From the features of nodes to energies."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from mlip_core.models.options import Activation, parse_activation
from mlip_core.models.visnet.layers import Affine, Kernel

Array = Any

# The other library of the file format adds this to each component before it takes a norm. It breaks
# rotational invariance in the eighth digit, and keeps derivatives finite where vectors are zero.
_COMPONENT_OFFSET = 1e-8


class GatedEquivariantBlock(nn.Module):
    """Mixes scalars with norms of vectors and gates the vectors (Schütt et al., PaiNN, 2021).

    Attributes:
        num_hidden: width of the hidden layer.
        num_out: channels of the result.
        activation: of the hidden layer.
    """

    num_hidden: int
    num_out: int
    activation: Activation

    @nn.compact
    def __call__(self, scalars: Array, vectors: Array) -> tuple[Array, Array]:
        """Scalars before any activation and vectors.

        Args:
            scalars: ``[n_nodes, num_in]``.
            vectors: ``[n_nodes, n_components, num_in]``.

        Returns:
            ``[n_nodes, num_out]`` and ``[n_nodes, n_components, num_out]``.
        """
        n_in = scalars.shape[1]
        mixed = vectors @ Kernel(n_in, n_in, name="vec1_proj")() + _COMPONENT_OFFSET
        norms = jnp.sqrt(jnp.sum(mixed * mixed, axis=1))
        net = UpdateNet(self.num_hidden, 2 * self.num_out, self.activation, name="update_net")
        out, gates = lax.split(net(scalars, norms), (self.num_out, self.num_out), axis=1)
        return out, gates[:, None] * (vectors @ Kernel(n_in, self.num_out, name="vec2_proj")())


class UpdateNet(nn.Module):
    """MLP with one hidden layer; its modules bear the numbers of a list that holds activations."""

    num_hidden: int
    num_out: int
    activation: Activation

    @nn.compact
    def __call__(self, scalars: Array, norms: Array) -> Array:
        """``[n_nodes, num_in]`` each to ``[n_nodes, num_out]``."""
        n_in = scalars.shape[1]
        kernel, bias = Affine(2 * n_in, self.num_hidden, name="layers_0")()
        of_scalars, of_norms = lax.split(kernel, (n_in, n_in))
        hidden = scalars @ of_scalars + norms @ of_norms + bias
        kernel, bias = Affine(self.num_hidden, self.num_out, name="layers_2")()
        return parse_activation(self.activation)(hidden) @ kernel + bias


class EquivariantScalar(nn.Module):
    """Two gated blocks that end in one scalar."""

    activation: Activation

    @nn.compact
    def __call__(self, scalars: Array, vectors: Array) -> Array:
        """``[n_nodes]``, from features as ``GatedEquivariantBlock`` takes them."""
        n_in = scalars.shape[1]
        n_hidden = n_in // 2
        first = GatedEquivariantBlock(n_in, n_hidden, self.activation, name="output_network_0")
        second = GatedEquivariantBlock(n_hidden, 1, self.activation, name="output_network_1")
        scalars, vectors = first(scalars, vectors)
        energies, _ = second(parse_activation(self.activation)(scalars), vectors)
        return energies[:, 0]
