"""Products over neighbours are the plain sums, and so are their first and second derivatives."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlip_core.models.neighbor_products import multiply_ends, sum_weighted_neighbors
from mlip_core.models.visnet.harmonic_products import project, spread

N_NODES, N_COMPONENTS, N_CHANNELS = 7, 4, 5


def random_arrays(n_edges):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(2, N_NODES, N_COMPONENTS, N_CHANNELS))
    return tuple(jnp.asarray(x) for x in (rng.normal(size=(n_edges, N_CHANNELS)), *vectors))


def message_energy(weights, vectors, ends, edges):
    """A function of sums that lean on each other, so that derivatives reach all of the code."""
    senders, receivers, blocks = edges
    summed = sum_weighted_neighbors(weights, vectors, senders, receivers, blocks)
    products = multiply_ends(jnp.sin(ends) + summed, vectors, senders, receivers, blocks)
    again = sum_weighted_neighbors(products * weights, ends, senders, receivers, blocks)
    return jnp.sum(jnp.tanh(again)) + jnp.sum(products**2)


def squared_slopes(energy, *arguments):
    slopes = jax.grad(energy, argnums=(0, 1, 2))(*arguments)
    return sum(jnp.sum(slope**2) for slope in slopes)


def assert_same_derivatives(actual, expected, arrays):
    """Of first and, through the squares of these, of second order."""
    everything = tuple(range(len(arrays)))
    np.testing.assert_allclose(actual(*arrays), expected(*arrays), rtol=1e-12)
    for order_up in (lambda f: f, lambda f: functools.partial(squared_slopes, f)):
        slopes, expected_slopes = (
            jax.grad(order_up(f), argnums=everything)(*arrays) for f in (actual, expected)
        )
        for a, b in zip(slopes, expected_slopes, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def test_products_over_neighbors(edges):
    senders, receivers, blocks = edges
    with jax.enable_x64(True):
        assert_same_derivatives(
            functools.partial(message_energy, edges=(senders, receivers, blocks)),
            functools.partial(message_energy, edges=(senders, receivers, None)),
            random_arrays(len(senders)),
        )


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="other backends fuse as they like")
def test_no_vectors_of_senders_are_written_out(edges):
    """Sums over the same senders share them, and each gathers them anew all the same."""
    arrays = random_arrays(len(edges[0]))
    slopes = functools.partial(squared_slopes, functools.partial(message_energy, edges=edges))
    compiled = jax.jit(jax.grad(slopes, argnums=(0, 1, 2))).lower(*arrays).compile().as_text()
    entry = compiled[compiled.index("ENTRY") :]
    gathered = re.findall(r"gather[\w.]* = f32\[([\d,]+)\]", entry)
    assert gathered, "the names of fusions have changed"
    assert not [shape for shape in gathered if shape.endswith(f"{N_COMPONENTS},{N_CHANNELS}")]


def test_products_with_harmonics():
    def energy(harmonics, vectors, weights, *, project, spread):
        return jnp.sum(jnp.tanh(spread(harmonics, weights * project(harmonics, vectors)) * vectors))

    rng = np.random.default_rng(2)
    with jax.enable_x64(True):
        assert_same_derivatives(
            functools.partial(energy, project=project, spread=spread),
            functools.partial(
                energy,
                project=functools.partial(jnp.einsum, "rkm,rmc->rkc"),
                spread=functools.partial(jnp.einsum, "rkm,rkc->rmc"),
            ),
            tuple(jnp.asarray(rng.normal(size=size)) for size in ((2, 3, 4), (2, 4, 5), (2, 3, 5))),
        )
