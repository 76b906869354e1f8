"""The frames of a dataset as the jobs after its check use them: streamed, found by the index."""

import os
from collections.abc import Iterator, Sequence

import numpy as np

from mlip_core.data.frame_index import FrameFlag, FrameIndex, read_index
from mlip_core.data.frames import Frame, LabelKeys, iterate_frames, read_frames_at
from mlip_core.data.splits import load_split, split_size
from mlip_core.utils.errors import UserError

__all__ = [
    "iterate_files",
    "iterate_kept",
    "iterate_split",
    "iterate_unlabelled",
    "read_free_atom_energies",
    "split_size",
]

# Under these keys no file has anything.
_NO_LABELS = LabelKeys(energy_key="no: energy", forces_key="no: forces", stress_key="no: stress")

# Files that can be left and entered again anywhere need not all be open at once.
_OPEN_FILES = 64

PathLike = str | os.PathLike[str]


def iterate_split(
    index_path: PathLike,
    split_path: PathLike,
    name: str,
    labels: LabelKeys,
    require: Sequence[str] = ("energy", "forces"),
    start: int = 0,
    stop: int | None = None,
) -> Iterator[Frame]:
    """Read the frames ``[start:stop]`` of a split, in the order of the split.

    Args:
        index_path: the index of the dataset's frames.
        split_path: the split file.
        name: "train", "valid" or "test".
        labels: keys and units of the labels.
        require: labels that each frame must have.
        start: the first frame.
        stop: the frame after the last one; by default to the end.

    Raises:
        UserError: see ``read_frames_at``; or if index, split and files do not belong together.
    """
    index, split = read_index(index_path), load_split(split_path)
    rows = split.rows[name][start:stop]
    if rows.max(initial=-1) >= len(index) or not np.array_equal(
        index.digest[rows], split.digests[name][start:stop]
    ):
        raise UserError(f"{split_path}: was made for other frames than {index_path}; make it again")
    yield from _iterate_rows(index, rows, labels, require)


def iterate_kept(index_path: PathLike, labels: LabelKeys) -> Iterator[Frame]:
    """Read the structures of a dataset, in its order: no free atoms, nothing that was dropped.

    Args:
        index_path: the index of the dataset's frames.
        labels: keys and units of the labels; none is required.

    Raises:
        UserError: see ``read_frames_at``; or if index and files do not belong together.
    """
    index = read_index(index_path)
    yield from _iterate_rows(index, index.structures, labels, ())


def iterate_files(
    paths: Sequence[PathLike], labels: LabelKeys, require: Sequence[str] = ("energy", "forces")
) -> Iterator[Frame]:
    """Read all frames of some files, one by one.

    Raises:
        UserError: see ``read_frames``.
    """
    for path in paths:
        yield from iterate_frames(path, labels, require)


def iterate_unlabelled(paths: Sequence[PathLike]) -> Iterator[Frame]:
    """Read all structures of some files, in Å, one by one, whatever labels they have.

    Raises:
        UserError: see ``read_frames``.
    """
    yield from iterate_files(paths, _NO_LABELS, ())


def _iterate_rows(
    index: FrameIndex, rows: np.ndarray, labels: LabelKeys, require: Sequence[str]
) -> Iterator[Frame]:
    readers = _FileReaders(index, rows, labels, require)
    for row in rows.tolist():
        frame = readers.next(int(index.file[row]))
        if bytes.fromhex(frame.digest) != index.digest[row].tobytes():
            raise UserError(
                f"{frame.place}: is another structure than when the dataset was checked;"
                " run the check again"
            )
        yield frame


def read_free_atom_energies(index_path: PathLike, labels: LabelKeys) -> dict[int, float]:
    """Energies of the free atoms, eV, by atomic number, from the index of the frames.

    Raises:
        UserError: if there is none, one has no energy, or two of an element differ.
    """
    index = read_index(index_path)
    energies: dict[int, float] = {}
    for row in index.free_atoms.tolist():
        number = int(index.composition_numbers[index.composition_starts[index.composition[row]]])
        if not index.flags[row] & FrameFlag.ENERGY:
            raise UserError(f"{index.place(row)}: free atom without energy {labels.energy_key!r}")
        energy = float(index.energy[row])
        if energies.setdefault(number, energy) != energy:
            raise UserError(
                f"{index.place(row)}: another energy than an earlier atom of its element"
            )
    if not energies:
        raise UserError(
            f"{', '.join(index.files)}: no frame of a single atom; add them, or set "
            "atomic_energies to least_squares or to the energies"
        )
    return dict(sorted(energies.items()))


class _FileReaders:
    """Reads each file's share of some rows in their order, the files in any order."""

    def __init__(
        self, index: FrameIndex, rows: np.ndarray, labels: LabelKeys, require: Sequence[str]
    ) -> None:
        self._index = index
        self._labels = labels
        self._require = require
        order = np.argsort(index.file[rows], kind="stable")
        files, starts = np.unique(index.file[rows][order], return_index=True)
        parts = np.split(rows[order], starts)[1:]
        self._rows = dict(zip(files.tolist(), parts, strict=True))
        self._open: dict[int, Iterator[Frame]] = {}

    def next(self, file: int) -> Frame:
        """The next frame of a file."""
        frames = self._open.pop(file, None) or self._frames(file)
        frame = next(frames)
        self._rows[file] = self._rows[file][1:]
        if len(self._rows[file]):
            self._open[file] = frames
        self._limit_open_files()
        return frame

    def _frames(self, file: int) -> Iterator[Frame]:
        """The rest of a file's frames."""
        rows = self._rows[file]
        index = self._index
        offsets = index.offset[rows].tolist()
        return read_frames_at(
            index.files[file],
            index.index[rows].tolist(),
            self._labels,
            self._require,
            None if -1 in offsets else offsets,
        )

    def _limit_open_files(self) -> None:
        """Leave the file that was used the longest time ago, of those that can be left."""
        if len(self._open) > _OPEN_FILES:
            offsets = ((file, self._index.offset[self._rows[file]]) for file in self._open)
            oldest = next((file for file, known in offsets if known.min() >= 0), None)
            if oldest is not None:
                del self._open[oldest]
