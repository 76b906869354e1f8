from .chemical_systems_reader import ChemicalSystemsReader
from .combined_reader import CombinedReader
from .extxyz_reader import ExtxyzReader
from .hdf5_reader import Hdf5Reader

__all__ = [
    "ChemicalSystemsReader",
    "CombinedReader",
    "ExtxyzReader",
    "Hdf5Reader",
]
