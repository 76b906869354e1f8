"""One step shared by several devices: each has a batch of its own, results are averaged."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from mlip_core.training.metrics_reweighting import Counts, count_of

DATA_AXIS = "data"


def mesh_of_all_devices() -> Mesh | None:
    """All visible devices along one axis; ``None`` if there is only one."""
    if len(jax.devices()) == 1:
        return None
    return Mesh(np.array(jax.devices()), (DATA_AXIS,))


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
    total = jax.lax.psum(counts, mesh.axis_names)
    share = counts.graphs / jnp.maximum(total.graphs, 1)
    weighted = jax.tree.map(lambda gradient: gradient * share.astype(gradient.dtype), gradients)
    sums = {name: value * count_of(name, counts) for name, value in metrics.items()}
    weighted, sums = jax.lax.psum((weighted, sums), mesh.axis_names)
    means = {name: value / jnp.maximum(count_of(name, total), 1) for name, value in sums.items()}
    return weighted, means, total
