"""Energies that are counted from another zero, brought to that of the labels."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from mlip_core.data.frames import Frame
from mlip_core.data.helpers.atomic_energies import fit_atomic_energies, parse_atomic_energies
from mlip_core.evaluation.predicting import Entry, predict_structures
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import write_json


def fit_energy_shift(
    entry: Entry,
    frames: Iterable[Frame],
    batch_size: int = 32,
    atomic_energies: Mapping[int, float] | None = None,
) -> dict[int, float]:
    """What an entry's energies lack for each atom, eV by atomic number.

    Another method, or another code, counts energies from another zero: a constant for each element,
    on which no force depends. It is fitted by least squares to the differences of energies.

    Args:
        entry: a model, or an ASE calculator.
        frames: labelled structures, not those that the errors are computed on.
        batch_size: structures of average size that a model predicts at once.
        atomic_energies: see :func:`~mlip_core.evaluation.predict_structures`.

    Raises:
        UserError: if no frame has an energy; and as :func:`predict_structures`.
    """
    differences, compositions = [], []
    for structure in predict_structures(entry, frames, batch_size, atomic_energies):
        if structure.reference.energy is not None and structure.predicted.energy is not None:
            differences.append(structure.reference.energy - structure.predicted.energy)
            compositions.append(np.bincount(structure.atoms.numbers, minlength=256))
    if not differences:
        raise UserError("energy_shift: no training structure has an energy to fit it to")
    counts = np.array(compositions)
    present = np.flatnonzero(counts.any(axis=0))
    fitted = fit_atomic_energies(counts[:, present], np.array(differences), present.tolist())
    return dict(zip(present.tolist(), fitted.tolist(), strict=True))


def write_energy_shift(path: str | os.PathLike[str], shift: Mapping[int, float]) -> None:
    """Write a shift as JSON by symbol."""
    write_json(path, {chemical_symbols[number]: energy for number, energy in shift.items()})


def read_energy_shift(path: str | os.PathLike[str]) -> dict[int, float]:
    """Read what :func:`write_energy_shift` wrote."""
    return parse_atomic_energies(json.loads(Path(path).read_text(encoding="utf-8")))
