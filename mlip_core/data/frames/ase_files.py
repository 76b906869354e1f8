"""Frames of the many formats that ASE reads."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import ase.io
import ase.io.extxyz
import ase.io.formats

from mlip_core.data.frames.checking import raw_from_atoms
from mlip_core.data.frames.frame import BadFrame
from mlip_core.data.frames.raw import RawFrame
from mlip_core.utils.errors import UserError

# What ASE's many readers raise on a file that they cannot make sense of.
_READ_ERRORS = (
    ase.io.formats.UnknownFileTypeError,
    ase.io.extxyz.XYZError,
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


def iterate(path: Path) -> Iterator[RawFrame | BadFrame]:
    """Read a file frame by frame; the format is recognised by ASE."""
    frames = ase.io.iread(str(path), index=":", do_not_split_by_at_sign=True)
    for index in count():
        try:
            atoms = next(frames, None)
        except _READ_ERRORS as error:
            raise UserError(_message(path, index, error)) from error
        if atoms is None:
            return
        yield raw_from_atoms(atoms, str(path), index)


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
