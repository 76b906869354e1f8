"""mlip 0.2: its own data path, training step and evaluation."""

import itertools
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
from mlip.data import ExtxyzReader, GraphDatasetBuilder
from mlip.models import ForceField, Mace, Nequip, Visnet
from mlip.models.loss import MSELoss
from mlip.training import get_default_mlip_optimizer
from mlip.training.ema import exponentially_moving_average
from mlip.training.training_state import init_training_state
from mlip.training.training_step import make_train_step
from mlip.typing.properties import Properties
from protocol import serve

NETWORKS = {"mace": Mace, "nequip": Nequip, "visnet": Visnet}
SINGLE = {"num_structures": 1, "batch_size": 1, "max_nodes": None, "max_edges": None}


class Program:
    """Data and model of a case."""

    def __init__(self, case: dict[str, Any]) -> None:
        self._case = case
        batches, info = load(case)
        self._batches = itertools.cycle(batches)

        network_class = NETWORKS[case["architecture"]]
        network = network_class(network_class.Config(**renamed(case["network"])), info)
        properties = Properties(energy=True, forces=True, stress=case["stress"])
        force_field = ForceField.from_mlip_network(network, properties)
        loss = MSELoss(stress_weight_schedule=lambda _: 1.0 if case["stress"] else 0.0)
        optimizer = get_default_mlip_optimizer()
        ema = exponentially_moving_average(0.99)
        self._state = init_training_state(force_field.params, optimizer, ema)
        self._step = make_train_step(
            force_field.predictor, loss, optimizer, ema, case["batch_size"], 1
        )
        self._predict = jax.jit(force_field.predictor.apply)
        self._params = force_field.params

    @cached_property
    def _singles(self) -> Iterator[Any]:
        """The first structure by itself; made when asked for, as the start is timed."""
        return itertools.cycle(load(self._case | SINGLE)[0])

    def describe(self) -> dict[str, Any]:
        """See ``protocol.Program``."""
        return {
            "versions": {name: version(name) for name in ("mlip", "jax", "jaxlib", "e3j")},
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(self._params)),
        }

    def run(self, task: str) -> Callable[[], int]:
        """See ``protocol.Program``."""
        if task == "train":
            batch = next(self._batches)
            self._state, metrics = self._step(self._state, batch, 1)
            jax.block_until_ready((self._state, metrics))
        else:
            batch = next(self._batches if task == "evaluate" else self._singles)
            jax.block_until_ready(self._predict(self._params, batch))
        return lambda: int(np.sum(batch.graph_mask()))

    def cost(self, task: str) -> dict[str, float]:
        """See ``protocol.Program``; the step compiles by itself."""
        del task
        return {}


def renamed(network: dict[str, Any]) -> dict[str, Any]:
    """Hyperparameters under the names of this series."""
    names = {"node_irreps": "target_irreps"}
    return {names.get(name, name): value for name, value in network.items()}


def load(case: dict[str, Any]) -> tuple[list[Any], Any]:
    """The batches of one epoch, on the device, and the statistics of the dataset."""
    reader = ExtxyzReader(case["file"], num_to_load=case["num_structures"])
    config = GraphDatasetBuilder.Config(
        graph_cutoff_angstrom=case["cutoff"],
        batch_size=case["batch_size"],
        max_n_node=case["max_nodes"],
        max_n_edge=case["max_edges"] and -(-case["max_edges"] // 2),
    )
    builder = GraphDatasetBuilder({"train": reader}, config, mode="custom")
    batches = list(builder.get_datasets()["train"])
    return jax.device_put(batches), builder.dataset_info["train"]


if __name__ == "__main__":
    serve(Program)
