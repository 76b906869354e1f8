"""A test structure with its reference and predicted values."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms


@dataclass(frozen=True)
class Values:
    """Energy, forces and stress of one structure; ``None`` for what is not there.

    Attributes:
        energy: total energy, eV.
        interaction_energy: ``energy`` minus the sum of atomic energies, eV. Kept apart, since a
            float32 model knows it to more digits than the total energy.
        forces: ``[n_atoms, 3]``, eV/Å.
        stress: ``[3, 3]``, eV/Å³, positive under tension.
    """

    energy: float | None = None
    interaction_energy: float | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None


@dataclass(frozen=True)
class EvaluatedStructure:
    """One structure of a test set.

    Attributes:
        atoms: elements, positions, cell and periodicity.
        reference: the labels.
        predicted: what the model says.
        source: where the structure comes from, ``"<file name>:<frame index>"``.
        config_type: the group it belongs to, if it says so.
    """

    atoms: Atoms
    reference: Values
    predicted: Values
    source: str = ""
    config_type: str | None = None

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.atoms)
