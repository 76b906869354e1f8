"""Averages over a dataset, exact for batches of different sizes."""

from typing import Any

import jax
import jax.numpy as jnp
import jraph
from flax import struct

from mlip_core.models.loss_helpers import label_masks


@struct.dataclass
class Counts:
    """What averages are taken over, each an int32 scalar.

    Attributes:
        graphs: number of real structures.
        nodes: number of real atoms.
        energies: number of real structures whose energy is known.
        forces: number of real atoms whose forces are known.
        stresses: number of real structures whose stress is known.
        edges: number of real edges.
        batches: number of batches.
        updates: number of updates of the parameters.
    """

    graphs: jax.Array
    nodes: jax.Array
    energies: jax.Array
    forces: jax.Array
    stresses: jax.Array
    edges: jax.Array
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
        is_sound: whether all was well so far; boolean.
    """

    sums: dict[str, jax.Array]
    residues: dict[str, jax.Array]
    counts: Counts
    is_sound: jax.Array

    def add(
        self, metrics: dict[str, jax.Array], counts: Counts, is_sound: bool | jax.Array = True
    ) -> "MetricSums":
        """Add averages of a batch over ``counts``, and whether all is well in it."""
        terms = {name: value * count_of(name, counts) for name, value in metrics.items()}
        corrected = {name: term - self.residues[name] for name, term in terms.items()}
        sums = {name: self.sums[name] + term for name, term in corrected.items()}
        residues = {name: (sums[name] - self.sums[name]) - term for name, term in corrected.items()}
        counts = jax.tree.map(jnp.add, self.counts, counts)
        return MetricSums(sums, residues, counts, self.is_sound & is_sound)

    def averages(self) -> dict[str, float]:
        """The averages, sorted by name, without those over nothing; waits for the device."""
        host = jax.device_get(self)
        counts = {name: int(count_of(name, host.counts)) for name in sorted(host.sums)}
        return {name: float(host.sums[name]) / count for name, count in counts.items() if count}

    def to_scalars(self) -> dict[str, jax.Array]:
        """All numbers by name; see ``from_scalars``."""
        parts = {
            "sums": self.sums,
            "residues": self.residues,
            "counts": vars(self.counts),
            "flags": {"is_sound": self.is_sound},
        }
        return {f"{part}/{name}": x for part, xs in parts.items() for name, x in xs.items()}

    @classmethod
    def from_scalars(cls, scalars: dict[str, jax.Array]) -> "MetricSums":
        """What ``to_scalars`` took apart."""
        parts: dict[str, dict[str, jax.Array]] = {"sums": {}, "residues": {}}
        for key, value in scalars.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = value
        return cls(parts["sums"], parts["residues"], Counts(**parts["counts"]), **parts["flags"])


def count_batch(batch: jraph.GraphsTuple) -> Counts:
    """Counts of one batch, padding left out; no update."""
    masks = label_masks(batch)
    return Counts(
        graphs=_number_of(jraph.get_graph_padding_mask(batch)),
        nodes=_number_of(jraph.get_node_padding_mask(batch)),
        energies=_number_of(masks.energy),
        forces=_number_of(masks.forces),
        stresses=_number_of(masks.stress),
        edges=_number_of(_is_real_edge(batch)),
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

    counts = Counts(**{name: jnp.zeros((), jnp.int32) for name in Counts.__annotations__})
    empty = MetricSums(zeros(), zeros(), counts, jnp.bool_(True))
    placement = jax.tree.leaves(like)[0]
    return jax.device_put(empty, placement.sharding if placement.committed else None)


def count_of(name: str, counts: Counts) -> jax.Array:
    """What a metric is averaged over, by its name.

    Errors (``mae_…``, ``mse_…``) over the structures or atoms that have the label, the norm of
    updates over updates, norms of gradients and weights of the loss over batches, all else over
    structures.
    """
    if name.startswith(("mae_", "mse_")):
        return _count_of_label(name[len("mae_") :], counts)
    if name == "param_update_norm":
        return counts.updates
    if name == "gradient_norm" or "weight" in name:
        return counts.batches
    return counts.graphs


def _count_of_label(name: str, counts: Counts) -> jax.Array:
    if name == "f":
        return counts.forces
    return counts.stresses if name.startswith("stress") else counts.energies


def _is_real_edge(batch: jraph.GraphsTuple) -> jax.Array:
    """``[n_edges]``; neither padding nor the zero-length edges that fill up runs of edges."""
    joins_two = batch.senders != batch.receivers
    if batch.edges.shifts is not None:
        joins_two |= (batch.edges.shifts != 0).any(axis=-1)
    return jraph.get_edge_padding_mask(batch) & joins_two


def _number_of(mask: jax.Array) -> jax.Array:
    return mask.sum(dtype=jnp.int32)
