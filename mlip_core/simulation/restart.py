"""Files that a simulation goes on from: plain arrays, no pickle."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mlip_core.simulation.capacity import Capacity
from mlip_core.simulation.verlet_list import Geometry, VerletList
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path


def write_arrays(
    path: str | os.PathLike[str], kind: str, structures: list[Atoms], arrays: dict[str, Any]
) -> None:
    """Write arrays and what they belong to.

    Args:
        path: of the file, usually with the suffix ``.npz``.
        kind: of simulation.
        structures: whose simulation it is.
        arrays: by name.
    """
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        content: dict[str, Any] = {"kind": np.array(kind)} | _identity(structures) | arrays
        np.savez(file, **content)


def read_arrays(
    path: str | os.PathLike[str], kind: str, structures: list[Atoms]
) -> dict[str, np.ndarray]:
    """The arrays of a file of :func:`write_arrays`.

    Raises:
        UserError: if there is no such file, or it is of another kind or other structures.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; expected the state of a simulation")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not the state of a simulation ({error})") from None
    if str(arrays.get("kind")) != kind:
        raise UserError(f"{path}: not the state of a simulation of the kind {kind!r}")
    for name, expected in _identity(structures).items():
        if not np.array_equal(arrays[name], expected):
            raise UserError(f"{path}: the state of other structures: {name} differ")
    return arrays


def list_arrays(edges: VerletList) -> dict[str, np.ndarray]:
    """What decides a neighbour list."""
    references = edges.references
    return {
        "reference_positions": np.concatenate([geometry.positions for geometry in references]),
        "reference_cells": np.stack([geometry.cell for geometry in references]),
        "capacity": np.array(edges.capacity),
    }


def rebuild_list(edges: VerletList, structures: list[Atoms], arrays: dict[str, np.ndarray]) -> None:
    """Make the list that :func:`list_arrays` was asked about."""
    ends = np.cumsum([len(atoms) for atoms in structures])[:-1]
    parts = np.split(arrays["reference_positions"], ends)
    references = [
        Geometry(positions, cell, Geometry.of(atoms).pbc)
        for positions, cell, atoms in zip(parts, arrays["reference_cells"], structures, strict=True)
    ]
    edges.build(references, Capacity(*arrays["capacity"].tolist()))


def generator_array(rng: np.random.Generator) -> np.ndarray:
    """The state of a generator of random numbers as text."""
    return np.array(json.dumps(rng.bit_generator.state))


def restored_generator(text: np.ndarray) -> np.random.Generator:
    """The generator of :func:`generator_array`."""
    rng = np.random.default_rng()
    rng.bit_generator.state = json.loads(str(text))
    return rng


def _identity(structures: list[Atoms]) -> dict[str, np.ndarray]:
    return {
        "atomic_numbers": np.concatenate([atoms.numbers for atoms in structures]),
        "numbers_of_atoms": np.array([len(atoms) for atoms in structures]),
        "periodicities": np.stack([atoms.pbc for atoms in structures]),
    }
