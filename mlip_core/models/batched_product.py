"""Products of features with matrices, in the memory layout that is fast.

XLA's CPU backend has a fast kernel for batched products whose left factor is contracted over its
last axis, and slow loops (measured: three to ten times slower) for those contracted over the first,
which automatic differentiation makes half of all. The two products here are each other's
derivatives up to the transpose of the smaller factor, which is copied, so that all derivatives of
any order have the fast layout. (Forward-mode differentiation is not declared.)
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Array = Any
Factors = tuple[Array, Array]


def mix_channels(x: Array, weight: Array) -> Array:
    """``x @ weight`` for ``[..., n_in]`` and ``[n_in, n_out]``, as a product of two matrices.

    If ``x`` had more axes than two in the product, XLA's CPU backend would copy its transpose for
    the derivative by ``weight``.
    """
    return (x.reshape(-1, x.shape[-1]) @ weight).reshape(*x.shape[:-1], weight.shape[1])


@jax.custom_vjp
def multiply_each(a: Array, x: Array) -> Array:
    """``a[n] @ x[n]``: ``[n, i, k]`` times ``[n, k, j]``; ``a`` is the smaller factor."""
    return jnp.einsum("nik,nkj->nij", a, x)


@jax.custom_vjp
def multiply_each_transposed(u: Array, x: Array) -> Array:
    """``u[n] @ x[n].T``: ``[n, i, j]`` times ``[n, k, j]``; the result is small."""
    return jnp.einsum("nij,nkj->nik", u, x)


def _transposed(a: Array) -> Array:
    # The barrier keeps XLA from merging the transpose into the product, and so into the slow loop.
    return lax.optimization_barrier(a.swapaxes(1, 2))


def _keep(product: Any) -> Any:
    return lambda *factors: (product(*factors), factors)


def _multiply_each_vjp(factors: Factors, cotangent: Array) -> Factors:
    a, x = factors
    return multiply_each_transposed(cotangent, x), multiply_each(_transposed(a), cotangent)


def _multiply_each_transposed_vjp(factors: Factors, cotangent: Array) -> Factors:
    u, x = factors
    return multiply_each(cotangent, x), multiply_each(_transposed(cotangent), u)


multiply_each.defvjp(_keep(multiply_each), _multiply_each_vjp)
multiply_each_transposed.defvjp(_keep(multiply_each_transposed), _multiply_each_transposed_vjp)
