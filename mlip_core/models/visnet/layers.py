"""Layers with the parameters of the file format."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from mlip_core.models.initializers import ONES, ZEROS, normal, xavier_uniform

Array = Any


class Kernel(nn.Module):
    """The matrix of a linear layer without bias: a module only to name its parameter."""

    num_in: int
    num_out: int

    @nn.compact
    def __call__(self) -> Array:
        """``[num_in, num_out]``."""
        shape = (self.num_in, self.num_out)
        return self.param("kernel", xavier_uniform(*shape), shape)


class Affine(nn.Module):
    """Matrix and bias of a linear layer: a module only to name its parameters."""

    num_in: int
    num_out: int

    @nn.compact
    def __call__(self) -> tuple[Array, Array]:
        """``[num_in, num_out]`` and ``[num_out]``."""
        shape = (self.num_in, self.num_out)
        kernel = self.param("kernel", xavier_uniform(*shape), shape)
        return kernel, self.param("bias", ZEROS, (self.num_out,))


class Embedding(nn.Module):
    """A row for each species."""

    num_species: int
    num_channels: int

    @nn.compact
    def __call__(self) -> Array:
        """``[num_species, num_channels]``."""
        shape = (self.num_species, self.num_channels)
        return self.param("embedding", normal(self.num_channels**-0.5), shape)


class LayerNorm(nn.Module):
    """Layer normalisation over the channels (Ba et al. 2016)."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """``[n, num_channels]``, same shape back."""
        scale = self.param("scale", ONES, (x.shape[1],))
        bias = self.param("bias", ZEROS, (x.shape[1],))
        centered = x - jnp.mean(x, axis=1, keepdims=True)
        variance = jnp.mean(centered * centered, axis=1, keepdims=True)
        return centered * (variance + 1e-5) ** -0.5 * scale + bias
