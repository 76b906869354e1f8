"""The same structures, predicted only, and evaluated into files."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from benchmarks.data.generate import ATOMIC_ENERGIES, ELEMENTS, write_structures
from benchmarks.models.statistics import Summary, ratio, summarise
from mlip_core.data import DatasetInfo
from mlip_core.data.frames import iterate_frames
from mlip_core.data.helpers.atomic_energies import parse_atomic_energies
from mlip_core.evaluation import compute_metrics, evaluate_to_files, predict_structures, tabulate
from mlip_core.evaluation.tables import write_tables
from mlip_core.inference import iterate_predictions
from mlip_core.inference.buckets import Buckets, Need
from mlip_core.inference.windows import iterate_windows
from mlip_core.models import ForceField
from mlip_core.models.registry import network_class

MOLECULES = ("train_300K.xyz", "test_MD_300K.xyz", "test_MD_600K.xyz")
NETWORK = {"num_channels": 32, "l_max": 2, "correlation": 2, "node_symmetry": 1, "num_layers": 2}
CUTOFF = 5.0
BATCH_SIZE = 32
_WINDOW = 32 * BATCH_SIZE


@dataclass(frozen=True)
class Timing:
    """What was measured on one file, in seconds.

    Attributes:
        n_structures: in the file.
        n_atoms: of all structures.
        inference: from the file to the last prediction, of which nothing is kept.
        evaluation: from the file to the last file of the evaluation.
        metrics: the errors alone, with their confidence intervals.
        n_shapes: shapes that the model was compiled for.
        padding: share of nodes and edges of batches that no structure takes. What fills up runs of
            edges with one receiver, in training as well, is not counted.
    """

    n_structures: int
    n_atoms: int
    inference: Summary
    evaluation: Summary
    metrics: Summary
    n_shapes: int
    padding: float

    @property
    def ratio(self) -> float:
        """How many times as long as bare inference an evaluation takes."""
        return ratio(self.evaluation, self.inference)


def write_molecules(path: Path, data: Path, count: int) -> None:
    """Write ``count`` structures of acetylacetone, the same ones again if there are fewer."""
    texts = [(data / "acac" / name).read_text(encoding="utf-8") for name in MOLECULES]
    frames = [frame for text in texts for frame in _frames(text.splitlines(keepends=True))]
    path.write_text("".join(islice(cycle(frames), count)), encoding="utf-8")


def write_mix(path: Path, count: int) -> None:
    """Write ``count`` generated structures of 5 to 200 atoms, half of them periodic."""
    write_structures(path, count)


def measure(path: Path, directory: Path, rounds: int) -> Timing:
    """Predict and evaluate the structures of a file in turns, after a pass that compiles."""
    force_field = _force_field()
    tasks: dict[str, Callable[[], object]] = {
        "inference": lambda: deque(iterate_predictions(force_field, path, BATCH_SIZE), maxlen=0),
        "evaluation": lambda: evaluate_to_files(
            directory / "evaluation", force_field, iterate_frames(path), BATCH_SIZE
        ),
    }
    tables = tabulate(predict_structures(force_field, iterate_frames(path), BATCH_SIZE))
    write_tables(directory, tables)  # imports what it needs
    tasks["metrics"] = lambda: compute_metrics(tables)
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    n_shapes, padding = _padding(path, force_field.dataset_info)
    return Timing(
        len(tables),
        len(tables.numbers),
        **{name: summarise(values) for name, values in seconds.items()},
        n_shapes=n_shapes,
        padding=padding,
    )


def _frames(lines: list[str]) -> Iterator[str]:
    start = 0
    while start < len(lines):
        end = start + int(lines[start]) + 2
        yield "".join(lines[start:end])
        start = end


def _force_field() -> ForceField:
    energies = dict(zip(ELEMENTS, ATOMIC_ENERGIES.tolist(), strict=True))
    info = DatasetInfo(
        atomic_energies_map=parse_atomic_energies(energies),
        cutoff_distance_angstrom=CUTOFF,
        avg_num_neighbors=12.0,
        avg_r_min_angstrom=1.0,
    )
    network = network_class("mace")
    return ForceField.from_mlip_network(network(network.Config(**NETWORK), info))


def _padding(path: Path, info: DatasetInfo) -> tuple[int, float]:
    """Number of shapes, and the share of their nodes and edges that no structure takes."""
    buckets = Buckets(BATCH_SIZE)
    taken = total = 0
    for window in iterate_windows(path, info, _WINDOW):
        bucket, batches = buckets.pack(window.store)
        taken += int(Need.of(window.store, bucket.block_size).sizes[:, :2].sum())
        total += len(batches) * int(bucket.capacity[:2].sum())
    return len(buckets.buckets), 1 - taken / total
