"""Sums over edges by gathering are those by scattering, and so are their derivatives."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlip_core.models import neighbors
from mlip_core.simulation.ase.padded_graph import PaddedGraphBuilder
from tests.models.physics import CUTOFF, crystal, molecule

RNG = np.random.default_rng(1)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=[molecule, crystal])
def graph(request):
    builder = PaddedGraphBuilder([1, 6, 8], CUTOFF, dtype=np.float64)
    return jax.tree.map(jnp.asarray, builder.build(request.param()))


def twice_differentiated(fun: Any, x: Any) -> tuple[Any, Any]:
    """Value of ``fun`` and a second derivative that passes through its transpose twice."""
    weights = jnp.asarray(RNG.normal(size=fun(x).shape))
    gradient = jax.grad(lambda x: jnp.sum(weights * fun(x) ** 3))
    return fun(x), jax.grad(lambda x: jnp.sum(gradient(x) ** 2))(x)


def assert_same(one: Any, other: Any, x: Any, rows: Any = slice(None)) -> None:
    state = RNG.bit_generator.state
    results = []
    for fun in (one, other):
        RNG.bit_generator.state = state
        results.append(twice_differentiated(lambda x, fun=fun: fun(x)[rows], x))
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-10 * np.abs(expected).max())


def real_nodes(graph: Any) -> slice:
    return slice(int(graph.n_node[0]))


def test_sums_of_edges(graph):
    n_nodes, blocks = len(graph.nodes.positions), graph.edges.blocks
    is_real = (graph.edges.blocks.reverse != jnp.arange(len(graph.senders)))[:, None]
    x = jnp.asarray(RNG.normal(size=(len(graph.senders), 3)))
    ends = graph.senders, graph.receivers
    assert_same(
        lambda x: neighbors.sum_by_sender(is_real * x, *ends, blocks, n_nodes),
        lambda x: jax.ops.segment_sum(is_real * x, graph.senders, n_nodes),
        x,
        real_nodes(graph),
    )
    assert_same(
        lambda x: neighbors.sum_by_receiver(is_real * x, graph.receivers, blocks, n_nodes),
        lambda x: jax.ops.segment_sum(is_real * x, graph.receivers, n_nodes),
        x,
        real_nodes(graph),
    )


def test_values_of_the_ends(graph):
    blocks = graph.edges.blocks
    is_real = (graph.edges.blocks.reverse != jnp.arange(len(graph.senders)))[:, None]
    x = jnp.asarray(RNG.normal(size=(len(graph.nodes.positions), 2)))
    ends = graph.senders, graph.receivers
    assert_same(
        lambda x: is_real * neighbors.take_senders(x, *ends, blocks),
        lambda x: is_real * x[graph.senders],
        x,
    )
    owners = graph.receivers[:: blocks.size]
    is_real_run = (owners < graph.n_node[0])[:, None]
    assert_same(
        lambda x: is_real_run * neighbors.take_owners(x, owners, blocks),
        lambda x: is_real_run * x[owners],
        x,
    )


def test_pairs(graph):
    blocks = graph.edges.blocks
    lengths = jnp.asarray(RNG.normal(size=len(graph.senders)))
    symmetric = lengths + lengths[blocks.reverse]
    means = neighbors.mean_over_pairs(symmetric, blocks)
    is_filling = blocks.reverse == jnp.arange(len(symmetric))
    back = neighbors.pairs_to_edges(means, blocks)
    np.testing.assert_array_equal(back, jnp.where(is_filling, 0, symmetric))
    x = jnp.asarray(RNG.normal(size=(len(blocks.pair_edges), 3)))
    is_real = (blocks.pair_edges < len(symmetric))[:, None]
    assert_same(
        lambda x: neighbors.pairs_to_edges(is_real * x, blocks),
        lambda x: (is_real * x)[blocks.pairs],
        x,
    )
