from .atomic_number_table import AtomicNumberTable
from .edge_vectors import get_edge_relative_vectors
from .graph_creation import create_graph_from_chemical_system
from .graph_dataset import GraphDataset
from .neighborhood import get_neighborhood

__all__ = [
    "AtomicNumberTable",
    "GraphDataset",
    "create_graph_from_chemical_system",
    "get_edge_relative_vectors",
    "get_neighborhood",
]
