"""Readers of structures."""

from mlip_core.data.chemical_systems_readers.chemical_systems_reader import ChemicalSystemsReader
from mlip_core.data.chemical_systems_readers.combined_reader import CombinedReader
from mlip_core.data.chemical_systems_readers.extxyz_reader import ExtxyzReader
from mlip_core.data.chemical_systems_readers.hdf5_reader import Hdf5Reader

__all__ = ["ChemicalSystemsReader", "CombinedReader", "ExtxyzReader", "Hdf5Reader"]
