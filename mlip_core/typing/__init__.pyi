from .graph_definition import EdgeBlocks, GraphEdges, GraphGlobals, GraphNodes
from .prediction import Prediction

__all__ = [
    "EdgeBlocks",
    "GraphEdges",
    "GraphGlobals",
    "GraphNodes",
    "Prediction",
]
