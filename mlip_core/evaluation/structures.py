"""A test structure with its reference and predicted values."""

from dataclasses import dataclass

from ase import Atoms

from mlip_core.inference.values import Values

__all__ = ["EvaluatedStructure", "Values"]


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
