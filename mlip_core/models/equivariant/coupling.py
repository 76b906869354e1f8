"""Sparse Clebsch-Gordan coupling of component lists.

A component list holds one array for each of the 2 l + 1 components of a feature. Most coefficients
of the real Clebsch-Gordan tensors are zero and the others take few values, so the sums are written
out over the others only, terms of equal coefficient together: a compiled coupling is a few
multiply-adds per component, with no table, no gather and no intermediate tensor.
"""

import functools
import operator
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax import lax

Array = Any
Components = Sequence[Array]


class Group(NamedTuple):
    """Products ``(i, j)`` of components with the same coefficient, and those with its negative."""

    coefficient: float
    plus: tuple[tuple[int, int], ...]
    minus: tuple[tuple[int, int], ...]


@functools.cache
def clebsch_gordan(degree_1: int, degree_2: int, degree_out: int) -> np.ndarray:
    """Real Clebsch-Gordan tensor ``[2 l1 + 1, 2 l2 + 1, 2 l_out + 1]``.

    Normalised by component: inputs of unit variance give outputs of unit variance.
    """
    import e3nn_jax  # here, because only who traces a network needs it and it is slow to import

    tensor = np.asarray(e3nn_jax.clebsch_gordan(degree_1, degree_2, degree_out), np.float64)
    tensor = tensor * np.sqrt(2 * degree_out + 1)
    tensor[np.abs(tensor) < 1e-12] = 0.0
    return tensor


def couple(a: Components, b: Components, degree_out: int) -> list[Array]:
    """Degree ``degree_out`` of the tensor product of two component lists."""
    degree_a, degree_b = _degree(a), _degree(b)
    return [
        _sum_of_groups(groups, lambda i, j: a[i] * b[j])
        for groups in _groups(degree_a, degree_b, degree_out)
    ]


def couple_square(a: Components, degree_out: int) -> list[Array]:
    """``couple(a, a, degree_out)`` with the equal products ``a_i a_j``, ``a_j a_i`` made once."""
    return [
        _sum_of_groups(groups, lambda i, j: a[i] * a[j])
        for groups in _square_groups(_degree(a), degree_out)
    ]


def couple_products(products: Sequence[Components], degree_out: int) -> list[Array]:
    """The coupling of two features given by the products ``products[i][j]`` for ``a_i b_j``."""
    return [
        _sum_of_groups(groups, lambda i, j: products[i][j])
        for groups in _groups(_degree(products), _degree(products[0]), degree_out)
    ]


def unstack(x: Array, axis: int) -> list[Array]:
    """Slices by ``split``, whose derivative is a concatenation and not a sum of padded arrays."""
    return [lax.squeeze(part, (axis,)) for part in lax.split(x, (1,) * x.shape[axis], axis=axis)]


def add_up(terms: Iterable[Array]) -> Array:
    """Sum without the leading zero of ``sum``, which would stay in the compiled program."""
    return functools.reduce(operator.add, terms)


def _degree(components: Sequence[Any]) -> int:
    return (len(components) - 1) // 2


def _sum_of_groups(groups: Iterable[Group], product: Any) -> Array:
    return add_up(_scaled(group, product) for group in groups)


def _scaled(group: Group, product: Any) -> Array:
    total = add_up(product(*pair) for pair in group.plus)
    for pair in group.minus:
        total = total - product(*pair)
    return total if group.coefficient == 1.0 else group.coefficient * total


@functools.cache
def _groups(degree_1: int, degree_2: int, degree_out: int) -> tuple[tuple[Group, ...], ...]:
    """For each component of the result, its non-zero terms."""
    tensor = clebsch_gordan(degree_1, degree_2, degree_out)
    return tuple(_grouped(tensor[:, :, m]) for m in range(2 * degree_out + 1))


@functools.cache
def _square_groups(degree: int, degree_out: int) -> tuple[tuple[Group, ...], ...]:
    tensor = clebsch_gordan(degree, degree, degree_out)
    folded = [np.triu(x + x.T) - np.diag(np.diag(x)) for x in np.moveaxis(tensor, 2, 0)]
    return tuple(_grouped(matrix) for matrix in folded)


def _grouped(matrix: np.ndarray) -> tuple[Group, ...]:
    by_size: dict[float, tuple[list, list]] = {}
    for i, j in np.argwhere(np.abs(matrix) > 1e-12).tolist():
        plus, minus = by_size.setdefault(round(abs(matrix[i, j]), 12), ([], []))
        (plus if matrix[i, j] > 0 else minus).append((i, j))
    return tuple(
        Group(
            _exact(matrix, *(plus or minus)[0]), tuple(plus or minus), tuple(minus if plus else ())
        )
        for plus, minus in by_size.values()
    )


def _exact(matrix: np.ndarray, i: int, j: int) -> float:
    """The coefficient itself; 1 where it is 1 but for rounding."""
    value = float(matrix[i, j])
    return round(value) if abs(value - round(value)) < 1e-14 else value
