"""``python -m benchmarks.models``: measures, prints the tables, and writes them to a directory."""

import argparse
import logging
import sys
import tempfile
from dataclasses import asdict, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.models.cases import (
    DATASETS,
    LARGE_CELL,
    Case,
    size_cases,
    standard_cases,
    write_large_cell,
)
from benchmarks.models.machine import Peaks, measure_peaks
from benchmarks.models.measure import TASKS, Settings, choose, measure
from benchmarks.models.options import add_environments, add_turns, environments, parse_with_data
from benchmarks.models.participants import ENVIRONMENT_NAMES, ENVIRONMENTS
from benchmarks.models.table import Results, comparison, failures, floors
from benchmarks.reporting import write_report

FLOOR_MEANS = "operations and bytes by XLA's count over the peaks; bytes at the rate of caches."


def main() -> None:
    """Measure speed and memory of our models and of their peers."""
    arguments = _parse()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    cases = size_cases() if arguments.sizes else standard_cases()
    wanted = [case for case in cases if _is_wanted(case, arguments.cases)]
    peaks = measure_peaks(arguments.threads, arguments.realtime)
    results: Results = {}
    page = ""
    with tempfile.TemporaryDirectory() as scratch:
        large_cell = Path(scratch, DATASETS[LARGE_CELL].file)
        write_large_cell(large_cell)
        for case in wanted:
            settings = _settings(arguments)
            if case.dataset == LARGE_CELL:
                settings = replace(settings, data=large_cell.parent)
            results[case.name] = measure(case, choose(arguments.peers), arguments.tasks, settings)
            page = _write(results, peaks, arguments)
    sys.stdout.write(page)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/models", description=main.__doc__)
    add = parser.add_argument
    add(
        "--cases",
        nargs="+",
        default=["*"],
        help="names with wildcards, e.g. '*-mace*'; default: all",
    )
    add("--sizes", action="store_true", help="other sizes instead of the standard cases")
    add(
        "--peers",
        nargs="*",
        default=list(ENVIRONMENT_NAMES),
        choices=ENVIRONMENT_NAMES,
        metavar="PEER",
        help=f"default: {', '.join(ENVIRONMENT_NAMES)}",
    )
    add("--tasks", nargs="*", default=list(TASKS), choices=TASKS)
    add("--rounds", type=int, default=5, help="how often participants take turns")
    add("--seconds", type=float, default=2.0, help="about how long a turn lasts")
    add("--first-steps", type=int, default=1, help="how often to time starts; 0: not at all")
    add(
        "--no-compiled-starts",
        dest="compiled_starts",
        action="store_false",
        help="do not time the starts of compiled variants of eager libraries, which take minutes",
    )
    add_turns(parser)
    add_environments(parser)
    add("--out", type=Path, help="path of the results, without suffix")
    return parse_with_data(parser)


def _is_wanted(case: Case, patterns: list[str]) -> bool:
    return any(fnmatch(case.name, pattern) for pattern in patterns)


def _settings(arguments: argparse.Namespace) -> Settings:
    return Settings(
        data=arguments.data.resolve(),
        caches=ENVIRONMENTS / "compiled",
        environments=environments(arguments),
        threads=arguments.threads,
        rounds=arguments.rounds,
        seconds_per_turn=arguments.seconds,
        realtime=arguments.realtime,
        first_steps=arguments.first_steps,
        compiled_starts=arguments.compiled_starts,
    )


def _write(results: Results, peaks: Peaks, arguments: argparse.Namespace) -> str:
    figures = {
        "peaks": asdict(peaks),
        "cases": {
            case: {name: measured.to_json() for name, measured in participants.items()}
            for case, participants in results.items()
        },
    }
    rates = (
        f"{peaks.flops / 1e9:.0f} GFLOP/s, {peaks.cached_bytes / 1e9:.0f} GB/s from caches, "
        f"{peaks.memory_bytes / 1e9:.0f} GB/s from memory"
    )
    body = [
        f"All in float32. Measured peaks: {rates}.",
        f"Versions: {_versions(results)}.",
        comparison(results),
        f"Floor of our steps: {FLOOR_MEANS}",
        floors(results, peaks),
        failures(results),
    ]
    title = "Models beside other libraries"
    return write_report(arguments.out, title, arguments.threads, figures, [*filter(None, body)])


def _versions(results: Results) -> str:
    found: dict[str, Any] = {}
    for participants in results.values():
        for name, measured in participants.items():
            found.setdefault(name, {}).update(measured.description.get("versions", {}))
    return "; ".join(
        f"{name} ({', '.join(f'{library} {version}' for library, version in versions.items())})"
        for name, versions in found.items()
        if versions
    )


if __name__ == "__main__":
    main()
