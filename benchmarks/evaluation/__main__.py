"""``python -m benchmarks.evaluation``: evaluating test sets beside bare batched inference."""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.models.__main__ import DATA_VARIABLE
from mlip_core.study.runtime import prepare_jax

if TYPE_CHECKING:
    from benchmarks.evaluation.measure import Timing

TARGET = 1.2


def main() -> int:
    """Time the evaluation of molecules of one size and of structures of all sizes, in turns."""
    arguments = _parse()
    prepare_jax(arguments.threads)
    from benchmarks.evaluation.measure import measure, write_mix, write_molecules
    from benchmarks.models.machine import describe

    results: dict[str, Timing] = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_molecules(directory / "acac.xyz", arguments.data, arguments.molecules)
        write_mix(directory / "mixed.xyz", arguments.mixed)
        for case in ("acac", "mixed"):
            results[case] = measure(directory / f"{case}.xyz", directory, arguments.rounds)
    machine = ", ".join(f"{key} {value}" for key, value in describe().items())
    report = _report(machine, arguments.threads, results)
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": describe(),
            "threads": arguments.threads,
            "cases": {case: asdict(timing) for case, timing in results.items()},
        }
        arguments.out.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
        arguments.out.with_suffix(".md").write_text(report)
    sys.stdout.write(report)
    return int(any(timing.ratio > TARGET for timing in results.values()))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/evaluation", description=main.__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=os.environ.get(DATA_VARIABLE), help=f"or {DATA_VARIABLE}")
    add("--molecules", type=int, default=10_000, help="structures of acetylacetone")
    add("--mixed", type=int, default=2_000, help="generated structures of 5 to 200 atoms")
    add("--rounds", type=int, default=3, help="how often the two take turns")
    add("--threads", type=int, default=2)
    add("--out", type=Path, help="file for results, without suffix: .json and .md are written")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error(f"give --data or set {DATA_VARIABLE}")
    return arguments


def _report(machine: str, threads: int, results: dict[str, "Timing"]) -> str:
    lines = [
        f"Machine: {machine}; {threads} threads. Seconds from the file on, medians of turns.",
        "",
        "| structures | atoms | inference | evaluation | ratio | metrics | shapes | padding |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case, timing in results.items():
        lines.append(
            f"| {case}, {timing.n_structures} | {timing.n_atoms} | {timing.inference.median:.1f} "
            f"| {timing.evaluation.median:.1f} | {timing.ratio:.2f} "
            f"| {timing.metrics.median:.2f} | {timing.n_shapes} | {timing.padding:.1%} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
