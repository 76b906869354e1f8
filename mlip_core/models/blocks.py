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

from mlip_core.models.equivariant.irreps import SCALAR, Irrep
from mlip_core.models.options import Function

Array = Any
Features = dict[Irrep, Array]
Irreps = Sequence[tuple[int, Irrep]]

_LARGEST_LOOP = 8
_STANDARD_NORMAL = nn.initializers.normal(1.0)


class LinearNodeEmbeddingBlock(nn.Module):
    """Learned scalar features of each species."""

    num_species: int
    num_channels: int

    @nn.compact
    def __call__(self, node_species: Array) -> Features:
        """``[n_nodes]`` to scalars ``[1, n_nodes, num_channels]``."""
        shape = (self.num_species, self.num_channels)
        embeddings = self.param("embeddings", _STANDARD_NORMAL, shape)
        return {SCALAR: (embeddings * self.num_species**-0.5)[node_species][None]}


class Linear(nn.Module):
    """Mixes the channels of each irrep."""

    irreps_out: Irreps

    @nn.compact
    def __call__(self, features: Features) -> Features:
        """Output irreps that the input lacks are left out."""
        mixed = {}
        for (i, x), (j, irrep, n_out) in _matches(features, self.irreps_out):
            n_in = x.shape[2]
            name = f"w[{i},{j}] {n_in}x{irrep},{n_out}x{irrep}"
            weight = self.param(name, _STANDARD_NORMAL, (n_in, n_out))
            mixed[irrep] = x @ (weight * n_in**-0.5)
        return mixed


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
            mixed[irrep] = _mix_by_species(x, weight * scale, node_species)
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


def _mix_by_species(x: Array, weight: Array, node_species: Array) -> Array:
    """``x[m, n, :] @ weight[:, species[n], :]``.

    For few species all products are made and one is chosen: more operations, but in dense matrix
    products. For many, each node's matrix is gathered.
    """
    num_species = weight.shape[1]
    if num_species > _LARGEST_LOOP:
        return jnp.einsum("mni,ino->mno", x, weight[:, node_species])
    return sum(
        jnp.where((node_species == species)[:, None], x @ weight[:, species], 0)
        for species in range(num_species)
    )


class Dense(nn.Module):
    """Linear layer without bias, normalised by its number of inputs."""

    num_out: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """``[..., num_in]`` to ``[..., num_out]``."""
        kernel = self.param("kernel", _STANDARD_NORMAL, (x.shape[-1], self.num_out))
        return x @ (kernel * x.shape[-1] ** -0.5)


class MultiLayerPerceptron(nn.Module):
    """Dense layers with an activation between them and none after the last."""

    widths: Sequence[int]
    activation: Function

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """``[..., num_in]`` to ``[..., widths[-1]]``; zero to zero if the activation does so."""
        for width in self.widths[:-1]:
            x = self.activation(Dense(width)(x))
        return Dense(self.widths[-1])(x)


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
        with jax.ensure_compile_time_eval(), jax.enable_x64(True):
            samples = jnp.linspace(self.avg_r_min, self.r_max, 1000, dtype=jnp.float64)
            return float(np.mean(np.asarray(self._embed(samples)) ** 2) ** -0.5)
