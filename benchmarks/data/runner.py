"""From a file of structures to batches, by the classes that this project and mlip 0.1 share.

Runs in the environment of either: which one it is comes with the case as ``library``.
"""

import importlib
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from typing import Any

import jraph
import numpy as np
from protocol import serve

VERSIONS = {"mlip_core": "mlip-core", "mlip": "mlip"}


class Program:
    """A file and how it is batched."""

    def __init__(self, case: dict[str, Any]) -> None:
        self._case = case
        self._data = importlib.import_module(f"{case['library']}.data")

    def describe(self) -> dict[str, Any]:
        """See ``protocol.Program``."""
        name = VERSIONS[self._case["library"]]
        batches = list(self._prepared)
        real = [batch.n_edge[jraph.get_graph_padding_mask(batch)].sum() for batch in batches]
        return {
            "versions": {name: version(name)},
            "batches": len(batches),
            "filled_edges": float(np.sum(real) / sum(len(batch.senders) for batch in batches)),
        }

    def run(self, task: str) -> Callable[[], int]:
        """See ``protocol.Program``: "prepare" from the file on, "assemble" batches alone."""
        dataset = self._prepare() if task == "prepare" else self._prepared
        batches = list(dataset)
        return lambda: sum(int(jraph.get_graph_padding_mask(batch).sum()) for batch in batches)

    def cost(self, task: str) -> dict[str, float]:
        """See ``protocol.Program``; nobody counts."""
        del task
        return {}

    @cached_property
    def _prepared(self) -> Any:
        return self._prepare()

    def _prepare(self) -> Any:
        data, case = self._data, self._case
        reader = data.ExtxyzReader(
            data.ExtxyzReader.Config(
                train_dataset_paths=case["file"], train_num_to_load=case["num_structures"]
            )
        )
        config = data.GraphDatasetBuilder.Config(
            graph_cutoff_angstrom=case["cutoff"], batch_size=case["batch_size"]
        )
        builder = data.GraphDatasetBuilder(reader, config)
        builder.prepare_datasets()
        return builder.get_splits()[0]


if __name__ == "__main__":
    serve(Program)
