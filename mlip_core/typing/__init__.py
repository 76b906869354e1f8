"""Shared types: the graph of a batch of structures and what a model predicts for it."""

from mlip_core.typing.graph_definition import EdgeBlocks, GraphEdges, GraphGlobals, GraphNodes
from mlip_core.typing.prediction import Prediction

__all__ = ["EdgeBlocks", "GraphEdges", "GraphGlobals", "GraphNodes", "Prediction"]
