"""What a simulation has come to."""

from dataclasses import dataclass
from typing import Any

Array = Any


@dataclass
class SimulationState:
    """The trajectory so far, which loggers read; lists of arrays for a batch of structures.

    Attributes:
        atomic_numbers: ``[n_atoms]``.
        positions: ``[n_snapshots, n_atoms, 3]``, Å.
        forces: ``[n_snapshots, n_atoms, 3]``, eV/Å.
        velocities: ``[n_snapshots, n_atoms, 3]``, √(eV/u); ``None`` for minimisations, as the next
            two.
        temperature: ``[n_snapshots]``, K, of all 3 n degrees of freedom.
        kinetic_energy: ``[n_snapshots]``, eV.
        potential_energy: ``[n_snapshots]``, eV.
        step: number of steps so far.
        compute_time_seconds: time spent so far, without that of loggers.
    """

    atomic_numbers: Array | None = None
    positions: Array | None = None
    forces: Array | None = None
    velocities: Array | None = None
    temperature: Array | None = None
    kinetic_energy: Array | None = None
    step: int = 0
    compute_time_seconds: float = 0.0
    potential_energy: Array | None = None
