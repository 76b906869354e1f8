"""Normalisation of vector features over the channels."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from mlip_core.models.options import VecNormType

Array = Any

# Keeps norms and their derivatives finite where features are zero.
_OFFSET = 1e-12


def normalize_vectors(vectors: Array, l_max: int, kind: VecNormType) -> Array:
    """Normalise the vector features of each node and degree.

    ``RMS`` divides by the root of the mean square of the channels' norms. ``MAX_MIN`` keeps the
    directions and maps the norms to the range from 0, the smallest of the channels, to 1, the
    largest.

    Args:
        vectors: ``[n_nodes, n_components, num_channels]``, degrees 1 to ``l_max`` one after the
            other.
        l_max: highest degree.
        kind: which normalisation.

    Returns:
        The same shape.
    """
    if kind is VecNormType.NONE:
        return vectors
    normalize = {VecNormType.RMS: _divide_by_rms, VecNormType.MAX_MIN: _rescale_norms}[kind]
    sizes = [2 * degree + 1 for degree in range(1, l_max + 1)]
    return jnp.concatenate([normalize(x) for x in lax.split(vectors, sizes, axis=1)], axis=1)


def _divide_by_rms(vectors: Array) -> Array:
    squares = jnp.sum(vectors * vectors, axis=1, keepdims=True) + _OFFSET
    return vectors * jnp.mean(squares, axis=2, keepdims=True) ** -0.5


def _rescale_norms(vectors: Array) -> Array:
    norms = jnp.sqrt(jnp.sum(vectors * vectors, axis=1, keepdims=True) + _OFFSET)
    smallest = jnp.min(norms, axis=2, keepdims=True)
    width = jnp.max(norms, axis=2, keepdims=True) - smallest + _OFFSET
    return vectors / norms * ((norms - smallest) / width)
