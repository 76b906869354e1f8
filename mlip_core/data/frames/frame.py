"""One structure with its labels, and what stands for one that cannot be used."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import ase

BadKind = Literal[
    "unreadable", "no atoms", "unknown element", "not finite", "cell", "label", "missing label"
]


@dataclass(frozen=True, eq=False)
class Frame:
    """One structure of a file with its labels, in Å, eV, eV/Å and eV/Å³.

    Attributes:
        numbers: ``[n_atoms]``, atomic numbers.
        positions: ``[n_atoms, 3]``, Å.
        cell: ``[3, 3]``, rows are the cell vectors, Å; zeros if no direction is periodic.
        pbc: ``[3]``, which cell vectors are periodic.
        energy: eV, or ``None``.
        forces: ``[n_atoms, 3]``, eV/Å, or ``None``.
        stress: ``[3, 3]``, eV/Å³, positive under tension, or ``None``.
        info: all other properties of the frame (not of its atoms), as the file has them.
        file: path of the file it came from.
        index: position in that file, counting from 0.
        offset: byte of the file at which the frame begins, if that suffices to find it again.
    """

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    energy: float | None
    forces: np.ndarray | None
    stress: np.ndarray | None
    info: dict[str, Any]
    file: str
    index: int
    offset: int | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def digest(self) -> str:
        """Hash of the structure without its labels; see :func:`structure_digest`."""
        return structure_digest(self)

    @property
    def place(self) -> str:
        """Where the frame is, for messages."""
        return f"{self.file}: frame {self.index}"

    @property
    def atoms(self) -> "ase.Atoms":
        """The structure as a new ``ase.Atoms`` without calculator."""
        from ase import Atoms

        return Atoms(
            numbers=self.numbers,
            positions=self.positions,
            cell=self.cell,
            pbc=self.pbc,
            info=dict(self.info),
        )

    def label(self, quantity: str) -> float | np.ndarray | None:
        """The label "energy", "forces" or "stress"."""
        return getattr(self, quantity)


@dataclass(frozen=True)
class BadFrame:
    """A frame whose content cannot be used, in a file that can be read further.

    Attributes:
        file: path of the file.
        index: position in that file, counting from 0.
        offset: as in :class:`Frame`.
        kind: what is wrong, in a word or two.
        message: what is wrong and how to mend it, in one line that names file and frame.
    """

    file: str
    index: int
    offset: int | None
    kind: BadKind
    message: str


def structure_digest(structure: "Frame | ase.Atoms") -> str:
    """Hash of elements, positions (to 1e-8 Å), periodic directions and, if periodic, the cell.

    Labels do not enter: two frames with one digest are the same structure, whatever their labels.
    """
    return digest_of_rounded(
        np.asarray(structure.numbers, dtype=np.int64),
        rounded(structure.positions),
        np.asarray(structure.pbc, dtype=bool),
        rounded(np.asarray(structure.cell)),
    ).hex()


def digest_of_rounded(
    numbers: np.ndarray, positions: np.ndarray, pbc: np.ndarray, cell: np.ndarray
) -> bytes:
    """Hash of arrays that :func:`rounded` gave (and integers, truths) for one structure."""
    digest = sha256(numbers.tobytes())
    digest.update(positions.tobytes())
    digest.update(pbc.tobytes())
    if pbc.any():
        digest.update(cell.tobytes())
    return digest.digest()


def rounded(values: np.ndarray) -> np.ndarray:
    """Lengths in Å as they are compared: to 1e-8, without a sign of zero."""
    return np.round(np.asarray(values, dtype=np.float64), 8) + 0.0
