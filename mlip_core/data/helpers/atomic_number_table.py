"""Atomic numbers to species indices and back."""

from collections.abc import Sequence

import numpy as np

_MAX_ATOMIC_NUMBER = 255


class AtomicNumberTable:
    """The elements of a dataset in order of atomic number; an element's index is its species."""

    def __init__(self, zs: Sequence[int]) -> None:
        """Make the table.

        Args:
            zs: atomic numbers, ascending, each once.

        Raises:
            ValueError: if they are not.
        """
        zs = [int(z) for z in zs]
        if zs != sorted(set(zs)):
            raise ValueError(f"atomic numbers must be ascending, each once: {zs}")
        self.zs = zs
        self._index = {z: index for index, z in enumerate(zs)}
        self._species_of_number = self.z_to_index_map(_MAX_ATOMIC_NUMBER, unknown=-1)

    def __len__(self) -> int:
        return len(self.zs)

    def __repr__(self) -> str:
        return f"AtomicNumberTable({self.zs})"

    def index_to_z(self, index: int) -> int:
        """Atomic number of a species index."""
        return self.zs[index]

    def z_to_index(self, atomic_number: int) -> int:
        """Species index of an atomic number; ``KeyError`` if it is not in the table."""
        return self._index[int(atomic_number)]

    def z_to_index_map(self, max_atomic_number: int, unknown: int = 0) -> np.ndarray:
        """``[max_atomic_number + 1]``: species by atomic number, ``unknown`` for other elements."""
        table = np.full(max_atomic_number + 1, unknown, dtype=np.int32)
        for z, index in self._index.items():
            if z <= max_atomic_number:
                table[z] = index
        return table

    def species(self, atomic_numbers: np.ndarray) -> np.ndarray:
        """Species indices (int32) of an array of atomic numbers.

        Raises:
            KeyError: the first atomic number that is not in the table.
        """
        species = self._species_of_number[atomic_numbers]
        if species.min(initial=0) < 0:
            raise KeyError(int(np.asarray(atomic_numbers)[species < 0][0]))
        return species
