"""Which graphs go into which batch.

All batches have one shape, so what is not used of it is waste. Shuffled batches are dealt at random
and then, as far as needed, evened out: a batch that has too much exchanges a graph with one that
has room, until all fit into the same number of nodes and edges. That number is chosen once, as
small as such exchanges can reach with little effort; an epoch is dealt again if they fail, and
falls back on a deal that is known to fit.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

# Room for a batch is tried from 5 % above its mean need on, in steps of 2.5 %.
_STEP = 1.025
_FIRST_STEP = 2
_SWEEPS = 40
_VAIN_SWEEPS = 10
_TRIALS = 4
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
        sizes: ``[n_graphs, 2]``, nodes and edges.
        n_batches: number of batches of an epoch.
        graphs_per_batch: most graphs in a batch.
        capacity: nodes and edges that no batch exceeds.
        fallback: ``[graphs_per_batch, n_batches]``, graphs so shared out that all batches fit, -1
            where a seat is empty.
    """

    sizes: np.ndarray
    n_batches: int
    graphs_per_batch: int
    capacity: Limits
    fallback: np.ndarray

    def batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Indices of the graphs of each batch, for one epoch; batch sizes differ by at most one."""
        seats = _deal(self.sizes, self.fallback.shape, self.capacity, rng)
        if seats is None:
            seats = self.fallback
        return [batch[batch >= 0] for batch in rng.permutation(seats, axis=1).T]


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
    sizes = np.stack([n_node, n_edge], axis=1).astype(np.int64)
    for graphs_per_batch in range(batch_size, 0, -1):
        n_batches = _count_batches(len(sizes), graphs_per_batch, only_full_batches)
        shape = graphs_per_batch, n_batches
        for capacity in _capacities(sizes, shape, limits):
            rng = np.random.default_rng(0)  # for the plan: an epoch brings its own
            seats = _deal(sizes, shape, capacity, rng)
            if seats is not None:
                return BalancedPacking(sizes, n_batches, graphs_per_batch, capacity, seats)
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


def _capacities(sizes: np.ndarray, shape: tuple[int, int], limits: Limits) -> list[Limits]:
    """Capacities to try, the smallest first; where there is a limit, it is the capacity."""
    largest = sizes.max(axis=0, initial=0)
    means = sizes.sum(axis=0) / max(1, shape[1])
    most = shape[0] * largest
    n_steps = math.ceil(math.log(max(1.0, *(most / np.maximum(1, means))), _STEP))
    rooms = [np.ceil(means * _STEP**step) for step in range(_FIRST_STEP, n_steps + 1)]
    rooms = [np.clip(room, largest, most).astype(int) for room in [*rooms, most]]
    return list(dict.fromkeys(limits.or_if_unlimited(Limits(*room.tolist())) for room in rooms))


def _deal(
    sizes: np.ndarray, shape: tuple[int, int], capacity: Limits, rng: np.random.Generator
) -> np.ndarray | None:
    """Graphs in random seats so that all batches fit; ``None`` if that was not found.

    Returns:
        ``[graphs_per_batch, n_batches]``, -1 where a seat is empty.
    """
    sizes = np.append(sizes, [[0, 0]], axis=0)  # of an empty seat
    room = np.maximum(1, [capacity.n_node, capacity.n_edge])
    for _ in range(_TRIALS):
        seats = np.full(shape[0] * shape[1], -1)
        chosen = rng.permutation(len(sizes) - 1)[: len(seats)]
        seats[: len(chosen)] = chosen
        seats = seats.reshape(shape)
        if _even_out(seats, sizes / room, rng):
            return seats
    return None


def _even_out(seats: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> bool:
    """Exchange graphs until no batch is over-full; whether that came about.

    Args:
        seats: ``[graphs_per_batch, n_batches]``, changed in place.
        sizes: ``[n_graphs + 1, 2]``, in units of what a batch can take.
        rng: chooses who exchanges.
    """
    in_vain = 0
    for _ in range(_SWEEPS):
        loads = sizes[seats].sum(axis=0)
        fill = loads.max(axis=1, initial=0.0)
        over = np.flatnonzero(fill > 1 + 1e-9)
        if not len(over) or in_vain == _VAIN_SWEEPS:
            break
        partners = rng.permutation(np.flatnonzero(fill <= 1))[: len(over)]
        over = rng.permutation(over)[: len(partners)]
        n_exchanges = _exchange(seats, sizes, loads, over, partners)
        in_vain = 0 if n_exchanges else in_vain + 1
    return not len(over)


def _exchange(
    seats: np.ndarray,
    sizes: np.ndarray,
    loads: np.ndarray,
    over: np.ndarray,
    partners: np.ndarray,
) -> int:
    """Let each over-full batch exchange the best seat with its partner, if that is any better.

    Returns how many did.
    """
    given, taken = seats[:, over], seats[:, partners]
    change = sizes[taken] - sizes[given]
    after = np.maximum(loads[over] + change, loads[partners] - change).max(axis=2)
    best = after.argmin(axis=0)
    pair = np.arange(len(over))
    better = after[best, pair] < loads[over].max(axis=1)
    rows, pair = best[better], pair[better]
    seats[rows, over[better]] = taken[rows, pair]
    seats[rows, partners[better]] = given[rows, pair]
    return len(rows)
