"""Averages over a dataset from averages over batches of different sizes."""

from typing import Any

import jax
import jax.numpy as jnp
import jraph
from flax import struct


def reweight_metrics_by_number_of_graphs(
    metrics: dict[str, jax.Array], batch: jraph.GraphsTuple, avg_n_graphs_per_batch: float
) -> dict[str, jax.Array]:
    """Scale the metrics of a batch so that their plain mean over batches is that over structures.

    Each is multiplied by the number of real graphs over its average, except weights of the loss
    (names with "weight"). The loop itself uses ``MetricSums``: the same for averages over
    structures, but it needs no average known in advance and is exact for averages over atoms too.
    """
    factor = jraph.get_graph_padding_mask(batch).sum() / avg_n_graphs_per_batch
    return {name: value if "weight" in name else value * factor for name, value in metrics.items()}


@struct.dataclass
class Counts:
    """What averages are taken over, each an int32 scalar.

    Attributes:
        graphs: number of real structures.
        nodes: number of real atoms.
        batches: number of batches.
        updates: number of updates of the parameters.
    """

    graphs: jax.Array
    nodes: jax.Array
    batches: jax.Array
    updates: jax.Array


@struct.dataclass
class MetricSums:
    """Sums over an epoch, kept on the device, of metrics and of what they are averaged over.

    The sums are compensated (Kahan, 1965): the rounding errors of ten thousand batches do not show.

    Attributes:
        sums: metric times count, by metric.
        residues: what rounding has cut off each sum so far.
        counts: the counts so far.
    """

    sums: dict[str, jax.Array]
    residues: dict[str, jax.Array]
    counts: Counts

    def add(self, metrics: dict[str, jax.Array], counts: Counts) -> "MetricSums":
        """Add averages of a batch over ``counts``."""
        terms = {name: value * count_of(name, counts) for name, value in metrics.items()}
        corrected = {name: term - self.residues[name] for name, term in terms.items()}
        sums = {name: self.sums[name] + term for name, term in corrected.items()}
        residues = {name: (sums[name] - self.sums[name]) - term for name, term in corrected.items()}
        return MetricSums(sums, residues, jax.tree.map(jnp.add, self.counts, counts))

    def averages(self) -> dict[str, float]:
        """The averages, sorted by name; waits for the device."""
        host = jax.device_get(self)
        return {
            name: float(host.sums[name]) / max(int(count_of(name, host.counts)), 1)
            for name in sorted(host.sums)
        }

    def to_scalars(self) -> dict[str, jax.Array]:
        """All numbers by name; see ``from_scalars``."""
        parts = {"sums": self.sums, "residues": self.residues, "counts": vars(self.counts)}
        return {f"{part}/{name}": x for part, xs in parts.items() for name, x in xs.items()}

    @classmethod
    def from_scalars(cls, scalars: dict[str, jax.Array]) -> "MetricSums":
        """What ``to_scalars`` took apart."""
        parts: dict[str, dict[str, jax.Array]] = {"sums": {}, "residues": {}, "counts": {}}
        for key, value in scalars.items():
            part, _, name = key.partition("/")
            parts[part][name] = value
        return cls(parts["sums"], parts["residues"], Counts(**parts["counts"]))


def count_batch(batch: jraph.GraphsTuple) -> Counts:
    """Counts of one batch, padding left out; no update."""
    return Counts(
        graphs=jraph.get_graph_padding_mask(batch).sum(dtype=jnp.int32),
        nodes=jraph.get_node_padding_mask(batch).sum(dtype=jnp.int32),
        batches=jnp.ones((), jnp.int32),
        updates=jnp.zeros((), jnp.int32),
    )


def empty_sums(metrics: dict[str, Any], like: Any) -> MetricSums:
    """Sums of nothing.

    Args:
        metrics: names of the metrics, with arrays or abstract arrays of their types.
        like: a tree of arrays; the sums go to the same devices.
    """

    def zeros() -> dict[str, jax.Array]:
        return {name: jnp.zeros((), value.dtype) for name, value in metrics.items()}

    counts = Counts(*(jnp.zeros((), jnp.int32) for _ in range(4)))
    empty = MetricSums(zeros(), zeros(), counts)
    placement = jax.tree.leaves(like)[0]
    return jax.device_put(empty, placement.sharding if placement.committed else None)


def count_of(name: str, counts: Counts) -> jax.Array:
    """What a metric is averaged over, by its name.

    Force errors (``…_f``) over atoms, the norm of updates over updates, norms of gradients and
    weights of the loss over batches, all else over structures.
    """
    if name.endswith("_f"):
        return counts.nodes
    if name == "param_update_norm":
        return counts.updates
    if name == "gradient_norm" or "weight" in name:
        return counts.batches
    return counts.graphs
