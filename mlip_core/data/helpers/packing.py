"""Which graphs go into which batch.

All batches have one shape, so what is not used of it is waste. Shuffled batches are balanced: sort
the graphs by size, cut the sorted list into strata of as many graphs as there are batches, and give
each batch one random graph of each stratum. A batch then never exceeds the sum of the strata's
largest graphs, which is at most (largest - smallest graph) above the mean: no epoch fails to fit,
and all have the same number of batches. If sizes differ by less than a tenth they count as equal,
and batches are plainly random.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

_TOLERATED_WASTE = 0.1
UNLIMITED = 2**62


@dataclass(frozen=True)
class Limits:
    """The most that the real graphs of a batch may have in all."""

    n_node: int = UNLIMITED
    n_edge: int = UNLIMITED

    def admit(self, n_node: Any, n_edge: Any) -> Any:
        """Whether so many nodes and edges fit: integers, or arrays elementwise."""
        return (n_node <= self.n_node) & (n_edge <= self.n_edge)

    def or_if_unlimited(self, other: "Limits") -> "Limits":
        """These limits, with the other's where there is none."""
        return Limits(
            other.n_node if self.n_node == UNLIMITED else self.n_node,
            other.n_edge if self.n_edge == UNLIMITED else self.n_edge,
        )


@dataclass(frozen=True)
class BalancedPacking:
    """How the graphs of a dataset are shared out between shuffled batches.

    Attributes:
        n_node: ``[n_graphs]``, sizes that count for the balance.
        n_edge: ``[n_graphs]``.
        n_batches: number of batches of an epoch.
        graphs_per_batch: most graphs in a batch.
        capacity: nodes and edges that no batch exceeds.
    """

    n_node: np.ndarray
    n_edge: np.ndarray
    n_batches: int
    graphs_per_batch: int
    capacity: Limits

    def batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Indices of the graphs of each batch, for one epoch; batch sizes differ by at most one."""
        n_seats = self.n_batches * self.graphs_per_batch
        chosen = rng.permutation(len(self.n_node))[:n_seats]
        by_size = np.lexsort((-self.n_node[chosen], -self.n_edge[chosen]))
        seats = np.full(n_seats, -1)
        seats[: len(chosen)] = chosen[by_size]
        strata = rng.permuted(seats.reshape(self.graphs_per_batch, self.n_batches), axis=1)
        return [batch[batch >= 0] for batch in strata.T]


def pack_balanced(
    n_node: np.ndarray,
    n_edge: np.ndarray,
    batch_size: int,
    limits: Limits,
    only_full_batches: bool = False,
) -> BalancedPacking:
    """Plan shuffled batches of up to ``batch_size`` graphs within the limits.

    Args:
        n_node: ``[n_graphs]``; each graph must fit the limits alone.
        n_edge: ``[n_graphs]``.
        batch_size: most graphs in a batch; fewer are taken if the limits ask for it.
        limits: most nodes and edges in a batch.
        only_full_batches: leave a few random graphs out of each epoch so that all batches have
            equally many.
    """
    sizes = [(n_node, n_edge)]
    if _nearly_equal(n_node) and _nearly_equal(n_edge):
        equal = (
            np.full_like(n_node, n_node.max(initial=0)),
            np.full_like(n_edge, n_edge.max(initial=0)),
        )
        sizes.insert(0, equal)
    for graphs_per_batch in range(batch_size, 0, -1):
        for nodes, edges in sizes:
            n_batches = _count_batches(len(n_node), graphs_per_batch, only_full_batches)
            capacity = _capacity(nodes, edges, n_batches, graphs_per_batch)
            if limits.admit(capacity.n_node, capacity.n_edge):
                return BalancedPacking(nodes, edges, n_batches, graphs_per_batch, capacity)
    raise ValueError("a graph is larger than a batch may be")


def pack_in_order(
    n_node: np.ndarray, n_edge: np.ndarray, batch_size: int, limits: Limits
) -> list[np.ndarray]:
    """Fill batches with consecutive graphs, each until the next graph does not fit.

    Each graph must fit the limits alone.
    """
    starts, nodes, edges = [0], 0, 0
    for index, (more_nodes, more_edges) in enumerate(
        zip(n_node.tolist(), n_edge.tolist(), strict=True)
    ):
        nodes, edges = nodes + more_nodes, edges + more_edges
        is_full = index - starts[-1] == batch_size
        if is_full or nodes > limits.n_node or edges > limits.n_edge:
            starts.append(index)
            nodes, edges = more_nodes, more_edges
    batches = np.split(np.arange(len(n_node)), starts[1:])
    return [batch for batch in batches if len(batch)]


def _count_batches(n_graphs: int, graphs_per_batch: int, only_full: bool) -> int:
    return n_graphs // graphs_per_batch if only_full else -(-n_graphs // graphs_per_batch)


def _nearly_equal(sizes: np.ndarray) -> bool:
    return len(sizes) > 0 and sizes.mean() >= (1 - _TOLERATED_WASTE) * sizes.max()


def _capacity(
    n_node: np.ndarray, n_edge: np.ndarray, n_batches: int, graphs_per_batch: int
) -> Limits:
    """Sum over strata of their largest graphs.

    Strata are cut from the order of edges. The nodes of a stratum are bounded by those of all
    graphs with at most as many edges, which holds for a stratum of any subset, too.
    """
    if n_batches == 0:
        return Limits(0, 0)
    order = np.lexsort((-n_node, -n_edge))
    nodes_from_here_on = np.maximum.accumulate(n_node[order][::-1])[::-1]
    firsts = slice(0, n_batches * graphs_per_batch, n_batches)
    return Limits(int(nodes_from_here_on[firsts].sum()), int(n_edge[order][firsts].sum()))
