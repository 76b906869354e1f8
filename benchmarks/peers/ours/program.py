"""This project's data path, training step and predictor, under the protocol of the benchmark.

If JAX has several devices, they share each training step, with a batch for each.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib.metadata import version
from typing import Any

import jax
import jraph
import numpy as np

from mlip_core.data import ExtxyzReader, GraphDatasetBuilder
from mlip_core.models import ForceField
from mlip_core.models.loss import MSELoss
from mlip_core.models.registry import network_class
from mlip_core.training import get_default_mlip_optimizer
from mlip_core.training.batches import device_batches
from mlip_core.training.ema import exponentially_moving_average
from mlip_core.training.parallel import mesh_of_all_devices, replicate
from mlip_core.training.training_state import init_training_state
from mlip_core.training.training_step import make_train_step

EPOCH = np.int32(1)
SINGLE = {"num_structures": 1, "batch_size": 1, "max_nodes": None, "max_edges": None}


class Program:
    """Data and model of a case."""

    def __init__(self, case: dict[str, Any]) -> None:
        self._case = case
        graphs, info = load(case)
        mesh = mesh_of_all_devices()
        self._batches = itertools.cycle(list(device_batches(graphs, 1, mesh=mesh)))
        self._edges = [
            int(graph.n_edge[jraph.get_graph_padding_mask(graph)].sum()) for graph in graphs
        ]

        network = network_class(case["architecture"])
        force_field = ForceField.from_mlip_network(
            network(network.Config(**case["network"]), info), predict_stress=case["stress"]
        )
        loss = MSELoss(stress_weight_schedule=lambda _: 1.0 if case["stress"] else 0.0)
        optimizer = get_default_mlip_optimizer()
        ema = exponentially_moving_average(0.99)
        self._force_field = force_field
        state = init_training_state(force_field.params, optimizer, ema)
        self._state = replicate(state, mesh)
        self._sums: Any = None
        self._step = make_train_step(force_field.predictor, loss, optimizer, ema, mesh=mesh)

    @cached_property
    def _singles(self) -> Iterator[Any]:
        """The first structure by itself; made when asked for, as the start is timed."""
        return itertools.cycle(jax.device_put(load(self._case | SINGLE)[0]))

    def describe(self) -> dict[str, Any]:
        """See ``protocol.Program``."""
        return {
            "versions": {name: version(name) for name in ("mlip-core", "jax", "jaxlib")},
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(self._force_field.params)),
            "edges": sum(self._edges) / len(self._edges),
        }

    def run(self, task: str) -> Callable[[], int]:
        """See ``protocol.Program``."""
        batch = self._next(task)
        if task == "train":
            self._state, self._sums, is_finite = self._step(self._state, self._sums, batch, EPOCH)
            jax.block_until_ready((self._state, self._sums, is_finite))
        else:
            jax.block_until_ready(self._predictor(task)(batch))
        return lambda: _count_structures(batch)

    def cost(self, task: str) -> dict[str, float]:
        """See ``protocol.Program``."""
        batch = self._next(task)
        if task == "train":
            lowered = self._step.lower(self._state, batch, EPOCH)
        else:
            lowered = self._predictor(task).lower(batch)
        counts = lowered.compile().cost_analysis()
        if counts is None:
            return {}
        return {"flops": counts["flops"], "bytes": counts["bytes accessed"]}

    def _predictor(self, task: str) -> ForceField:
        """With radial tables for single structures, as all calculators have them."""
        return self._force_field.tabulated if task == "single" else self._force_field

    def _next(self, task: str) -> Any:
        return next(self._singles if task == "single" else self._batches)


def load(case: dict[str, Any]) -> tuple[list[jraph.GraphsTuple], Any]:
    """The batches of one epoch and the statistics of the dataset."""
    reader = ExtxyzReader(
        ExtxyzReader.Config(
            train_dataset_paths=case["file"], train_num_to_load=case["num_structures"]
        )
    )
    config = GraphDatasetBuilder.Config(
        graph_cutoff_angstrom=case["cutoff"], batch_size=case["batch_size"]
    )
    builder = GraphDatasetBuilder(reader, config)
    builder.prepare_datasets()
    train = builder.get_splits()[0]
    return list(train), builder.dataset_info


def _count_structures(batch: jraph.GraphsTuple) -> int:
    """Of a batch, or of the batches of several devices."""
    mask = jraph.get_graph_padding_mask
    masks = mask(batch) if batch.n_node.ndim == 1 else jax.vmap(mask)(batch)
    return int(np.sum(masks))
