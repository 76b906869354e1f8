"""Layers that the equivariant networks share.

Features are a dictionary from irrep to ``[2 l + 1, n_nodes, multiplicity]``, in the order of the
irreps. The names of modules and parameters are the file format, hence the classes without a
descriptive name.
"""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mlip_core.models.channel_mixing import mix_channels
from mlip_core.models.equivariant.coupling import add_up
from mlip_core.models.equivariant.irreps import SCALAR, Irrep
from mlip_core.models.initializers import ZEROS, normal
from mlip_core.models.options import Function

Array = Any
Features = dict[Irrep, Array]
Irreps = Sequence[tuple[int, Irrep]]

_FEW_SPECIES = 8
_CHANNELS_OF_GROUP = 16
_STANDARD_NORMAL = normal(1.0)


def in_groups_of_channels(function: Function, *arguments: Any) -> Any:
    """``function(*arguments)`` for a few channels at a time, with little memory for derivatives.

    What a group of channels computes is not kept for derivatives but computed again.

    Args:
        function: treats all channels alike and each on its own.
        arguments: trees of arrays whose last axis is the channels; so is the result.
    """

    def split(x: Array) -> Array:
        size = max(n for n in range(1, _CHANNELS_OF_GROUP + 1) if x.shape[-1] % n == 0)
        return jnp.moveaxis(x.reshape(*x.shape[:-1], -1, size), -2, 0)

    def join(x: Array) -> Array:
        return jnp.moveaxis(x, 0, -2).reshape(*x.shape[1:-1], -1)

    recomputed = jax.checkpoint(lambda group: function(*group))
    return jax.tree.map(join, jax.lax.map(recomputed, jax.tree.map(split, arguments)))


class LinearNodeEmbeddingBlock(nn.Module):
    """Learned scalar features of each species."""

    num_species: int
    num_channels: int

    @nn.compact
    def __call__(self, node_species: Array) -> Features:
        """``[n_nodes]`` to scalars ``[1, n_nodes, num_channels]``."""
        shape = (self.num_species, self.num_channels)
        embeddings = self.param("embeddings", _STANDARD_NORMAL, shape)
        scaled = embeddings * self.num_species**-0.5
        return {SCALAR: select_by_species(scaled[:, None], node_species)}


class Linear(nn.Module):
    """Mixes the channels of each irrep."""

    irreps_out: Irreps

    @nn.compact
    def __call__(self, features: Features) -> Features:
        """Output irreps that the input lacks are left out; equal ones stand side by side."""
        weights: dict[Irrep, list[Array]] = {}
        irreps_out = [(n_out, irrep) for n_out, irrep in self.irreps_out if irrep in features]
        for (i, x), (j, irrep, n_out) in _matches(features, irreps_out):
            n_in = x.shape[2]
            name = f"w[{i},{j}] {n_in}x{irrep},{n_out}x{irrep}"
            weight = self.param(name, _STANDARD_NORMAL, (n_in, n_out))
            weights.setdefault(irrep, []).append(weight * n_in**-0.5)
        return {
            irrep: mix_channels(features[irrep], _side_by_side(own))
            for irrep, own in weights.items()
        }


def _side_by_side(weights: Sequence[Array]) -> Array:
    return weights[0] if len(weights) == 1 else jnp.concatenate(weights, axis=1)


class FullyConnectedTensorProduct(nn.Module):
    """Mixes the channels of each irrep, with other weights for each species."""

    irreps_out: Irreps
    num_species: int

    @nn.compact
    def __call__(self, features: Features, node_species: Array) -> Features:
        """Output irreps that the input lacks are left out."""
        mixed = {}
        for (i, x), (j, irrep, n_out) in _matches(features, self.irreps_out):
            n_in = x.shape[2]
            name = f"w[{i},0,{j}] {n_in}x{irrep},{self.num_species}x0e,{n_out}x{irrep}"
            weight = self.param(name, _STANDARD_NORMAL, (n_in, self.num_species, n_out))
            scale = (n_in * self.num_species) ** -0.5
            mixed[irrep] = mix_by_species(x, weight * scale, node_species)
        return mixed


def _matches(
    features: Features, irreps_out: Irreps
) -> list[tuple[tuple[int, Array], tuple[int, Irrep, int]]]:
    """Pairs of (index, input) and (index, irrep, multiplicity of the output) of equal irreps."""
    inputs = {irrep: (i, x) for i, (irrep, x) in enumerate(features.items())}
    return [
        (inputs[irrep], (j, irrep, n_out))
        for j, (n_out, irrep) in enumerate(irreps_out)
        if irrep in inputs
    ]


def mix_by_species(x: Array, weight: Array, node_species: Array) -> Array:
    """``x[m, n, :] @ weight[:, species[n], :]``.

    For few species the channels are laid out once for each species, zero but for a node's own, so
    that all is one dense matrix product. For many, each node's matrix is gathered.
    """
    num_species, n_out = weight.shape[1:]
    if num_species > _FEW_SPECIES:
        return jnp.einsum("mni,ino->mno", x, weight[:, node_species])
    own = [(node_species == species)[:, None] for species in range(num_species)]
    by_species = jnp.concatenate([jnp.where(is_own, x, 0) for is_own in own], axis=2)
    return mix_channels(by_species, weight.swapaxes(0, 1).reshape(-1, n_out))


def select_by_species(table: Array, node_species: Array) -> Array:
    """``table[species[n], m]``: ``[num_species, m, channels]`` to ``[m, n_nodes, channels]``.

    For few species by a sum over all, whose derivative needs no scatter.
    """
    num_species = table.shape[0]
    if num_species > _FEW_SPECIES:
        return table.swapaxes(0, 1)[:, node_species]
    own = [(node_species == species)[:, None] for species in range(num_species)]
    rows = zip(own, table, strict=True)
    return add_up(jnp.where(is_own, row[:, None], 0) for is_own, row in rows)


class Dense(nn.Module):
    """Linear layer whose kernel and bias, if any, are divided by the root of its inputs."""

    num_out: int
    use_bias: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """``[..., num_in]`` to ``[..., num_out]``."""
        scale = x.shape[-1] ** -0.5
        y = x @ (scale * self.param("kernel", _STANDARD_NORMAL, (x.shape[-1], self.num_out)))
        if self.use_bias:
            y = y + scale * self.param("bias", ZEROS, (self.num_out,))
        return y


class MultiLayerPerceptron(nn.Module):
    """Dense layers with an activation between them and none after the last.

    Without biases it takes zero to zero if the activation does so.
    """

    widths: Sequence[int]
    activation: Function
    use_bias: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """``[..., num_in]`` to ``[..., widths[-1]]``."""
        for width in self.widths[:-1]:
            x = self.activation(Dense(width, self.use_bias)(x))
        return Dense(self.widths[-1], self.use_bias)(x)


class RadialEmbeddingBlock(nn.Module):
    """Radial basis times envelope, normalised over the distances that occur.

    Attributes:
        r_max: cutoff, Å.
        basis_functions: e.g. ``bessel_basis``.
        envelope_function: e.g. ``polynomial_envelope_updated``.
        num_bessel: number of basis functions.
        avg_r_min: shortest distance that occurs, Å; ``None`` for no normalisation.
    """

    r_max: float
    basis_functions: Callable[..., Array]
    envelope_function: Callable[..., Array]
    num_bessel: int
    avg_r_min: float | None = None

    def __call__(self, edge_lengths: Array) -> Array:
        """``[n_edges]``, Å, to ``[n_edges, num_bessel]``."""
        return self._normalization() * self._embed(edge_lengths)

    def _embed(self, lengths: Array) -> Array:
        basis = self.basis_functions(lengths, self.r_max, self.num_bessel)
        return basis * self.envelope_function(lengths, self.r_max)[..., None]

    def _normalization(self) -> float:
        if self.avg_r_min is None:
            return 1.0
        samples = np.linspace(self.avg_r_min, self.r_max, 1000)
        return float(np.mean(self._embed(samples) ** 2) ** -0.5)
