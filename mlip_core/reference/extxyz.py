"""Extended XYZ in which every number comes back as the same float64.

ASE writes eight digits after the point, which loses what tight comparisons of forces need.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress

from mlip_core.utils.files import write_text


def write_extxyz(path: str | os.PathLike[str], frames: Sequence[Atoms]) -> None:
    """Write frames with the results of their calculators; equal frames give equal bytes.

    Positions (Å), cell (Å), energy (eV), forces (eV/Å) and stress (eV/Å³, 3x3) have the shortest
    decimals that give back the same float64. ``atoms.info`` holds strings and numbers.
    """
    write_text(path, "".join(format_frame(atoms) for atoms in frames))


def format_frame(atoms: Atoms) -> str:
    """The lines of one frame."""
    results = atoms.calc.results if atoms.calc is not None else {}
    columns = [("species", "S", 1), ("pos", "R", 3)]
    numbers = [atoms.positions]
    if "forces" in results:
        columns.append(("forces", "R", 3))
        numbers.append(results["forces"])
    rows = np.concatenate(numbers, axis=1).tolist()
    lines = [
        str(len(atoms)),
        _comment(atoms, results, ":".join(f"{name}:{kind}:{n}" for name, kind, n in columns)),
        *(
            " ".join([symbol, *map(repr, row)])
            for symbol, row in zip(atoms.symbols, rows, strict=True)
        ),
    ]
    return "\n".join(lines) + "\n"


def _comment(atoms: Atoms, results: dict[str, Any], properties: str) -> str:
    entries: dict[str, Any] = {}
    if atoms.cell.any():
        entries["Lattice"] = np.asarray(atoms.cell)
    entries["Properties"] = properties
    if "energy" in results:
        entries["energy"] = results["energy"]
    if "stress" in results:
        entries["stress"] = voigt_6_to_full_3x3_stress(results["stress"])
    entries |= atoms.info
    entries["pbc"] = " ".join("T" if periodic else "F" for periodic in atoms.pbc)
    return " ".join(f"{key}={_value(value)}" for key, value in entries.items())


def _value(value: object) -> str:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist() if value.ndim == 0 else " ".join(map(repr, value.ravel().tolist()))
    text = str(value) if isinstance(value, str) else repr(value)
    return f'"{text}"' if " " in text or not text else text
