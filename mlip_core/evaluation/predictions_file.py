"""Test structures with reference and predicted values as extended XYZ.

Keys: ``REF_energy``, ``REF_interaction_energy``, ``REF_forces``, ``REF_stress`` and the same with
``MLIP_``; ``source`` and ``config_type``. Numbers are written with all digits of float64, so
whoever computes errors from the file gets exactly those of ``metrics.json``.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import ase.io
import numpy as np
import pyarrow as pa
from ase import Atoms

from mlip_core.evaluation.structures import EvaluatedStructure, Values
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path

REFERENCE_PREFIX = "REF_"
PREDICTED_PREFIX = "MLIP_"
_SCALARS = ("energy", "interaction_energy", "stress")


def write_predictions(
    path: str | os.PathLike[str], structures: Iterable[EvaluatedStructure]
) -> None:
    """Write ``structures`` in order; the same values give the same bytes."""
    with predictions_writer(path) as write:
        for structure in structures:
            write(structure)


@contextmanager
def predictions_writer(
    path: str | os.PathLike[str],
) -> Iterator[Callable[[EvaluatedStructure], None]]:
    """A function that appends one structure; the file appears when all are written."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        yield lambda structure: file.writelines(_frame_lines(structure))


def read_predictions(path: str | os.PathLike[str]) -> list[EvaluatedStructure]:
    """Read what :func:`write_predictions` wrote.

    Raises:
        UserError: if a frame has no predicted values.
    """
    frames = ase.io.iread(os.fspath(path), index=":", format="extxyz")
    return [_structure(atoms, f"{path}, frame {i}") for i, atoms in enumerate(frames)]


def _frame_lines(structure: EvaluatedStructure) -> Iterator[str]:
    columns = {"pos": structure.atoms.positions}
    for prefix, values in _both(structure).items():
        if values.forces is not None:
            columns[f"{prefix}forces"] = values.forces
    header = _header(structure, columns)
    yield f"{structure.n_atoms}\n"
    yield " ".join(f"{key}={_quoted(text)}" for key, text in header.items()) + "\n"
    numbers = np.concatenate(list(columns.values()), axis=1, dtype=np.float64)
    # Arrow finds the shortest text with all digits in less than half of the time of `repr`.
    texts = pa.array(numbers.ravel()).cast(pa.string()).to_pylist()
    width = numbers.shape[1]
    for row, symbol in enumerate(structure.atoms.symbols):
        yield f"{symbol} {' '.join(texts[width * row : width * (row + 1)])}\n"


def _header(structure: EvaluatedStructure, columns: Iterable[str]) -> dict[str, str]:
    atoms = structure.atoms
    header = {}
    if atoms.cell.any():
        header["Lattice"] = _numbers(atoms.cell.array)
    header["Properties"] = ":".join(["species:S:1", *(f"{name}:R:3" for name in columns)])
    for prefix, values in _both(structure).items():
        for name in _SCALARS:
            if (value := getattr(values, name)) is not None:
                header[prefix + name] = _numbers(np.asarray(value))
    if structure.config_type is not None:
        header["config_type"] = structure.config_type
    if structure.source:
        header["source"] = structure.source
    header["pbc"] = " ".join("T" if periodic else "F" for periodic in atoms.pbc)
    return header


def _both(structure: EvaluatedStructure) -> dict[str, Values]:
    return {REFERENCE_PREFIX: structure.reference, PREDICTED_PREFIX: structure.predicted}


def _numbers(values: np.ndarray) -> str:
    return " ".join(map(repr, np.ravel(values).tolist()))


def _quoted(text: str) -> str:
    if text and not set(text) & set(' "=\\,\n{}[]'):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def _structure(atoms: Atoms, where: str) -> EvaluatedStructure:
    predicted = _values(atoms, PREDICTED_PREFIX)
    if predicted == Values():
        raise UserError(f"{where}: no key begins with {PREDICTED_PREFIX}; evaluate the model again")
    config_type = atoms.info.get("config_type")
    return EvaluatedStructure(
        atoms=Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc),
        reference=_values(atoms, REFERENCE_PREFIX),
        predicted=predicted,
        source=str(atoms.info.get("source", "")),
        config_type=None if config_type is None else str(config_type),
    )


def _values(atoms: Atoms, prefix: str) -> Values:
    def info(name: str) -> Any:
        return atoms.info.get(prefix + name)

    stress = info("stress")
    return Values(
        energy=info("energy"),
        interaction_energy=info("interaction_energy"),
        forces=atoms.arrays.get(f"{prefix}forces"),
        stress=None if stress is None else np.asarray(stress, dtype=np.float64).reshape(3, 3),
    )
