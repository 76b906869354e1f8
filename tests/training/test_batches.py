"""Batches on their way to the devices."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import jax
import jraph
import numpy as np
import pytest

from mlip_core.data.helpers.data_prefetching import (
    ParallelGraphDataset,
    PrefetchIterator,
    UnsqueezeGraphDatasetWrapper,
)
from mlip_core.training.batches import _stacks, device_batches, empty_batch_like, steps_per_epoch
from mlip_core.utils.errors import UserError
from tests.training.tiny import make_dataset


def positions(batches: Iterable[jraph.GraphsTuple]) -> list[np.ndarray]:
    return [np.asarray(batch.nodes.positions) for batch in batches]


@pytest.mark.parametrize(
    "wrap", [lambda dataset: dataset, PrefetchIterator, UnsqueezeGraphDatasetWrapper]
)
def test_order_is_that_of_the_epoch_from_any_step_on(wrap: Callable[[Any], Any]) -> None:
    dataset = make_dataset()
    expected = positions(dataset.epoch(3))
    for first in (0, 2):
        found = positions(device_batches(wrap(dataset), 3, first))
        np.testing.assert_array_equal(found, expected[first:])
    assert steps_per_epoch(wrap(dataset)) == len(expected)


def test_only_batches_of_own_devices_are_made() -> None:
    batches = list(make_dataset(7, 1).epoch(2))
    made: list[int] = []

    def make(index: int) -> jraph.GraphsTuple:
        made.append(index)
        return batches[index]

    deferred = (partial(make, index) for index in range(7))
    first, second = _stacks(deferred, size=4, places=[2, 3])
    assert made == [2, 3, 6]
    np.testing.assert_array_equal(first.nodes.positions, positions(batches[2:4]))
    np.testing.assert_array_equal(second.nodes.positions[0], batches[6].nodes.positions)
    assert not np.any(jraph.get_graph_padding_mask(jax.tree.map(lambda leaf: leaf[1], second)))


def test_iteration_is_enough_of_a_dataset() -> None:
    batches = list(make_dataset().epoch(0))
    np.testing.assert_array_equal(positions(device_batches(batches, 7, 1)), positions(batches)[1:])
    assert steps_per_epoch(itertools.count()) is None


def test_dataset_stacked_for_other_devices_is_refused() -> None:
    with pytest.raises(UserError, match="stacks batches for 3 devices but 1 share a step"):
        device_batches(ParallelGraphDataset(make_dataset(), 3), 1)


def test_empty_batch_has_no_real_structure() -> None:
    batch = empty_batch_like(next(make_dataset().epoch(0)))
    assert not np.any(jraph.get_graph_padding_mask(batch))
    assert not np.any(jraph.get_node_padding_mask(batch))
    assert batch.n_node.sum() == len(batch.nodes.positions)


def test_error_in_the_dataset_is_raised_where_it_is_used() -> None:
    def broken() -> Iterator[jraph.GraphsTuple]:
        yield next(make_dataset().epoch(0))
        raise OSError("disk gone")

    batches = device_batches(broken(), 1)
    next(batches)
    with pytest.raises(OSError, match="disk gone"):
        next(batches)
