from .chemical_system import ChemicalSystem
from .chemical_systems_readers import (
    AseReader,
    ChemicalSystemsReader,
    CombinedReader,
    ExtxyzReader,
    Hdf5Reader,
)
from .configs import ChemicalSystemsReaderConfig, GraphDatasetBuilderConfig
from .dataset_info import DatasetInfo
from .graph_dataset_builder import GraphDatasetBuilder

__all__ = [
    "AseReader",
    "ChemicalSystem",
    "ChemicalSystemsReader",
    "ChemicalSystemsReaderConfig",
    "CombinedReader",
    "DatasetInfo",
    "ExtxyzReader",
    "GraphDatasetBuilder",
    "GraphDatasetBuilderConfig",
    "Hdf5Reader",
]
