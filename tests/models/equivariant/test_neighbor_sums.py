"""Sums over neighbours are those of plain products, and so are their derivatives of any order."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlip_core.models.equivariant import neighbor_sums as module
from mlip_core.models.equivariant.neighbor_sums import (
    find_places,
    neighbor_sums,
    plain_neighbor_sums,
)

N_NODES, N_COMPONENTS, N_CHANNELS = 7, 3, 2
ARE_SCALAR = (False, True, False)
DEGREES = (2, 1, 0)


@pytest.fixture(params=["pairs", "edges"])
def described(request, edges):
    """Senders, receivers and description, with weights of pairs or of edges."""
    senders, receivers, blocks = edges
    if request.param == "edges":
        blocks = dataclasses.replace(blocks, pairs=None, pair_edges=None)
    return senders, receivers, blocks


def factors(senders, receivers, blocks):
    """Weights, features and harmonics; weights of edges that do not count are zero."""
    rng = np.random.default_rng(3)
    is_edge = senders != receivers
    rows = jnp.arange(len(senders)) if blocks.pairs is None else blocks.pairs
    n_rows = len(senders if blocks.pairs is None else blocks.pair_edges)
    counts = jnp.zeros(n_rows).at[rows].add(is_edge) > 0
    weights = [rng.normal(size=(n_rows, N_CHANNELS)) for _ in DEGREES]
    harmonics = [rng.normal(size=(2 * degree + 1, len(senders))) for degree in DEGREES]
    features = rng.normal(size=(N_COMPONENTS, N_NODES, N_CHANNELS))
    return (tuple(weights), features, tuple(harmonics)), counts, rows


def energies(described):
    """The same function of the factors by our sums and by plain ones: two layers, not linear."""
    senders, receivers, _ = described
    arrays, counts, rows = factors(*described)
    places = find_places(*described)

    def ours(weights, features, harmonics):
        return neighbor_sums(ARE_SCALAR, weights, features, harmonics, places)

    def plain(weights, features, harmonics):
        weights = tuple(w[rows] for w in weights)
        return plain_neighbor_sums(ARE_SCALAR, weights, features, harmonics, senders, receivers)

    def energy(sums, weights, features, harmonics):
        weights = tuple(counts[:, None] * w for w in weights)
        outer, scalar, weighted = sums(weights, features, harmonics)
        features = features + jnp.sin(outer.sum(axis=1)) + scalar * weighted[:, 0]
        return sum(jnp.sum(jnp.tanh(x)) for x in sums(weights, features, harmonics))

    return functools.partial(energy, ours), functools.partial(energy, plain), arrays


def squared_slopes(function, argnums):
    """Of the next order: the sum of the squares of a function's derivatives."""

    def squares(*arguments):
        slopes = jax.grad(function, argnums=argnums)(*arguments)
        return sum(jnp.sum(slope**2) for slope in jax.tree.leaves(slopes))

    return squares


def assert_same(actual, expected, arrays):
    for a, b in zip(
        *(jax.tree.leaves(jax.grad(f, argnums=(0, 1, 2))(*arrays)) for f in (actual, expected)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("most_products", [1, 7])
def test_sums_and_derivatives(described, most_products, monkeypatch):
    monkeypatch.setattr(module, "_MOST_PRODUCTS", most_products)
    jax.clear_caches()  # of kernels that were traced with another number
    with jax.enable_x64(True):
        ours, plain, arrays = energies(described)
        np.testing.assert_allclose(ours(*arrays), plain(*arrays), rtol=1e-12)
        assert_same(ours, plain, arrays)
        assert_same(*(squared_slopes(f, (0, 1, 2)) for f in (ours, plain)), arrays)


@pytest.mark.parametrize("argnums", [0, 1, 2])
def test_derivatives_of_forces_by_some_factors_only(described, argnums):
    with jax.enable_x64(True):
        ours, plain, arrays = energies(described)
        assert_same(*(squared_slopes(f, argnums) for f in (ours, plain)), arrays)


def test_third_derivatives(described):
    with jax.enable_x64(True):
        ours, plain, arrays = energies(described)
        thrice = [squared_slopes(squared_slopes(f, 2), 1) for f in (ours, plain)]
        assert_same(*thrice, arrays)


def test_without_a_description_there_are_no_places(edges):
    senders, receivers, blocks = edges
    assert find_places(senders, receivers, None) is None
    unknown = dataclasses.replace(blocks, reverse=None, pairs=None, pair_edges=None)
    assert find_places(senders, receivers, unknown) is None
