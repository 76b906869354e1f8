"""Relaxation of atoms in a fixed cell."""

import os
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.optimize import BFGS, LBFGS

# BFGS diagonalises its Hessian in each step, and so goes downhill where the energy is no parabola,
# where L-BFGS may go to and fro; of larger structures this takes too long.
_MOST_ATOMS_OF_BFGS = 100


class RelaxationStep(NamedTuple):
    """A state on the way, the start included: eV and eV/Å."""

    energy: float
    max_force: float


class Relaxed(NamedTuple):
    """Where a relaxation ended.

    Attributes:
        atoms: the last structure, with its calculator.
        converged: whether no force is larger than was asked for.
        steps: the states on the way, from the start to the last.
    """

    atoms: Atoms
    converged: bool
    steps: list[RelaxationStep]


def bare_copy(atoms: Atoms, info: dict[str, Any] | None = None) -> Atoms:
    """The structure alone: without constraints, velocities, labels and calculator."""
    return Atoms(
        atoms.numbers,
        positions=atoms.positions,
        cell=atoms.cell,
        pbc=atoms.pbc,
        info=dict(atoms.info if info is None else info),
    )


def relax(atoms: Atoms, calculator: BaseCalculator, max_force: float, max_steps: int) -> Relaxed:
    """Relax a structure with BFGS, a large one with L-BFGS; it is not changed.

    J. Nocedal and S. Wright, Numerical Optimization, 2006, chapters 6 and 7.

    Args:
        atoms: the start; constraints and velocities are left behind.
        calculator: with energy and forces.
        max_force: where it ends, eV/Å: the largest force on an atom.
        max_steps: where it ends at the latest; or as soon as a number is not finite.
    """
    system = bare_copy(atoms)
    system.calc = calculator
    steps: list[RelaxationStep] = []
    optimize = BFGS if len(system) <= _MOST_ATOMS_OF_BFGS else LBFGS
    with optimize(system, logfile=os.devnull) as optimizer:
        for _ in optimizer.irun(fmax=max_force, steps=max_steps):
            steps.append(_state(system))
            if not np.isfinite(steps[-1]).all():
                break
    return Relaxed(system, bool(steps[-1].max_force < max_force), steps)


def _state(system: Atoms) -> RelaxationStep:
    forces = system.get_forces()
    return RelaxationStep(
        energy=float(system.get_potential_energy()),
        max_force=float(np.linalg.norm(forces, axis=1).max()),
    )
