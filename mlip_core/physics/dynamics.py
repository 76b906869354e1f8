"""Velocities and temperature without motion as a whole."""

import numpy as np
from ase import Atoms, units

# A moment of inertia below this share of the largest one is that of a linear molecule's axis.
_LINEAR = 1e-6


def draw_velocities(atoms: Atoms, temperature_kelvin: float, seed: int) -> None:
    """Give ``atoms`` thermal velocities without motion as a whole, of exactly this temperature.

    They are drawn from the Maxwell-Boltzmann distribution; centre-of-mass motion, and for a
    molecule rotation as a whole, are removed; then they are scaled.
    """
    masses = atoms.get_masses()[:, None]
    normal = np.random.default_rng(seed).standard_normal((len(atoms), 3))
    velocities = np.sqrt(units.kB * temperature_kelvin / masses) * normal
    velocities -= (masses * velocities).sum(axis=0) / masses.sum()
    if not atoms.pbc.any():
        velocities -= _rigid_rotation(atoms, velocities)
    atoms.set_velocities(velocities)
    atoms.set_velocities(velocities * np.sqrt(temperature_kelvin / internal_temperature(atoms)))


def internal_temperature(atoms: Atoms) -> float:
    """Temperature, K, without translation and, for a molecule, rotation as a whole."""
    return float(
        2.0 * atoms.get_kinetic_energy() / (_internal_degrees_of_freedom(atoms) * units.kB)
    )


def _rigid_rotation(atoms: Atoms, velocities: np.ndarray) -> np.ndarray:
    """The rigid rotation ``[n_atoms, 3]`` that has the angular momentum of ``velocities``."""
    masses = atoms.get_masses()
    arms = atoms.positions - atoms.get_center_of_mass()
    inertia = np.einsum("n,nk,nk->", masses, arms, arms) * np.eye(3)
    inertia -= np.einsum("n,ni,nj->ij", masses, arms, arms)
    angular_momentum = np.einsum("n,ni->i", masses, np.cross(arms, velocities))
    # The pseudo-inverse: a linear molecule has no moment of inertia about its axis.
    omega = np.linalg.pinv(inertia, rcond=_LINEAR, hermitian=True) @ angular_momentum
    return np.cross(omega, arms)


def _internal_degrees_of_freedom(atoms: Atoms) -> int:
    translations = 3
    if atoms.pbc.any():
        return 3 * len(atoms) - translations
    moments = atoms.get_moments_of_inertia()
    rotations = int((moments > _LINEAR * moments.max()).sum())
    return 3 * len(atoms) - translations - rotations
