"""Edges in runs of equal length, one receiver each.

A network can then sum the messages of a run as one small dense matrix product instead of scattering
edges one by one. The price is filling slots: edges of zero length from an atom to itself, which
every network ignores.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from mlip_core.typing import EdgeBlocks

_LARGEST_BLOCK = 32
# What one more run costs, in edge slots: the products of a run write a result of fixed size.
_COST_OF_A_RUN = 2


class SortedEdges(NamedTuple):
    """Edges in order of their receivers, of one graph or of several.

    Attributes:
        senders: ``[n_edges]``.
        shifts: ``[n_edges, 3]``.
        counts: ``[n_atoms]``, number of edges that each atom receives, which gives the receivers.
        reverse: ``[n_edges]``, the edge with exchanged ends and opposite shift; ``None`` if some
            edge has none.
    """

    senders: np.ndarray
    shifts: np.ndarray
    counts: np.ndarray
    reverse: np.ndarray | None


class PaddedEdges(NamedTuple):
    """Edges of a batch.

    Attributes:
        senders: ``[n_edge]``, int32.
        receivers: ``[n_edge]``, int32, ascending.
        shifts: ``[n_edge, 3]``.
        blocks: their order; ``None`` if they are not in runs.
    """

    senders: np.ndarray
    receivers: np.ndarray
    shifts: np.ndarray
    blocks: "EdgeBlocks | None"


def choose_block_size(histogram: np.ndarray) -> int:
    """The length of run that costs least for atoms with these numbers of neighbours.

    The cost is the number of edge slots, filling included, plus a small cost per run, so that of
    two sizes with as many slots the larger wins. Sizes up to 32 and the largest count are compared.

    Args:
        histogram: ``[any length]``, how many atoms receive 0, 1, 2, … edges.
    """
    largest = int(np.flatnonzero(histogram).max(initial=1))
    counts = np.arange(largest + 1)
    atoms = np.zeros(largest + 1, dtype=np.int64)
    atoms[: len(histogram)] = histogram[: largest + 1]
    sizes = sorted({*range(1, min(largest, _LARGEST_BLOCK) + 1), min(largest, 2 * _LARGEST_BLOCK)})
    costs = [atoms @ -(-counts // size) * (size + _COST_OF_A_RUN) for size in sizes]
    return sizes[len(sizes) - 1 - int(np.argmin(costs[::-1]))]


def count_block_slots(neighbour_counts: np.ndarray, size: int) -> np.ndarray:
    """Edge slots of each atom: its number of neighbours rounded up to whole runs."""
    return -(-neighbour_counts // size) * size


def pad_edges(
    edges: SortedEdges,
    n_node: int,
    n_edge: int,
    dtype: Any,
    size: int | None = None,
    max_runs: int = 1,
) -> PaddedEdges:
    """Give edges the fixed shape of a batch, in runs of ``size`` edges with one receiver each.

    Each atom's last run is filled up with edges of zero length from the atom to itself, shift 0; an
    atom without edges has no run. Padding edges join the last node, which is padding, to itself.

    Args:
        edges: the real ones.
        n_node: nodes of the batch, at least one more than there are atoms.
        n_edge: edges of the batch, a multiple of ``size``.
        dtype: of the shifts.
        size: length of a run; ``None``: no runs.
        max_runs: the most runs that an atom may have.
    """
    slot_counts = edges.counts if size is None else count_block_slots(edges.counts, size)
    slots = _slots(edges.counts, slot_counts)
    atoms = np.append(np.arange(len(edges.counts), dtype=np.int32), np.int32(n_node - 1))
    receivers = np.repeat(atoms, np.append(slot_counts, n_edge - slot_counts.sum()))
    senders = receivers.copy()
    senders[slots] = edges.senders.astype(np.int32, copy=False)
    shifts = _scatter_rows(edges.shifts, slots, n_edge, dtype)
    if size is None:
        return PaddedEdges(senders, receivers, shifts, None)
    # Not above: who has no batches to make need not wait for JAX.
    from mlip_core.typing import EdgeBlocks

    runs = _runs_of_nodes(slot_counts // size, n_node, n_edge // size, max_runs)
    if edges.reverse is None:
        return PaddedEdges(senders, receivers, shifts, EdgeBlocks(size, runs))
    described = _reverse_and_pairs(slots, edges.reverse, n_edge)
    return PaddedEdges(senders, receivers, shifts, EdgeBlocks(size, runs, *described))


def find_reverse_edges(
    senders: np.ndarray, receivers: np.ndarray, shifts: np.ndarray, n_node: int
) -> np.ndarray | None:
    """The edge with exchanged ends and opposite shift of each edge; ``None`` if one has none.

    Edges are brought into the order of a number that names (receiver, sender, shift), and into that
    of the number of their reverse: equal places belong together.

    Args:
        senders: ``[n_edges]``.
        receivers: ``[n_edges]``.
        shifts: ``[n_edges, 3]``, whole numbers.
        n_node: number of atoms.
    """
    widest = int(np.abs(shifts).max(initial=0))
    base = 2 * widest + 1
    images = (shifts.astype(np.int64) + widest) @ np.array([base * base, base, 1])
    starts, ends = senders.astype(np.int64), receivers.astype(np.int64)
    forward = (ends * n_node + starts) * base**3 + images
    backward = (starts * n_node + ends) * base**3 + (base**3 - 1 - images)
    order, reverse_order = (np.argsort(key, kind="stable") for key in (forward, backward))
    if not np.array_equal(forward[order], backward[reverse_order]):
        return None
    reverse = np.empty(len(senders), np.int32)
    reverse[reverse_order] = order
    return reverse


def _slots(counts: np.ndarray, slot_counts: np.ndarray) -> np.ndarray:
    """Where each edge goes when each atom's edges are followed by its filling."""
    filling_before = np.cumsum(slot_counts - counts) - (slot_counts - counts)
    return np.arange(int(counts.sum())) + np.repeat(filling_before, counts)


def _scatter_rows(rows: np.ndarray, slots: np.ndarray, length: int, dtype: Any) -> np.ndarray:
    """Rows in their slots, zeros elsewhere; by gathering, which takes half the time."""
    if not rows.any():
        return np.zeros((length, rows.shape[1]), dtype=dtype)
    row_of_slot = np.full(length, len(rows))
    row_of_slot[slots] = np.arange(len(rows))
    with_zero = np.concatenate([rows, np.zeros_like(rows[:1])]).astype(dtype, copy=False)
    return with_zero.take(row_of_slot, axis=0)


def _runs_of_nodes(run_counts: np.ndarray, n_node: int, n_runs: int, max_runs: int) -> np.ndarray:
    """Field ``runs`` of :class:`~mlip_core.typing.EdgeBlocks`; the last node has what is left."""
    counts = np.zeros(n_node, dtype=np.int64)
    counts[: len(run_counts)] = run_counts
    counts[-1] = n_runs - run_counts.sum()
    places = np.arange(max_runs)
    runs = (np.cumsum(counts) - counts)[:, None] + places
    return np.where(places < counts[:, None], runs, n_runs).astype(np.int32)


def _reverse_and_pairs(
    slots: np.ndarray, reverse: np.ndarray, n_edge: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fields ``reverse``, ``pairs`` and ``pair_edges`` of :class:`~mlip_core.typing.EdgeBlocks`."""
    targets = slots.take(reverse)
    reverse_slots = np.arange(n_edge, dtype=np.int32)
    reverse_slots[slots] = targets.astype(np.int32)
    n_pairs = n_edge // 2 + 1
    is_first = slots < targets
    firsts, seconds = slots.compress(is_first), targets.compress(is_first)
    numbers = np.arange(len(firsts), dtype=np.int32)
    pair_edges = np.full(n_pairs, n_edge, dtype=np.int32)
    pair_edges[: len(firsts)] = firsts
    pairs = np.full(n_edge, n_pairs - 1, dtype=np.int32)
    pairs[firsts] = numbers
    pairs[seconds] = numbers
    return reverse_slots, pairs, pair_edges
