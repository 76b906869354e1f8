"""A network together with its parameters."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import jax
import jax.numpy as jnp
import jraph
from flax import struct
from pydantic import BaseModel

from mlip_core.data.dataset_info import DatasetInfo
from mlip_core.models.mlip_network import MLIPNetwork
from mlip_core.models.predictor import ForceFieldPredictor
from mlip_core.typing import GraphEdges, GraphGlobals, GraphNodes, Prediction

Parameters = dict[str, Any]

# Initialisation runs once: optimising it takes longer than it could ever save.
_COMPILE_QUICKLY = {"xla_backend_optimization_level": 0}


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

        The forward pass that names and shapes the parameters is traced only, never run.
        """
        init = jax.jit(predictor.init, compiler_options=_COMPILE_QUICKLY)
        return cls(predictor, init(jax.random.key(seed), _smallest_graph()))

    @staticmethod
    def shapes_of(predictor: ForceFieldPredictor) -> Parameters:
        """The parameters of a predictor as shapes and types, without making any."""
        return jax.eval_shape(predictor.init, jax.random.key(0), _smallest_graph())

    def __call__(self, graph: jraph.GraphsTuple) -> Prediction:
        """Predict a batch; compiled once for each shape of batch."""
        return self._jitted(self.params, graph)

    @cached_property
    def _jitted(self) -> Callable[[Parameters, jraph.GraphsTuple], Prediction]:
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
    def config(self) -> BaseModel:
        """The network's hyperparameters."""
        return self.predictor.mlip_network.config

    @property
    def dataset_info(self) -> DatasetInfo:
        """What the network knows of its dataset."""
        return self.predictor.mlip_network.dataset_info


def _smallest_graph() -> jraph.GraphsTuple:
    """Two atoms and one padding graph: shapes are all that matters."""
    return jraph.GraphsTuple(
        nodes=GraphNodes(
            positions=jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
            species=jnp.zeros(3, jnp.int32),
        ),
        edges=GraphEdges(shifts=jnp.zeros((2, 3))),
        senders=jnp.array([0, 1]),
        receivers=jnp.array([1, 0]),
        globals=GraphGlobals(cell=jnp.zeros((2, 3, 3)), weight=jnp.array([1.0, 0.0])),
        n_node=jnp.array([2, 1]),
        n_edge=jnp.array([2, 0]),
    )
