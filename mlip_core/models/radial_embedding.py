"""Radial basis and envelopes: what an edge's length becomes before a network sees it.

All functions take arrays of JAX or of NumPy, and give the same kind: constants that derive from
them need no compilation.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

Array = Any


def bessel_basis(length: Array, max_length: float, number: int) -> Array:
    """Bessel functions sqrt(2/c) sin(n pi r / c) / r, zero at the cutoff c.

    Gasteiger et al., Directional Message Passing for Molecular Graphs (2020), eq. 7.

    Args:
        length: ``[...]``, Å, positive.
        max_length: cutoff, Å.
        number: how many functions.

    Returns:
        ``[..., number]``
    """
    orders = np.arange(1, number + 1, dtype=length.dtype)
    angles = (np.pi / max_length) * length[..., None] * orders
    scale = np.sqrt(2.0 / max_length).item()
    return scale * _namespace(length).sin(angles) / length[..., None]


def polynomial_envelope_updated(length: Array, max_length: float, p: int = 5) -> Array:
    """Polynomial that is 1 at zero and 0 with its first two derivatives at the cutoff.

    Gasteiger et al. (2020), eq. 8.
    """
    x = length / max_length
    power = x**p
    value = (
        1
        - (p + 1) * (p + 2) / 2 * power
        + p * (p + 2) * power * x
        - p * (p + 1) / 2 * power * x * x
    )
    return _namespace(length).where(x < 1, value, 0.0)


def soft_envelope(
    length: Array,
    max_length: float,
    arg_multiplicator: float = 2.0,
    value_at_origin: float = 1.2,
) -> Array:
    """Smooth envelope, infinitely differentiable, zero beyond the cutoff."""
    xp = _namespace(length)
    argument = arg_multiplicator * (1.0 - length / max_length)
    inside = argument > 0
    safe = xp.where(inside, argument, 1.0)
    scale = value_at_origin * np.exp(1.0 / arg_multiplicator).item()
    return xp.where(inside, scale * xp.exp(-1.0 / safe), 0.0)


def _namespace(x: Array) -> Any:
    return np if isinstance(x, np.ndarray) else jnp
