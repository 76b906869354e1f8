"""Batches of one fixed shape from the graphs of a dataset."""

import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any, Literal, Self

import jraph
import numpy as np

from mlip_core.data.helpers.batching import BatchAssembler, BatchShape
from mlip_core.data.helpers.edge_blocks import choose_block_size, count_block_slots
from mlip_core.data.helpers.graph_creation import segment_from_graphs
from mlip_core.data.helpers.graph_store import GraphStore, subtract_atomic_energies
from mlip_core.data.helpers.packing import (
    UNLIMITED,
    BalancedPacking,
    Limits,
    pack_balanced,
    pack_in_order,
)
from mlip_core.utils.seeds import derive_seed

_logger = logging.getLogger(__name__)

# After so many graphs, pages of files that they were read from need not stay in this process. They
# stay in the system's cache. A graph can bring 6 MB with it, where the system maps large pages.
_RELEASED_AFTER = 64


class GraphsDiscardedError(Exception):
    """Graphs do not fit into a batch of the given size."""


class GraphDataset:
    """Iterates over a dataset in batches, all of one fixed shape, as NumPy arrays.

    Batches have room for ``batch_size`` graphs and, last, for padding: a padding graph holds all
    nodes and edges that are left over, padding edges join the last node to itself. Edges are sorted
    by receiver and, unless switched off, laid out in runs of one receiver each (``edges.blocks``).

    Iterating gives one epoch after the other; the order of an epoch depends on nothing but the seed
    and its number, and every epoch has the same number of batches. Shuffled batches are balanced,
    in number of graphs and in size (see :mod:`mlip_core.data.helpers.packing`); if not shuffled,
    batches are filled in order.

    Attributes:
        batch_size: most graphs in a batch.
        should_shuffle: whether epochs are shuffled.
        shape: of every batch.
    """

    def __init__(
        self,
        graphs: Sequence[jraph.GraphsTuple] | GraphStore,
        batch_size: int,
        max_n_node: int | None = None,
        max_n_edge: int | None = None,
        min_n_node: int = 1,
        min_n_edge: int = 0,
        min_n_graph: int = 1,
        should_shuffle: bool = True,
        should_shuffle_between_epochs: bool = True,
        skip_last_batch: bool = False,
        raise_exc_if_graphs_discarded: bool = False,
        *,
        seed: int = 0,
        dtype: Any = np.float32,
        edge_block_size: int | Literal["auto"] | None = "auto",
        atomic_energies: np.ndarray | None = None,
    ) -> None:
        """Choose the batches' shape; batches themselves are made when asked for.

        Args:
            graphs: unbatched graphs, or a store of them.
            batch_size: most graphs in a batch.
            max_n_node: nodes of a batch divided by ``batch_size``; ``None``: as the data need.
            max_n_edge: edges of a batch divided by twice ``batch_size`` (pairs, not directed edges,
                as in the 0.1 API), filling of runs not counted; ``None``: as the data need.
            min_n_node: graphs with fewer nodes are discarded.
            min_n_edge: graphs with fewer edges are discarded (isolated atoms have none).
            min_n_graph: fewest graphs that a batch must have room for.
            should_shuffle: whether epochs are shuffled; otherwise the order is that of ``graphs``.
            should_shuffle_between_epochs: ``False``: all epochs have the first one's order.
            skip_last_batch: leave out what does not fill a batch.
            raise_exc_if_graphs_discarded: whether to raise instead of warn.
            seed: decides the order.
            dtype: of all floating-point arrays.
            edge_block_size: length of the runs of edges; "auto": from the data; ``None``: no runs.
            atomic_energies: ``[n_species]``, eV; given, batches have
                ``globals.interaction_energy``.

        Raises:
            GraphsDiscardedError: if a graph is too large or too small and
                ``raise_exc_if_graphs_discarded`` is set; otherwise a warning is logged.
            ValueError: if ``batch_size`` is less than 1 or ``min_n_graph``.
        """
        if batch_size < max(1, min_n_graph):
            raise ValueError(f"batch_size must be at least {max(1, min_n_graph)}, not {batch_size}")
        self.batch_size = batch_size
        self.should_shuffle = should_shuffle
        self._should_shuffle_between_epochs = should_shuffle_between_epochs
        self._skip_last_batch = skip_last_batch
        self._seed = seed
        self._dtype = np.dtype(dtype)
        self._atomic_energies = atomic_energies

        store = graphs if isinstance(graphs, GraphStore) else _store_of(graphs)
        limits = _limits(batch_size, max_n_node, max_n_edge)
        fits = limits.admit(store.n_node, store.n_edge)
        fits &= (store.n_node >= min_n_node) & (store.n_edge >= min_n_edge)
        store = _discard(store, ~fits, raise_exc_if_graphs_discarded)
        histogram = store.neighbor_histogram()
        if edge_block_size == "auto":
            edge_block_size = choose_block_size(histogram)
        self._block_size = edge_block_size
        most_neighbors = int(np.flatnonzero(histogram).max(initial=0))
        self._max_runs = -(-most_neighbors // (edge_block_size or 1))
        slots = _count_slots(store, edge_block_size)
        limits = Limits(limits.n_node, _limit_of_slots(limits.n_edge, store.n_edge, slots))
        packing = pack_balanced(store.n_node, slots, batch_size, limits, skip_last_batch)
        self.shape = _choose_shape(packing.capacity, batch_size, edge_block_size)
        self._limits = Limits(self.shape.n_node - 1, self.shape.n_edge)
        self._set_store(store, slots, packing)

    def _set_store(self, store: GraphStore, slots: np.ndarray, packing: BalancedPacking) -> None:
        """Use these graphs, with so many edge slots each, in batches of the shape that is set."""
        self._store = store
        self._slots = slots
        self._next_epoch = 0
        self._packing = packing
        self._interaction_energy = (
            None
            if self._atomic_energies is None
            else subtract_atomic_energies(store, self._atomic_energies)
        )

    def __len__(self) -> int:
        """Number of batches of an epoch."""
        return self._packing.n_batches if self.should_shuffle else len(self._batches_in_order)

    def __iter__(self) -> Iterator[jraph.GraphsTuple]:
        """The batches of the next epoch."""
        epoch = self._next_epoch
        self._next_epoch += 1
        return self.epoch(epoch)

    def epoch(self, epoch_number: int, start_batch: int = 0) -> Iterator[jraph.GraphsTuple]:
        """The batches of one epoch, from ``start_batch`` on; a function of seed and epoch alone."""
        for make_batch in self.deferred_epoch(epoch_number, start_batch):
            yield make_batch()

    def deferred_epoch(
        self, epoch_number: int, start_batch: int = 0
    ) -> Iterator[Callable[[], jraph.GraphsTuple]]:
        """Like :meth:`epoch`, but each batch is made by a call, so that it need not be made."""
        assemble = self._assembler
        read = 0

        def make_batch(rows: np.ndarray) -> jraph.GraphsTuple:
            nonlocal read
            batch = assemble(rows)
            read += len(rows)
            if self._store.release is not None and read >= _RELEASED_AFTER:
                self._store.release()
                read = 0
            return batch

        for rows in self.epoch_rows(epoch_number)[start_batch:]:
            yield partial(make_batch, rows)

    def epoch_rows(self, epoch_number: int) -> list[np.ndarray]:
        """Indices into ``graphs`` of each batch of an epoch, in the order of its graphs."""
        if not self.should_shuffle:
            return self._batches_in_order
        number = epoch_number if self._should_shuffle_between_epochs else 0
        seed = derive_seed(self._seed, "order of graphs", number)
        return self._packing.batches(np.random.default_rng(seed))

    def padding_batch(self) -> jraph.GraphsTuple:
        """A batch without any real graph."""
        return self._assembler(np.zeros(0, dtype=np.int64))

    @property
    def num_graphs(self) -> int:
        """Number of graphs in the dataset."""
        return len(self._store)

    @property
    def avg_n_graphs_per_batch(self) -> float:
        """Mean number of real graphs in a batch of an epoch."""
        return sum(map(len, self.epoch_rows(0))) / len(self) if len(self) else 0.0

    @cached_property
    def graphs(self) -> list[jraph.GraphsTuple]:
        """The graphs, unbatched, without padding or runs, in float64."""
        return [self._store.graph(index) for index in range(len(self._store))]

    def subset(self, i: slice | int | list[int] | float) -> Self:
        """A dataset of some of the graphs, with batches of the same shape.

        Args:
            i: a slice, a list of indices, or how many of the first graphs: a number or a fraction.
        """
        rows = np.arange(len(self._store))
        if isinstance(i, float):
            rows = rows[: int(i * len(rows))]
        elif isinstance(i, int):
            rows = rows[:i]
        else:
            rows = rows[i]
        result = copy.copy(self)
        for name in ("graphs", "_batches_in_order", "_assembler"):
            result.__dict__.pop(name, None)
        store, slots = self._store.take(rows), self._slots[rows]
        packing = pack_balanced(
            store.n_node, slots, self.batch_size, self._limits, self._skip_last_batch
        )
        result._set_store(store, slots, packing)
        return result

    @cached_property
    def _batches_in_order(self) -> list[np.ndarray]:
        batches = pack_in_order(self._store.n_node, self._slots, self.batch_size, self._limits)
        if self._skip_last_batch and batches and len(batches[-1]) < self.batch_size:
            batches.pop()
        return batches

    @cached_property
    def _assembler(self) -> BatchAssembler:
        return BatchAssembler(
            self._store,
            self.shape,
            self._block_size,
            self._max_runs,
            self._interaction_energy,
            self._dtype,
        )


def _store_of(graphs: Sequence[jraph.GraphsTuple]) -> GraphStore:
    return GraphStore.from_segments([segment_from_graphs(graphs)])


def _limits(batch_size: int, max_n_node: int | None, max_n_edge: int | None) -> Limits:
    limits = {}
    if max_n_node is not None:
        limits["n_node"] = batch_size * max_n_node
    if max_n_edge is not None:
        limits["n_edge"] = 2 * batch_size * max_n_edge
    return Limits(**limits)


def _choose_shape(capacity: Limits, batch_size: int, block_size: int | None) -> BatchShape:
    """Room for the capacity, a padding node, whole runs of edges and a padding graph."""
    run = block_size or 1
    n_edge = -(-max(1, capacity.n_edge) // run) * run
    return BatchShape(capacity.n_node + 1, n_edge, batch_size + 1)


def _discard(store: GraphStore, unfit: np.ndarray, must_raise: bool) -> GraphStore:
    if not unfit.any():
        return store
    message = f"{unfit.sum()} of {len(unfit)} graphs are too large or too small for the batches"
    if must_raise:
        raise GraphsDiscardedError(message + "; raise max_n_node, max_n_edge or batch_size")
    _logger.warning("%s and are discarded.", message)
    return store.take(np.flatnonzero(~unfit))


def _count_slots(store: GraphStore, block_size: int | None) -> np.ndarray:
    """``[n_graphs]``: edges of each graph, filling of runs included."""
    if block_size is None:
        return store.n_edge
    return store.sum_over_atoms(
        "neighbor_counts", lambda counts: count_block_slots(counts.astype(np.int64), block_size)
    )


def _limit_of_slots(n_edge_limit: int, n_edge: np.ndarray, slots: np.ndarray) -> int:
    """The user's limit counts edges; filling is granted on top, in its average proportion."""
    if n_edge_limit == UNLIMITED or not slots.any():
        return n_edge_limit
    return max(int(n_edge_limit * slots.sum() / n_edge.sum()), int(slots.max()))
