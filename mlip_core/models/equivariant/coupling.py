"""Clebsch-Gordan coupling of features with components outermost.

A coupling is written as all products of components and one matrix product with a constant table, over
all nodes and channels at once. The tables are mostly zeros, but they are small; sums written out over the
others alone need fewer operations and compile an order of magnitude slower.
"""

from functools import lru_cache
from typing import Any

import numpy as np

Array = Any


@lru_cache(maxsize=None)
def clebsch_gordan(degree_1: int, degree_2: int, degree_out: int) -> np.ndarray:
    """Real Clebsch-Gordan tensor ``[2 l1 + 1, 2 l2 + 1, 2 l_out + 1]``.

    Normalised by component: inputs of unit variance give outputs of unit variance.
    """
    import e3nn_jax  # here, because only who traces a network needs it and it is slow to import

    tensor = np.asarray(e3nn_jax.clebsch_gordan(degree_1, degree_2, degree_out), np.float64)
    tensor = tensor * np.sqrt(2 * degree_out + 1)
    tensor[np.abs(tensor) < 1e-12] = 0.0
    return tensor


def couple(a: Array, b: Array, degree_out: int) -> Array:
    """Degree ``degree_out`` of the tensor product of two features.

    Args:
        a: ``[2 l1 + 1, ...]``.
        b: ``[2 l2 + 1, ...]``, the rest of the shape as of ``a``.
        degree_out: degree of the result.

    Returns:
        ``[2 degree_out + 1, ...]``.
    """
    return couple_products(a[:, None] * b[None], degree_out)


def couple_products(products: Array, degree_out: int) -> Array:
    """The same from the products of components ``[2 l1 + 1, 2 l2 + 1, ...]``."""
    dim_1, dim_2, *rest = products.shape
    if 1 in (dim_1, dim_2):  # with a scalar nothing is coupled
        return products.reshape(dim_1 * dim_2, *rest)
    table = clebsch_gordan((dim_1 - 1) // 2, (dim_2 - 1) // 2, degree_out)
    matrix = table.reshape(dim_1 * dim_2, -1).T.astype(products.dtype)
    return (matrix @ products.reshape(dim_1 * dim_2, -1)).reshape(-1, *rest)
