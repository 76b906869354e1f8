"""Lengths of vectors that may be zero."""

import jax
import jax.numpy as jnp


def safe_norm(x: jax.Array, axis: int | None = None, keepdims: bool = False) -> jax.Array:
    """Euclidean norm along an axis; its derivative at zero is zero, not NaN.

    Args:
        x: of any shape.
        axis: along which; ``None`` for all.
        keepdims: whether the axis is kept, with length 1.
    """
    squares = jnp.sum(x * x, axis=axis, keepdims=keepdims)
    is_zero = squares == 0
    return jnp.where(is_zero, 0, jnp.sqrt(jnp.where(is_zero, 1, squares)))
