"""Snapshots of structures, kept in arrays that are allocated once."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms, units

from mlip_core.simulation.state import SimulationState


class Trajectory:
    """The snapshots of one structure.

    Args:
        atoms: the structure.
        n_snapshots: how many there will be at most.
        with_velocities: whether it moves with velocities.
    """

    def __init__(self, atoms: Atoms, n_snapshots: int, with_velocities: bool) -> None:
        self._numbers = atoms.numbers.copy()
        self._masses = atoms.get_masses()[:, None]
        shape = n_snapshots, len(atoms), 3
        # Memory that is not written to is not taken from the system.
        self._positions = np.empty(shape)
        self._forces = np.empty(shape)
        self._velocities = np.empty(shape) if with_velocities else None
        self._energies = np.empty(n_snapshots)
        self._length = 0

    def append(
        self,
        positions: np.ndarray,
        forces: np.ndarray,
        velocities: np.ndarray,
        energies: np.ndarray,
    ) -> None:
        """Add some snapshots: arrays ``[n, n_atoms, 3]``, energies ``[n]``, eV."""
        rows = slice(self._length, self._length + len(energies))
        self._positions[rows] = positions
        self._forces[rows] = forces
        self._energies[rows] = energies
        if self._velocities is not None:
            self._velocities[rows] = velocities
        self._length = rows.stop

    def values(self) -> dict[str, np.ndarray | None]:
        """The fields of ``SimulationState``."""
        velocities = None if self._velocities is None else self._velocities[: self._length]
        kinetic = None if velocities is None else kinetic_energy(velocities, self._masses)
        return {
            "atomic_numbers": self._numbers,
            "positions": self._positions[: self._length],
            "forces": self._forces[: self._length],
            "velocities": velocities,
            "kinetic_energy": kinetic,
            "temperature": None if kinetic is None else temperature(kinetic, len(self._numbers)),
            "potential_energy": self._energies[: self._length],
        }


def kinetic_energy(velocities: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """eV, of velocities ``[..., n_atoms, 3]`` and masses ``[n_atoms, 1]``."""
    return 0.5 * (masses * velocities.astype(np.float64) ** 2).sum(axis=(-2, -1))


def temperature(kinetic: np.ndarray, n_atoms: int) -> np.ndarray:
    """K, of kinetic energies in eV that three degrees of freedom of each atom have."""
    return 2.0 * kinetic / (3 * n_atoms * units.kB)


def fill(state: SimulationState, trajectories: Sequence[Trajectory], as_lists: bool) -> None:
    """Show the snapshots so far in a state, those of several structures as lists."""
    values = [trajectory.values() for trajectory in trajectories]
    for name, first in values[0].items():
        several = None if first is None else [own[name] for own in values]
        setattr(state, name, several if as_lists else first)
