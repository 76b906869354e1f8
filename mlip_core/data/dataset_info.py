"""What a model has to know about the dataset that it was trained on."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers as number_of_symbol
from ase.data import chemical_symbols
from pydantic import BaseModel, ValidationError, field_validator

from mlip_core.data.helpers.atomic_energies import compute_average_e0s_from_graphs
from mlip_core.data.helpers.atomic_number_table import AtomicNumberTable
from mlip_core.data.helpers.neighbor_analysis import (
    compute_avg_min_neighbor_distance,
    compute_avg_num_neighbors,
)
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import write_json

if TYPE_CHECKING:
    import jraph

_LARGEST_ATOMIC_NUMBER = max(number_of_symbol.values())


class DatasetInfo(BaseModel):
    """Elements, atomic energies and scales of a dataset.

    Attributes:
        atomic_energies_map: atomic energy in eV by atomic number; the elements that a model knows.
            An element's species index is its place in the ascending order of atomic numbers.
        cutoff_distance_angstrom: cutoff of the graphs, Å.
        avg_num_neighbors: mean number of neighbours of an atom; atoms without neighbours count.
        avg_r_min_angstrom: mean over structures of the smallest distance of two atoms, Å; ``None``
            if no structure has two atoms within the cutoff.
        scaling_mean: added to each atom's scaled energy, eV.
        scaling_stdev: factor on each atom's energy as the network gives it.
    """

    atomic_energies_map: dict[int, float]
    cutoff_distance_angstrom: float
    avg_num_neighbors: float = 1.0
    avg_r_min_angstrom: float | None = None
    scaling_mean: float = 0.0
    scaling_stdev: float = 1.0

    @field_validator("atomic_energies_map")
    @classmethod
    def validate_atomic_numbers(cls, v: dict[int, float]) -> dict[int, float]:
        """Raise ``ValueError`` unless every key is an element and every energy finite; sort by
        key.
        """
        for z, energy in v.items():
            if not 1 <= z <= _LARGEST_ATOMIC_NUMBER:
                raise ValueError(f"{z} is not an atomic number")
            if not math.isfinite(energy):
                raise ValueError(f"the atomic energy of {chemical_symbols[z]} is not finite")
        return dict(sorted(v.items()))

    @property
    def z_table(self) -> AtomicNumberTable:
        """Atomic numbers to species indices."""
        return AtomicNumberTable(list(self.atomic_energies_map))

    @property
    def atomic_energies(self) -> np.ndarray:
        """``[n_species]``, eV, float64, in order of species."""
        return np.array(list(self.atomic_energies_map.values()), dtype=np.float64)

    def __str__(self) -> str:
        energies = {chemical_symbols[z]: e for z, e in self.atomic_energies_map.items()}
        r_min = self.avg_r_min_angstrom
        return (
            f"Atomic energies: {energies}, average number of neighbours:"
            f" {self.avg_num_neighbors:.2f}, average smallest distance:"
            f" {'none' if r_min is None else f'{r_min:.2f} Å'}, cutoff:"
            f" {self.cutoff_distance_angstrom} Å"
        )


def compute_dataset_info_from_graphs(
    graphs: "list[jraph.GraphsTuple]",
    cutoff_distance_angstrom: float,
    z_table: AtomicNumberTable,
    avg_num_neighbors: float | None = None,
    avg_r_min_angstrom: float | None = None,
) -> DatasetInfo:
    """Statistics of unbatched graphs; what is given is not computed.

    Atomic energies are those of :func:`compute_average_e0s_from_graphs`. Sums are exact, so the
    order of the graphs does not matter.
    """
    energies = compute_average_e0s_from_graphs(graphs, z_table)
    if avg_num_neighbors is None:
        avg_num_neighbors = compute_avg_num_neighbors(graphs)
    if avg_r_min_angstrom is None:
        avg_r_min_angstrom = compute_avg_min_neighbor_distance(graphs)
    return DatasetInfo(
        atomic_energies_map={z_table.index_to_z(i): energy for i, energy in energies.items()},
        cutoff_distance_angstrom=cutoff_distance_angstrom,
        avg_num_neighbors=avg_num_neighbors,
        avg_r_min_angstrom=avg_r_min_angstrom,
    )


def write_dataset_info(path: str | os.PathLike[str], info: DatasetInfo) -> None:
    """Write as JSON."""
    write_json(path, info.model_dump(mode="json"))


def read_dataset_info(path: str | os.PathLike[str]) -> DatasetInfo:
    """Read what :func:`write_dataset_info` wrote.

    Raises:
        UserError: if the file is missing or holds something else.
    """
    try:
        return DatasetInfo.model_validate_json(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; prepare the dataset first") from None
    except (ValidationError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise UserError(f"{path}: not a dataset_info.json ({first}); make it again") from None
