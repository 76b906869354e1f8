"""One structure with its labels."""

from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, field_validator, model_validator


class ChemicalSystem(BaseModel):
    """A structure, its reference labels and its weight in the loss.

    Attributes:
        atomic_numbers: ``[n_nodes]``.
        atomic_species: ``[n_nodes]``, index of each element among the elements of the dataset.
        positions: ``[n_nodes, 3]``, Å.
        energy: eV.
        forces: ``[n_nodes, 3]``, eV/Å.
        stress: ``[3, 3]``, eV/Å³, positive under tension.
        cell: ``[3, 3]``, rows are the cell vectors, Å.
        pbc: which cell vectors are periodic.
        weight: weight in the loss.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    atomic_numbers: np.ndarray
    atomic_species: np.ndarray
    positions: np.ndarray
    energy: float | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    cell: np.ndarray | None = None
    pbc: tuple[bool, bool, bool] | None = None
    weight: float = 1.0

    @field_validator("cell")
    @classmethod
    def validate_cell_shape(cls, value: np.ndarray | None) -> np.ndarray | None:
        """Raise ``ValueError`` unless the cell has shape ``[3, 3]``."""
        return _require_3x3("cell", value)

    @field_validator("stress")
    @classmethod
    def validate_stress_shape(cls, value: np.ndarray | None) -> np.ndarray | None:
        """Raise ``ValueError`` unless the stress has shape ``[3, 3]``."""
        return _require_3x3("stress", value)

    @model_validator(mode="after")
    def validate_variable_shapes(self) -> Self:
        """Raise ``ValueError`` unless all per-atom arrays have one row per atom."""
        n_nodes = len(self.atomic_numbers)
        expected = {
            "atomic_numbers": (n_nodes,),
            "atomic_species": (n_nodes,),
            "positions": (n_nodes, 3),
            "forces": (n_nodes, 3),
        }
        for name, shape in expected.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} must have shape {shape}, not {value.shape}")
        return self


def _require_3x3(name: str, value: np.ndarray | None) -> np.ndarray | None:
    if value is not None and value.shape != (3, 3):
        raise ValueError(f"{name} must have shape (3, 3), not {value.shape}")
    return value
