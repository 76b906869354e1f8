"""Some frames with their atoms one after the other, to be measured at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlip_core.data.frames import Frame

# Large enough that calls of NumPy cost nothing, small enough to stay in the processor's cache.
_MAX_FRAMES = 256
_MAX_ATOMS = 4096


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive frames of one file: at least one, each with at least one atom."""

    frames: Sequence[Frame]

    def __len__(self) -> int:
        return len(self.frames)

    @cached_property
    def n_atoms(self) -> np.ndarray:
        """``[n_frames]``."""
        return np.array([len(frame) for frame in self.frames])

    @cached_property
    def starts(self) -> np.ndarray:
        """``[n_frames]``, where each frame's atoms begin."""
        return np.cumsum(self.n_atoms) - self.n_atoms

    @cached_property
    def frame_of_atom(self) -> np.ndarray:
        """``[n_atoms]``, number of each atom's frame."""
        return np.repeat(np.arange(len(self)), self.n_atoms)

    @cached_property
    def numbers(self) -> np.ndarray:
        """``[n_atoms]``, atomic numbers."""
        return np.concatenate([frame.numbers for frame in self.frames])

    @cached_property
    def positions(self) -> np.ndarray:
        """``[n_atoms, 3]``, Å."""
        return np.concatenate([frame.positions for frame in self.frames])

    @cached_property
    def forces(self) -> np.ndarray:
        """``[n_atoms, 3]``, eV/Å; NaN where there are none."""
        return np.concatenate([_or_nan(frame.forces, (len(frame), 3)) for frame in self.frames])

    @cached_property
    def stress(self) -> np.ndarray:
        """``[n_frames, 3, 3]``, eV/Å³; NaN where there is none."""
        return np.stack([_or_nan(frame.stress, (3, 3)) for frame in self.frames])

    @cached_property
    def cells(self) -> np.ndarray:
        """``[n_frames, 3, 3]``, Å; zeros along directions that are not periodic."""
        return np.stack([frame.cell for frame in self.frames]) * self.pbc[:, :, None]

    @cached_property
    def pbc(self) -> np.ndarray:
        """``[n_frames, 3]``."""
        return np.stack([frame.pbc for frame in self.frames])


def blocks(frames: Iterable[Frame]) -> Iterator[Block]:
    """Put frames together, few enough that memory stays small."""
    waiting: list[Frame] = []
    n_atoms = 0
    for frame in frames:
        waiting.append(frame)
        n_atoms += len(frame)
        if len(waiting) == _MAX_FRAMES or n_atoms >= _MAX_ATOMS:
            yield Block(waiting)
            waiting, n_atoms = [], 0
    if waiting:
        yield Block(waiting)


def _or_nan(values: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape, np.nan) if values is None else values
