"""Test structures with reference and predicted values as extended XYZ.

Keys: ``REF_energy``, ``REF_interaction_energy``, ``REF_forces``, ``REF_stress`` and the same with
``MLIP_``; ``source`` and ``config_type``. Numbers are written with all digits of float64, so
whoever computes errors from the file gets exactly those of ``metrics.json``.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import ase.io
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ase import Atoms
from ase.data import chemical_symbols

from mlip_core.evaluation.structures import EvaluatedStructure, Values
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path

REFERENCE_PREFIX = "REF_"
PREDICTED_PREFIX = "MLIP_"
_SCALARS = ("energy", "interaction_energy", "stress")
_SYMBOLS = pa.array(chemical_symbols)
_PLAIN = re.compile(r"""[^\s"'=\\,{}\[\]]+""")
_LINE_BREAK = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Calls for so many atoms at once cost little more than what they do.
_ATOMS_AT_ONCE = 10_000


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
        waiting: list[EvaluatedStructure] = []
        n_atoms = 0

        def write(structure: EvaluatedStructure) -> None:
            nonlocal n_atoms
            waiting.append(structure)
            n_atoms += structure.n_atoms
            if n_atoms >= _ATOMS_AT_ONCE:
                file.writelines(_lines(waiting))
                waiting.clear()
                n_atoms = 0

        yield write
        file.writelines(_lines(waiting))


def read_predictions(path: str | os.PathLike[str]) -> list[EvaluatedStructure]:
    """Read what :func:`write_predictions` wrote.

    Raises:
        UserError: if a frame has no predicted values.
    """
    frames = ase.io.iread(os.fspath(path), index=":", format="extxyz")
    return [_structure(atoms, f"{path}, frame {i}") for i, atoms in enumerate(frames)]


def _lines(structures: Iterable[EvaluatedStructure]) -> Iterator[str]:
    """Of consecutive structures; the atoms of those with the same columns are written at once."""
    for names, group in groupby(structures, _columns):
        frames = list(group)
        rows, start = _atom_rows(frames, names), 0
        for frame in frames:
            end = start + frame.n_atoms
            yield f"{frame.n_atoms}\n{_header(frame, names)}\n"
            yield "\n".join(rows[start:end]) + "\n"
            start = end


def _columns(structure: EvaluatedStructure) -> list[str]:
    forces = (f"{p}forces" for p, values in _both(structure).items() if values.forces is not None)
    return ["pos", *forces]


def _atom_rows(frames: list[EvaluatedStructure], names: list[str]) -> list[str]:
    """A line for each atom: its symbol, then the numbers of its columns."""
    columns = np.concatenate([_atom_values(frames, name) for name in names], axis=1)
    symbols = _SYMBOLS.take(np.concatenate([frame.atoms.numbers for frame in frames]))
    # Arrow finds the shortest text with all digits in a quarter of the time of `repr`.
    texts = [pa.array(column).cast(pa.string()) for column in columns.T.copy()]
    rows: list[str] = pc.binary_join_element_wise(symbols, *texts, " ").to_pylist()
    return rows


def _atom_values(frames: list[EvaluatedStructure], name: str) -> np.ndarray:
    """``[n_atoms, 3]`` of all frames."""
    if name == "pos":
        return np.concatenate([frame.atoms.positions for frame in frames])
    prefix = name.removesuffix("forces")
    known = (_both(frame)[prefix].forces for frame in frames)
    return np.concatenate([forces for forces in known if forces is not None], dtype=np.float64)


def _header(structure: EvaluatedStructure, columns: Iterable[str]) -> str:
    atoms = structure.atoms
    header = {}
    if atoms.cell.any():
        header["Lattice"] = _numbers(atoms.cell.array)
    header["Properties"] = ":".join(["species:S:1", *(f"{name}:R:3" for name in columns)])
    for prefix, values in _both(structure).items():
        for name in _SCALARS:
            if (value := getattr(values, name)) is not None:
                header[prefix + name] = _numbers(value)
    if structure.config_type is not None:
        header["config_type"] = _quoted(structure.config_type)
    if structure.source:
        header["source"] = _quoted(structure.source)
    header["pbc"] = '"' + " ".join("T" if periodic else "F" for periodic in atoms.pbc) + '"'
    return " ".join(f"{key}={text}" for key, text in header.items())


def _both(structure: EvaluatedStructure) -> dict[str, Values]:
    return {REFERENCE_PREFIX: structure.reference, PREDICTED_PREFIX: structure.predicted}


def _numbers(value: float | np.ndarray) -> str:
    if isinstance(value, np.ndarray):
        return '"' + " ".join(map(repr, value.ravel().tolist())) + '"'
    return repr(float(value))


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    escaped = _LINE_BREAK.sub(" ", text.replace("\\", "\\\\").replace('"', '\\"'))
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
