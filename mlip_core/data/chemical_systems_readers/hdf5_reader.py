"""Structures from HDF5 files, one group per structure."""

from itertools import islice
from pathlib import Path
from typing import Any

import ase
import h5py
import numpy as np

from mlip_core.data.chemical_systems_readers.chemical_systems_reader import ChemicalSystemsReader
from mlip_core.data.chemical_systems_readers.extxyz_reader import system_from_frame
from mlip_core.data.chemical_systems_readers.utils import Systems
from mlip_core.data.frames import LabelKeys, frame_from_atoms
from mlip_core.utils.errors import UserError

_LABELS = LabelKeys()


class Hdf5Reader(ChemicalSystemsReader):
    """Reads HDF5 files with one group per structure.

    A group has the datasets ``positions`` (``[n_atoms, 3]``, Å), ``elements`` (atomic numbers) and
    ``forces`` (eV/Å), optionally ``stress`` (eV/Å³), ``cell`` (Å) and ``pbc``, and the attribute
    ``energy`` (eV).
    """

    def read_file(self, path: Path, limit: int | None) -> Systems:
        """Read at most ``limit`` structures of a file, in the order of the groups' names."""
        if not path.is_file():
            raise UserError(f"{path}: no such file; check the path in the config")
        try:
            with h5py.File(path, "r") as file:
                groups = islice(file.items(), limit)
                return [_system(path, i, name, group) for i, (name, group) in enumerate(groups)]
        except OSError as error:
            raise UserError(f"{path}: not a readable HDF5 file ({error})") from None


def _system(path: Path, index: int, name: str, group: Any) -> Any:
    place = f"{path}/{name}"
    if not isinstance(group, h5py.Group):
        raise UserError(f"{place}: is not a group; each structure must be a group of datasets")
    for key in ("positions", "elements"):
        if key not in group:
            raise UserError(f"{place}: no dataset {key}; there are {', '.join(group) or 'none'}")
    cell = np.array(group["cell"]) if "cell" in group else None
    periodic = np.array(group["pbc"], dtype=bool) if "pbc" in group else cell is not None
    atoms = ase.Atoms(
        numbers=np.array(group["elements"], dtype=int),
        positions=np.array(group["positions"], dtype=float),
        cell=cell,
        pbc=periodic,
    )
    for key in ("forces", "stress"):
        if key in group:
            atoms.info[key] = np.array(group[key], dtype=float)
    if "energy" in group.attrs:
        atoms.info["energy"] = group.attrs["energy"]
    return system_from_frame(frame_from_atoms(atoms, _LABELS, file=place, index=index))
