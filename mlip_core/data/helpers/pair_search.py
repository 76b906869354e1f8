"""Vesin's search for pairs, for many structures in a row.

``vesin.NeighborList`` spends 40 µs in Python on each structure, as long as its library takes for 40
atoms. So its library is called here as ``NeighborList`` calls it, by vesin's own declarations of
the C interface (``vesin.h``), with memory that is used again. The declarations are the same from
version 0.5.0 to 0.6.2 at least; ctypes refuses a call that another version's do not allow.
"""

import ctypes
from collections.abc import Iterable

import numpy as np
from vesin import NeighborList
from vesin._c_api import VesinCPU, VesinDevice, VesinOptions


class PairSearch:
    """Finds pairs of atoms in structures, one after the other; for one thread at a time."""

    def __init__(self) -> None:
        """Make a search that has not found anything yet."""
        owner = NeighborList(cutoff=1.0, full_list=False)  # of the memory, which it gives back
        self._owner, self._library, self._found = owner, owner._lib, owner._neighbors
        self._options = VesinOptions()
        self._options.return_shifts = True
        self._options.return_distances = True
        self._options.n_threads = 1

    def search(
        self, structures: Iterable[tuple[np.ndarray, float, np.ndarray, np.ndarray]]
    ) -> tuple[list[int], np.ndarray, np.ndarray, np.ndarray]:
        """Pairs of each structure, one structure after the other.

        Args:
            structures: positions ``[n_atoms, 3]``, cutoff, cell ``[3, 3]`` (float64, contiguous)
                and periodic directions ``[3]`` (bool).

        Returns:
            How many pairs each has; of all pairs the atoms ``[n_pairs, 2]``, by how many cell
            vectors the second is displaced ``[n_pairs, 3]``, and the distance ``[n_pairs]``.

        Raises:
            ValueError: what vesin complains of.
        """
        counts, atoms, images, distances = [], [], [], []
        found = self._found
        for positions, cutoff, cell, periodic in structures:
            self._call(positions, cutoff, cell, periodic)
            n_pairs = found.length
            counts.append(n_pairs)
            if n_pairs:
                # Copies: the library uses its memory again.
                atoms.append(ctypes.string_at(found.pairs, 16 * n_pairs))
                images.append(ctypes.string_at(found.shifts, 12 * n_pairs))
                distances.append(ctypes.string_at(found.distances, 8 * n_pairs))
        return (
            counts,
            np.frombuffer(b"".join(atoms), dtype=np.uint64).reshape(-1, 2),
            np.frombuffer(b"".join(images), dtype=np.int32).reshape(-1, 3),
            np.frombuffer(b"".join(distances), dtype=np.float64),
        )

    def _call(
        self, positions: np.ndarray, cutoff: float, cell: np.ndarray, periodic: np.ndarray
    ) -> None:
        self._options.cutoff = cutoff
        message = ctypes.c_char_p()
        status = self._library.vesin_neighbors(
            _address(positions, ctypes.c_double),
            len(positions),
            _address(cell, ctypes.c_double),
            _address(periodic, ctypes.c_bool),
            VesinDevice(VesinCPU, 0),
            self._options,
            ctypes.byref(self._found),
            ctypes.byref(message),
        )
        if status:
            raise ValueError((message.value or b"no reason given").decode())


def _address(array: np.ndarray, kind: type[ctypes.c_double] | type[ctypes.c_bool]) -> object:
    """A reference to an array's first number; the caller keeps the array."""
    return ctypes.byref(kind.from_address(array.__array_interface__["data"][0]))
