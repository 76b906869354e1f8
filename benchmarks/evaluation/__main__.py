"""``python -m benchmarks.evaluation``: evaluating test sets beside bare batched inference."""

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.models.options import parse_with_data
from benchmarks.models.table import markdown
from benchmarks.reporting import write_report
from mlip_core.study.runtime import prepare_jax

if TYPE_CHECKING:
    from benchmarks.evaluation.measure import Timing

TARGET = 1.2


def main() -> int:
    """Time the evaluation of molecules of one size and of structures of all sizes, in turns."""
    arguments = _parse()
    prepare_jax(arguments.threads)
    from benchmarks.evaluation.measure import measure, write_mix, write_molecules

    results: dict[str, Timing] = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_molecules(directory / "acac.xyz", arguments.data, arguments.molecules)
        write_mix(directory / "mixed.xyz", arguments.mixed)
        for case in ("acac", "mixed"):
            results[case] = measure(directory / f"{case}.xyz", directory, arguments.rounds)
    figures = {"cases": {case: asdict(timing) for case, timing in results.items()}}
    body = ["Seconds from the file on, medians of turns.", _table(results)]
    title = "Test sets evaluated, beside bare inference"
    sys.stdout.write(write_report(arguments.out, title, arguments.threads, figures, body))
    return int(any(timing.ratio > TARGET for timing in results.values()))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/evaluation", description=main.__doc__)
    add = parser.add_argument
    add("--molecules", type=int, default=10_000, help="structures of acetylacetone")
    add("--mixed", type=int, default=2_000, help="generated structures of 5 to 200 atoms")
    add("--rounds", type=int, default=3, help="how often the two take turns")
    add("--threads", type=int, default=2)
    add("--out", type=Path, help="file for results, without suffix: .json and .md are written")
    return parse_with_data(parser)


def _table(results: dict[str, "Timing"]) -> str:
    header = (
        "structures",
        "atoms",
        "inference",
        "evaluation",
        "ratio",
        "metrics",
        "shapes",
        "padding",
    )
    rows = [
        (
            f"{case}, {timing.n_structures}",
            str(timing.n_atoms),
            f"{timing.inference.median:.1f}",
            f"{timing.evaluation.median:.1f}",
            f"{timing.ratio:.2f}",
            f"{timing.metrics.median:.2f}",
            str(timing.n_shapes),
            f"{timing.padding:.1%}",
        )
        for case, timing in results.items()
    ]
    return markdown(header, rows)


if __name__ == "__main__":
    sys.exit(main())
