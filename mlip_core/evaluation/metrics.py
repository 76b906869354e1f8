"""Errors of a model on labelled structures, exactly defined.

:data:`~mlip_core.evaluation.definitions.DEFINITIONS` says what each figure is. They are arranged as
in this example of ``metrics.json`` (shortened; a summary that nothing is known for is ``null``):

.. code-block:: text

    {
      "n_structures": 150,
      "n_atoms": 1350,
      "units": {"energy": "eV", "energy_per_atom": "eV/atom", "forces": "eV/Å", …},
      "bootstrap": {"resamples": 1000, "confidence_percent": 95},
      "energy": {                                       components: of numbers
        "count": 150, "mae": 0.0041, "rmse": 0.0052, "max": 0.017,
        "quantiles": {"50": 0.0035, "90": 0.0086, "95": 0.010, "99": 0.015},
        "r2": 0.9997, "reference_std": 0.31, "relative_rmse_percent": 1.7,
        "confidence": {"mae": [0.0036, 0.0046], "rmse": […], "r2": […]}
      },
      "energy_per_atom": {as energy},
      "forces": {as energy},
      "forces_vector": {                                vectors: of the forces of atoms
        "count": 1350, "mae": 0.033, "rmse": 0.042, "max": 0.16, "quantiles": {…},
        "mean_cosine": 0.998,
        "confidence": {"mae": […], "rmse": […], "mean_cosine": […]}
      },
      "stress": null,                                   else as energy
      "by_config_type": {                               empty if no structure has one
        "md": {"n_structures": 150, "energy": {…}, "energy_per_atom": {…}, "forces": {…},
               "forces_vector": {…}, "stress": null}
      },
      "by_size": {"9-16": {as in by_config_type}},
      "by_element": {"C": {"n_atoms": 300, "forces": {…}, "forces_vector": {…}}, …},
      "by_force_magnitude": {"0-0.3": {as in by_element}, …, "3-10": {…}, ">10": {…}},
      "n_parameters": 51234,                            null for a calculator
      "energy_shift": {"C": -1022.3, …}                 only where energies were shifted
    }

Groups without members are left out; sizes and magnitudes ascend.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from ase.data import chemical_symbols

from mlip_core.evaluation.bootstrap import Bootstrap
from mlip_core.evaluation.definitions import (
    CONFIDENCE_PERCENT,
    FORCE_MAGNITUDES,
    QUANTILES_PERCENT,
    UNITS,
)
from mlip_core.evaluation.structures import EvaluatedStructure
from mlip_core.evaluation.tables import Tables, tabulate

Metrics = dict[str, Any]
Groups = Iterable[tuple[str, np.ndarray]]
"""Names, and for each structure (or atom) whether it belongs to the group."""


@dataclass(frozen=True)
class Entries:
    """Reference and prediction of one quantity, where both are known.

    Attributes:
        row: ``[n]``, rows of the table of structures or atoms.
        structure: ``[n]``, the structure that each belongs to.
        reference: ``[n, n_components]``.
        predicted: ``[n, n_components]``.
    """

    row: np.ndarray
    structure: np.ndarray
    reference: np.ndarray
    predicted: np.ndarray

    @classmethod
    def known(cls, structure: np.ndarray, reference: np.ndarray, predicted: np.ndarray) -> Self:
        """The rows of a table without NaN; components may have any shape."""
        shape = len(structure), math.prod(reference.shape[1:])
        flat = [values.reshape(shape) for values in (reference, predicted)]
        rows = np.flatnonzero(~np.isnan(np.concatenate(flat, axis=1)).any(axis=1))
        return cls(rows, structure[rows], *(values[rows] for values in flat))

    def where(self, chosen: np.ndarray) -> Self:
        """Some of these rows."""
        return type(self)(
            self.row[chosen],
            self.structure[chosen],
            self.reference[chosen],
            self.predicted[chosen],
        )


def compute_metrics(
    evaluated: Tables | Iterable[EvaluatedStructure], n_resamples: int = 1000, seed: int = 0
) -> Metrics:
    """All figures of the module's docstring but ``n_parameters``, as finite JSON values.

    Args:
        evaluated: a test set with reference and predicted values.
        n_resamples: draws of the bootstrap; 0 for no intervals.
        seed: of the draws.
    """
    tables = evaluated if isinstance(evaluated, Tables) else tabulate(evaluated)
    bootstrap = Bootstrap(len(tables), n_resamples, seed)
    pools = _Pools.of(tables)
    metrics = {
        "n_structures": len(tables),
        "n_atoms": len(tables.numbers),
        "units": UNITS,
        "bootstrap": {"resamples": n_resamples, "confidence_percent": CONFIDENCE_PERCENT},
        **pools.summaries(bootstrap),
        "by_config_type": _of_structures(pools, _by_name(tables.config_type), bootstrap),
        "by_size": _of_structures(pools, _by_size(tables.n_atoms), bootstrap),
        "by_element": _of_atoms(pools.forces, _by_element(tables.numbers), bootstrap),
        "by_force_magnitude": _of_atoms(
            pools.forces, _by_magnitude(tables.reference.forces), bootstrap
        ),
    }
    bootstrap.run()
    return metrics


def component_summary(entries: Entries, bootstrap: Bootstrap) -> Metrics | None:
    """Errors of numbers; ``None`` if there are none."""
    if not entries.reference.size:
        return None
    difference = entries.predicted - entries.reference
    deviation = entries.reference - entries.reference.mean()
    spread = float(np.sum(deviation**2))
    std = float(np.sqrt(np.mean(deviation**2)))
    summary = _size_of_errors(np.abs(difference))
    summary |= {
        "r2": 1.0 - float(np.sum(difference**2)) / spread if spread > 0.0 else None,
        "reference_std": std,
        "relative_rmse_percent": 100.0 * summary["rmse"] / std if std > 0.0 else None,
    }
    terms = np.abs(difference), difference**2, deviation, deviation**2
    count = np.full(len(difference), difference.shape[1], dtype=np.float64)
    sums = np.stack([count, *(_sum_of_rows(term) for term in terms)], axis=1)
    bootstrap.add(summary, entries.structure, sums, _component_statistics)
    return summary


def vector_summary(entries: Entries, bootstrap: Bootstrap) -> Metrics | None:
    """Errors of vectors by the length of their difference, and their mean cosine."""
    if not entries.reference.size:
        return None
    reference, predicted = entries.reference, entries.predicted
    lengths = _lengths(reference) * _lengths(predicted)
    has_cosine = lengths > 0.0
    products = np.einsum("ni,ni->n", reference, predicted)
    cosines = np.divide(products, lengths, out=np.zeros_like(lengths), where=has_cosine)
    errors = _lengths(predicted - reference)
    summary = _size_of_errors(errors)
    summary["mean_cosine"] = float(cosines[has_cosine].mean()) if has_cosine.any() else None
    sums = np.stack([np.ones_like(errors), errors, errors**2, has_cosine, cosines], axis=1)
    bootstrap.add(summary, entries.structure, sums, _vector_statistics)
    return summary


def _sum_of_rows(values: np.ndarray) -> np.ndarray:
    """As ``values.sum(axis=1)``, in a tenth of the time where rows are short."""
    total: np.ndarray = np.einsum("nk->n", values)
    return total


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(_sum_of_rows(vectors**2))


def _size_of_errors(absolute: np.ndarray) -> Metrics:
    quantiles = np.percentile(absolute, QUANTILES_PERCENT).tolist()
    return {
        "count": int(absolute.size),
        "mae": float(absolute.mean()),
        "rmse": float(np.sqrt(np.mean(absolute**2))),
        "max": float(absolute.max()),
        "quantiles": dict(zip(map(str, QUANTILES_PERCENT), quantiles, strict=True)),
    }


def _component_statistics(totals: np.ndarray) -> dict[str, np.ndarray]:
    count, absolute, squares, deviation, deviation_squares = totals.T
    spread = deviation_squares - deviation**2 / count
    return {
        "mae": absolute / count,
        "rmse": np.sqrt(squares / count),
        # Of equal values, rounding leaves a spread that is not quite zero.
        "r2": 1.0 - squares / np.where(spread > 1e-12 * deviation_squares, spread, np.nan),
    }


def _vector_statistics(totals: np.ndarray) -> dict[str, np.ndarray]:
    count, absolute, squares, n_cosines, cosines = totals.T
    return {
        "mae": absolute / count,
        "rmse": np.sqrt(squares / count),
        "mean_cosine": cosines / n_cosines,
    }


@dataclass(frozen=True)
class _Pools:
    """The entries of all quantities."""

    energy: Entries
    energy_per_atom: Entries
    forces: Entries
    stress: Entries

    @classmethod
    def of(cls, tables: Tables) -> Self:
        structures = np.arange(len(tables))
        reference, predicted = tables.reference, tables.predicted
        energies = reference.interaction_energy, predicted.interaction_energy
        return cls(
            energy=Entries.known(structures, *energies),
            energy_per_atom=Entries.known(structures, *(e / tables.n_atoms for e in energies)),
            forces=Entries.known(tables.structure, reference.forces, predicted.forces),
            stress=Entries.known(structures, reference.stress, predicted.stress),
        )

    def of_structures(self, chosen: np.ndarray) -> Self:
        """The entries of some structures."""
        pools = {name: pool.where(chosen[pool.structure]) for name, pool in vars(self).items()}
        return type(self)(**pools)

    def summaries(self, bootstrap: Bootstrap) -> Metrics:
        return {
            "energy": component_summary(self.energy, bootstrap),
            "energy_per_atom": component_summary(self.energy_per_atom, bootstrap),
            **_force_summaries(self.forces, bootstrap),
            "stress": component_summary(self.stress, bootstrap),
        }


def _force_summaries(forces: Entries, bootstrap: Bootstrap) -> Metrics:
    return {
        "forces": component_summary(forces, bootstrap),
        "forces_vector": vector_summary(forces, bootstrap),
    }


def _of_structures(pools: _Pools, groups: Groups, bootstrap: Bootstrap) -> Metrics:
    return {
        name: {
            "n_structures": int(chosen.sum()),
            **pools.of_structures(chosen).summaries(bootstrap),
        }
        for name, chosen in groups
    }


def _of_atoms(forces: Entries, groups: Groups, bootstrap: Bootstrap) -> Metrics:
    found = ((name, forces.where(chosen[forces.row])) for name, chosen in groups)
    return {
        name: {"n_atoms": len(entries.row), **_force_summaries(entries, bootstrap)}
        for name, entries in found
        if len(entries.row)
    }


def _by_name(names: Sequence[str | None]) -> Groups:
    values = np.array([name or "" for name in names])
    known = np.array([name is not None for name in names], dtype=bool)
    return ((str(name), known & (values == name)) for name in np.unique(values[known]))


def _by_size(n_atoms: np.ndarray) -> Groups:
    """Groups that double: 1, 2, 3-4, 5-8, 9-16 and so on."""
    exponents = np.ceil(np.log2(n_atoms)).astype(int)
    for exponent in np.unique(exponents).tolist():
        low, high = 2**exponent // 2 + 1, 2**exponent
        yield str(high) if low >= high else f"{low}-{high}", exponents == exponent


def _by_element(numbers: np.ndarray) -> Groups:
    return ((chemical_symbols[z], numbers == z) for z in np.unique(numbers))


def _by_magnitude(forces: np.ndarray) -> Groups:
    lengths = _lengths(forces)
    ends = [*FORCE_MAGNITUDES[1:], np.inf]
    for low, high in zip(FORCE_MAGNITUDES, ends, strict=True):
        name = f"{low:g}-{high:g}" if np.isfinite(high) else f">{low:g}"
        yield name, (lengths >= low) & (lengths < high)
