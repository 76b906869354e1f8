"""One of several processes that train together: ``RANK COUNT PORT DIRECTORY NUM_EPOCHS [SECONDS]``.

Each has two devices. ``SECONDS`` is how long a batch takes to be read; if given, the dataset has
epochs as a whole only. It says ``ready`` when training begins, and at the end prints what all
processes have to agree on, how often its own logger was called and how many batches it has made.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import jax
import numpy as np
import optax

from mlip_core.data.helpers import GraphDataset
from mlip_core.training.packing import digest, pack
from mlip_core.utils.stopping import EXIT_RESUME, StoppedError
from tests.training.several_devices import SHAPES
from tests.training.tiny import make_dataset, make_loop


class SlowDataset:
    """Batches that take a while."""

    def __init__(self, dataset: Any, seconds: float) -> None:
        self.dataset, self.seconds = dataset, seconds

    def __len__(self) -> int:
        return len(self.dataset)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Any]:
        for batch in self.dataset.epoch(number, start_batch):
            time.sleep(self.seconds)
            yield batch


def count_batches(dataset: GraphDataset, counts: list[int]) -> GraphDataset:
    """The dataset, which from now on counts in ``counts[0]`` the batches that it makes."""
    assemble = dataset._assembler

    def counted(rows: np.ndarray) -> Any:
        counts[0] += 1
        return assemble(rows)

    dataset.__dict__["_assembler"] = counted
    return dataset


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(
    rank: int, count: int, port: int, directory: Path, num_epochs: int, seconds: float
) -> None:
    if count > 1:
        jax.distributed.initialize(f"localhost:{port}", count, rank)
    n_devices = len(jax.devices())
    made = [0]
    dataset = count_batches(make_dataset(13, 4 // n_devices, **SHAPES), made)
    loop = make_loop(
        directory,
        num_epochs,
        train_dataset=SlowDataset(dataset, seconds) if seconds else dataset,
        optimizer=optax.sgd(1e-3),
        should_parallelize=True,
    )
    calls: list[int] = []
    loop._io.attach_logger(lambda category, to_log, epoch: calls.append(epoch))
    say("ready")
    start = loop._position.finished_epochs
    try:
        loop.run()
    except StoppedError:
        say(json.dumps({"position": [loop._position.epoch, loop._position.step]}))
        sys.exit(EXIT_RESUME)
    best = jax.device_get(loop.best_model.params)
    results = {
        "start": start,
        "state": digest(pack(jax.device_get(loop.training_state))[0]),
        "best": digest(pack(best)[0]),
        "metrics": loop.history.metrics,
    }
    say(json.dumps({"results": results, "calls": len(calls), "made": made[0]}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), Path(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6]))
