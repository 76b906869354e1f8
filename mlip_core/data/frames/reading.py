"""Frames from files: streamed, all at once, or some by their number."""

import os
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from mlip_core.data.frames import extxyz
from mlip_core.data.frames.block import FrameBlock, in_blocks
from mlip_core.data.frames.block_checking import checked_block
from mlip_core.data.frames.checking import checked_frame
from mlip_core.data.frames.frame import BadFrame, Frame
from mlip_core.data.frames.labels import LabelKeys, LabelTable
from mlip_core.data.frames.raw import RawBlock, RawFrame
from mlip_core.utils.errors import UserError

PathLike = str | os.PathLike[str]
FileFormat = Literal["xyz", "hdf5", "ase"]
Item = TypeVar("Item")
Good = TypeVar("Good", Frame, FrameBlock)

_HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")
# Without random access, frames are collected in passes over the file and held until their turn.
_HELD_FRAMES = 1 << 16


def read_frames(
    paths: PathLike | Sequence[PathLike],
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
    limit: int | None = None,
) -> list[Frame]:
    """Read all frames of one or several files, in order.

    Args:
        paths: XYZ files (.xyz, .extxyz; also .gz, .bz2, .xz), HDF5 files (.h5, .hdf5, .hdf) with a
            group per structure, or files of any other format that ASE reads.
        labels: the keys and units of the labels.
        require: the labels that every frame must have, of "energy", "forces", "stress", unless
            ``labels.missing`` is "mask". The forces of a frame of one atom that is not periodic are
            zero and need not be given.
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
    file_format: FileFormat | None = None,
) -> Iterator[Frame]:
    """Read one file's frames one by one, in constant memory; see :func:`read_frames`.

    The format follows from the file's name unless it is given.
    """
    for frame in scan_frames(path, labels, require, file_format):
        yield _good(frame)


def scan_frames(
    path: PathLike,
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
    file_format: FileFormat | None = None,
) -> Iterator[Frame | BadFrame]:
    """As :func:`iterate_frames`, with a :class:`BadFrame` in place of each frame of no use.

    Raises:
        UserError: if the file cannot be read (any further).
    """
    table = (labels or LabelKeys()).table(require)
    path = Path(path)
    frames = _checked(path, file_format or _format_of(path), table)
    yield from _not_empty(path, frames)


def scan_blocks(
    path: PathLike,
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
    file_format: FileFormat | None = None,
) -> Iterator[FrameBlock | BadFrame]:
    """As :func:`scan_frames`, with the frames that follow each other put together."""
    path = Path(path)
    file_format = file_format or _format_of(path)
    if file_format != "xyz":
        yield from in_blocks(scan_frames(path, labels, require, file_format))
        return
    table = (labels or LabelKeys()).table(require)
    _require_file(path)
    yield from _not_empty(path, _checked_blocks(extxyz.iterate(path, table.wanted), table))


def iterate_blocks(
    path: PathLike,
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
    file_format: FileFormat | None = None,
) -> Iterator[FrameBlock]:
    """As :func:`iterate_frames`, with the frames that follow each other put together."""
    for block in scan_blocks(path, labels, require, file_format):
        yield _good(block)


def read_frames_at(
    path: PathLike,
    indices: Sequence[int],
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
    offsets: Sequence[int | None] | None = None,
) -> Iterator[Frame]:
    """Read the frames of some numbers, in the order of ``indices``.

    XYZ files that are not compressed are read at the offsets; HDF5 files and ASE's trajectories and
    databases by number. Of other files the frames are collected in one pass per 65536 of them.

    Args:
        path: the file.
        indices: positions in the file, counting from 0.
        labels: as for :func:`read_frames`.
        require: as for :func:`read_frames`.
        offsets: the frames' :attr:`Frame.offset`, where known.

    Raises:
        UserError: as :func:`read_frames`; or if the file has no such frame.
    """
    table = (labels or LabelKeys()).table(require)
    path = Path(path)
    frames = iter(_frames_at(path, indices, table, offsets))
    for index in indices:
        frame = next(frames, None)
        if frame is None:
            raise UserError(f"{path}: has no frame {index}; the file has changed: check it again")
        yield _good(frame)


def _frames_at(
    path: Path, indices: Sequence[int], labels: LabelTable, offsets: Sequence[int | None] | None
) -> Iterable[Frame | BadFrame | None]:
    """The frames of some numbers, as the format of the file allows to find them."""
    file_format = _format_of(path)
    known = [] if offsets is None else [offset for offset in offsets if offset is not None]
    if file_format == "xyz" and len(known) == len(indices):
        _require_file(path)
        raws = extxyz.read_at(path, zip(indices, known, strict=True), labels.wanted)
        return _single(_checked_blocks(raws, labels))
    if file_format == "hdf5":
        from mlip_core.data.frames import hdf5

        _require_file(path)
        return (_converted(raw, labels) for raw in hdf5.read_at(path, indices, labels.wanted))
    if file_format == "ase":
        from mlip_core.data.frames import ase_files

        if ase_files.has_random_access(path):
            _require_file(path)
            return (_converted(raw, labels) for raw in ase_files.read_at(path, indices))
    return _collected(path, file_format, indices, labels)


def _collected(
    path: Path, file_format: FileFormat, indices: Sequence[int], labels: LabelTable
) -> Iterator[Frame | BadFrame | None]:
    for start in range(0, len(indices), _HELD_FRAMES):
        turn = indices[start : start + _HELD_FRAMES]
        wanted = frozenset(turn)
        held: dict[int, Frame | BadFrame] = {}
        for frame in _checked(path, file_format, labels, wanted):
            if frame.index in wanted:
                held[frame.index] = frame
            if len(held) == len(wanted):
                break
        yield from map(held.get, turn)


def _checked(
    path: Path, file_format: FileFormat, labels: LabelTable, only: Container[int] | None = None
) -> Iterator[Frame | BadFrame]:
    """The frames of a file; others than ``only`` are left out where that saves time."""
    _require_file(path)
    if file_format == "xyz":
        return _single(_checked_blocks(extxyz.iterate(path, labels.wanted, only), labels))
    if file_format == "hdf5":
        from mlip_core.data.frames import hdf5

        return (_converted(raw, labels) for raw in hdf5.iterate(path, labels.wanted))
    from mlip_core.data.frames import ase_files

    return (_converted(raw, labels) for raw in ase_files.iterate(path))


def _checked_blocks(
    raws: Iterable[RawBlock | BadFrame], labels: LabelTable
) -> Iterator[FrameBlock | BadFrame]:
    for raw in raws:
        if isinstance(raw, BadFrame):
            yield raw
        else:
            yield from checked_block(raw, labels)


def _single(blocks: Iterable[FrameBlock | BadFrame]) -> Iterator[Frame | BadFrame]:
    for block in blocks:
        if isinstance(block, BadFrame):
            yield block
        else:
            yield from block.frames()


def _not_empty(path: Path, items: Iterable[Item]) -> Iterator[Item]:
    found = False
    for item in items:
        found = True
        yield item
    if not found:
        raise UserError(f"{path}: no structure found; it must hold at least one")


def _format_of(path: Path) -> FileFormat:
    if extxyz.is_xyz(path):
        return "xyz"
    return "hdf5" if path.suffix.lower() in _HDF5_SUFFIXES else "ase"


def _converted(raw: RawFrame | BadFrame, labels: LabelTable) -> Frame | BadFrame:
    return raw if isinstance(raw, BadFrame) else checked_frame(raw, labels)


def _good(frame: Good | BadFrame) -> Good:
    if isinstance(frame, BadFrame):
        raise UserError(frame.message)
    return frame


def _require_file(path: Path) -> None:
    try:
        with open(path, "rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path in the config") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a directory; name the file of structures in it") from None
    except PermissionError:
        raise UserError(f"{path}: no permission to read the file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if empty:
        raise UserError(f"{path}: the file is empty; it must hold at least one structure")


def _as_list(paths: Any) -> list[Any]:
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)
