"""What a file says about one frame, before labels are looked up and anything is checked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlip_core.data.frames.frame import BadFrame, BadKind
from mlip_core.utils.errors import printable

NO_CELL = np.zeros((3, 3))
NO_CELL.setflags(write=False)


@dataclass(slots=True)
class RawFrame:
    """A frame in the file's own units and under the file's own keys.

    Attributes:
        numbers: ``[n_atoms]``, atomic numbers; 0 for a dummy.
        positions: ``[n_atoms, 3]``.
        cell: ``[3, 3]``, rows are the cell vectors.
        pbc: ``[3]``.
        info: properties of the frame.
        columns: properties of the atoms; lower precedence than ``info``.
        file: path of the file.
        index: position in the file.
        offset: byte at which the frame begins in a file where that suffices to find it again.
    """

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    info: dict[str, Any]
    columns: dict[str, Any]
    file: str
    index: int
    offset: int | None = None


@dataclass(slots=True)
class RawBlock:
    """Frames of one file whose atoms stand one after the other; otherwise as :class:`RawFrame`.

    Attributes:
        n_atoms: ``[n_frames]``, atoms of each.
        numbers: ``[n_atoms]``.
        positions: ``[n_atoms, 3]``.
        columns: properties of the atoms; ``None`` for those that were not read.
        cells: ``[n_frames]``, ``[3, 3]`` each.
        pbcs: ``[n_frames]``, ``[3]`` each.
        infos: ``[n_frames]``, properties of each.
        file: path of the file.
        indices: ``[n_frames]``.
        offsets: ``[n_frames]``.
    """

    n_atoms: list[int]
    numbers: np.ndarray
    positions: np.ndarray
    columns: dict[str, Any]
    cells: list[np.ndarray]
    pbcs: list[np.ndarray]
    infos: list[dict[str, Any]]
    file: str
    indices: list[int]
    offsets: list[int | None]

    def frames(self) -> Iterator[RawFrame]:
        """The frames, each with arrays of its own."""
        end = 0
        for i, n_atoms in enumerate(self.n_atoms):
            begin, end = end, end + n_atoms
            yield RawFrame(
                numbers=self.numbers[begin:end].copy(),
                positions=self.positions[begin:end].copy(),
                cell=self.cells[i],
                pbc=self.pbcs[i],
                info=self.infos[i],
                columns={
                    name: None if column is None else column[begin:end].copy()
                    for name, column in self.columns.items()
                },
                file=self.file,
                index=self.indices[i],
                offset=self.offsets[i],
            )


class BadContentError(Exception):
    """The content of a frame is of no use, and why."""

    def __init__(self, kind: BadKind, problem: str) -> None:
        super().__init__(problem)
        self.kind = kind


def bad_frame(
    kind: BadKind, problem: str, file: str, index: int, offset: int | None = None
) -> BadFrame:
    """A frame that cannot be used because of ``problem``."""
    message = printable(f"{file}: frame {index}: {problem}")
    return BadFrame(file, index, offset, kind, message)
