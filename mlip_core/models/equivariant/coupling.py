"""Clebsch-Gordan coupling of features.

A feature of degree l is an array ``[2 l + 1, ...]``, components outermost. Most coefficients are
zero and the others take few values, so a coupling is written out over the others only, terms of
equal coefficient together, and compiled to one loop without intermediate arrays. Its derivatives by
either factor are couplings with the same coefficients in another order, and are declared so: a
program that differentiates it any number of times consists of such loops and of nothing else, where
the derivatives of the single terms would be many times as many instructions. (Forward-mode
differentiation is not declared.)
"""

import functools
import operator
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mlip_core.models.equivariant.clebsch_gordan import clebsch_gordan
from mlip_core.utils.compiled_apart import compiled_apart

Array = Any


class Coupling(NamedTuple):
    """The coefficients of three degrees, with their axes in some order: two factors and the result.

    Attributes:
        degrees: of the Clebsch-Gordan tensor's axes.
        order: which of them belongs to the first factor, the second, and the result.
        is_apart: whether it is compiled apart from what surrounds it.
    """

    degrees: tuple[int, int, int]
    order: tuple[int, int, int] = (0, 1, 2)
    is_apart: bool = True

    @property
    def tensor(self) -> np.ndarray:
        """``[dim of the first factor, dim of the second, dim of the result]``."""
        return clebsch_gordan(*self.degrees).transpose(self.order)

    @property
    def matrix(self) -> np.ndarray:
        """``[dim of the result, dim of the first factor * dim of the second]``."""
        tensor = self.tensor
        return tensor.reshape(-1, tensor.shape[2]).T

    @property
    def of_first(self) -> "Coupling":
        """The coupling of (result, second factor) to the first factor: its derivative."""
        first, second, result = self.order
        return self._replace(order=(result, second, first))

    @property
    def of_second(self) -> "Coupling":
        """The coupling of (first factor, result) to the second factor: its derivative."""
        first, second, result = self.order
        return self._replace(order=(first, result, second))


def couple(a: Array, b: Array, degree_out: int, is_apart: bool = True) -> Array:
    """Degree ``degree_out`` of the tensor product: ``[2 l_out + 1, ...]`` of two like features.

    Args:
        a: ``[2 l_a + 1, ...]``.
        b: ``[2 l_b + 1, ...]``.
        degree_out: of the result.
        is_apart: whether it is compiled apart from what surrounds it: right for features of many
            channels, whose stacks of components make slow loops when they are fused into sums.
    """
    coupling = Coupling((_degree(a), _degree(b), degree_out), is_apart=is_apart)
    return _couple(coupling, a, b)


def couple_square(a: Array, degree_out: int) -> Array:
    """``couple(a, a, degree_out)`` for an even ``degree_out``, with half the derivatives."""
    return _couple_square(degree_out, a)


def couple_products(products: Array, degree_1: int, degree_2: int, degree_out: int) -> Array:
    """The coupling of two features that are given by the products of their components.

    Args:
        products: ``[(2 l1 + 1) * (2 l2 + 1), ...]``.
        degree_1: l1.
        degree_2: l2.
        degree_out: of the result.

    Returns:
        ``[2 l_out + 1, ...]``.
    """
    return _transform(Coupling((degree_1, degree_2, degree_out)), False, products)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _couple(coupling: Coupling, a: Array, b: Array) -> Array:
    return (_evaluate_apart if coupling.is_apart else _evaluate_inlined)(coupling, a, b)


def _evaluate(coupling: Coupling, a: Array, b: Array) -> Array:
    if 1 in coupling.tensor.shape:
        return _couple_with_scalar(coupling.tensor, a, b)
    rows_a, rows_b = unstack(a, axis=0), unstack(b, axis=0)
    return jnp.stack(
        [
            add_up(group.coefficient * _signed_sum(rows_a, rows_b, group.terms) for group in groups)
            for groups in _groups_of_terms(coupling)
        ]
    )


_evaluate_apart = compiled_apart(_evaluate, num_static=1)
# Compiled as part of whatever calls it, but traced only once for each coupling and shape.
_evaluate_inlined = jax.jit(_evaluate, static_argnums=0)


class Group(NamedTuple):
    """Terms ``sign * a[i] * b[j]`` with the same coefficient, the first sign positive."""

    coefficient: float
    terms: tuple[tuple[int, int, bool], ...]


@functools.cache
def _groups_of_terms(coupling: Coupling) -> tuple[tuple[Group, ...], ...]:
    """For each component of the result, its terms that are not zero, by coefficient."""
    return tuple(_grouped(matrix) for matrix in np.moveaxis(coupling.tensor, 2, 0))


def _grouped(matrix: np.ndarray) -> tuple[Group, ...]:
    by_size: dict[float, list[tuple[int, int]]] = {}
    for i, j in np.argwhere(matrix).tolist():
        by_size.setdefault(round(abs(matrix[i, j]), 12), []).append((i, j))
    groups = []
    for places in by_size.values():
        coefficient = float(matrix[places[0]])
        terms = tuple((i, j, bool(matrix[i, j] * coefficient > 0)) for i, j in places)
        groups.append(Group(coefficient, terms))
    return tuple(groups)


def _signed_sum(a: Sequence[Array], b: Sequence[Array], terms: Sequence[Any]) -> Array:
    # Functions of lax, because those of jnp check so much that they take most of the tracing time.
    (i, j, _), *others = terms
    total = lax.mul(a[i], b[j])
    for i, j, is_positive in others:
        total = (lax.add if is_positive else lax.sub)(total, lax.mul(a[i], b[j]))
    return total


def _couple_with_scalar(tensor: np.ndarray, a: Array, b: Array) -> Array:
    """The coupling if a factor or the result has one component: a multiple of the plain product."""
    scale = float(tensor.ravel()[0])
    if tensor.shape[2] == 1:
        return scale * jnp.sum(a * b, axis=0, keepdims=True)
    return scale * (a * b)


_couple.defvjp(
    lambda coupling, a, b: (_couple(coupling, a, b), (a, b)),
    lambda coupling, factors, cotangent: (
        _couple(coupling.of_first, cotangent, factors[1]),
        _couple(coupling.of_second, factors[0], cotangent),
    ),
)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _couple_square(degree_out: int, a: Array) -> Array:
    return couple(a, a, degree_out)


_couple_square.defvjp(
    lambda degree_out, a: (_couple_square(degree_out, a), a),
    lambda degree_out, a, cotangent: (
        2 * _couple(Coupling((_degree(a), _degree(a), degree_out)).of_first, cotangent, a),
    ),
)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _transform(coupling: Coupling, is_transposed: bool, x: Array) -> Array:
    return _multiply(coupling.matrix.T if is_transposed else coupling.matrix, x)


_transform.defvjp(
    lambda coupling, is_transposed, x: (_transform(coupling, is_transposed, x), None),
    lambda coupling, is_transposed, _, cotangent: (
        _transform(coupling, not is_transposed, cotangent),
    ),
)


def _multiply(matrix: np.ndarray, x: Array) -> Array:
    """``matrix @ x`` along the first axis of ``x``, in full precision on every backend."""
    coefficients = jnp.asarray(np.ascontiguousarray(matrix), x.dtype)
    return jnp.tensordot(coefficients, x, axes=1, precision=lax.Precision.HIGHEST)


def unstack(x: Array, axis: int) -> list[Array]:
    """Slices by ``split``, whose derivative is a concatenation and not a sum of padded arrays."""
    return [lax.squeeze(part, (axis,)) for part in lax.split(x, (1,) * x.shape[axis], axis=axis)]


def add_up(terms: Iterable[Array]) -> Array:
    """Sum without the leading zero of ``sum``, which would stay in the compiled program."""
    return functools.reduce(operator.add, terms)


def _degree(feature: Array) -> int:
    return (feature.shape[0] - 1) // 2
