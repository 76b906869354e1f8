"""Test structures with reference and predicted values as extended XYZ.

Keys: ``REF_energy``, ``REF_interaction_energy``, ``REF_forces``, ``REF_stress`` and the same with
``MLIP_``; ``source`` and ``config_type``. Numbers are written with all digits of float64, so
whoever computes errors from the file gets exactly those of ``metrics.json``.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ase.io
import numpy as np
from ase import Atoms

from mlip_core.evaluation.structures import EvaluatedStructure, Values
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path

REFERENCE_PREFIX = "REF_"
PREDICTED_PREFIX = "MLIP_"
_SCALARS = ("energy", "interaction_energy", "stress")


def write_predictions(
    path: str | os.PathLike[str], structures: Sequence[EvaluatedStructure]
) -> None:
    """Write ``structures`` in order; the same values give the same bytes."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for structure in structures:
            file.writelines(f"{line}\n" for line in _frame_lines(structure))


def read_predictions(path: str | os.PathLike[str]) -> list[EvaluatedStructure]:
    """Read what :func:`write_predictions` wrote.

    Raises:
        UserError: if a frame has no predicted values.
    """
    frames = ase.io.iread(os.fspath(path), index=":", format="extxyz")
    return [_structure(atoms, f"{path}, frame {i}") for i, atoms in enumerate(frames)]


def _frame_lines(structure: EvaluatedStructure) -> Iterator[str]:
    columns = {"species": np.array(structure.atoms.symbols), "pos": structure.atoms.positions}
    for prefix, values in _both(structure).items():
        if values.forces is not None:
            columns[f"{prefix}forces"] = values.forces
    yield str(structure.n_atoms)
    yield " ".join(f"{key}={_quoted(value)}" for key, value in _header(structure, columns).items())
    texts = [_cells(column) for column in columns.values()]
    yield from (" ".join(parts) for parts in zip(*texts, strict=True))


def _header(structure: EvaluatedStructure, columns: Mapping[str, np.ndarray]) -> dict[str, str]:
    atoms = structure.atoms
    header = {}
    if atoms.cell.any():
        header["Lattice"] = _numbers(atoms.cell.array)
    header["Properties"] = ":".join(
        f"{name}:S:1" if name == "species" else f"{name}:R:{column.shape[1]}"
        for name, column in columns.items()
    )
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


def _cells(column: np.ndarray) -> list[str]:
    """One text per atom."""
    return [_numbers(row) if row.dtype.kind == "f" else str(row) for row in column]


def _numbers(values: np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in values.ravel())


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
