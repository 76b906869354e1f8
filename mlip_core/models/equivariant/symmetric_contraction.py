"""Symmetric contraction: products of a node's features with themselves (MACE, eq. 10 and 11).

The literal form contracts dense tensors U of all products with themselves. Here the same
polynomials are written in a basis of nested couplings ``(((A A)_k1 A)_k2 A)_L`` with only linearly
independent members, and evaluated from the inside out, as Horner does: the last factor A is
multiplied only once for each of its irreps, on the weighted sum of everything that it meets. A
constant matrix takes the weights of the file format, whose basis may be redundant, to those of the
nested basis.

Batatia et al., MACE: Higher Order Equivariant Message Passing Neural Networks (2022).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from mlip_core.models.equivariant.clebsch_gordan import clebsch_gordan
from mlip_core.models.equivariant.coupling import add_up, couple, couple_square
from mlip_core.models.equivariant.irreps import Irrep, natural, products

Array = Any
_TOLERANCE = 1e-9
# Up to this order the basis of all tensors in the file format is that of nested couplings.
_LONGEST_CHAINS = 3


@dataclass(frozen=True)
class Tree:
    """A nested coupling ``(inner x factor)_irrep``; the irrep itself if there is no ``inner``."""

    irrep: Irrep
    inner: "Tree | None" = None
    factor: Irrep | None = None

    @property
    def order(self) -> int:
        """How many factors it multiplies."""
        return 1 if self.inner is None else self.inner.order + 1

    def evaluate(self, features: Mapping[Irrep, Array], memo: "Memo") -> Array:
        """Its value for ``features``, with inner trees looked up in and added to ``memo``."""
        if self.inner is None or self.factor is None:
            return features[self.irrep]
        if self not in memo:
            inner, degree = self.inner.evaluate(features, memo), self.irrep.degree
            if self.inner == Tree(self.factor):
                memo[self] = couple_square(inner, degree)
            else:
                memo[self] = couple(inner, features[self.factor], degree)
        return memo[self]


Memo = dict[Tree, Array]


@dataclass(frozen=True)
class Contraction:
    """How to contract the features ``irreps_in`` to one output irrep.

    Attributes:
        trees: for each order from 1, the independent couplings.
        transforms: for each order, ``[n_weights, n_trees]``: from the weights of the file format to
            those of the trees.
    """

    irrep_out: Irrep
    trees: tuple[tuple[Tree, ...], ...]
    transforms: tuple[np.ndarray, ...]

    def __call__(
        self,
        features: Mapping[Irrep, Array],
        weights: Sequence[Sequence[Array]],
        memo: Memo,
    ) -> Array:
        """Contract.

        Args:
            features: each ``[2 l + 1, ...]``.
            weights: for each order and tree, ``[...]``.
            memo: products already evaluated for the same features, shared between output irreps.

        Returns:
            ``[2 l_out + 1, ...]``.
        """
        terms = [weights[0][0] * features[self.irrep_out]]
        for (_, factor), members in _by_last_factor(self.trees, weights).items():
            inner = add_up(tree.evaluate(features, memo) * weight for tree, weight in members)
            terms.append(couple(inner, features[factor], self.irrep_out.degree))
        return add_up(terms)


def _by_last_factor(
    trees: Sequence[Sequence[Tree]], weights: Sequence[Sequence[Array]]
) -> dict[tuple[Irrep, Irrep], list[tuple[Tree, Array]]]:
    groups: dict[tuple[Irrep, Irrep], list[tuple[Tree, Array]]] = {}
    for order_trees, order_weights in zip(trees[1:], weights[1:], strict=True):
        for tree, weight in zip(order_trees, order_weights, strict=True):
            assert tree.inner is not None
            assert tree.factor is not None
            groups.setdefault((tree.inner.irrep, tree.factor), []).append((tree.inner, weight))
    return groups


@cache
def contraction(
    irreps_in: tuple[Irrep, ...], irrep_out: Irrep, correlation: int, is_symmetric: bool
) -> Contraction:
    """Find the trees and transforms of a contraction.

    Args:
        irreps_in: the irreps of the features, one of each.
        irrep_out: the irrep of the result.
        correlation: highest order.
        is_symmetric: whether the weights of the file format belong to the basis of symmetric
            tensors (one weight per independent polynomial) or to that of all tensors (redundant).
    """
    trees, transforms = [], []
    for order in range(1, correlation + 1):
        if is_symmetric or order > _LONGEST_CHAINS:
            reference = _polynomials_of_basis(irreps_in, irrep_out, order, is_symmetric)
        else:
            reference = _polynomials_of_chains(irreps_in, irrep_out, order)
        members = _independent_trees(irreps_in, order, irrep_out, reference.rank)
        trees.append(members)
        transforms.append(reference.in_terms_of(members))
    return Contraction(irrep_out, tuple(trees), tuple(transforms))


@dataclass(frozen=True)
class _Polynomials:
    """The polynomials that the weights of the file format multiply, known at random points.

    Attributes:
        points: components of each irrep, ``[2 l + 1, n_points]``.
        values: ``[n_weights, n_points * dim_out]``.
    """

    points: Mapping[Irrep, np.ndarray]
    values: np.ndarray

    @property
    def rank(self) -> int:
        """How many of them are linearly independent."""
        return int(np.linalg.matrix_rank(self.values, rtol=_TOLERANCE))

    def in_terms_of(self, trees: Sequence[Tree]) -> np.ndarray:
        """The matrix ``[n_weights, n_trees]`` that writes each of them as a sum of ``trees``."""
        values = np.stack([_values(tree, self.points) for tree in trees])
        matrix, *_ = np.linalg.lstsq(values.T, self.values.T, rcond=None)
        assert np.allclose(matrix.T @ values, self.values, atol=1e-9 * np.abs(self.values).max())
        return matrix.T


def _polynomials_of_chains(
    irreps_in: tuple[Irrep, ...], irrep_out: Irrep, order: int
) -> _Polynomials:
    """One weight for each nested coupling of an order, whether or not others equal it."""
    chains = sorted(_chains(irreps_in, irrep_out, order), key=_layout_order)
    points = _random_points(irreps_in, 2 + 2 * len(chains) // irrep_out.dim)
    return _Polynomials(points, np.stack([_values(chain, points) for chain in chains]))


def _layout_order(chain: Tree) -> list[tuple[int, bool]]:
    """By the irrep of the inner coupling, the last factor, and then the order of the inner one."""
    if chain.inner is None or chain.factor is None:
        return []
    irreps = (chain.inner.irrep, chain.factor)
    return [*map(_rank_of_irrep, irreps), *_layout_order(chain.inner)]


def _chains(irreps_in: tuple[Irrep, ...], irrep_out: Irrep, order: int) -> list[Tree]:
    """All nested couplings ``(((a b)_k c)_l ...)`` to an irrep."""
    if order == 1:
        return [Tree(irrep_out)] if irrep_out in irreps_in else []
    return [
        Tree(irrep_out, inner, factor)
        for factor in irreps_in
        for inner_irrep in products(irrep_out, factor)
        for inner in _chains(irreps_in, inner_irrep, order - 1)
    ]


def _rank_of_irrep(irrep: Irrep) -> tuple[int, bool]:
    return irrep.degree, irrep != natural(irrep.degree)


def _polynomials_of_basis(
    irreps_in: tuple[Irrep, ...], irrep_out: Irrep, order: int, is_symmetric: bool
) -> _Polynomials:
    """One weight for each tensor in a basis of ``e3nn``."""
    basis = tensor_basis(irreps_in, irrep_out, order, is_symmetric)
    n_weights, dim = basis.shape[-2:]
    points = _random_points(irreps_in, 2 + 2 * n_weights // dim)
    flat = np.concatenate([points[irrep] for irrep in irreps_in])
    values = np.tensordot(flat.T, basis, axes=1)
    for _ in range(basis.ndim - 3):
        values = np.einsum("ni,ni...->n...", flat.T, values)
    return _Polynomials(points, values.swapaxes(0, 1).reshape(n_weights, -1))


def tensor_basis(
    irreps_in: tuple[Irrep, ...], irrep_out: Irrep, order: int, is_symmetric: bool
) -> np.ndarray:
    """Orthogonal tensors, ``[dim] * order + [n_weights, dim_out]``: symmetric ones, or all."""
    import e3nn_jax  # here, because the usual layout does not need it and it is slow to import

    irreps = e3nn_jax.Irreps("+".join(str(irrep) for irrep in irreps_in))
    keep = [e3nn_jax.Irrep(str(irrep_out))]
    if is_symmetric:
        basis = e3nn_jax.reduced_symmetric_tensor_product_basis(irreps, order, keep_ir=keep)
    else:
        basis = e3nn_jax.reduced_tensor_product_basis([irreps] * order, keep_ir=keep)
    (tensor,) = basis.chunks
    return np.asarray(tensor, np.float64)


def _random_points(irreps: Sequence[Irrep], count: int) -> dict[Irrep, np.ndarray]:
    generator = np.random.default_rng(0)
    return {irrep: generator.normal(size=(irrep.dim, count)) for irrep in irreps}


def _values(tree: Tree, points: Mapping[Irrep, np.ndarray]) -> np.ndarray:
    """Components at random points, flattened."""
    return _at_points(tree, points).T.ravel()


def _at_points(tree: Tree, points: Mapping[Irrep, np.ndarray]) -> np.ndarray:
    if tree.inner is None or tree.factor is None:
        return points[tree.irrep]
    degrees = (tree.inner.irrep.degree, tree.factor.degree, tree.irrep.degree)
    inner = _at_points(tree.inner, points)
    outer = inner[:, None] * points[tree.factor][None]
    return np.tensordot(clebsch_gordan(*degrees), outer, axes=([0, 1], [0, 1]))


@cache
def _independent_trees(
    irreps_in: tuple[Irrep, ...], order: int, irrep_out: Irrep, rank: int | None = None
) -> tuple[Tree, ...]:
    """The cheapest trees that span all symmetric products of an order, ``rank`` in number."""
    if order == 1:
        return (Tree(irrep_out),)
    candidates = sorted(_candidates(irreps_in, order, irrep_out), key=_cost)
    points = _random_points(irreps_in, 4 + len(candidates) // irrep_out.dim)
    chosen: list[Tree] = []
    directions: list[np.ndarray] = []
    for tree in candidates:
        if len(chosen) == rank:
            break
        direction = _new_direction(_values(tree, points), directions)
        if direction is not None:
            chosen.append(tree)
            directions.append(direction)
    return tuple(chosen)


def _new_direction(values: np.ndarray, directions: Sequence[np.ndarray]) -> np.ndarray | None:
    scale = np.linalg.norm(values)
    if scale < _TOLERANCE:
        return None
    rest = values / scale
    for _ in range(2):  # twice, or rounding spoils the orthogonality
        for direction in directions:
            rest = rest - (direction @ rest) * direction
    norm = np.linalg.norm(rest)
    return rest / norm if norm > 1e3 * _TOLERANCE else None


def _candidates(irreps_in: tuple[Irrep, ...], order: int, irrep_out: Irrep) -> Iterator[Tree]:
    for factor in irreps_in:
        for inner_irrep in products(irrep_out, factor):
            if order == 2 and inner_irrep not in irreps_in:
                continue
            for inner in _independent_trees(irreps_in, order - 1, inner_irrep):
                vanishes = inner == Tree(factor) and irrep_out.degree % 2 == 1
                if not vanishes:
                    yield Tree(irrep_out, inner, factor)


def _cost(tree: Tree) -> tuple[int, ...]:
    """Multiplications of the outer coupling, then of the inner ones: few and simple groups."""
    costs = []
    current: Tree | None = tree
    while current is not None and current.inner is not None and current.factor is not None:
        degrees = (current.inner.irrep.degree, current.factor.degree, current.irrep.degree)
        costs.append(int(np.count_nonzero(clebsch_gordan(*degrees))))
        current = current.inner
    return tuple(costs)
