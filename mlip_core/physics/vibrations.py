"""Frequencies at the relaxed minimum, by finite differences of forces."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator

from mlip_core.physics.config import VibrationsConfig
from mlip_core.physics.relaxing import bare_copy, relax
from mlip_core.physics.result import CheckResult, Plot, Quantity
from mlip_core.physics.subject import Measurements, Subject, name_of

# The wave number, 1/cm, of a mode whose mass-weighted force constant is 1 eV/(Å² amu): ω / (2π c).
_PER_CM = (units._e * 1e20 / units._amu) ** 0.5 / (2 * np.pi * units._c * 100)

# As much as errors of 1e-5 eV/Å, those of forces in float32, make of a motion of hydrogen.
_NOISE_PER_CM = 20.0
_STEP_OFF_SADDLE = 0.2  # Å, of the atom that moves most
_MOST_SADDLES = 3

_PLOTS = (
    Plot(
        title="Frequencies",
        x="mode",
        y=["frequency_per_cm", "reference_per_cm"],
        x_label="Mode",
        y_label="Frequency, 1/cm (imaginary ones below 0)",
        group="structure",
    ),
)


def measure_vibrations(
    calculator: BaseCalculator, subject: Subject, config: VibrationsConfig
) -> Measurements:
    """Frequencies, 1/cm, of each structure, from the lowest; imaginary ones are negative.

    A relaxation may stop at a saddle point, most of all where a torsion is soft. Such a point is
    left along its mode, and the structure relaxed again. ``None`` if it does not relax.
    """
    return {
        name_of(atoms): _relaxed_frequencies(calculator, atoms, config)
        for atoms in subject.structures
    }


def check_vibrations(
    calculator: BaseCalculator, subject: Subject, config: VibrationsConfig, seed: int
) -> CheckResult:
    """Look for imaginary frequencies; compare with the reference calculator's."""
    del seed
    found = measure_vibrations(calculator, subject, config)
    return CheckResult.of_structures(
        quantities={
            name: _quantities(frequencies, subject.reference.get(name), config)
            for name, frequencies in found.items()
        },
        tables={
            name: _table(frequencies or [], subject.reference.get(name))
            for name, frequencies in found.items()
        },
        plots=_PLOTS,
        note=" ".join(f"{name} does not relax." for name in found if found[name] is None),
    )


class Modes(NamedTuple):
    """Normal modes of a structure, from the lowest.

    Attributes:
        frequencies: ``[n_modes]``, 1/cm; imaginary ones are negative.
        motions: ``[n_modes, n_atoms, 3]``, in which the atom that moves most moves by 1.
    """

    frequencies: np.ndarray
    motions: np.ndarray


def normal_modes(atoms: Atoms, displacement: float) -> Modes:
    """Modes of a structure at a stationary point.

    The Hessian is that of central differences, made symmetric. Motion as a whole (and, of a
    molecule, rotation) is projected out and has no mode: there are 3N - 6 for a molecule, 3N - 5
    for a linear one, 3N - 3 for a periodic structure (phonons at Γ).

    Args:
        atoms: with a calculator.
        displacement: by how much each atom is moved to either side, Å.
    """
    weights = np.repeat(atoms.get_masses(), 3) ** -0.5
    hessian = _hessian(atoms, displacement) * np.outer(weights, weights)
    internal = _internal_motions(atoms)
    constants, vectors = np.linalg.eigh(internal.T @ hessian @ internal)
    motions = (weights[:, None] * (internal @ vectors)).T.reshape(len(constants), -1, 3)
    largest = np.linalg.norm(motions, axis=2).max(axis=1)
    return Modes(
        frequencies=_PER_CM * np.sign(constants) * np.sqrt(np.abs(constants)),
        motions=motions / largest[:, None, None],
    )


def _hessian(atoms: Atoms, displacement: float) -> np.ndarray:
    """``[3 n_atoms, 3 n_atoms]``, eV/Å²."""
    system = bare_copy(atoms)
    system.calc = atoms.calc
    rows = []
    for index in np.ndindex(system.positions.shape):
        forces = []
        for sign in (1.0, -1.0):
            system.positions = atoms.positions
            system.positions[index] += sign * displacement
            forces.append(system.get_forces().ravel())
        rows.append((forces[1] - forces[0]) / (2.0 * displacement))
    hessian = np.array(rows)
    return (hessian + hessian.T) / 2.0


def _internal_motions(atoms: Atoms) -> np.ndarray:
    """An orthonormal basis ``[3 n_atoms, n_modes]`` of mass-weighted motions that are not rigid."""
    roots = np.sqrt(atoms.get_masses())[:, None]
    axes = np.eye(3)
    rigid = [roots * axis for axis in axes]
    if not atoms.pbc.any():
        arms = atoms.positions - atoms.get_center_of_mass()
        rigid += [roots * np.cross(axis, arms) for axis in axes]
    vectors, sizes, _ = np.linalg.svd(np.array(rigid).reshape(len(rigid), -1).T)
    # A linear molecule has no rotation about its axis.
    return vectors[:, int((sizes > 1e-4 * sizes[0]).sum()) :]


def _relaxed_frequencies(
    calculator: BaseCalculator, atoms: Atoms, config: VibrationsConfig
) -> list[float] | None:
    system, modes = bare_copy(atoms), None
    limits = config.relax_max_force_ev_per_angstrom, config.relax_max_steps
    for _ in range(1 + _MOST_SADDLES):
        relaxed = relax(system, calculator, *limits)
        if not relaxed.converged:
            break
        modes = normal_modes(relaxed.atoms, config.displacement_angstrom)
        if modes.frequencies.min(initial=0.0) > -_NOISE_PER_CM:
            break
        system.positions = relaxed.atoms.positions + _STEP_OFF_SADDLE * modes.motions[0]
    return None if modes is None else modes.frequencies.tolist()


def _quantities(
    frequencies: list[float] | None, reference: list[float] | None, config: VibrationsConfig
) -> list[Quantity]:
    values = np.array(frequencies or [np.nan])
    lowest = float(values.min())
    quantities = [
        Quantity.at_least("lowest frequency", lowest, -config.max_imaginary_per_cm, "1/cm"),
        Quantity.shown("highest frequency", float(values.max()), "1/cm"),
    ]
    if reference:
        same = len(values) == len(reference)
        errors = np.abs(values - np.array(reference)) if same else np.array([np.nan])
        limit = config.max_mean_error_per_cm
        quantities += [
            Quantity.at_most("mean absolute error", float(errors.mean()), limit, "1/cm"),
            Quantity.shown("largest error", float(errors.max()), "1/cm"),
        ]
    return quantities


def _table(frequencies: list[float], reference: list[float] | None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "mode": np.arange(1, len(frequencies) + 1),
            "frequency_per_cm": frequencies,
            "reference_per_cm": (reference or [np.nan] * len(frequencies))[: len(frequencies)],
        }
    )
