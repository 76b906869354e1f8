"""Measures participants on a case, side by side."""

import logging
import statistics
import tempfile
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.models.cases import DATASETS, Case
from benchmarks.models.participants import COMPILED, OURS, PEERS, Participant, python_of
from benchmarks.models.statistics import Summary, seconds_of_batch, summarise
from benchmarks.models.worker import Worker, WorkerError, running

TASKS = ("train", "evaluate", "single")
COLD, WARM, MEMORY = "first step, cold", "first step, warm cache", "peak memory"
STEPS_AFTER_FIRST = 5
# A pause lets the threads of the one before go to sleep: some spin for a while.
PAUSE_SECONDS = 0.3

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        data: directory of the data.
        caches: directory of compiled programs that later runs find.
        environments: of peers, where not those made by the benchmark.
        threads: how many each participant uses.
        rounds: how often the participants take turns.
        seconds_per_turn: how long about a turn lasts.
        realtime: whether a participant comes before other processes in its turn.
        first_steps: how often the first step is timed, cold and warm; 0 for not at all.
        compiled_starts: whether also of variants that are compiled by choice, which takes minutes.
    """

    data: Path
    caches: Path
    environments: dict[str, Path] = field(default_factory=dict)
    threads: int = 2
    rounds: int = 5
    seconds_per_turn: float = 2.0
    realtime: bool = False
    first_steps: int = 1
    compiled_starts: bool = True


@dataclass
class Measured:
    """What was measured of one participant on one case.

    Attributes:
        quantities: seconds or bytes by name; of "train" and "evaluate" for a batch.
        description: what its runner says of itself.
        costs: operations and bytes of a step by task, where known.
        failure: why there is nothing more; empty if all went well.
    """

    quantities: dict[str, Summary] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, dict[str, float]] = field(default_factory=dict)
    failure: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def measure(
    case: Case, participants: Iterable[Participant], tasks: Iterable[str], settings: Settings
) -> dict[str, Measured]:
    """All quantities of a case, by name of the participant.

    A participant that fails is reported as such and the others go on.
    """
    results = {participant.name: Measured() for participant in participants_of(case, participants)}
    if settings.first_steps:
        _measure_first_steps(case, participants, settings, results)
    _measure_turns(case, participants, tuple(tasks), settings, results)
    return results


def participants_of(case: Case, participants: Iterable[Participant]) -> list[Participant]:
    """Those that have the architecture."""
    return [p for p in participants if case.architecture in p.architectures]


def choose(names: Iterable[str]) -> list[Participant]:
    """This project and the peers of these directories."""
    wanted = set(names)
    return [OURS, *(peer for peer in PEERS if peer.peer in wanted)]


def _start(
    case: Case, participant: Participant, settings: Settings, cache: Path
) -> AbstractContextManager[Worker]:
    return running(
        python_of(participant, settings.environments),
        participant,
        case.to_json(settings.data, settings.threads, participant.variant),
        worker_environment(settings.threads, cache),
    )


def worker_environment(threads: int, cache: Path) -> dict[str, str]:
    """Number of threads and place of compiled programs, for each library by its own variables."""
    count = str(threads)
    return {
        "BENCHMARK_THREADS": count,
        "NPROC": count,
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "torch"),
    }


def _measure_first_steps(
    case: Case,
    participants: Iterable[Participant],
    settings: Settings,
    results: dict[str, Measured],
) -> None:
    for participant in participants_of(case, participants):
        if participant.variant == COMPILED and not settings.compiled_starts:
            continue
        _logger.info("%s: first steps of %s", case.name, participant.name)
        result = results[participant.name]
        cold, warm, memory = [], [], []
        for _ in range(settings.first_steps):
            with tempfile.TemporaryDirectory() as cache:
                try:
                    seconds, size = _first_step(case, participant, settings, Path(cache))
                    cold.append(seconds)
                    memory.append(size)
                    warm.append(_first_step(case, participant, settings, Path(cache))[0])
                except (WorkerError, FileNotFoundError) as error:
                    result.failure = failure_reason(participant, error)
                    break
        if cold and warm:
            found = {COLD: cold, WARM: warm, MEMORY: memory}
            result.quantities |= {name: summarise(values) for name, values in found.items()}


def _first_step(
    case: Case, participant: Participant, settings: Settings, cache: Path
) -> tuple[float, float]:
    """Seconds from the start of the process to the end of the first step; memory after some more.

    Memory is that of a process that trains and does nothing else, compilation included.
    """
    with _start(case, participant, settings, cache) as worker:
        worker.run("train", 1)
        seconds = time.perf_counter() - worker.started
        worker.run("train", STEPS_AFTER_FIRST)
        return seconds, worker.ask({"do": "memory"})["bytes"]


def _measure_turns(
    case: Case,
    participants: Iterable[Participant],
    tasks: tuple[str, ...],
    settings: Settings,
    results: dict[str, Measured],
) -> None:
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for participant in participants_of(case, participants):
            result = results[participant.name]
            if result.failure:
                continue
            _logger.info("%s: starting %s", case.name, participant.name)
            try:
                worker = stack.enter_context(_start(case, participant, settings, settings.caches))
                for task in tasks:
                    worker.run(task, 2)
                    result.costs[task] = worker.ask({"do": "cost", "task": task})
            except (WorkerError, FileNotFoundError) as error:
                result.failure = failure_reason(participant, error)
                continue
            workers[participant.name] = worker
            result.description = worker.description
        for task in tasks:
            _logger.info("%s: %s, in turns", case.name, task)
            batch_size = 1 if task == "single" else DATASETS[case.dataset].batch_size
            for name, values in take_turns(workers, task, batch_size, settings).items():
                results[name].quantities[task] = summarise(values)


def failure_reason(participant: Participant, error: Exception) -> str:
    """The line that names the error; all of it, with its paths, goes to the log alone."""
    _logger.warning("%s failed: %s", participant.name, error)
    lines = str(error).strip().splitlines()
    return next((line for line in reversed(lines) if "Error: " in line), lines[-1])


def take_turns(
    workers: dict[str, Worker], task: str, batch_size: int, settings: Settings
) -> dict[str, list[float]]:
    """Seconds of each step of each worker, the workers in alternation."""
    steps = {
        name: _steps_of_turn(worker, task, settings.seconds_per_turn)
        for name, worker in workers.items()
    }
    found: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(settings.rounds):
        for name, worker in workers.items():
            time.sleep(PAUSE_SECONDS)
            with worker.realtime() if settings.realtime else nullcontext():
                worker.run(task, 1)
                found[name] += seconds_of_batch(*worker.run(task, steps[name]), batch_size)
    return found


def _steps_of_turn(worker: Worker, task: str, seconds: float) -> int:
    once = statistics.median(worker.run(task, 3)[0])
    return max(2, min(200, round(seconds / once)))
