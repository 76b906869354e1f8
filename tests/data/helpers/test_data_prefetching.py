import threading
from collections.abc import Iterable, Iterator

import jax
import jraph
import numpy as np
import pytest
from jax.sharding import Mesh

from mlip_core.data.helpers import GraphDataset
from mlip_core.data.helpers.data_prefetching import (
    ParallelGraphDataset,
    PrefetchIterator,
    UnsqueezeGraphDatasetWrapper,
    create_global_arrays,
    create_prefetch_iterator,
)
from tests.data.structures import ethanol, graph_of


@pytest.fixture
def dataset() -> GraphDataset:
    return GraphDataset([graph_of(ethanol(seed), energy=1.0 + seed) for seed in range(10)], 2)


def energies(batches: Iterable[jraph.GraphsTuple]) -> list[list[float]]:
    return [np.asarray(batch.globals.energy).tolist() for batch in batches]


@pytest.mark.parametrize("count", [1, 3, 20])
def test_same_items_in_the_same_order(count: int) -> None:
    assert list(create_prefetch_iterator(range(10), count)) == list(range(10))
    assert list(create_prefetch_iterator(range(3), count, lambda x: x * x)) == [0, 1, 4]
    assert list(create_prefetch_iterator([], count)) == []


def test_items_are_made_ahead_and_no_more_than_asked_for() -> None:
    made = []
    third_made = threading.Event()

    def items() -> Iterator[int]:
        for item in range(10):
            made.append(item)
            if item == 2:
                third_made.set()
            yield item

    iterator = create_prefetch_iterator(items(), prefetch_count=2)
    assert made == []
    assert next(iterator) == 0
    assert third_made.wait(timeout=10)
    assert made == [0, 1, 2]


def test_error_is_raised_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ArithmeticError("broken")

    iterator = create_prefetch_iterator(items(), 3)
    assert next(iterator) == 1
    with pytest.raises(ArithmeticError, match="broken"):
        next(iterator)


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()
    for item in create_prefetch_iterator(range(1000), 2):
        if item == 3:
            break
    del item
    assert threading.active_count() == before


def test_prefetched_dataset_behaves_as_the_dataset(dataset: GraphDataset) -> None:
    prefetched = PrefetchIterator(dataset, 2)
    assert len(prefetched) == len(dataset) == 5
    assert prefetched.num_graphs == 10
    assert prefetched.avg_n_graphs_per_batch == 2
    for epoch in range(2):
        assert energies(prefetched) == energies(dataset.epoch(epoch))
    assert energies(prefetched.epoch(1, 2)) == energies(dataset.epoch(1, 2))
    assert prefetched.subset(4).num_graphs == 4
    with pytest.raises(AttributeError):
        _ = prefetched.no_such_attribute


def test_stacks_for_several_devices_are_filled_up_with_padding(dataset: GraphDataset) -> None:
    parallel = ParallelGraphDataset(dataset, 3)
    stacks = list(parallel.epoch(0))
    assert len(parallel) == len(stacks) == 2
    assert stacks[0].nodes.positions.shape == (3, dataset.shape.n_node, 3)
    single = [jax.tree.map(lambda x, i=i: x[i], stack) for stack in stacks for i in range(3)]
    assert energies(single[:5]) == energies(dataset.epoch(0))
    assert int(jraph.get_graph_padding_mask(single[5]).sum()) == 0
    assert energies(parallel.epoch(0, 1)) == energies(stacks[1:])
    assert ParallelGraphDataset(dataset, 3).subset(0.4).num_graphs == 4


def test_first_axis_of_length_one(dataset: GraphDataset) -> None:
    wrapped = UnsqueezeGraphDatasetWrapper(dataset)
    assert len(wrapped) == 5
    for stack, batch in zip(wrapped.epoch(0), dataset.epoch(0), strict=True):
        assert stack.edges.blocks.size == batch.edges.blocks.size
        np.testing.assert_array_equal(stack.edges.blocks.reverse[0], batch.edges.blocks.reverse)
        np.testing.assert_array_equal(stack.senders[0], batch.senders)
    assert wrapped.subset(slice(0, 6)).num_graphs == 6


def test_arrays_are_put_onto_the_devices(dataset: GraphDataset) -> None:
    mesh = Mesh(np.array(jax.devices()), ("data",))
    stack = next(iter(ParallelGraphDataset(dataset, mesh.size)))
    placed = create_global_arrays(stack, mesh)
    assert isinstance(placed.nodes.positions, jax.Array)
    assert placed.nodes.positions.sharding.mesh == mesh
    np.testing.assert_array_equal(placed.nodes.positions, stack.nodes.positions)


def test_counts_must_be_positive(dataset: GraphDataset) -> None:
    with pytest.raises(ValueError, match="prefetch_count"):
        PrefetchIterator(dataset, 0)
    with pytest.raises(ValueError, match="num_parallel"):
        ParallelGraphDataset(dataset, 0)
