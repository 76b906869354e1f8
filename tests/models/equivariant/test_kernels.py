"""Each kernel against its literal, dense form."""

import e3nn_jax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlip_core.models.equivariant.clebsch_gordan import clebsch_gordan
from mlip_core.models.equivariant.coupling import (
    couple,
    couple_products,
    couple_square,
)
from mlip_core.models.equivariant.irreps import Irrep, natural, parse_irreps, products
from mlip_core.models.equivariant.message_passing import Edges, message_paths, pass_messages
from mlip_core.models.equivariant.spherical_harmonics import spherical_harmonics
from mlip_core.models.equivariant.symmetric_contraction import contraction, tensor_basis
from mlip_core.typing import EdgeBlocks

RNG = np.random.default_rng(5)
TRIPLES = [
    (a, b, c) for a in range(4) for b in range(4) for c in range(abs(a - b), min(a + b, 4) + 1)
]


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize(("degree_1", "degree_2", "degree_out"), TRIPLES)
def test_coefficients_are_those_of_e3nn(degree_1, degree_2, degree_out):
    theirs = e3nn_jax.clebsch_gordan(degree_1, degree_2, degree_out) * np.sqrt(2 * degree_out + 1)
    ours = clebsch_gordan(degree_1, degree_2, degree_out)
    np.testing.assert_allclose(ours, theirs, atol=1e-13)


@pytest.mark.parametrize(("degree_1", "degree_2", "degree_out"), TRIPLES)
def test_couple_is_the_contraction_with_the_tensor(degree_1, degree_2, degree_out):
    a, b = RNG.normal(size=(2 * degree_1 + 1, 6)), RNG.normal(size=(2 * degree_2 + 1, 6))
    table = clebsch_gordan(degree_1, degree_2, degree_out)
    expected = np.einsum("in,jn,ijm->mn", a, b, table)
    np.testing.assert_allclose(couple(a, b, degree_out), expected, atol=1e-13)
    products = (a[:, None] * b[None]).reshape(-1, 6)
    by_products = couple_products(products, degree_1, degree_2, degree_out)
    np.testing.assert_allclose(by_products, expected, atol=1e-13)


@pytest.mark.parametrize(("degree_1", "degree_2", "degree_out"), [(1, 2, 2), (2, 2, 0), (0, 2, 2)])
def test_derivatives_of_couplings(degree_1, degree_2, degree_out):
    table = clebsch_gordan(degree_1, degree_2, degree_out)
    factors = [jnp.asarray(RNG.normal(size=(2 * degree + 1, 4))) for degree in (degree_1, degree_2)]
    weights = RNG.normal(size=(2 * degree_out + 1, 4))

    def third_derivative(couple_two):
        """Of a function that is cubic in the result, through every transpose."""

        def first(a, b):
            value = lambda a, b: jnp.sum(weights * couple_two(a, b) ** 3)  # noqa: E731
            return sum(jnp.sum(g**2) for g in jax.grad(value, (0, 1))(a, b))

        return jax.grad(first, (0, 1))(*factors)

    expected = third_derivative(lambda a, b: jnp.einsum("in,jn,ijm->mn", a, b, table))
    for other in (
        lambda a, b: couple(a, b, degree_out),
        lambda a, b: couple_products(
            (a[:, None] * b[None]).reshape(-1, 4), degree_1, degree_2, degree_out
        ),
    ):
        for ours, theirs in zip(third_derivative(other), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("degree", "degree_out"), [(1, 0), (1, 2), (2, 2), (2, 4), (3, 2), (3, 6)])
def test_couple_square(degree, degree_out):
    a = RNG.normal(size=(2 * degree + 1, 6))
    np.testing.assert_allclose(couple_square(a, degree_out), couple(a, a, degree_out), atol=1e-13)

    def curvature(square):
        first = lambda a: jnp.sum(jax.grad(lambda a: jnp.sum(square(a) ** 3))(a) ** 2)  # noqa: E731
        return jax.grad(first)(jnp.asarray(a))

    ours = curvature(lambda a: couple_square(a, degree_out))
    np.testing.assert_allclose(ours, curvature(lambda a: couple(a, a, degree_out)), rtol=1e-10)


def test_spherical_harmonics_are_those_of_e3nn():
    vectors = RNG.normal(size=(3, 20))
    unit = vectors / np.linalg.norm(vectors, axis=0)
    ours = np.concatenate(spherical_harmonics(5, jnp.asarray(unit)))
    irreps = e3nn_jax.Irreps.spherical_harmonics(5)
    inputs = e3nn_jax.IrrepsArray("1o", unit.T)
    theirs = e3nn_jax.spherical_harmonics(irreps, inputs, True, "component").array
    np.testing.assert_allclose(ours.T, theirs, atol=1e-12)


@pytest.mark.parametrize("is_symmetric", [False, True])
@pytest.mark.parametrize(
    ("l_max", "degree_out", "correlation"),
    [(1, 0, 4), (1, 1, 4), (2, 0, 3), (2, 2, 3), (3, 0, 3), (3, 1, 3)],
)
def test_contraction_is_that_of_the_dense_bases(l_max, degree_out, correlation, is_symmetric):
    irreps = tuple(natural(degree) for degree in range(l_max + 1))
    irrep_out = natural(degree_out)
    contract = contraction(irreps, irrep_out, correlation, is_symmetric)
    features = {irrep: RNG.normal(size=(irrep.dim, 5)) for irrep in irreps}
    flat = np.concatenate(list(features.values()))
    expected, tree_weights = 0.0, []
    for order, transform in enumerate(contract.transforms, start=1):
        basis = tensor_basis(irreps, irrep_out, order, is_symmetric)
        weights = RNG.normal(size=basis.shape[-2])
        product = np.einsum("...wm,w->...m", basis, weights)[..., None]
        for _ in range(order):
            factor = flat.reshape(len(flat), *[1] * (product.ndim - 2), 5)
            product = (product * factor).sum(axis=0)
        expected = expected + product
        tree_weights.append(list(weights @ transform))
    np.testing.assert_allclose(contract(features, tree_weights, {}), expected, atol=1e-11)


@pytest.mark.parametrize("size", [1, 3])
def test_messages_are_the_sum_of_coupled_edges(size):
    n_nodes, n_edges, n_channels, l_max = 4, 12, 2, 2
    irreps = (natural(0), natural(1))
    features = {irrep: RNG.normal(size=(irrep.dim, n_nodes, n_channels)) for irrep in irreps}
    paths = message_paths(irreps, l_max)
    weights = RNG.normal(size=(n_edges, len(paths) * n_channels))
    receivers = np.repeat([0, 2, 2, 3], 3)
    edges = Edges(
        senders=RNG.integers(n_nodes, size=n_edges),
        receivers=receivers,
        harmonics=[RNG.normal(size=(2 * degree + 1, n_edges)) for degree in range(l_max + 1)],
        lengths=np.ones(n_edges),
        radial=np.zeros((n_edges, 1)),
        is_within=np.ones(n_edges, bool),
        blocks=EdgeBlocks(size),
    )
    edges.harmonics[0][:] = 1.0
    messages = pass_messages(features, edges, jnp.asarray(weights), paths)
    for irrep, ours in messages.items():
        own = [path for path in paths if path.irrep_out == irrep]
        expected = np.zeros_like(ours)
        for k, path in enumerate(own):
            column = paths.index(path)
            for edge in range(n_edges):
                table = clebsch_gordan(path.irrep_in.degree, path.degree, irrep.degree)
                sender = features[path.irrep_in][:, edges.senders[edge]]
                message = np.einsum(
                    "ic,j,ijm->mc", sender, edges.harmonics[path.degree][:, edge], table
                )
                channels = slice(column * n_channels, (column + 1) * n_channels)
                place = slice(k * n_channels, (k + 1) * n_channels)
                expected[:, receivers[edge], place] += message * weights[edge, channels]
        np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_parse_irreps():
    assert parse_irreps("16x0e + 8x1o+2e") == [
        (16, Irrep(0, 1)),
        (8, Irrep(1, -1)),
        (1, Irrep(2, 1)),
    ]
    for text in ("", "0x", "3x1", "1o+"):
        with pytest.raises(ValueError, match="is not a list of irreps"):
            parse_irreps(text)


def test_products_of_irreps():
    expected = [Irrep(1, -1), Irrep(2, -1), Irrep(3, -1)]
    assert products(natural(1), natural(2)) == expected
