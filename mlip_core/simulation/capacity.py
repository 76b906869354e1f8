"""How much room a compiled program has for the edges of moving atoms."""

from typing import NamedTuple, Self

import numpy as np

from mlip_core.data.helpers.edge_blocks import choose_block_size, count_block_slots

# An atom may get so many times as many neighbours as any has now, whatever the head-room for all.
_DENSEST = 1.75
# Numbers of neighbours are told apart in thousandths of atoms.
_ATOM = 1000


class Capacity(NamedTuple):
    """The shape of a padded graph.

    Attributes:
        n_node: nodes, at least one of them padding.
        n_edge: edge slots, a multiple of ``block_size`` and at least one run of them padding.
        block_size: slots of a run of edges with one receiver.
        max_runs: most runs of a node.
    """

    n_node: int
    n_edge: int
    block_size: int
    max_runs: int

    def holds(self, neighbor_counts: np.ndarray) -> bool:
        """Whether atoms with so many neighbours fit in."""
        n_slots = int(count_block_slots(neighbor_counts, self.block_size).sum())
        most = int(neighbor_counts.max(initial=0))
        return (
            len(neighbor_counts) < self.n_node
            and n_slots < self.n_edge
            and most <= self.block_size * self.max_runs
        )

    @classmethod
    def made_for(
        cls,
        neighbor_counts: np.ndarray,
        most: int,
        edge_multiplier: float,
        node_multiplier: float,
        old: Self | None,
    ) -> Self:
        """Room for atoms with these numbers of neighbours and, by the multiplier, for more.

        A crystal has one or two numbers of neighbours and a melt many: runs are chosen for numbers
        that are spread by the multiplier.

        Args:
            neighbor_counts: ``[n_atoms]``.
            most: the most neighbours that an atom can ever have.
            edge_multiplier: head-room for edges, at least 1.
            node_multiplier: head-room for atoms, at least 1.
            old: the capacity before; neither nodes nor edges become fewer.
        """
        histogram = _spread(neighbor_counts, edge_multiplier, most)
        size = choose_block_size(histogram)
        slots = count_block_slots(np.arange(len(histogram)), size)
        needed = (
            int(count_block_slots(neighbor_counts, size).sum()),
            -(-int(histogram @ slots) // _ATOM),
            int(np.ceil(edge_multiplier * neighbor_counts.sum())),
        )
        n_slots = min(max(needed), len(neighbor_counts) * -(-most // size) * size)
        n_node = int(np.ceil(len(neighbor_counts) * node_multiplier)) + 1
        n_edge = (-(-n_slots // size) + 1) * size
        densest = min(most, int(_DENSEST * neighbor_counts.max(initial=0)))
        max_runs = max(1, -(-max(densest, len(histogram) - 1) // size))
        old = old or cls(0, 0, 1, 1)
        n_edge = max(n_edge, -(-old.n_edge // size) * size)
        return cls(max(n_node, old.n_node), n_edge, size, max_runs)


def _spread(neighbor_counts: np.ndarray, factor: float, most: int) -> np.ndarray:
    """How many atoms, in thousandths, have 0, 1, 2, … neighbours if each may have more or fewer.

    Args:
        neighbor_counts: ``[n_atoms]``.
        factor: by which a number may change, up and down, or if that is more by its square root;
            each number in between is equally likely. 1 for numbers that stay.
        most: the largest number possible.
    """
    histogram = np.bincount(neighbor_counts)
    numbers = np.arange(len(histogram))
    change = np.maximum((factor - 1) * numbers, np.sqrt(numbers) if factor > 1 else 0)
    lows = np.maximum(0, numbers - change).astype(int)
    highs = np.minimum(most, np.ceil(numbers + change)).astype(int)
    spread = np.zeros(int(highs.max(initial=0)) + 1)
    for n_atoms, low, high in zip(histogram, lows, highs, strict=True):
        spread[low : high + 1] += n_atoms / (high + 1 - low)
    return np.ceil(_ATOM * spread).astype(np.int64)
