"""Products of harmonics and features over the runs of edges of one receiver.

The three are the derivatives of one another and declared so, because each has a form that is fast
and that derivatives found automatically would not have. ``k`` counts the edges of a run, ``m`` the
components of the harmonics and ``c`` the channels. (Forward-mode differentiation is not declared;
it works where runs are single edges.)
"""

from typing import Any

import jax
import jax.numpy as jnp

from mlip_core.models.equivariant.coupling import add_up
from mlip_core.utils.compiled_apart import compiled_apart

Array = Any
Residuals = tuple[Array, Array]


def project(harmonics: Array, vectors: Array) -> Array:
    """Scalar products of harmonics ``[r, k, m]`` and vectors ``[r, m, c]``: ``[r, k, c]``."""
    return (
        _plain_project(harmonics, vectors)
        if harmonics.shape[1] == 1
        else _project(harmonics, vectors)
    )


def spread(harmonics: Array, weights: Array) -> Array:
    """Sums over a run of harmonics ``[r, k, m]`` times weights ``[r, k, c]``: ``[r, m, c]``."""
    return (
        _plain_spread(harmonics, weights)
        if harmonics.shape[1] == 1
        else _spread(harmonics, weights)
    )


def _plain_project(harmonics: Array, vectors: Array) -> Array:
    terms = [harmonics[:, :, m, None] * vectors[:, None, m] for m in range(harmonics.shape[2])]
    return add_up(terms)


def _plain_spread(harmonics: Array, weights: Array) -> Array:
    terms = [harmonics[:, k, :, None] * weights[:, k, None] for k in range(harmonics.shape[1])]
    return add_up(terms)


_project = jax.custom_vjp(compiled_apart(_plain_project))
_spread = jax.custom_vjp(compiled_apart(_plain_spread))


@jax.custom_vjp
def _overlap(vectors: Array, weights: Array) -> Array:
    """Scalar products over the channels: ``[r, m, c]`` and ``[r, k, c]`` to ``[r, k, m]``."""
    return jnp.einsum("rmc,rkc->rkm", vectors, weights)


def _project_forward(harmonics: Array, vectors: Array) -> tuple[Array, Residuals]:
    return _project(harmonics, vectors), (harmonics, vectors)


def _project_backward(residuals: Residuals, cotangent: Array) -> Residuals:
    harmonics, vectors = residuals
    return _overlap(vectors, cotangent), _spread(harmonics, cotangent)


def _spread_forward(harmonics: Array, weights: Array) -> tuple[Array, Residuals]:
    return _spread(harmonics, weights), (harmonics, weights)


def _spread_backward(residuals: Residuals, cotangent: Array) -> Residuals:
    harmonics, weights = residuals
    return _overlap(cotangent, weights), _project(harmonics, cotangent)


def _overlap_forward(vectors: Array, weights: Array) -> tuple[Array, Residuals]:
    return _overlap(vectors, weights), (vectors, weights)


def _overlap_backward(residuals: Residuals, cotangent: Array) -> Residuals:
    vectors, weights = residuals
    return _spread(cotangent, weights), _project(cotangent, vectors)


_project.defvjp(_project_forward, _project_backward)
_spread.defvjp(_spread_forward, _spread_backward)
_overlap.defvjp(_overlap_forward, _overlap_backward)
