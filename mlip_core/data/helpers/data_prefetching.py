"""Batches made ahead of their use, and stacked for several devices."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jraph
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mlip_core.data.helpers.graph_dataset import GraphDataset

_END = object()


class PrefetchIterator:
    """Runs an iterable in a thread of its own, a few items ahead of its use.

    It can be iterated again and again, and offers what a :class:`GraphDataset` offers if the
    iterable does.
    """

    def __init__(
        self,
        iterable: Iterable[Any],
        prefetch_count: int = 1,
        preprocess_fn: Callable[[Any], Any] | None = None,
    ) -> None:
        """Wrap an iterable.

        Args:
            iterable: what to iterate over.
            prefetch_count: how many items are made ahead.
            preprocess_fn: applied to each item in the thread, e.g. a transfer to a device.
        """
        if prefetch_count < 1:
            raise ValueError(f"prefetch_count must be at least 1, not {prefetch_count}")
        self.iterable: Any = iterable
        self.prefetch_count = prefetch_count
        self.preprocess_fn = preprocess_fn

    def __len__(self) -> int:
        return len(self.iterable)

    def __iter__(self) -> Iterator[Any]:
        return self._ahead(iter(self.iterable))

    def __getattr__(self, name: str) -> Any:
        # Only called for what is not defined here: graphs, num_graphs, avg_n_graphs_per_batch, …
        if name == "iterable":
            raise AttributeError(name)
        return getattr(self.iterable, name)

    def epoch(self, epoch_number: int, start_batch: int = 0) -> Iterator[Any]:
        """One epoch of the dataset, from ``start_batch`` on; see :meth:`GraphDataset.epoch`."""
        return self._ahead(self.iterable.epoch(epoch_number, start_batch))

    def subset(self, i: slice | int | list[int] | float) -> "PrefetchIterator":
        """The same over a subset of the dataset."""
        chosen = self.iterable.subset(i)
        return PrefetchIterator(chosen, self.prefetch_count, self.preprocess_fn)

    def _ahead(self, items: Iterator[Any]) -> Iterator[Any]:
        """Compute items in a thread. An exception there is raised here, in its place."""

        def prepare_next() -> Any:
            item = next(items, _END)
            return item if item is _END or self.preprocess_fn is None else self.preprocess_fn(item)

        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
        try:
            coming = deque(thread.submit(prepare_next) for _ in range(self.prefetch_count))
            while (item := coming.popleft().result()) is not _END:
                coming.append(thread.submit(prepare_next))
                yield item
        finally:
            thread.shutdown(cancel_futures=True)


def create_prefetch_iterator(
    iterable: Iterable[Any],
    prefetch_count: int = 1,
    preprocess_fn: Callable[[Any], Any] | None = None,
) -> Iterator[Any]:
    """Iterate once over an iterable, in a thread, ``prefetch_count`` items ahead."""
    return iter(PrefetchIterator(iterable, prefetch_count, preprocess_fn))


class ParallelGraphDataset:
    """Batches of a dataset stacked along a new first axis, one for each device.

    If the number of batches is no multiple of the number of devices, the last stack is filled up
    with batches of padding.
    """

    def __init__(self, graph_dataset: GraphDataset, num_parallel: int) -> None:
        """Stack ``num_parallel`` batches of a dataset into one."""
        if num_parallel < 1:
            raise ValueError(f"num_parallel must be at least 1, not {num_parallel}")
        self.graph_dataset = graph_dataset
        self.num_parallel = num_parallel

    def __len__(self) -> int:
        return -(-len(self.graph_dataset) // self.num_parallel)

    def __iter__(self) -> Iterator[jraph.GraphsTuple]:
        return self._stacked(iter(self.graph_dataset))

    def __getattr__(self, name: str) -> Any:
        if name == "graph_dataset":
            raise AttributeError(name)
        return getattr(self.graph_dataset, name)

    def epoch(self, epoch_number: int, start_batch: int = 0) -> Iterator[jraph.GraphsTuple]:
        """One epoch from the ``start_batch``-th stack on."""
        first = start_batch * self.num_parallel
        return self._stacked(self.graph_dataset.epoch(epoch_number, first))

    def subset(self, i: slice | int | list[int] | float) -> "ParallelGraphDataset":
        """The same over a subset of the dataset."""
        return type(self)(self.graph_dataset.subset(i), self.num_parallel)

    def _stacked(self, batches: Iterator[jraph.GraphsTuple]) -> Iterator[jraph.GraphsTuple]:
        group: list[jraph.GraphsTuple] = []
        for batch in batches:
            group.append(batch)
            if len(group) == self.num_parallel:
                yield _stack(group)
                group = []
        if group:
            missing = self.num_parallel - len(group)
            yield _stack(group + [self.graph_dataset.padding_batch()] * missing)


class UnsqueezeGraphDatasetWrapper(ParallelGraphDataset):
    """Batches of a dataset with a first axis of length one, for code written for several
    devices.
    """

    def __init__(self, dataset: GraphDataset) -> None:
        """Wrap a dataset."""
        super().__init__(dataset, 1)

    def subset(self, i: slice | int | list[int] | float) -> "UnsqueezeGraphDatasetWrapper":
        """The same over a subset of the dataset."""
        return UnsqueezeGraphDatasetWrapper(self.graph_dataset.subset(i))


def create_global_arrays(stacked_batch: jraph.GraphsTuple, mesh: Mesh) -> jraph.GraphsTuple:
    """Put a stack of batches onto the devices of a mesh, its first axis along the mesh's first.

    With several processes, each gives the batches of its own devices.
    """
    sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names[0]))
    return jax.tree.map(
        lambda array: jax.make_array_from_process_local_data(sharding, array), stacked_batch
    )


def _stack(batches: list[jraph.GraphsTuple]) -> jraph.GraphsTuple:
    return jax.tree.map(lambda *arrays: np.stack(arrays), *batches)
