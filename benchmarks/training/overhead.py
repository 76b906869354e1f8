"""What checkpoints, logging and the bookkeeping of evaluations cost.

Epochs of a real training, of about five seconds and with everything switched on, take turns with
the same compiled steps and evaluation steps and nothing else.
"""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ase.build import molecule

from mlip_core.data import ChemicalSystem, DatasetInfo
from mlip_core.data.helpers import GraphDataset, create_graph_from_chemical_system
from mlip_core.models import ForceField
from mlip_core.models.loss import MSELoss
from mlip_core.models.registry import network_class
from mlip_core.training import (
    LogCategory,
    OptimizerConfig,
    TrainingIOHandler,
    TrainingLoop,
    get_default_mlip_optimizer,
    log_metrics_to_json_lines,
    log_metrics_to_line,
)
from mlip_core.training.batches import device_batches
from mlip_core.training.in_flight import InFlight
from mlip_core.training.training_state import snapshot

CUTOFF = 5.0
NETWORK = {"num_channels": 32, "l_max": 2, "correlation": 2, "num_layers": 2}
BATCH_SIZE = 10
N_VALIDATION = 50


class Repeated:
    """The batches of a dataset over and over, until an epoch has as many as it should."""

    def __init__(self, dataset: GraphDataset, n_batches: int) -> None:
        """Set the number of batches of an epoch."""
        self.dataset, self.n_batches = dataset, n_batches

    def __len__(self) -> int:
        return self.n_batches

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[Any]:
        """One epoch from ``start_batch`` on."""
        rounds = -(-self.n_batches // len(self.dataset))
        batches = (b for i in range(rounds) for b in self.dataset.epoch(number * rounds + i))
        for i, batch in zip(range(self.n_batches), batches, strict=False):
            if i >= start_batch:
                yield batch


class Stopwatch:
    """Times each epoch of a training and, after it, the same steps without anything else."""

    def __init__(self, loop: TrainingLoop, valid: GraphDataset, n_steps: int) -> None:
        self.loop, self.valid, self.n_steps = loop, valid, n_steps
        self.whole: list[float] = []
        self.bare: list[float] = []
        self._start = time.perf_counter()

    def log(self, category: LogCategory, to_log: dict[str, Any], epoch: int) -> None:
        """A logger, called last; best models are the last thing that an evaluation logs."""
        del to_log
        if category is not LogCategory.BEST_MODEL:
            return
        # Writing in the background takes time from the steps: wait for it, and count it.
        self.loop._io.wait_until_finished()
        if epoch > 0:
            self.whole.append(time.perf_counter() - self._start)
            self.bare.append(self._time_bare_epoch(epoch))
        self._start = time.perf_counter()

    def _time_bare_epoch(self, epoch: int) -> float:
        loop, sums = self.loop, None
        state, number = snapshot(loop.training_state), np.int32(epoch)
        start = time.perf_counter()
        in_flight = InFlight()
        for batch in device_batches(loop._train_dataset, epoch):
            state, sums, is_sound = loop._train_step(state, sums, batch, number)
            in_flight.add(is_sound)
        in_flight.drain()
        sums = None
        for batch in device_batches(self.valid, 0):
            sums, _ = loop._evaluation_step(sums, state.params, batch, number)
        jax.block_until_ready(sums)
        return time.perf_counter() - start


def measure_overhead(directory: Path, seconds: float, num_epochs: int) -> dict[str, float]:
    """Medians of the seconds of an epoch with and without everything else, and their ratio.

    Args:
        directory: where the training writes.
        seconds: how long an epoch should about take.
        num_epochs: how many to measure, after one that does not count.
    """
    info = DatasetInfo(
        atomic_energies_map={1: 0.0, 6: 0.0, 8: 0.0}, cutoff_distance_angstrom=CUTOFF
    )
    train, valid = _dataset(200, info, 0), _dataset(N_VALIDATION, info, 1)
    n_steps = round(seconds / _seconds_per_step(train, valid, info))
    loop = _loop(Repeated(train, n_steps), valid, info, num_epochs + 1, directory)
    stopwatch = Stopwatch(loop, valid, n_steps)
    loop._io.attach_logger(stopwatch.log)
    loop.run()
    whole, bare = stopwatch.whole[1:], stopwatch.bare[1:]
    ratios = [one / other for one, other in zip(whole, bare, strict=True)]
    return {
        "steps": n_steps,
        "epoch": statistics.median(whole),
        "steps only": statistics.median(bare),
        "overhead": statistics.median(ratios) - 1,
    }


def _seconds_per_step(train: GraphDataset, valid: GraphDataset, info: DatasetInfo) -> float:
    loop = _loop(train, valid, info, 2, None)
    loop.run()
    return float(loop.history.timing[-1]["runtime_in_seconds"]) / len(train)


def _loop(
    train: Any, valid: GraphDataset, info: DatasetInfo, num_epochs: int, directory: Path | None
) -> TrainingLoop:
    mace = network_class("mace")
    force_field = ForceField.from_mlip_network(mace(mace.Config(**NETWORK), info))
    options: dict[str, Any] = {}
    if directory is not None:
        options = {
            "local_model_output_dir": directory / "checkpoints",
            "metrics_csv": directory / "metrics.csv",
            "timing_csv": directory / "timing.csv",
        }
    io_handler = TrainingIOHandler(TrainingIOHandler.Config(**options))
    if directory is not None:
        io_handler.attach_logger(log_metrics_to_line)
        io_handler.attach_logger(log_metrics_to_json_lines(directory / "metrics.jsonl"))
    return TrainingLoop(
        train,
        valid,
        force_field,
        MSELoss(extended_metrics=True),
        get_default_mlip_optimizer(OptimizerConfig(peak_learning_rate=1e-4)),
        TrainingLoop.Config(num_epochs=num_epochs),
        io_handler,
    )


def _dataset(count: int, info: DatasetInfo, seed: int) -> GraphDataset:
    """Ethanol with random displacements; labels are arbitrary, they do not change the time."""
    rng = np.random.default_rng(seed)
    atoms = molecule("CH3CH2OH")
    graphs = []
    for _ in range(count):
        system = ChemicalSystem(
            atomic_numbers=atoms.numbers,
            atomic_species=np.searchsorted([1, 6, 8], atoms.numbers),
            positions=atoms.positions + rng.normal(0, 0.05, (len(atoms), 3)),
            energy=float(rng.normal()),
            forces=rng.normal(size=(len(atoms), 3)),
        )
        graphs.append(create_graph_from_chemical_system(system, CUTOFF))
    return GraphDataset(
        graphs,
        BATCH_SIZE,
        should_shuffle=seed == 0,
        seed=seed,
        atomic_energies=info.atomic_energies,
    )
