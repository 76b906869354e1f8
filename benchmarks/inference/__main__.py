"""``python -m benchmarks.inference``: measures, prints the table, and writes it to a file."""

import argparse
import logging
import sys
import tempfile
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from ase.io import write

from benchmarks.inference.cases import PEER_NAMES, SYSTEMS, Simulator, System, choose, request
from benchmarks.inference.table import STEP, comparison
from benchmarks.models.measure import (
    Measured,
    Settings,
    failure_reason,
    take_turns,
    worker_environment,
)
from benchmarks.models.options import add_environments, add_turns, environments, parse_with_data
from benchmarks.models.participants import ENVIRONMENTS, OURS, python_of
from benchmarks.models.statistics import summarise
from benchmarks.models.worker import Worker, WorkerError, running
from benchmarks.reporting import write_report

_logger = logging.getLogger(__name__)


def main() -> None:
    """Measure seconds of a step of dynamics with our engines and those of the peers."""
    arguments = _parse()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    results: dict[str, dict[str, Measured]] = {}
    page = ""
    for system in SYSTEMS:
        if system.name in arguments.systems:
            results[system.name] = _measure(system, choose(arguments.peers), _settings(arguments))
            page = _write(results, arguments)
    sys.stdout.write(page)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/inference", description=main.__doc__)
    add = parser.add_argument
    names = [system.name for system in SYSTEMS]
    add("--systems", nargs="+", default=names, choices=names)
    add("--peers", nargs="*", default=list(PEER_NAMES), choices=PEER_NAMES)
    add("--rounds", type=int, default=6, help="how often participants take turns")
    add("--seconds", type=float, default=2.0, help="about how long a turn lasts")
    add_turns(parser)
    add_environments(parser)
    add("--out", type=Path, help="path of the results without suffix")
    return parse_with_data(parser)


def _settings(arguments: argparse.Namespace) -> Settings:
    return Settings(
        data=arguments.data.resolve(),
        caches=ENVIRONMENTS / "compiled",
        environments=environments(arguments),
        threads=arguments.threads,
        rounds=arguments.rounds,
        seconds_per_turn=arguments.seconds,
        realtime=arguments.realtime,
    )


def _measure(
    system: System, simulators: list[Simulator], settings: Settings
) -> dict[str, Measured]:
    """Seconds of a step by each, in alternating turns; who fails is reported and left out."""
    results = {simulator.name: Measured() for simulator in simulators}
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        structure = Path(scratch, "structure.xyz")
        write(structure, system.atoms(settings.data), format="extxyz")
        workers: dict[str, Worker] = {}
        for simulator in simulators:
            _logger.info("%s: starting %s", system.name, simulator.name)
            try:
                workers[simulator.name] = worker = stack.enter_context(
                    _started(simulator, system, structure, settings)
                )
                worker.run(STEP, 2)
            except (WorkerError, FileNotFoundError) as error:
                workers.pop(simulator.name, None)
                results[simulator.name].failure = failure_reason(simulator, error)
                continue
            results[simulator.name].description = worker.description
        _logger.info("%s: in turns", system.name)
        for name, seconds in take_turns(workers, STEP, 1, settings).items():
            results[name].quantities[STEP] = summarise(seconds)
    return results


def _started(
    simulator: Simulator, system: System, structure: Path, settings: Settings
) -> AbstractContextManager[Worker]:
    is_ours = simulator.peer == OURS.peer
    python = python_of(OURS if is_ours else simulator, settings.environments)
    return running(
        python,
        simulator,
        request(system, structure, settings.threads, simulator.variant),
        worker_environment(settings.threads, settings.caches),
    )


def _write(results: dict[str, dict[str, Measured]], arguments: argparse.Namespace) -> str:
    systems = {
        name: {who: asdict(replace(one, costs={})) for who, one in participants.items()}
        for name, participants in results.items()
    }
    body = ["MACE with 32 channels, l_max 3, in float32.", comparison(results)]
    title = "Dynamics beside other libraries"
    return write_report(arguments.out, title, arguments.threads, {"systems": systems}, body)


if __name__ == "__main__":
    main()
