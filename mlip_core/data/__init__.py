"""From files of structures to checked, split, sharded and batched graphs."""

from mlip_core.data.chemical_system import ChemicalSystem
from mlip_core.data.chemical_systems_readers import (
    ChemicalSystemsReader,
    CombinedReader,
    ExtxyzReader,
    Hdf5Reader,
)
from mlip_core.data.configs import ChemicalSystemsReaderConfig, GraphDatasetBuilderConfig
from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.data.graph_dataset_builder import GraphDatasetBuilder

__all__ = [
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
