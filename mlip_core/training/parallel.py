"""One step shared by several devices: each has a batch of its own, results are averaged.

With several processes (``jax.distributed.initialize`` before anything else of JAX), every process
runs the same program on the same dataset, and makes and computes the batches of its own devices.
All decisions follow from averages that all of them have, so they stay in step; the first one
writes.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mlip_core.training.metric_sums import Counts, count_of

DATA_AXIS = "data"


def mesh_of_all_devices() -> Mesh | None:
    """All visible devices along one axis; ``None`` if there is only one."""
    if len(jax.devices()) == 1:
        return None
    return Mesh(np.array(jax.devices()), (DATA_AXIS,))


def places_of_this_process(mesh: Mesh) -> list[int]:
    """Which of the mesh's devices, in their order, belong to this process."""
    mine = jax.process_index()
    return [i for i, device in enumerate(mesh.devices.flat) if device.process_index == mine]


def put_stack(stack: Any, mesh: Mesh) -> Any:
    """Put arrays onto devices along their first axis, one entry for each of this process's own."""
    sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
    if sharding.is_fully_addressable:
        return jax.device_put(stack, sharding)

    def put_part(part: Any) -> jax.Array:
        whole = (mesh.size, *part.shape[1:])
        return jax.make_array_from_process_local_data(sharding, part, whole)

    return jax.tree.map(put_part, stack)


def replicate(tree: Any, mesh: Mesh | None) -> Any:
    """Put arrays, the same in all processes, onto all devices of a mesh, or the default device."""
    sharding = NamedSharding(mesh, PartitionSpec()) if mesh else None
    if sharding is None or sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)

    def put_whole(leaf: Any) -> jax.Array:
        array = np.asarray(leaf)
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    return jax.tree.map(put_whole, tree)


def as_local(tree: Any) -> Any:
    """Arrays that all devices have, as this process has them: to use without the others."""
    return jax.tree.map(_local, tree)


def _local(array: Any) -> Any:
    if isinstance(array, jax.Array) and not array.is_fully_addressable:
        return array.addressable_data(0)
    return array


def on_each_device(fun: Callable[..., Any], mesh: Mesh) -> Callable[..., Any]:
    """Run ``fun(params, batch, epoch)`` on every device with its own batch.

    The returned function takes a batch with a leading axis, one entry for each device. What ``fun``
    returns has to be the same on all devices.
    """

    def local(params: Any, batch: Any, epoch: Any) -> Any:
        return fun(params, jax.tree.map(lambda array: array[0], batch), epoch)

    everywhere, split = PartitionSpec(), PartitionSpec(mesh.axis_names)
    # With check_vma, gradients would already be sums over devices; here they are averaged, once.
    return jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(everywhere, split, everywhere),
        out_specs=everywhere,
        check_vma=False,
    )


def average_over_devices(
    gradients: Any, metrics: dict[str, jax.Array], counts: Counts, mesh: Mesh
) -> tuple[Any, dict[str, jax.Array], Counts]:
    """What one batch of the structures of all devices would have given; to be called on each.

    Gradients are averaged by numbers of structures, metrics by what they are averages over.
    """
    total = _sum_over_devices(counts, mesh)
    share = counts.graphs / jnp.maximum(total.graphs, 1)
    weighted = jax.tree.map(lambda gradient: gradient * share.astype(gradient.dtype), gradients)
    sums = {name: value * count_of(name, counts) for name, value in metrics.items()}
    weighted, sums = _sum_over_devices((weighted, sums), mesh)
    means = {name: value / jnp.maximum(count_of(name, total), 1) for name, value in sums.items()}
    return weighted, means, total


def _sum_over_devices(tree: Any, mesh: Mesh) -> Any:
    """As one array, for which the devices wait for one another once and not for each leaf."""
    flat, unravel = ravel_pytree(tree)
    return unravel(jax.lax.psum(flat, mesh.axis_names))
