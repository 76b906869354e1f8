"""What a force field predicts for a batch of structures."""

from typing import Any

from flax import struct

Array = Any


@struct.dataclass
class Prediction:
    """Predicted properties of a batch; a field that was not asked for is ``None``.

    Attributes:
        energy: ``[n_graphs]``, eV, total energy.
        forces: ``[n_nodes, 3]``, eV/Å.
        stress: ``[n_graphs, 3, 3]``, eV/Å³, symmetric, positive under tension.
        pressure: ``[n_graphs]``, eV/Å³, minus a third of the trace of the stress.
        interaction_energy: ``[n_graphs]``, eV, energy minus the sum of atomic energies; keeps the
            digits that a float32 total energy loses.
        node_energies: ``[n_nodes]``, eV, each atom's part of the interaction energy.
    """

    energy: Array | None = None
    forces: Array | None = None
    stress: Array | None = None
    pressure: Array | None = None
    interaction_energy: Array | None = None
    node_energies: Array | None = None
