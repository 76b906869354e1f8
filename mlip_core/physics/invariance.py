"""Structures that are the same for physics: energies have to agree, forces to go along."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from scipy.spatial.transform import Rotation

from mlip_core.physics.config import InvarianceConfig
from mlip_core.physics.relaxing import bare_copy
from mlip_core.physics.result import CheckResult, Quantity
from mlip_core.physics.subject import Subject, name_of
from mlip_core.utils.seeds import derive_seed

_MEV = 1000.0


class _Moved(NamedTuple):
    """A structure, and how its forces belong to those of the original: ``(forces @ matrix)``."""

    atoms: Atoms
    order: np.ndarray
    matrix: np.ndarray


_Operation = Callable[[Atoms, np.random.Generator, InvarianceConfig], _Moved]


def check_invariance(
    calculator: BaseCalculator, subject: Subject, config: InvarianceConfig, seed: int
) -> CheckResult:
    """Compare each structure with itself, moved."""
    tables = {
        name_of(atoms): pd.DataFrame(_rows(calculator, atoms, config, seed))
        for atoms in subject.structures
    }
    return CheckResult.of_structures(
        quantities={name: list(_quantities(table, config)) for name, table in tables.items()},
        tables=tables,
    )


def _quantities(table: pd.DataFrame, config: InvarianceConfig) -> Iterator[Quantity]:
    # `max` leaves out what is not a number.
    energy = table.groupby("operation", sort=False)["energy_error_mev_per_atom"]
    for operation, errors in energy:
        yield Quantity.at_most(
            f"change of the energy, {operation}",
            float(errors.max(skipna=False)),
            config.max_energy_error_mev_per_atom,
            "meV/atom",
        )
    force = table.groupby("operation", sort=False)["force_error_mev_per_angstrom"]
    for operation, errors in force:
        yield Quantity.at_most(
            f"change of the forces, {operation}",
            float(errors.max(skipna=False)),
            config.max_force_error_mev_per_angstrom,
            "meV/Å",
        )


def _rows(
    calculator: BaseCalculator, atoms: Atoms, config: InvarianceConfig, seed: int
) -> Iterator[dict[str, object]]:
    energy, forces = _calculate(calculator, atoms)
    for name, operation in _OPERATIONS.items():
        for number in range(config.operations):
            rng = np.random.default_rng(derive_seed(seed, "invariance", name, number))
            moved = operation(atoms, rng, config)
            moved_energy, moved_forces = _calculate(calculator, moved.atoms)
            expected = (forces @ moved.matrix)[moved.order]
            yield {
                "operation": name,
                "energy_error_mev_per_atom": _MEV * abs(moved_energy - energy) / len(atoms),
                "force_error_mev_per_angstrom": _MEV * np.abs(moved_forces - expected).max(),
            }


def _calculate(calculator: BaseCalculator, atoms: Atoms) -> tuple[float, np.ndarray]:
    system = bare_copy(atoms)
    system.calc = calculator
    forces = np.asarray(system.get_forces(), dtype=np.float64)
    return float(system.get_potential_energy()), forces


def _rotate(atoms: Atoms, rng: np.random.Generator, config: InvarianceConfig) -> _Moved:
    del config
    return _transformed(atoms, Rotation.random(rng=rng).as_matrix())


def _reflect(atoms: Atoms, rng: np.random.Generator, config: InvarianceConfig) -> _Moved:
    del config
    normal = rng.standard_normal(3)
    normal /= np.linalg.norm(normal)
    return _transformed(atoms, np.eye(3) - 2.0 * np.outer(normal, normal))


def _transformed(atoms: Atoms, matrix: np.ndarray) -> _Moved:
    """Positions and cell, as rows, times an orthogonal matrix."""
    moved = bare_copy(atoms)
    moved.set_cell(atoms.cell.array @ matrix)
    moved.set_positions(atoms.positions @ matrix)
    return _Moved(moved, np.arange(len(atoms)), matrix)


def _shift(atoms: Atoms, rng: np.random.Generator, config: InvarianceConfig) -> _Moved:
    moved = bare_copy(atoms)
    moved.positions += rng.uniform(-1.0, 1.0, 3) * config.max_shift_angstrom
    return _Moved(moved, np.arange(len(atoms)), np.eye(3))


def _permute(atoms: Atoms, rng: np.random.Generator, config: InvarianceConfig) -> _Moved:
    del config
    order = rng.permutation(len(atoms))
    return _Moved(bare_copy(atoms[order]), order, np.eye(3))


_OPERATIONS: dict[str, _Operation] = {
    "rotation": _rotate,
    "reflection": _reflect,
    "translation": _shift,
    "permutation": _permute,
}
