"""Structures with labels from any file that ASE reads, with no label missed silently."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import ase
import ase.io
import ase.io.extxyz
import ase.io.formats
import numpy as np
from ase.stress import voigt_6_to_full_3x3_stress
from pydantic import BaseModel, ConfigDict

from mlip_core.utils.errors import UserError

QUANTITIES = ("energy", "forces", "stress")

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


class LabelKeys(BaseModel):
    """Under which keys a file has its labels.

    A key is looked for among the frame's properties, its per-atom columns, and the results of the
    calculator into which ASE moves what it recognises.

    Attributes:
        energy_key: total energy, eV.
        forces_key: forces, eV/Å.
        stress_key: stress, eV/Å³, positive under tension; 3 x 3, 9 numbers or Voigt's 6.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    energy_key: str = "energy"
    forces_key: str = "forces"
    stress_key: str = "stress"

    def key(self, quantity: str) -> str:
        """The key of "energy", "forces" or "stress"."""
        return getattr(self, f"{quantity}_key")


@dataclass(frozen=True, eq=False)
class Frame:
    """One structure of a file with its labels.

    Attributes:
        atoms: the structure as ASE read it.
        energy: eV, or ``None``.
        forces: ``[n_atoms, 3]``, eV/Å, or ``None``.
        stress: ``[3, 3]``, eV/Å³, positive under tension, or ``None``.
        file: path of the file it came from.
        index: position in that file, counting from 0.
        digest: hash of the structure (elements, positions, periodic cell) without its labels.
    """

    atoms: ase.Atoms
    energy: float | None
    forces: np.ndarray | None
    stress: np.ndarray | None
    file: str
    index: int
    digest: str

    @property
    def place(self) -> str:
        """Where the frame is, for messages."""
        return f"{self.file}: frame {self.index}"

    def label(self, quantity: str) -> float | np.ndarray | None:
        """The label "energy", "forces" or "stress"."""
        return getattr(self, quantity)


def read_frames(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
    limit: int | None = None,
) -> list[Frame]:
    """Read all frames of one or several files, in order.

    Args:
        paths: files in any format that ASE reads.
        labels: the keys of the labels.
        require: the labels that every frame must have, of "energy", "forces", "stress". The forces
            of a frame of one atom that is not periodic are zero and need not be given.
        limit: read at most so many frames in all.

    Raises:
        UserError: if a file is missing, unreadable or empty, a frame has no atoms, a required label
            is missing, or positions, cell or labels have a wrong shape or are not finite.
    """
    frames: list[Frame] = []
    for path in _as_list(paths):
        for frame in iterate_frames(path, labels, require):
            if limit is not None and len(frames) >= limit:
                return frames
            frames.append(frame)
    return frames


def iterate_frames(
    path: str | os.PathLike[str],
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
) -> Iterator[Frame]:
    """Read one file's frames one by one; see :func:`read_frames`."""
    unknown = set(require) - set(QUANTITIES)
    if unknown:
        raise ValueError(f"unknown labels {sorted(unknown)}: choose from {QUANTITIES}")
    labels = labels or LabelKeys()
    for index, atoms in enumerate(_iterate_atoms(Path(path))):
        yield frame_from_atoms(atoms, labels, require, str(path), index)


def frame_from_atoms(
    atoms: ase.Atoms,
    labels: LabelKeys | None = None,
    require: Sequence[str] = ("energy", "forces"),
    file: str = "<memory>",
    index: int = 0,
) -> Frame:
    """Take the labels out of ``atoms`` and check them; see :func:`read_frames`."""
    labels = labels or LabelKeys()
    place = f"{file}: frame {index}"
    _check_structure(atoms, place)
    values = {name: _label(atoms, name, labels.key(name), place) for name in QUANTITIES}
    if values["forces"] is None and len(atoms) == 1 and not atoms.pbc.any():
        values["forces"] = np.zeros((1, 3))  # a free atom feels none, and few files say so
    for name in require:
        if values[name] is None:
            raise UserError(_missing_label_message(atoms, name, labels.key(name), place))
    return Frame(atoms=atoms, file=file, index=index, digest=structure_digest(atoms), **values)


def structure_digest(atoms: ase.Atoms) -> str:
    """Hash of elements, positions (to 1e-8 Å), periodic directions and, if periodic, the cell.

    Labels do not enter: two frames with one digest are the same structure, whatever their labels.
    """
    digest = sha256(np.asarray(atoms.numbers, dtype=np.int64).tobytes())
    digest.update(_rounded_bytes(atoms.positions))
    digest.update(np.asarray(atoms.pbc, dtype=bool).tobytes())
    if atoms.pbc.any():
        digest.update(_rounded_bytes(atoms.cell.array))
    return digest.hexdigest()


def _rounded_bytes(values: np.ndarray) -> bytes:
    return (np.round(np.asarray(values, dtype=np.float64), 8) + 0.0).tobytes()


def _as_list(paths: Any) -> list[Any]:
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)


def _iterate_atoms(path: Path) -> Iterator[ase.Atoms]:
    if not path.exists():
        raise UserError(f"{path}: no such file; check the path in the config")
    if path.is_dir():
        raise UserError(f"{path}: is a directory; name the file of structures in it")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty; it must hold at least one structure")
    frames = ase.io.iread(str(path), index=":", do_not_split_by_at_sign=True)
    for index in count():
        try:
            atoms = next(frames, None)
        except _READ_ERRORS as error:
            raise UserError(_unreadable_message(path, index, error)) from error
        if atoms is None and index == 0:
            raise UserError(f"{path}: no structure found; it must hold at least one")
        if atoms is None:
            return
        yield atoms


def _unreadable_message(path: Path, index: int, error: BaseException) -> str:
    if isinstance(error, PermissionError):
        return f"{path}: no permission to read the file"
    if isinstance(error, ase.io.formats.UnknownFileTypeError):
        return f"{path}: not a format that ASE reads; convert it, e.g. to extended XYZ (.xyz)"
    if isinstance(error, KeyError):
        reason = f"unknown element or key {error}"
    else:
        reason = " ".join(str(error).split()) or type(error).__name__
    return f"{path}: frame {index} cannot be read ({reason}); correct or remove the frame"


def _check_structure(atoms: ase.Atoms, place: str) -> None:
    if len(atoms) == 0:
        raise UserError(f"{place}: has no atoms; remove the frame")
    if np.any(atoms.numbers <= 0):
        raise UserError(f"{place}: has an atom of unknown element; correct its symbol")
    if not np.isfinite(atoms.positions).all():
        raise UserError(f"{place}: a position is not finite (NaN or infinite); remove the frame")
    _check_cell(atoms, place)


def _check_cell(atoms: ase.Atoms, place: str) -> None:
    if not atoms.pbc.any():
        return
    periodic = atoms.cell.array[atoms.pbc]
    if not np.isfinite(periodic).all():
        raise UserError(f"{place}: the cell is not finite (NaN or infinite); remove the frame")
    if np.linalg.matrix_rank(periodic) < len(periodic):
        raise UserError(
            f"{place}: is periodic but its cell vectors are zero or not independent;"
            ' give a Lattice, or say pbc="F F F" if it is a molecule'
        )


def _label(atoms: ase.Atoms, name: str, key: str, place: str) -> Any:
    value = _find(atoms, key)
    if value is None:
        return None
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = None
    if array is None or isinstance(value, bool | np.bool_):
        raise UserError(f'{place}: {name} under key "{key}" is not a number: {value!r}')
    array = _shaped(array, name, key, len(atoms), place)
    if not np.isfinite(array).all():
        raise UserError(
            f'{place}: {name} under key "{key}" is not finite (NaN or infinite);'
            " remove the frame or compute it again"
        )
    return float(array) if name == "energy" else array


def _find(atoms: ase.Atoms, key: str) -> Any:
    """The value under a key; what the file says explicitly goes before what ASE made of it."""
    if key in atoms.info:
        return atoms.info[key]
    if key in atoms.arrays:
        return atoms.arrays[key]
    return _calculator_results(atoms).get(key)


def _calculator_results(atoms: ase.Atoms) -> dict[str, Any]:
    return getattr(atoms.calc, "results", {})


def _shaped(array: np.ndarray, name: str, key: str, n_atoms: int, place: str) -> np.ndarray:
    if name == "energy" and array.size == 1:
        return array.reshape(())
    if name == "forces" and array.shape == (n_atoms, 3):
        return array
    if name == "stress" and array.shape in ((3, 3), (9,)):
        return _symmetric(array.reshape(3, 3), key, place)
    if name == "stress" and array.shape == (6,):
        return voigt_6_to_full_3x3_stress(array)
    expected = {"energy": "one number", "forces": f"shape ({n_atoms}, 3)"}.get(
        name, "shape (3, 3), 9 numbers or 6 in Voigt's order"
    )
    raise UserError(
        f'{place}: {name} under key "{key}" has shape {array.shape} where {expected} is needed'
    )


def _symmetric(stress: np.ndarray, key: str, place: str) -> np.ndarray:
    tolerance = 1e-3 * np.abs(stress).max() + 1e-8
    if np.abs(stress - stress.T).max() > tolerance:
        raise UserError(
            f'{place}: stress under key "{key}" is not symmetric; check what the key holds'
        )
    return (stress + stress.T) / 2


def _missing_label_message(atoms: ase.Atoms, name: str, key: str, place: str) -> str:
    keys = [*atoms.info, *atoms.arrays, *_calculator_results(atoms)]
    present = [key for key in dict.fromkeys(keys) if key not in ("numbers", "positions")]
    there = "the keys there are " + ", ".join(present) if present else "there are no other keys"
    return (
        f'{place}: no {name} under key "{key}"; {there}; set {name}_key to the right one,'
        f" or remove frames without {name}"
    )
