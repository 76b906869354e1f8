"""Relaxation from the reference minimum: how far does a potential lead away from it?"""

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from mlip_core.physics.config import RelaxationConfig
from mlip_core.physics.relaxing import Relaxed, relax
from mlip_core.physics.result import CheckResult, Plot, Quantity
from mlip_core.physics.subject import Subject, is_reference_minimum, name_of

_MEV = 1000.0

_PLOTS = (
    Plot(
        title="Energy during the relaxation",
        x="step",
        y=["energy_mev_per_atom"],
        x_label="Step",
        y_label="Energy - start, meV/atom",
        group="structure",
    ),
)


def check_relaxation(
    calculator: BaseCalculator, subject: Subject, config: RelaxationConfig, seed: int
) -> CheckResult:
    """Relax each structure and compare it with where it began."""
    del seed
    found = {
        name_of(atoms): (atoms, relax(atoms, calculator, *_limits(config)))
        for atoms in subject.structures
    }
    unknown = [name for name, (start, _) in found.items() if not is_reference_minimum(start)]
    return CheckResult.of_structures(
        quantities={name: _quantities(*pair, config) for name, pair in found.items()},
        tables={name: _table(relaxed) for name, (_, relaxed) in found.items()},
        plots=_PLOTS,
        note=(
            f"No reference minimum of {', '.join(unknown)}: distances are those from the"
            " structure with the lowest energy in the test set, and not judged."
            if unknown
            else ""
        ),
    )


def rmsd(moved: Atoms, start: Atoms) -> float:
    """Root mean square displacement of the atoms, Å, without motion as a whole.

    Of molecules, the rotation that makes it smallest is taken off (Kabsch, Acta Cryst. A32, 922
    (1976)); of periodic structures the translation only. The order of atoms is that of the start.
    """
    a = moved.positions - moved.positions.mean(axis=0)
    b = start.positions - start.positions.mean(axis=0)
    if not start.pbc.any():
        u, _, v = np.linalg.svd(a.T @ b)
        proper = np.diag([1.0, 1.0, np.linalg.det(u @ v)])
        a = a @ u @ proper @ v
    return float(np.sqrt(np.mean(np.sum((a - b) ** 2, axis=1))))


def _limits(config: RelaxationConfig) -> tuple[float, int]:
    return config.relax_max_force_ev_per_angstrom, config.relax_max_steps


def _quantities(start: Atoms, relaxed: Relaxed, config: RelaxationConfig) -> list[Quantity]:
    last = relaxed.steps[-1]
    distance = rmsd(relaxed.atoms, start) if np.isfinite(last).all() else float("nan")
    judged = is_reference_minimum(start)
    return [
        Quantity.at_most(
            "largest force at the end",
            last.max_force,
            config.relax_max_force_ev_per_angstrom,
            "eV/Å",
        ),
        Quantity.at_most("RMSD from the reference minimum", distance, config.max_rmsd_angstrom, "Å")
        if judged
        else Quantity.shown("RMSD from the start", distance, "Å"),
        Quantity.shown("steps", len(relaxed.steps) - 1),
    ]


def _table(relaxed: Relaxed) -> pd.DataFrame:
    energies = np.array([step.energy for step in relaxed.steps])
    return pd.DataFrame(
        {
            "step": np.arange(len(energies)),
            "energy_mev_per_atom": _MEV * (energies - energies[0]) / len(relaxed.atoms),
            "max_force_ev_per_angstrom": [step.max_force for step in relaxed.steps],
        }
    )
