"""What is known of a structure, by its labels or by a model."""

from dataclasses import dataclass

import numpy as np


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
