"""Graphs, neighbour lists, statistics and batches."""

from mlip_core.data.helpers.atomic_number_table import AtomicNumberTable
from mlip_core.data.helpers.edge_vectors import get_edge_relative_vectors
from mlip_core.data.helpers.graph_creation import create_graph_from_chemical_system
from mlip_core.data.helpers.graph_dataset import GraphDataset
from mlip_core.data.helpers.neighborhood import get_neighborhood

__all__ = [
    "AtomicNumberTable",
    "GraphDataset",
    "create_graph_from_chemical_system",
    "get_edge_relative_vectors",
    "get_neighborhood",
]
