"""A network together with its parameters."""

from functools import cached_property, partial
from typing import Any, Self

import flax.linen as nn
import jax
import jax.numpy as jnp
import jraph
import numpy as np
from flax import struct

from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.models import radial_tables
from mlip_core.models.initializers import draw_parameters
from mlip_core.models.mlip_network import MLIPNetwork
from mlip_core.models.network_config import NetworkConfig
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.typing import GraphEdges, GraphGlobals, GraphNodes, Prediction
from mlip_core.utils.garbage import collector_paused

Parameters = dict[str, Any]

# Initialisation runs once: optimising it takes longer than it could ever save.
_COMPILE_QUICKLY = {"xla_backend_optimization_level": 0}

# Of the mean distance of next neighbours: how close atoms come in a hot liquid.
_SHORTEST = 0.6


@struct.dataclass
class ForceField:
    """A force field: call it with a batch of structures.

    Attributes:
        predictor: the network and what is derived from its energy.
        params: the parameters, the argument of ``predictor.apply``.
    """

    predictor: ForceFieldPredictor = struct.field(pytree_node=False)
    params: Parameters

    @classmethod
    def from_mlip_network(
        cls, mlip_network: MLIPNetwork, predict_stress: bool = False, seed: int = 42
    ) -> Self:
        """Initialise the parameters of a network at random."""
        predictor = ForceFieldPredictor(mlip_network=mlip_network, predict_stress=predict_stress)
        return cls.init(predictor, seed)

    @classmethod
    def init(cls, predictor: ForceFieldPredictor, seed: int = 42) -> Self:
        """Initialise the parameters of a predictor at random.

        The forward pass that names and shapes the parameters is traced only, never run. Values are
        drawn on the host; only for a network with other initialisers than those of
        ``mlip_core.models.initializers`` is a program compiled that draws them.
        """
        predictor.mlip_network.atomic_energies()  # raises if they do not fit the dataset
        params = draw_parameters(_drawn_shapes(predictor), seed)
        if params is None:
            init = jax.jit(partial(_initialize, predictor), compiler_options=_COMPILE_QUICKLY)
            params = nn.meta.unbox(init(jax.random.key(seed), _smallest_graph()))
        return cls(predictor, params)

    @staticmethod
    def shapes_of(predictor: ForceFieldPredictor) -> Parameters:
        """The parameters of a predictor as shapes and types, without making any."""
        return nn.meta.unbox(_drawn_shapes(predictor))

    def __call__(self, graph: jraph.GraphsTuple) -> Prediction:
        """Predict a batch; compiled once for each shape of batch."""
        with collector_paused():  # the first call is traced
            return self._jitted(self.params, graph)

    def lower(self, graph: jraph.GraphsTuple) -> jax.stages.Lowered:
        """The program for batches of this shape, to look at or to compile ahead of the first."""
        with collector_paused():
            return self._jitted.lower(self.params, graph)

    @cached_property
    def tabulated(self) -> "ForceField":
        """The same force field, faster: functions of distances alone are taken from tables.

        For predictions in single precision with parameters that no longer change; see
        :mod:`~mlip_core.models.radial_tables`. It is saved like the one that it was made from,
        which it is itself if tables describe nothing of it.
        """
        if radial_tables.COLLECTION in self.params:
            return self
        shortest = _SHORTEST * (self.dataset_info.avg_r_min_angstrom or 1.0)
        tables = radial_tables.make_tables(self._values_by_length, shortest, self.cutoff_distance)
        # On the device, in the precision it works in: megabytes that each call would carry there.
        on_device = jax.tree.map(jnp.asarray, tables)
        return ForceField(self.predictor, self.params | on_device) if tables else self

    def _values_by_length(self, lengths: jax.Array) -> Parameters:
        """What the network computes from ``[n]`` lengths alone, Å, as variables of its modules."""
        vectors = jnp.stack([lengths, jnp.zeros_like(lengths), jnp.zeros_like(lengths)], axis=1)
        edges = np.zeros(len(lengths), np.int32)
        graph = _smallest_graph()._replace(senders=edges, receivers=edges + 1)
        params = jax.tree.map(partial(np.asarray, dtype=lengths.dtype), self.params)
        _, values = self.predictor.apply(
            params,
            graph,
            vectors,
            method=ForceFieldPredictor.node_energies,
            mutable=[radial_tables.VALUES],
        )
        return dict(values)

    @cached_property
    def _jitted(self) -> jax.stages.Wrapped:
        return jax.jit(self.predictor.apply)

    @property
    def cutoff_distance(self) -> float:
        """Cutoff, Å."""
        return self.dataset_info.cutoff_distance_angstrom

    @property
    def allowed_atomic_numbers(self) -> set[int]:
        """The elements that it knows."""
        return set(self.dataset_info.atomic_energies_map)

    @property
    def config(self) -> NetworkConfig:
        """The network's hyperparameters."""
        return self.predictor.mlip_network.config

    @property
    def dataset_info(self) -> DatasetInfo:
        """What the network knows of its dataset."""
        return self.predictor.mlip_network.dataset_info


def _drawn_shapes(predictor: ForceFieldPredictor) -> Parameters:
    key = jax.eval_shape(jax.random.key, 0)
    with collector_paused():
        return jax.eval_shape(partial(_initialize, predictor), key, _smallest_graph())


def _initialize(
    predictor: ForceFieldPredictor, key: jax.Array, graph: jraph.GraphsTuple
) -> Parameters:
    """Run the network alone, without the derivatives of its energy."""
    vectors = graph.nodes.positions[graph.receivers] - graph.nodes.positions[graph.senders]
    return dict(predictor.init(key, graph, vectors, method=ForceFieldPredictor.node_energies))


def _smallest_graph() -> jraph.GraphsTuple:
    """Two atoms and one padding graph: shapes are all that matters."""
    return jraph.GraphsTuple(
        nodes=GraphNodes(
            positions=np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0]], np.float32),
            species=np.zeros(3, np.int32),
        ),
        edges=GraphEdges(shifts=np.zeros((2, 3), np.float32)),
        senders=np.array([0, 1], np.int32),
        receivers=np.array([1, 0], np.int32),
        globals=GraphGlobals(
            cell=np.zeros((2, 3, 3), np.float32), weight=np.array([1, 0], np.float32)
        ),
        n_node=np.array([2, 1], np.int32),
        n_edge=np.array([2, 0], np.int32),
    )
