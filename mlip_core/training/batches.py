"""Batches of an epoch on their way from the dataset to the devices."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import jax
import jraph
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mlip_core.data.helpers.data_prefetching import create_prefetch_iterator
from mlip_core.training.parallel import put
from mlip_core.utils.errors import UserError

BATCHES_AHEAD = 2


def device_batches(
    dataset: Any, epoch: int, first_step: int = 0, mesh: Mesh | None = None
) -> Iterator[jraph.GraphsTuple]:
    """The batches of one epoch on the devices, prepared ahead in a thread.

    Args:
        dataset: gives its batches by ``dataset.epoch(epoch, start_batch)``, or by iteration.
        epoch: number of the epoch that decides the order.
        first_step: how many steps of the epoch to skip.
        mesh: devices that share a step; each then takes a batch of its own, stacked on a leading
            axis. The last step of an epoch is filled up with empty batches.

    Raises:
        UserError: if the dataset itself stacks batches, for another number of devices.
    """
    n_devices = mesh.size if mesh else 1
    batches = _host_batches(dataset, epoch, first_step * _batches_per_step(dataset, n_devices))
    if _stack_size(dataset) is None and mesh is not None:
        batches = _stacks(batches, n_devices)
    elif _stack_size(dataset) is not None and mesh is None:
        batches = (jax.tree.map(lambda array: array[0], stack) for stack in batches)
    sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names)) if mesh else None
    return create_prefetch_iterator(batches, BATCHES_AHEAD, lambda batch: put(batch, sharding))


def steps_per_epoch(dataset: Any, mesh: Mesh | None = None) -> int | None:
    """Number of steps of an epoch; ``None`` if the dataset does not tell."""
    if not hasattr(dataset, "__len__"):
        return None
    return -(-len(dataset) // _batches_per_step(dataset, mesh.size if mesh else 1))


def empty_batch_like(batch: jraph.GraphsTuple) -> jraph.GraphsTuple:
    """A batch of the same shapes in which all is padding.

    All nodes belong to the first graph: the graph before a tail of empty ones is padding too.
    """
    n_node, n_edge = np.zeros_like(batch.n_node), np.zeros_like(batch.n_edge)
    n_node[0], n_edge[0] = np.sum(batch.n_node), np.sum(batch.n_edge)
    return batch._replace(n_node=n_node, n_edge=n_edge)


def _stack_size(dataset: Any) -> int | None:
    """How many batches the dataset itself stacks into one; ``None`` if it gives single ones."""
    return getattr(dataset, "num_parallel", None)


def _batches_per_step(dataset: Any, n_devices: int) -> int:
    stack_size = _stack_size(dataset)
    if stack_size is None:
        return n_devices
    if stack_size != n_devices:
        raise UserError(
            f"the dataset stacks batches for {stack_size} devices but {n_devices} share a step; "
            f"give the dataset without stacking"
        )
    return 1


def _host_batches(dataset: Any, epoch: int, first: int) -> Iterator[jraph.GraphsTuple]:
    if hasattr(dataset, "epoch"):
        return dataset.epoch(epoch, first)
    return islice(dataset, first, None)


def _stacks(batches: Iterable[jraph.GraphsTuple], size: int) -> Iterator[jraph.GraphsTuple]:
    batches = iter(batches)
    while group := list(islice(batches, size)):
        group += [empty_batch_like(group[0])] * (size - len(group))
        yield jax.tree.map(lambda *leaves: np.stack(leaves), *group)
