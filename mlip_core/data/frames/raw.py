"""What a file says about one frame, before labels are looked up and anything is checked."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlip_core.data.frames.frame import BadFrame, BadKind

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


class BadContentError(Exception):
    """The content of a frame is of no use, and why."""

    def __init__(self, kind: BadKind, problem: str) -> None:
        super().__init__(problem)
        self.kind = kind


def bad_frame(
    kind: BadKind, problem: str, file: str, index: int, offset: int | None = None
) -> BadFrame:
    """A frame that cannot be used because of ``problem``."""
    return BadFrame(file, index, offset, kind, f"{file}: frame {index}: {problem}")
