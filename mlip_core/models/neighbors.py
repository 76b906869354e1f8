"""Sums over edges and their transposes, all of them gathers.

The derivative of a gather is a scatter, which no backend does fast and some do in random order.
The description of the edges (:class:`~mlip_core.typing.EdgeBlocks`) says where everything is found
again: what the edges that leave a node carry lies at the reverses of the edges that it receives,
and these are runs of known places. Each linear map here is therefore declared the derivative of
its transpose, so that derivatives of any order gather, too. (Forward-mode differentiation is not
declared; it works for graphs without a description.)

The sums are compiled apart: XLA's CPU backend would fuse into them what is summed, and compute it
number by number wherever they gather it from.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from mlip_core.typing import EdgeBlocks
from mlip_core.utils.compiled_apart import compiled_apart

Array = Any
Map = Callable[[Array, Any], Array]


def take_senders(x: Array, senders: Array, receivers: Array, blocks: EdgeBlocks | None) -> Array:
    """Each edge's value of its sender: ``[n_nodes, ...]`` to ``[n_edges, ...]``."""
    if blocks is None or blocks.reverse is None:
        return x[senders]
    return _nodes_to_edges(x, (senders, receivers, blocks))


def take_owners(x: Array, owners: Array, blocks: EdgeBlocks | None) -> Array:
    """Each run's value of its receiver: ``[n_nodes, ...]`` to ``[n_runs, ...]``."""
    if blocks is None or blocks.runs is None:
        return x[owners]
    return _nodes_to_runs(x, (owners, blocks.runs))


def reverse_edges(x: Array, blocks: EdgeBlocks) -> Array:
    """Give each edge the value of its reverse, ``[n_edges, ...]``."""
    return _edges_to_reverses(x, blocks)


def sum_by_sender(
    x: Array, senders: Array, receivers: Array, blocks: EdgeBlocks | None, n_nodes: int
) -> Array:
    """Sum over the edges that leave each node: ``[n_edges, ...]`` to ``[n_nodes, ...]``."""
    if blocks is None or blocks.reverse is None:
        return jax.ops.segment_sum(x, senders, n_nodes)
    return _edges_to_nodes(x, (senders, receivers, blocks))


def sum_by_receiver(x: Array, receivers: Array, blocks: EdgeBlocks | None, n_nodes: int) -> Array:
    """Sum over the edges that each node receives: ``[n_edges, ...]`` to ``[n_nodes, ...]``."""
    size = blocks.size if blocks else 1
    runs = x if size == 1 else x.reshape(-1, size, *x.shape[1:]).sum(axis=1)
    return sum_runs(runs, receivers[::size], blocks, n_nodes)


def sum_runs(x: Array, owners: Array, blocks: EdgeBlocks | None, n_nodes: int) -> Array:
    """Sum over the runs of each node: ``[n_runs, ...]`` to ``[n_nodes, ...]``.

    Args:
        x: a value for each run.
        owners: ``[n_runs]``, the node that each run belongs to.
        blocks: the order of the edges, if known.
        n_nodes: number of nodes.
    """
    if blocks is None or blocks.runs is None:
        return jax.ops.segment_sum(x, owners, n_nodes)
    return _runs_to_nodes(x, (owners, blocks.runs))


def pairs_to_edges(x: Array, blocks: EdgeBlocks) -> Array:
    """Give both edges of a pair its value: ``[n_pairs, ...]`` to ``[n_edges, ...]``."""
    return _pairs_to_edges(x, blocks)


def mean_over_pairs(x: Array, blocks: EdgeBlocks) -> Array:
    """Mean over the two edges of each pair; zero for pairs that are not real."""
    return _edges_to_pairs(x, blocks) / 2


def _take(x: Array, index: Array) -> Array:
    return x.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _take_or_zero(x: Array, index: Array) -> Array:
    return x.at[index].get(mode="fill", fill_value=0, wrap_negative_indices=False)


def _transposes(forward: Map, backward: Map) -> tuple[Map, Map]:
    """Declare two linear maps ``(x, places)`` to be the transposes of one another."""

    @jax.custom_vjp
    def there(x: Array, places: Any) -> Array:
        return forward(x, places)

    @jax.custom_vjp
    def back(x: Array, places: Any) -> Array:
        return backward(x, places)

    there.defvjp(_keep_places(there), lambda places, cotangent: (back(cotangent, places), None))
    back.defvjp(_keep_places(back), lambda places, cotangent: (there(cotangent, places), None))
    return there, back


def _keep_places(fun: Map) -> Callable[[Array, Any], tuple[Array, Any]]:
    return lambda x, places: (fun(x, places), places)


@compiled_apart
def _sum_runs(x: Array, places: tuple[Array, Array]) -> Array:
    _, runs = places
    return sum(_take_or_zero(x, runs[:, place]) for place in range(runs.shape[1]))


@compiled_apart
def _sum_reverses(x: Array, places: tuple[Array, Array, EdgeBlocks]) -> Array:
    _, receivers, blocks = places
    runs = _take(x, blocks.reverse).reshape(-1, blocks.size, *x.shape[1:]).sum(axis=1)
    return _sum_runs(runs, (receivers[:: blocks.size], blocks.runs))


@compiled_apart
def _sum_pairs(x: Array, blocks: EdgeBlocks) -> Array:
    reverse_edges = _take_or_zero(blocks.reverse, blocks.pair_edges)
    own = _take_or_zero(x, blocks.pair_edges)
    is_real = blocks.pair_edges < x.shape[0]
    other = jnp.where(is_real.reshape(-1, *[1] * (x.ndim - 1)), _take(x, reverse_edges), 0)
    return own + other


_runs_to_nodes, _nodes_to_runs = _transposes(_sum_runs, lambda x, places: _take(x, places[0]))
_edges_to_nodes, _nodes_to_edges = _transposes(_sum_reverses, lambda x, places: _take(x, places[0]))
_edges_to_pairs, _pairs_to_edges = _transposes(_sum_pairs, lambda x, blocks: _take(x, blocks.pairs))
_edges_to_reverses, _ = _transposes(
    lambda x, blocks: _take(x, blocks.reverse), lambda x, blocks: _take(x, blocks.reverse)
)
