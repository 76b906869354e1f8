"""Frames of the many formats that ASE reads."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import ase.db
import ase.io
import ase.io.formats
from ase.io.trajectory import Trajectory

from mlip_core.data.frames.checking import raw_from_atoms
from mlip_core.data.frames.raw import RawFrame
from mlip_core.utils.errors import UserError

# What ASE's many readers raise on a file that they cannot make sense of.
_READ_ERRORS = (
    ase.io.formats.UnknownFileTypeError,
    ase.io.ParseError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class _Rows:
    """The rows of an ASE database, in order, with their key-value pairs and data in ``info``."""

    def __init__(self, path: Path) -> None:
        self._database = ase.db.connect(path)
        columns = {"columns": ["id"], "include_data": False}
        self._ids = [row.id for row in self._database.select(**columns)]

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> ase.Atoms:
        row = self._database.get(id=self._ids[index])
        atoms = row.toatoms()
        atoms.info |= row.data | row.key_value_pairs
        return atoms


def iterate(path: Path) -> Iterator[RawFrame]:
    """Read a file frame by frame; ASE recognises the format.

    Raises:
        UserError: if the file cannot be read (any further).
    """
    if has_random_access(path):
        yield from read_at(path, count())
        return
    frames = ase.io.iread(str(path), index=":", do_not_split_by_at_sign=True)
    for index in count():
        with _explained(path, index):
            atoms = next(frames, None)
        if atoms is None:
            return
        yield raw_from_atoms(atoms, str(path), index)


def read_at(path: Path, indices: Iterable[int]) -> Iterator[RawFrame]:
    """Read frames by number, as far as the file has them, where :func:`has_random_access`.

    Raises:
        UserError: as :func:`iterate`.
    """
    with ExitStack() as stack:
        with _explained(path, 0):
            is_database = path.suffix == ".db"
            frames = _Rows(path) if is_database else stack.enter_context(Trajectory(path))
        for index in indices:
            if index >= len(frames):
                return
            with _explained(path, index):
                atoms = frames[index]
            yield raw_from_atoms(atoms, str(path), index)


def has_random_access(path: Path) -> bool:
    """Whether a frame can be read without those before it."""
    return path.suffix in (".traj", ".db")


@contextmanager
def _explained(path: Path, index: int) -> Iterator[None]:
    """Turn what ASE raises into an error of one line."""
    try:
        yield
    except _READ_ERRORS as error:
        raise UserError(_message(path, index, error)) from error


def _message(path: Path, index: int, error: BaseException) -> str:
    if isinstance(error, PermissionError):
        return f"{path}: no permission to read the file"
    if isinstance(error, ase.io.formats.UnknownFileTypeError):
        return f"{path}: not a format that ASE reads; convert it, e.g. to extended XYZ (.xyz)"
    if isinstance(error, KeyError):
        reason = f"unknown element or key {error}"
    else:
        reason = " ".join(str(error).split()) or type(error).__name__
    return f"{path}: frame {index} cannot be read ({reason}); correct or remove the frame"
