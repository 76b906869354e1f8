"""The smallest batch that a model accepts."""

import jraph
import numpy as np

from mlip_core.typing import GraphEdges, GraphGlobals, GraphNodes


def get_dummy_graph_for_model_init() -> jraph.GraphsTuple:
    """A batch of one atom and one padding graph, for the initialisation of parameters."""
    return jraph.GraphsTuple(
        nodes=GraphNodes(
            positions=np.zeros((2, 3), dtype=np.float32),
            species=np.zeros(2, dtype=np.int32),
            forces=np.zeros((2, 3), dtype=np.float32),
        ),
        edges=GraphEdges(shifts=np.zeros((2, 3), dtype=np.float32)),
        senders=np.array([0, 1], dtype=np.int32),
        receivers=np.array([0, 1], dtype=np.int32),
        globals=GraphGlobals(
            cell=np.zeros((2, 3, 3), dtype=np.float32),
            weight=np.array([1.0, 0.0], dtype=np.float32),
            energy=np.zeros(2, dtype=np.float32),
            stress=np.zeros((2, 3, 3), dtype=np.float32),
        ),
        n_node=np.array([1, 1], dtype=np.int32),
        n_edge=np.array([1, 1], dtype=np.int32),
    )
