"""Edges in runs of equal length, one receiver each.

A network can then sum the messages of a run as one small dense matrix product instead of scattering
edges one by one. The price is filling slots: edges of zero length from an atom to itself, which
every network ignores.
"""

import numpy as np

from mlip_core.typing import EdgeBlocks

_LARGEST_BLOCK = 32
# What one more run costs, in edge slots: the products of a run write a result of fixed size.
_COST_OF_A_RUN = 2


def choose_block_size(neighbour_counts: np.ndarray) -> int:
    """The length of run that costs least for atoms with these numbers of neighbours.

    The cost is the number of edge slots, filling included, plus a small cost per run, so that of
    two sizes with as many slots the larger wins. Sizes up to 32 and the largest count are compared.

    Args:
        neighbour_counts: ``[n_atoms]``, number of edges that each atom receives.
    """
    histogram = np.bincount(np.asarray(neighbour_counts, dtype=np.int64).ravel(), minlength=2)
    counts = np.arange(len(histogram))
    largest = len(histogram) - 1
    sizes = sorted({*range(1, min(largest, _LARGEST_BLOCK) + 1), min(largest, 2 * _LARGEST_BLOCK)})
    costs = [histogram @ -(-counts // size) * (size + _COST_OF_A_RUN) for size in sizes]
    return sizes[len(sizes) - 1 - int(np.argmin(costs[::-1]))]


def count_block_slots(neighbour_counts: np.ndarray, size: int) -> np.ndarray:
    """Edge slots of each atom: its number of neighbours rounded up to whole runs."""
    return -(-neighbour_counts // size) * size


def lay_out_in_blocks(
    senders: np.ndarray,
    receivers: np.ndarray,
    shifts: np.ndarray,
    n_node: int,
    size: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay edges out in runs of ``size`` edges with one receiver each.

    Each atom's last run is filled up with edges of zero length from the atom to itself, shift 0. An
    atom without edges has no run.

    Args:
        senders: ``[n_edges]``.
        receivers: ``[n_edges]``, ascending.
        shifts: ``[n_edges, 3]``.
        n_node: number of atoms.
        size: length of a run.

    Returns:
        ``senders [n_slots]``, ``receivers [n_slots]``, ``shifts [n_slots, 3]``, dtypes kept;
        ``n_slots`` is a multiple of ``size``.

    Raises:
        ValueError: if the receivers are not ascending.
    """
    if np.any(receivers[1:] < receivers[:-1]):
        raise ValueError("edges must be sorted by receiver before they are laid out in blocks")
    counts = np.bincount(receivers, minlength=n_node)
    slot_counts = count_block_slots(counts, size)
    shift_to_slot = (np.cumsum(slot_counts) - slot_counts) - (np.cumsum(counts) - counts)
    slots = np.arange(len(receivers)) + shift_to_slot[receivers]
    slot_receivers = np.repeat(np.arange(n_node, dtype=receivers.dtype), slot_counts)
    slot_senders = slot_receivers.astype(senders.dtype)
    slot_senders[slots] = senders
    slot_shifts = np.zeros((len(slot_receivers), 3), dtype=shifts.dtype)
    slot_shifts[slots] = shifts
    return slot_senders, slot_receivers, slot_shifts


def index_blocks(
    senders: np.ndarray,
    receivers: np.ndarray,
    shifts: np.ndarray,
    n_node: int,
    size: int,
    max_runs: int,
) -> EdgeBlocks:
    """Describe edges that are laid out in runs, padding included.

    Args:
        senders: ``[n_edges]``.
        receivers: ``[n_edges]``, ascending, each run of ``size`` the same.
        shifts: ``[n_edges, 3]``, whole numbers.
        n_node: number of nodes; the last is padding and may have any number of runs.
        size: length of a run.
        max_runs: the most runs that any other node has.

    Returns:
        The description; without ``reverse`` and pairs if some edge has no reverse.
    """
    runs = _runs_of_nodes(receivers[::size], n_node, max_runs)
    reverse = _reverse_edges(senders, receivers, shifts, n_node)
    if reverse is None:
        return EdgeBlocks(size, runs)
    return EdgeBlocks(size, runs, reverse, *_pair_up(reverse))


def _runs_of_nodes(owners: np.ndarray, n_node: int, max_runs: int) -> np.ndarray:
    counts = np.bincount(owners, minlength=n_node)
    places = np.arange(max_runs)
    runs = (np.cumsum(counts) - counts)[:, None] + places
    return np.where(places < counts[:, None], runs, len(owners)).astype(np.int32)


def _reverse_edges(
    senders: np.ndarray, receivers: np.ndarray, shifts: np.ndarray, n_node: int
) -> np.ndarray | None:
    """The edge with exchanged ends and opposite shift of each edge; ``None`` if one has none.

    Edges are brought into the order of a number that names (receiver, sender, shift), and into that
    of the number of their reverse: equal places belong together. Of several equal edges from an
    atom to itself, which only filling can be, a stable order makes each its own reverse.
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


def _pair_up(reverse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fields ``pairs`` and ``pair_edges`` of :class:`~mlip_core.typing.EdgeBlocks`."""
    n_edges = len(reverse)
    n_pairs = n_edges // 2 + 1
    firsts = np.flatnonzero(np.arange(n_edges) < reverse)
    pair_edges = np.full(n_pairs, n_edges, np.int32)
    pair_edges[: len(firsts)] = firsts
    pairs = np.full(n_edges, n_pairs - 1, np.int32)
    pairs[firsts] = pairs[reverse[firsts]] = np.arange(len(firsts))
    return pairs, pair_edges
