"""Products of node features over neighbours, without a tensor per edge and component.

Messages of the form "weight of the edge times vector of the sender" and products of the vectors at
both ends of an edge are bilinear, and each is the derivative of the other. They are declared so: a
program that differentiates them any number of times consists of these two, and each is one loop
over the neighbours that writes nothing but its result.

Both need the description of the edges (:class:`~mlip_core.typing.EdgeBlocks`); without one they
fall back on gather and scatter. (Forward-mode differentiation works in the latter case only.)
"""

from typing import Any

import jax
import jax.numpy as jnp

from mlip_core.models.equivariant.coupling import add_up
from mlip_core.models.neighbors import (
    reverse_edges,
    sum_by_receiver,
    sum_runs,
    take_owners,
)
from mlip_core.typing import EdgeBlocks
from mlip_core.utils.compiled_apart import compiled_apart

Array = Any
Places = tuple[Array, Array, EdgeBlocks]


def sum_weighted_neighbors(
    weights: Array, vectors: Array, senders: Array, receivers: Array, blocks: EdgeBlocks | None
) -> Array:
    """Sum over the neighbours of each node of their vectors, times a weight for each channel.

    Args:
        weights: ``[n_edges, n_channels]``.
        vectors: of the senders, ``[n_nodes, n_components, n_channels]``.
        senders: ``[n_edges]``.
        receivers: ``[n_edges]``.
        blocks: the order of the edges, if known.

    Returns:
        ``[n_nodes, n_components, n_channels]``.
    """
    if blocks is None or blocks.reverse is None:
        messages = weights[:, None] * vectors[senders]
        return sum_by_receiver(messages, receivers, blocks, vectors.shape[0])
    return _weighted_sum(weights, vectors, (senders, receivers, blocks))


def multiply_ends(
    ends: Array, starts: Array, senders: Array, receivers: Array, blocks: EdgeBlocks | None
) -> Array:
    """Scalar products of a vector of the receiver and one of the sender of each edge, by channel.

    Args:
        ends: of the receivers, ``[n_nodes, n_components, n_channels]``.
        starts: of the senders, same shape.
        senders: ``[n_edges]``.
        receivers: ``[n_edges]``.
        blocks: the order of the edges, if known.

    Returns:
        ``[n_edges, n_channels]``.
    """
    if blocks is None or blocks.reverse is None:
        return jnp.sum(ends[receivers] * starts[senders], axis=1)
    return _products(ends, starts, (senders, receivers, blocks))


def _take(x: Array, index: Array) -> Array:
    return x.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _evaluate_weighted_sum(weights: Array, vectors: Array, places: Places) -> Array:
    senders, receivers, blocks = places
    senders = senders.reshape(-1, blocks.size)
    weights = weights.reshape(-1, blocks.size, 1, weights.shape[1])
    # Written out over the neighbours of a run this is one loop without intermediate arrays.
    runs = add_up(
        _take(vectors, senders[:, place]) * weights[:, place] for place in range(blocks.size)
    )
    return sum_runs(runs, receivers[:: blocks.size], blocks, len(vectors))


def _evaluate_products(ends: Array, starts: Array, places: Places) -> Array:
    senders, receivers, blocks = places
    ends = take_owners(ends, receivers[:: blocks.size], blocks)
    in_runs = (-1, blocks.size, ends.shape[2])
    products = add_up(
        ends[:, None, m] * _take(starts[:, m], senders).reshape(in_runs)
        for m in range(ends.shape[1])
    )
    return products.reshape(-1, ends.shape[2])


# Apart, because sums over the same senders share what they gather: XLA's CPU backend would write
# that out, an array for each place in a run, and read it again in each sum.
_weighted_sum = jax.custom_vjp(compiled_apart(_evaluate_weighted_sum))
_products = jax.custom_vjp(compiled_apart(_evaluate_products))


def _weighted_sum_forward(
    weights: Array, vectors: Array, places: Places
) -> tuple[Array, tuple[Array, Array, Places]]:
    return _weighted_sum(weights, vectors, places), (weights, vectors, places)


def _weighted_sum_backward(
    residuals: tuple[Array, Array, Places], cotangent: Array
) -> tuple[Array, Array, None]:
    weights, vectors, places = residuals
    reversed_weights = reverse_edges(weights, places[2])
    return (
        _products(cotangent, vectors, places),
        _weighted_sum(reversed_weights, cotangent, places),
        None,
    )


def _products_forward(
    ends: Array, starts: Array, places: Places
) -> tuple[Array, tuple[Array, Array, Places]]:
    return _products(ends, starts, places), (ends, starts, places)


def _products_backward(
    residuals: tuple[Array, Array, Places], cotangent: Array
) -> tuple[Array, Array, None]:
    ends, starts, places = residuals
    return (
        _weighted_sum(cotangent, starts, places),
        _weighted_sum(reverse_edges(cotangent, places[2]), ends, places),
        None,
    )


_weighted_sum.defvjp(_weighted_sum_forward, _weighted_sum_backward)
_products.defvjp(_products_forward, _products_backward)
