from .ase_reader import AseReader
from .chemical_systems_reader import ChemicalSystemsReader
from .combined_reader import CombinedReader
from .extxyz_reader import ExtxyzReader
from .hdf5_reader import Hdf5Reader

__all__ = ["AseReader", "ChemicalSystemsReader", "CombinedReader", "ExtxyzReader", "Hdf5Reader"]
