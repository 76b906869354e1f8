"""Errors of a model on labelled structures, exactly defined.

All are computed in float64 from one pool of all entries of a test set, never as averages over
batches. With ``d = predicted - reference`` over ``n`` entries:

- ``mae`` = mean of ``|d|``; ``rmse`` = root of the mean of ``d**2``; ``max`` = largest ``|d|``;
- ``r2`` = ``1 - sum(d**2) / sum((reference - mean(reference))**2)``; null if the reference does
  not vary;
- ``reference_std`` = root of the mean of ``(reference - mean(reference))**2``;
- ``relative_rmse_percent`` = ``100 * rmse / reference_std``.

What the entries are:

- ``energy``: one per structure, eV. Reference and prediction are interaction energies (the sum of
  atomic energies subtracted in float64); differences are those of total energies.
- ``energy_per_atom``: the same divided by the number of atoms, eV/atom.
- ``forces``: the three components of each atom, eV/Å.
- ``forces_vector``: one per atom, eV/Å; ``d`` is the length of the difference vector.
  ``mean_cosine`` is the mean cosine of the angle between the two force vectors over atoms where
  neither is zero.
- ``forces_by_element``: as ``forces``, for the atoms of one element.
- ``stress``: all nine components of each structure's tensor, eV/Å³.
- ``by_config_type``: energies and forces of the structures with one ``config_type``.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from mlip_core.evaluation.structures import EvaluatedStructure

UNITS = {
    "energy": "eV",
    "energy_per_atom": "eV/atom",
    "forces": "eV/Å",
    "forces_vector": "eV/Å",
    "stress": "eV/Å³",
}

Structures = Sequence[EvaluatedStructure]
Metrics = dict[str, Any]


def compute_metrics(structures: Structures) -> Metrics:
    """All errors of the module's docstring over ``structures``, as finite JSON values.

    A quantity that no structure has a reference for is ``None``.
    """
    return {
        "n_structures": len(structures),
        "n_atoms": sum(s.n_atoms for s in structures),
        "units": UNITS,
        **_energy_metrics(structures),
        **_force_metrics(structures),
        "forces_by_element": _forces_by_element(structures),
        "stress": _stress_metrics(structures),
        "by_config_type": _by_config_type(structures),
    }


def error_summary(reference: np.ndarray, predicted: np.ndarray) -> Metrics | None:
    """Count, MAE, RMSE, maximum and R² of two arrays of one shape; ``None`` if they are empty."""
    if reference.size == 0:
        return None
    difference = predicted - reference
    spread = float(np.sum((reference - reference.mean()) ** 2))
    return {
        **_size_of_errors(np.abs(difference)),
        "r2": 1.0 - float(np.sum(difference**2)) / spread if spread > 0.0 else None,
    }


def component_summary(reference: np.ndarray, predicted: np.ndarray) -> Metrics | None:
    """:func:`error_summary` and the RMSE as a share of the reference's standard deviation."""
    summary = error_summary(reference, predicted)
    if summary is None:
        return None
    std = float(reference.std())
    relative = 100.0 * summary["rmse"] / std if std > 0.0 else None
    return {**summary, "reference_std": std, "relative_rmse_percent": relative}


def vector_summary(reference: np.ndarray, predicted: np.ndarray) -> Metrics | None:
    """Errors of vectors ``[n, 3]`` by the length of their difference, and their mean cosine."""
    if reference.size == 0:
        return None
    lengths = np.linalg.norm(reference, axis=1) * np.linalg.norm(predicted, axis=1)
    products = np.einsum("ni,ni->n", reference, predicted)
    cosines = products[lengths > 0.0] / lengths[lengths > 0.0]
    return {
        **_size_of_errors(np.linalg.norm(predicted - reference, axis=1)),
        "mean_cosine": float(cosines.mean()) if cosines.size else None,
    }


def _size_of_errors(absolute: np.ndarray) -> Metrics:
    return {
        "count": int(absolute.size),
        "mae": float(absolute.mean()),
        "rmse": float(np.sqrt(np.mean(absolute**2))),
        "max": float(absolute.max()),
    }


def _energy_metrics(structures: Structures) -> Metrics:
    labelled = [s for s in structures if s.reference.interaction_energy is not None]
    reference = np.array([s.reference.interaction_energy for s in labelled], dtype=np.float64)
    predicted = np.array([s.predicted.interaction_energy for s in labelled], dtype=np.float64)
    n_atoms = np.array([s.n_atoms for s in labelled], dtype=np.float64)
    return {
        "energy": error_summary(reference, predicted),
        "energy_per_atom": error_summary(reference / n_atoms, predicted / n_atoms),
    }


def _force_metrics(structures: Structures) -> Metrics:
    _, reference, predicted = pooled_forces(structures)
    return {
        "forces": component_summary(reference, predicted),
        "forces_vector": vector_summary(reference, predicted),
    }


def pooled_forces(structures: Structures) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Atomic numbers ``[n]``, reference and predicted forces ``[n, 3]`` of labelled structures."""
    labelled = [s for s in structures if s.reference.forces is not None]
    numbers = _concatenate([s.atoms.numbers for s in labelled], (0,))
    reference = _concatenate([s.reference.forces for s in labelled], (0, 3))
    predicted = _concatenate([s.predicted.forces for s in labelled], (0, 3))
    return numbers, reference, predicted


def _forces_by_element(structures: Structures) -> Metrics:
    numbers, reference, predicted = pooled_forces(structures)
    return {
        chemical_symbols[z]: component_summary(reference[numbers == z], predicted[numbers == z])
        for z in np.unique(numbers)
    }


def _stress_metrics(structures: Structures) -> Metrics | None:
    labelled = [
        s for s in structures if s.reference.stress is not None and s.predicted.stress is not None
    ]
    reference = _concatenate([s.reference.stress for s in labelled], (0, 3))
    predicted = _concatenate([s.predicted.stress for s in labelled], (0, 3))
    return component_summary(reference, predicted)


def _by_config_type(structures: Structures) -> Metrics:
    def errors(group: Structures) -> Metrics:
        return {"n_structures": len(group), **_energy_metrics(group), **_force_metrics(group)}

    return _grouped(structures, lambda s: s.config_type, errors)


def _grouped(
    structures: Structures,
    key: Callable[[EvaluatedStructure], str | None],
    summarise: Callable[[Structures], Metrics],
) -> Metrics:
    names = sorted({name for s in structures if (name := key(s)) is not None})
    return {name: summarise([s for s in structures if key(s) == name]) for name in names}


def _concatenate(arrays: Sequence[Any], empty_shape: tuple[int, ...]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(empty_shape)
