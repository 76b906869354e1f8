"""Which structures of a window go into which batch, and of which shape batches are.

A model is compiled once for each shape, which takes as long as some dozens of batches. So there are
few shapes: the first is made for the first window, and another one only for a structure that fits
none, or when padding has cost as much as compiling would.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from mlip_core.data.helpers.batching import BatchShape
from mlip_core.data.helpers.edge_blocks import choose_block_size, count_block_slots
from mlip_core.data.helpers.graph_store import GraphStore
from mlip_core.inference.bin_packing import pack_bins

# Room in a batch above what the structures of a window need on the average.
_ROOM = 1.04
# Head-room for later structures with more graphs in a batch, and with more neighbours.
_MORE_GRAPHS = 2.0
_MORE_NEIGHBORS = 1.25
# What a shape made for a structure that fitted none has room for, in units of that structure.
_ROOM_FOR_GIANTS = 1.2
# Cost of a node, in edges: a guess for all networks, which only weighs shapes against each other.
_COST_OF_A_NODE = 8
# A window costs too much if a shape of its own would do with 1 / 1.15 of it.
_TOLERATED_COST = 1.15
# Cost of compiling a shape, in batches.
_COST_OF_A_SHAPE = 32


class Need(NamedTuple):
    """What the structures of a window take of a batch when its edges are in runs of one length.

    Attributes:
        sizes: ``[n_structures, 3]``: nodes, edge slots, and one graph each.
        n_runs: the most runs of an atom.
    """

    sizes: np.ndarray
    n_runs: int

    @classmethod
    def of(cls, store: GraphStore, block_size: int) -> Self:
        """The need of some structures with runs of ``block_size`` edges."""
        slots = store.sum_over_atoms(
            "neighbor_counts", lambda counts: count_block_slots(counts.astype(np.int64), block_size)
        )
        most_neighbors = int(np.flatnonzero(store.neighbor_histogram()).max(initial=0))
        return cls(
            np.stack([store.n_node, slots, np.ones(len(slots))], axis=1).astype(np.int64),
            -(-most_neighbors // block_size),
        )


@dataclass(frozen=True)
class Bucket:
    """A shape of batches.

    Attributes:
        capacity: ``[3]``, nodes, edge slots and graphs that real structures may take.
        block_size: length of the runs of edges with one receiver.
        max_runs: the most runs of an atom.
    """

    capacity: np.ndarray
    block_size: int
    max_runs: int

    @classmethod
    def made_for(cls, store: GraphStore, batch_size: int, limits: np.ndarray, room: float) -> Self:
        """The shape with the least padding for some structures.

        Args:
            store: the structures.
            batch_size: how many of them are in a batch on the average.
            limits: ``[3]``, the most nodes, edge slots and graphs of a batch; a structure that
                is larger than that sets the shape.
            room: what there is at least room for, in units of the largest structure.
        """
        block_size = choose_block_size(store.neighbor_histogram())
        sizes, n_runs = Need.of(store, block_size)
        total, largest = sizes.sum(axis=0), sizes.max(axis=0)
        n_batches = max(-(-len(sizes) // batch_size), math.ceil((total / limits).max()))
        capacity = np.minimum(np.ceil(total / n_batches * _ROOM), limits)
        capacity = np.maximum(capacity, np.ceil(largest * room))
        n_graphs = len(sizes) * (capacity[:2] / np.maximum(total[:2], 1)).max()
        capacity[2] = math.ceil(n_graphs * _MORE_GRAPHS)
        capacity[1] = -(-max(1, capacity[1]) // block_size) * block_size
        max_runs = max(1, math.ceil(n_runs * _MORE_NEIGHBORS))
        return cls(capacity.astype(np.int64), block_size, max_runs)

    @property
    def shape(self) -> BatchShape:
        """With a node and a graph of padding."""
        n_node, n_edge, n_graph = self.capacity.tolist()
        return BatchShape(n_node + 1, n_edge, n_graph + 1)

    @property
    def cost(self) -> float:
        """Of a batch, in edges."""
        return float(self.capacity[1] + _COST_OF_A_NODE * self.capacity[0])

    def pack(self, store: GraphStore) -> list[np.ndarray] | None:
        """Structures of each batch; ``None`` if one does not fit into this shape."""
        sizes, n_runs = Need.of(store, self.block_size)
        if n_runs > self.max_runs or (sizes > self.capacity).any():
            return None
        return pack_bins(sizes / self.capacity)


class Buckets:
    """The shapes in use, which grow by what the stream brings."""

    def __init__(
        self, batch_size: int, max_n_node: int | None = None, max_n_edge: int | None = None
    ) -> None:
        """Begin without any.

        Args:
            batch_size: structures of average size in a batch.
            max_n_node: the most nodes of a batch divided by ``batch_size``.
            max_n_edge: the most edges of a batch divided by twice ``batch_size`` (pairs).
        """
        self.buckets: list[Bucket] = []
        self._batch_size = batch_size
        limits = [max_n_node or math.inf, 2 * (max_n_edge or math.inf), math.inf]
        self._limits = batch_size * np.array(limits, dtype=np.float64)
        self._wasted = 0.0

    def pack(self, store: GraphStore) -> tuple[Bucket, list[np.ndarray]]:
        """The shape for the structures of a window, and those of each batch."""
        fitting = [(b, batches) for b in self.buckets if (batches := b.pack(store)) is not None]
        own = self._made_for(store, 1.0 if fitting or not self.buckets else _ROOM_FOR_GIANTS)
        if fitting:
            bucket, batches = min(fitting, key=lambda found: found[0].cost * len(found[1]))
            if not self._has_wasted_enough(store, bucket, len(batches), own):
                return bucket, batches
        self.buckets.append(own)
        batches_of_own = own.pack(store)
        assert batches_of_own is not None, "made for these structures"
        return own, batches_of_own

    def _made_for(self, store: GraphStore, room: float) -> Bucket:
        return Bucket.made_for(store, self._batch_size, self._limits, room)

    def _has_wasted_enough(
        self, store: GraphStore, bucket: Bucket, n_batches: int, own: Bucket
    ) -> bool:
        """Whether padding has now cost as much as the window's own shape would to compile."""
        cost = bucket.cost * n_batches
        best = own.cost * -(-len(store) // self._batch_size)
        if cost > _TOLERATED_COST * best:
            self._wasted += (cost - best) / bucket.cost
        if self._wasted < _COST_OF_A_SHAPE:
            return False
        self._wasted = 0.0
        return True
