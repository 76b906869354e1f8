"""Where each frame of a dataset is, and what is known of it without reading it again.

The index is made in the one pass in which the dataset is checked. Everything that follows (splits,
graphs, evaluation) finds its frames through it.
"""

import os
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import IntFlag
from functools import cached_property
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from scipy.sparse import csr_array

from mlip_core.data.frames import QUANTITIES, FrameBlock
from mlip_core.data.versioned_arrays import ArraysFormat
from mlip_core.utils.errors import UserError

DIGEST_BYTES = 32
_FORMAT = ArraysFormat(
    "mlip_core frame index", 1, "index of frames", "remove it and check the dataset again"
)


class FrameFlag(IntFlag):
    """What a frame is and has."""

    FREE_ATOM = 1
    PERIODIC = 2
    ENERGY = 4
    FORCES = 8
    STRESS = 16


# As plain integers: arithmetic with enumerations takes longer than all else in a row.
_FREE_ATOM, _PERIODIC = int(FrameFlag.FREE_ATOM), int(FrameFlag.PERIODIC)
_LABELS = [(name, int(FrameFlag[name.upper()])) for name in QUANTITIES]


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """The readable frames of a dataset's files, a row each, in the order of files and frames.

    Attributes:
        files: paths of the files.
        group_key: key of the frames' properties that ``group`` tells apart, or ``None``.
        groups: the values of that key as text; without a key one empty text.
        drop_reasons: names of the checks that dropped frames.
        composition_starts: ``[n_compositions + 1]``, where each composition's elements begin in the
            two arrays that follow.
        composition_numbers: atomic numbers, ascending within a composition.
        composition_counts: how many atoms there are of each.
        file: ``[n]``, number of the file.
        index: ``[n]``, position in the file, counting from 0.
        offset: ``[n]``, byte at which the frame begins, or -1 where that does not help.
        n_atoms: ``[n]``.
        digest: ``[n, 32]``, hash of the structure without its labels.
        energy: ``[n]``, eV; NaN without.
        composition: ``[n]``, number of the composition.
        group: ``[n]``, position in ``groups``.
        flags: ``[n]``, see :class:`FrameFlag`.
        dropped_by: ``[n]``, 0 for frames that are kept, else 1 + position in ``drop_reasons``.
    """

    files: tuple[str, ...]
    group_key: str | None
    groups: tuple[str, ...]
    drop_reasons: tuple[str, ...]
    composition_starts: np.ndarray
    composition_numbers: np.ndarray
    composition_counts: np.ndarray
    file: np.ndarray
    index: np.ndarray
    offset: np.ndarray
    n_atoms: np.ndarray
    digest: np.ndarray
    energy: np.ndarray
    composition: np.ndarray
    group: np.ndarray
    flags: np.ndarray
    dropped_by: np.ndarray

    def __len__(self) -> int:
        return len(self.file)

    @cached_property
    def compositions(self) -> csr_array:
        """``[n_compositions, n_atomic_numbers]``, how many atoms of each element; sparse."""
        parts = (self.composition_counts, self.composition_numbers, self.composition_starts)
        return csr_array(parts, shape=(len(self.composition_starts) - 1, len(chemical_symbols)))

    @property
    def free_atoms(self) -> np.ndarray:
        """Rows of the frames of one atom that is not periodic."""
        return np.flatnonzero(self.has(FrameFlag.FREE_ATOM))

    @property
    def structures(self) -> np.ndarray:
        """Rows of the frames that can be trained on: neither free atoms nor dropped."""
        return np.flatnonzero(~self.has(FrameFlag.FREE_ATOM) & (self.dropped_by == 0))

    def has(self, flag: FrameFlag) -> np.ndarray:
        """``[n]``, which frames have a flag."""
        return (self.flags & flag) != 0

    def place(self, row: int) -> str:
        """Where a frame is, for messages."""
        return f"{self.files[self.file[row]]}: frame {self.index[row]}"

    def places(self, rows: Iterable[int]) -> list[dict[str, Any]]:
        """Where frames are, for JSON."""
        return [{"file": self.files[self.file[row]], "index": int(self.index[row])} for row in rows]

    def formula(self, composition: int) -> str:
        """Chemical formula of a composition, in Hill's order."""
        part = slice(*self.composition_starts[composition : composition + 2])
        numbers, counts = self.composition_numbers[part], self.composition_counts[part]
        symbols = {chemical_symbols[z]: n for z, n in zip(numbers, counts, strict=True)}
        first = [symbol for symbol in ("C", "H") if "C" in symbols and symbol in symbols]
        order = [*first, *sorted(symbols.keys() - set(first))]
        return "".join(s if symbols[s] == 1 else f"{s}{symbols[s]}" for s in order)


_TEXTS = ("files", "group_key", "groups", "drop_reasons")
_ARRAYS = tuple(field.name for field in fields(FrameIndex) if field.name not in _TEXTS)


class FrameIndexBuilder:
    """Gathers the rows of an index, in memory that does not depend on the size of structures."""

    def __init__(self, files: Sequence[str], group_key: str | None = None) -> None:
        """An index of ``files``, grouped by a key of the frames' properties."""
        self._files = tuple(files)
        self._group_key = group_key
        self._columns: dict[str, array[Any]] = {
            "file": array("i"),
            "index": array("q"),
            "offset": array("q"),
            "n_atoms": array("i"),
            "energy": array("d"),
            "composition": array("i"),
            "group": array("i"),
            "flags": array("B"),
        }
        self._digests = bytearray()
        self._groups: dict[str, int] = {}
        self._compositions: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._columns["file"])

    def add(self, file: int, frames: FrameBlock) -> None:
        """Append the next frames of file number ``file``.

        Raises:
            UserError: if one lacks the key by which frames are grouped.
        """
        flags = _flags(frames)
        columns = self._columns
        columns["file"].extend([file] * len(frames))
        columns["index"].extend(frames.index)
        columns["offset"].extend([-1 if offset is None else offset for offset in frames.offset])
        columns["n_atoms"].extend(frames.n_atoms.tolist())
        columns["energy"].extend(frames.energy.tolist())
        columns["group"].extend([self._group(frames, i, flags) for i in range(len(frames))])
        columns["flags"].extend(flags.tolist())
        columns["composition"].extend(self._composition_ids(frames).tolist())
        self._digests += b"".join(frames.digests)

    def build(self) -> FrameIndex:
        """The index, with no frame dropped."""
        packed = [np.frombuffer(key, "<u4").reshape(2, -1) for key in self._compositions]
        numbers, counts = np.concatenate([np.empty((2, 0), "<u4"), *packed], axis=1)
        columns = {name: np.array(column) for name, column in self._columns.items()}
        return FrameIndex(
            files=self._files,
            group_key=self._group_key,
            groups=tuple(self._groups),
            drop_reasons=(),
            composition_starts=np.cumsum([0, *(part.shape[1] for part in packed)]),
            composition_numbers=numbers.astype(np.uint8),
            composition_counts=counts.astype(np.int32),
            digest=np.frombuffer(self._digests, np.uint8).reshape(-1, DIGEST_BYTES),
            dropped_by=np.zeros(len(self), dtype=np.uint8),
            **columns,
        )

    def _group(self, frames: FrameBlock, i: int, flags: np.ndarray) -> int:
        info = frames.info[i]
        if self._group_key is None or (self._group_key not in info and flags[i] & _FREE_ATOM):
            name = ""
        elif self._group_key in info:
            name = str(info[self._group_key])
        else:
            known = ", ".join(info) or "none"
            raise UserError(
                f"{frames.file}: frame {frames.index[i]}: has no property {self._group_key!r} to be"
                f" grouped by (its properties: {known}); give it, or split by another key"
            )
        return self._groups.setdefault(name, len(self._groups))

    def _composition_ids(self, frames: FrameBlock) -> np.ndarray:
        width = int(frames.numbers.max()) + 1
        cells = frames.frame_of_atom * width + frames.numbers
        counts = np.bincount(cells, minlength=len(frames) * width).reshape(-1, width)
        distinct, which = np.unique(counts, axis=0, return_inverse=True)
        known = self._compositions
        ids = [known.setdefault(_packed(row.astype("<u4")), len(known)) for row in distinct]
        return np.array(ids)[which.reshape(-1)]


def write_index(path: str | os.PathLike[str], index: FrameIndex) -> None:
    """Write an index as safetensors, the same bytes for the same index."""
    header = {name: getattr(index, name) for name in _TEXTS}
    _FORMAT.write(path, header, {name: getattr(index, name) for name in _ARRAYS})


def read_index(path: str | os.PathLike[str]) -> FrameIndex:
    """Read an index.

    Raises:
        UserError: if the file is missing, damaged or something else.
    """
    header, arrays = _FORMAT.read(path)
    try:
        index = FrameIndex(
            files=tuple(header["files"]),
            group_key=header["group_key"],
            groups=tuple(header["groups"]),
            drop_reasons=tuple(header["drop_reasons"]),
            **arrays,
        )
        is_sound = _is_sound(index)
    except (KeyError, TypeError, ValueError, IndexError):
        is_sound = False
    if not is_sound:
        raise UserError(f"{path}: damaged: its rows do not fit each other; {_FORMAT.remedy}")
    return index


def _is_sound(index: FrameIndex) -> bool:
    """Whether all rows are there and point at something.

    Raises:
        TypeError, ValueError: if an array has an unusable shape or type.
    """
    starts = index.composition_starts
    limits = {
        "file": len(index.files),
        "composition": len(starts) - 1,
        "group": len(index.groups),
        "dropped_by": len(index.drop_reasons) + 1,
        "composition_numbers": len(chemical_symbols),
    }
    rows = ("index", "offset", "n_atoms", "energy", "flags", *limits)
    return bool(
        all(getattr(index, name).ndim == 1 for name in (*rows, "composition_starts"))
        and index.digest.shape == (len(index), DIGEST_BYTES)
        and {len(getattr(index, name)) for name in rows if "_numbers" not in name} == {len(index)}
        and all(_lies_within(getattr(index, name), limit) for name, limit in limits.items())
        and len(index.composition_counts) == len(index.composition_numbers) == starts[-1]
        and starts[0] == 0
        and (np.diff(starts) > 0).all()
    )


def _lies_within(values: np.ndarray, limit: int) -> bool:
    return not len(values) or bool(values.min() >= 0 and values.max() < limit)


def as_keys(digests: np.ndarray) -> np.ndarray:
    """Digests ``[n, 32]`` as ``[n]`` values that can be sorted and compared."""
    # Of byte strings NumPy ignores zeros at the end, which tells no two of equal length apart less.
    return np.ascontiguousarray(digests).view(f"S{DIGEST_BYTES}").reshape(-1)


def _flags(frames: FrameBlock) -> np.ndarray:
    is_periodic = frames.pbc.any(axis=1)
    flags = _PERIODIC * is_periodic + _FREE_ATOM * ((frames.n_atoms == 1) & ~is_periodic)
    has = {"energy": ~np.isnan(frames.energy), "forces": frames.has_forces}
    has["stress"] = frames.has_stress
    return flags + sum(flag * has[name] for name, flag in _LABELS)


def _packed(counts: np.ndarray) -> bytes:
    """Atomic numbers and counts of the elements that occur, in few bytes."""
    present = np.flatnonzero(counts)
    return present.astype("<u4").tobytes() + counts[present].tobytes()
