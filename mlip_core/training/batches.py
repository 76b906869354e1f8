"""Batches of an epoch on their way from the dataset to the devices."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import jax
import jraph
import numpy as np
from jax.sharding import Mesh

from mlip_core.data.helpers.data_prefetching import create_prefetch_iterator
from mlip_core.training.parallel import places_of_this_process, put_stack
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
            axis. The last step of an epoch is filled up with empty batches. Each process makes only
            the batches of its own devices, if the dataset has ``deferred_epoch``.

    Raises:
        UserError: if the dataset itself stacks batches, for another number of devices.
    """
    if mesh is None:
        batches = _host_batches(dataset, epoch, first_step * _batches_per_step(dataset, 1))
        if _stack_size(dataset) is not None:
            batches = (jax.tree.map(lambda array: array[0], stack) for stack in batches)
        return create_prefetch_iterator(batches, BATCHES_AHEAD, jax.device_put)
    first = first_step * _batches_per_step(dataset, mesh.size)
    places = places_of_this_process(mesh)
    if _stack_size(dataset) is None:
        stacks = _stacks(_deferred_batches(dataset, epoch, first), mesh.size, places)
    else:
        stacks = _parts(_host_batches(dataset, epoch, first), places)
    return create_prefetch_iterator(stacks, BATCHES_AHEAD, lambda stack: put_stack(stack, mesh))


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


def _deferred_batches(
    dataset: Any, epoch: int, first: int
) -> Iterator[Callable[[], jraph.GraphsTuple]]:
    """What makes each batch, or gives it where the dataset cannot but make all of them."""
    # Not what a wrapper hands on from within: what it adds to each batch would be lost.
    if hasattr(type(dataset), "deferred_epoch"):
        return dataset.deferred_epoch(epoch, first)
    return (partial(_given, batch) for batch in _host_batches(dataset, epoch, first))


def _given(batch: jraph.GraphsTuple) -> jraph.GraphsTuple:
    return batch


def _stacks(
    batches: Iterator[Callable[[], jraph.GraphsTuple]], size: int, places: Sequence[int]
) -> Iterator[jraph.GraphsTuple]:
    """Of each ``size`` batches, those at some places stacked; no other batch is made."""
    while group := list(islice(batches, size)):
        made = [group[place]() for place in places if place < len(group)]
        missing = len(places) - len(made)
        if missing:
            made += [empty_batch_like(made[0] if made else group[0]())] * missing
        yield jax.tree.map(lambda *leaves: np.stack(leaves), *made)


def _parts(
    stacks: Iterable[jraph.GraphsTuple], places: Sequence[int]
) -> Iterator[jraph.GraphsTuple]:
    for stack in stacks:
        yield jax.tree.map(lambda array: array[list(places)], stack)
