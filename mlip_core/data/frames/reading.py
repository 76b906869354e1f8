"""Frames from files: streamed, all at once, or some by their number."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from mlip_core.data.frames.checking import checked_frame
from mlip_core.data.frames.frame import BadFrame, Frame
from mlip_core.data.frames.labels import QUANTITIES, LabelKeys
from mlip_core.data.frames.raw import RawFrame
from mlip_core.utils.errors import UserError

# Random access to a file that has none takes one pass for so many frames, held until their turn.
_HELD_FRAMES = 1 << 16

PathLike = str | os.PathLike[str]


def read_frames(
    paths: PathLike | Sequence[PathLike],
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
    limit: int | None = None,
) -> list[Frame]:
    """Read all frames of one or several files, in order.

    Args:
        paths: files: extended XYZ (also compressed), HDF5, or any format that ASE reads.
        labels: the keys and units of the labels.
        require: the labels that every frame must have, of "energy", "forces", "stress". The forces
            of a frame of one atom that is not periodic are zero and need not be given.
        limit: read at most so many frames in all.

    Raises:
        UserError: if a file is missing, unreadable or empty, a frame has no atoms, a required label
            is missing, or positions, cell or labels have a wrong shape or are not finite.
    """
    frames: list[Frame] = []
    for path in _as_list(paths):
        left = None if limit is None else limit - len(frames)
        frames += islice(iterate_frames(path, labels, require), left)
    return frames


def iterate_frames(
    path: PathLike,
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
) -> Iterator[Frame]:
    """Read one file's frames one by one, in constant memory; see :func:`read_frames`."""
    for frame in scan_frames(path, labels, require):
        if isinstance(frame, BadFrame):
            raise UserError(frame.message)
        yield frame


def scan_frames(
    path: PathLike,
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
) -> Iterator[Frame | BadFrame]:
    """As :func:`iterate_frames`, with a :class:`BadFrame` in place of each frame of no use.

    Raises:
        UserError: if the file cannot be read (any further).
    """
    _check_require(require)
    labels = labels or LabelKeys()
    for raw in _iterate_raw(Path(path)):
        yield raw if isinstance(raw, BadFrame) else checked_frame(raw, labels, require)


def read_frames_at(
    path: PathLike,
    indices: Sequence[int],
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
    offsets: Sequence[int | None] | None = None,
) -> Iterator[Frame]:
    """Read the frames of some numbers, in the order of ``indices``.

    Args:
        path: the file.
        indices: positions in the file, counting from 0.
        labels: as for :func:`read_frames`.
        require: as for :func:`read_frames`.
        offsets: the frames' offsets, where known; without them a pass over the file is needed.

    Raises:
        UserError: as :func:`read_frames`; or if the file has no such frame.
    """
    _check_require(require)
    for start in range(0, len(indices), _HELD_FRAMES):
        yield from _read_pass(path, indices[start : start + _HELD_FRAMES], labels, require)


def _read_pass(
    path: PathLike, indices: Sequence[int], labels: LabelKeys | None, require: Sequence[str]
) -> Iterator[Frame]:
    wanted = set(indices)
    held: dict[int, Frame] = {}
    for frame in islice(iterate_frames(path, labels, require), max(wanted) + 1):
        if frame.index in wanted:
            held[frame.index] = frame
    for index in indices:
        if index not in held:
            raise UserError(f"{path}: has no frame {index}; it was changed since it was checked")
        yield held[index]


def _check_require(require: Sequence[str]) -> None:
    unknown = set(require) - set(QUANTITIES)
    if unknown:
        raise ValueError(f"unknown labels {sorted(unknown)}: choose from {QUANTITIES}")


def _as_list(paths: Any) -> list[Any]:
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)


def _iterate_raw(path: Path) -> Iterator[RawFrame | BadFrame]:
    if not path.exists():
        raise UserError(f"{path}: no such file; check the path in the config")
    if path.is_dir():
        raise UserError(f"{path}: is a directory; name the file of structures in it")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty; it must hold at least one structure")
    from mlip_core.data.frames import ase_files

    found = False
    for raw in ase_files.iterate(path):
        found = True
        yield raw
    if not found:
        raise UserError(f"{path}: no structure found; it must hold at least one")
