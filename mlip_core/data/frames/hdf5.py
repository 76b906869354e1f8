"""Frames of HDF5 files with one group per structure.

A group has the datasets ``positions`` (``[n_atoms, 3]``) and ``elements`` (atomic numbers), labels
as datasets or attributes (``forces``, ``stress``, attribute ``energy``), and for a periodic
structure ``cell`` (``[3, 3]``) and ``pbc`` (by default true if there is a cell).
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mlip_core.data.frames.frame import BadFrame
from mlip_core.data.frames.raw import BadContentError, RawFrame, bad_frame
from mlip_core.utils.errors import UserError

_STRUCTURE = ("positions", "elements", "cell", "pbc")
# Deflate packs no better. What claims to be larger was never written, and would fill the memory.
_LARGEST_RATIO = 1032


def iterate(path: Path, wanted: Collection[str]) -> Iterator[RawFrame | BadFrame]:
    """Read a file's groups one by one, in the order of their names.

    Args:
        path: the file.
        wanted: the datasets to read beside the structure.

    Raises:
        UserError: if the file cannot be read.
    """
    with _opened(path) as file:
        for index, name in enumerate(_names(file, path)):
            yield _read_group(file, path, index, name, wanted)


def read_at(
    path: Path, indices: Iterable[int], wanted: Collection[str]
) -> Iterator[RawFrame | BadFrame]:
    """Read the groups of some numbers; see :func:`iterate`."""
    with _opened(path) as file:
        names = _names(file, path)
        for index in indices:
            if index >= len(names):
                return
            yield _read_group(file, path, index, names[index], wanted)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _unreadable(path, error) from None
    with file:
        yield file


def _names(file: h5py.File, path: Path) -> list[str]:
    """The names of all groups; of millions, some hundred bytes each."""
    try:
        return list(file)
    except RuntimeError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())
    return UserError(f"{path}: not a readable HDF5 file ({reason}); copy or make it again")


def _read_group(
    file: h5py.File, path: Path, index: int, name: str, wanted: Collection[str]
) -> RawFrame | BadFrame:
    try:
        return _raw_frame(file[name], str(path), index, wanted)
    except BadContentError as error:
        kind, problem = error.kind, str(error)
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        # What h5py raises on damaged or dangling objects.
        kind, problem = "unreadable", f"cannot be read ({' '.join(str(error.args[0]).split())})"
    return bad_frame(kind, f"group {name}: {problem}", str(path), index)


def _raw_frame(group: Any, file: str, index: int, wanted: Collection[str]) -> RawFrame:
    if not isinstance(group, h5py.Group):
        raise BadContentError(
            "unreadable", "is not a group; each structure must be a group of datasets"
        )
    names = set(group)
    positions = _array(group, "positions", "fiu", (-1, 3))
    cell = _array(group, "cell", "fiu", (3, 3)) if "cell" in names else np.zeros((3, 3))
    pbc = _array(group, "pbc", "biu", (3,)) if "pbc" in names else np.full(3, cell.any())
    return RawFrame(
        numbers=_array(group, "elements", "iu", (len(positions),)).astype(np.int64),
        positions=positions.astype(np.float64),
        cell=cell.astype(np.float64),
        pbc=pbc.astype(bool),
        info=dict(group.attrs),
        columns={
            name: _content(group[name]) if name in wanted else None
            for name in sorted(names.difference(_STRUCTURE))
        },
        file=file,
        index=index,
    )


def _array(group: h5py.Group, name: str, kinds: str, shape: tuple[int, ...]) -> np.ndarray:
    """A dataset of one of NumPy's kinds of types, and of a shape in which -1 is any length."""
    dataset = group.get(name)
    if dataset is None:
        present = ", ".join(group) or "none"
        raise BadContentError("unreadable", f"no dataset {name}; there are {present}")
    array = np.asarray(_content(dataset))
    if array.dtype.kind not in kinds:
        raise BadContentError("unreadable", f"dataset {name} has the unusable type {dataset.dtype}")
    wanted = tuple(n if m == -1 else m for m, n in zip(shape, array.shape, strict=False))
    if array.shape != wanted or array.ndim != len(shape):
        expected = str(shape).replace("-1", "n_atoms")
        raise BadContentError(
            "unreadable", f"dataset {name} has shape {array.shape} where {expected} is needed"
        )
    return array


def _content(dataset: h5py.Dataset | h5py.Group) -> Any:
    """What a dataset holds, if the file is large enough for it."""
    if not isinstance(dataset, h5py.Dataset):
        raise BadContentError("unreadable", f"{dataset.name} is not a dataset")
    file_bytes = dataset.file.id.get_filesize()
    if dataset.nbytes > _LARGEST_RATIO * file_bytes:
        raise BadContentError(
            "unreadable",
            f"dataset {dataset.name} claims {dataset.nbytes} bytes, the file has {file_bytes}",
        )
    return dataset[()]
