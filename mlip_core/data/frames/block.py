"""Frames with their atoms one after the other: what is done to all at once is cheap."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mlip_core.data.frames.frame import BadFrame, Frame, digest_of_rounded, rounded
from mlip_core.data.frames.raw import NO_CELL
from mlip_core.utils.errors import UserError

# Large enough that calls of NumPy cost nothing, small enough to stay in the processor's cache.
MAX_FRAMES = 256
MAX_ATOMS = 4096


@dataclass(frozen=True, eq=False)
class FrameBlock:
    """Frames of one file in their order: at least one, each with at least one atom.

    Units and meanings are those of :class:`Frame`.

    Attributes:
        file: path of the file.
        index: ``[n_frames]``, positions in the file.
        offset: ``[n_frames]``, bytes at which frames begin, or ``None``.
        info: ``[n_frames]``, other properties.
        n_atoms: ``[n_frames]``.
        numbers: ``[n_atoms]``, atomic numbers.
        positions: ``[n_atoms, 3]``, Å.
        cells: ``[n_frames, 3, 3]``, Å; zeros if no direction is periodic.
        pbc: ``[n_frames, 3]``.
        energy: ``[n_frames]``, eV; NaN without.
        forces: ``[n_atoms, 3]``, eV/Å; NaN without.
        stress: ``[n_frames, 3, 3]``, eV/Å³; NaN without.
    """

    file: str
    index: Sequence[int]
    offset: Sequence[int | None]
    info: Sequence[dict[str, Any]]
    n_atoms: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray
    cells: np.ndarray
    pbc: np.ndarray
    energy: np.ndarray
    forces: np.ndarray
    stress: np.ndarray

    def __len__(self) -> int:
        return len(self.n_atoms)

    @classmethod
    def of(cls, frames: Sequence[Frame]) -> "FrameBlock":
        """Put frames of one file together."""
        return cls(
            file=frames[0].file,
            index=[frame.index for frame in frames],
            offset=[frame.offset for frame in frames],
            info=[frame.info for frame in frames],
            n_atoms=np.array([len(frame) for frame in frames]),
            numbers=np.concatenate([frame.numbers for frame in frames]),
            positions=np.concatenate([frame.positions for frame in frames]),
            cells=np.array([frame.cell for frame in frames]),
            pbc=np.array([frame.pbc for frame in frames]),
            energy=np.array([_or_nan(frame.energy, ()) for frame in frames]),
            forces=np.concatenate([_or_nan(frame.forces, (len(frame), 3)) for frame in frames]),
            stress=np.array([_or_nan(frame.stress, (3, 3)) for frame in frames]),
        )

    @cached_property
    def starts(self) -> np.ndarray:
        """``[n_frames]``, where each frame's atoms begin."""
        return np.cumsum(self.n_atoms) - self.n_atoms

    @cached_property
    def frame_of_atom(self) -> np.ndarray:
        """``[n_atoms]``, number of each atom's frame."""
        return np.repeat(np.arange(len(self)), self.n_atoms)

    @cached_property
    def has_forces(self) -> np.ndarray:
        """``[n_frames]``."""
        return ~np.isnan(self.forces[self.starts, 0])

    @cached_property
    def has_stress(self) -> np.ndarray:
        """``[n_frames]``."""
        return ~np.isnan(self.stress[:, 0, 0])

    @cached_property
    def digests(self) -> list[bytes]:
        """``[n_frames]``, hash of each structure without its labels; as :attr:`Frame.digest`."""
        numbers = np.asarray(self.numbers, dtype=np.int64)
        positions, cells = rounded(self.positions), rounded(self.cells)
        ends = (self.starts + self.n_atoms).tolist()
        return [
            digest_of_rounded(numbers[begin:end], positions[begin:end], pbc, cell)
            for begin, end, pbc, cell in zip(
                self.starts.tolist(), ends, self.pbc, cells, strict=True
            )
        ]

    def frame(self, i: int) -> Frame:
        """One frame, sharing no memory with the block."""
        begin = int(self.starts[i])
        atoms = slice(begin, begin + int(self.n_atoms[i]))
        energy = float(self.energy[i])
        return Frame(
            numbers=self.numbers[atoms].copy(),
            positions=self.positions[atoms].copy(),
            cell=self.cells[i].copy() if self.pbc[i].any() else NO_CELL,
            pbc=self.pbc[i].copy(),
            energy=None if energy != energy else energy,
            forces=self.forces[atoms].copy() if self.has_forces[i] else None,
            stress=self.stress[i].copy() if self.has_stress[i] else None,
            info=self.info[i],
            file=self.file,
            index=self.index[i],
            offset=self.offset[i],
        )

    def frames(self) -> Iterator[Frame]:
        """All frames; see :meth:`frame`."""
        return map(self.frame, range(len(self)))


def in_blocks(frames: Iterable[Frame | BadFrame]) -> Iterator[FrameBlock | BadFrame]:
    """Put frames of one file together, few enough that memory stays small."""
    waiting: list[Frame] = []
    n_atoms = 0
    try:
        for frame in frames:
            is_bad = isinstance(frame, BadFrame)
            if waiting and (is_bad or len(waiting) == MAX_FRAMES or n_atoms >= MAX_ATOMS):
                yield FrameBlock.of(waiting)
                waiting, n_atoms = [], 0
            if isinstance(frame, BadFrame):
                yield frame
            else:
                waiting.append(frame)
                n_atoms += len(frame)
    except UserError:
        if waiting:
            yield FrameBlock.of(waiting)
        raise
    if waiting:
        yield FrameBlock.of(waiting)


def _or_nan(values: Any, shape: tuple[int, ...]) -> Any:
    return np.full(shape, np.nan) if values is None else values
