"""``python -m benchmarks.scaling``: times at many sizes, their exponents, tables and a plot."""

import argparse
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.models.measure import Settings, take_turns, worker_environment
from benchmarks.models.options import add_turns
from benchmarks.models.participants import ENVIRONMENTS
from benchmarks.models.statistics import summarise
from benchmarks.models.table import markdown
from benchmarks.models.worker import running
from benchmarks.reporting import write_report
from benchmarks.scaling.axes import Axis, Point, axes
from benchmarks.scaling.fit import FITTED, exponent_of

_logger = logging.getLogger(__name__)


def main() -> None:
    """Measure how time grows with atoms, edges, batches, datasets, channels and devices."""
    arguments = _parse()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    settings = Settings(
        data=Path(),
        caches=ENVIRONMENTS / "compiled",
        threads=arguments.threads,
        rounds=arguments.rounds,
        seconds_per_turn=arguments.seconds,
        realtime=arguments.realtime,
    )
    chosen = [axis for axis in axes() if arguments.axes is None or axis.name in arguments.axes]
    found = {axis.name: _measure(axis, settings) for axis in chosen}
    sys.stdout.write(_write(arguments.out, found, arguments.threads))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/scaling", description=main.__doc__)
    add = parser.add_argument
    add("--axes", nargs="*", choices=[axis.name for axis in axes()], help="default: all")
    add("--rounds", type=int, default=3, help="how often each size is timed")
    add("--seconds", type=float, default=1.5, help="about how long that lasts")
    add("--out", type=Path, default=Path("benchmarks/results/scaling"), help="without suffix")
    add_turns(parser)
    return parser.parse_args()


def _measure(axis: Axis, settings: Settings) -> dict[str, Any]:
    """Sizes, edges and seconds of each task, and their exponents."""
    rows = []
    for point in axis.points:
        _logger.info("%s: %g", axis.name, point.size)
        rows.append(_measure_point(point, axis, settings))
    sizes = [row[axis.against] for row in rows]
    return {
        "label": axis.label,
        "against": axis.against,
        "tasks": axis.tasks,
        "rows": rows,
        "exponents": {task: exponent_of(sizes, [row[task] for row in rows]) for task in axis.tasks},
    }


def _measure_point(point: Point, axis: Axis, settings: Settings) -> dict[str, Any]:
    environment = worker_environment(settings.threads, settings.caches)
    if point.devices > 1:
        flag = f"--xla_force_host_platform_device_count={point.devices}"
        environment["XLA_FLAGS"] = flag
    row: dict[str, Any] = {"size": point.size}
    with tempfile.TemporaryDirectory() as directory:
        case = point.to_case(Path(directory), settings.threads)
        with running(Path(sys.executable), axis.runner, case, environment) as worker:
            if "edges" in worker.description:
                row["edges"] = worker.description["edges"] * point.devices
            for task in axis.tasks:
                n_structures = point.structures_of(task)
                times = take_turns({axis.name: worker}, task, n_structures, settings)
                row[task] = summarise(times[axis.name]).median
    return row


def _write(path: Path, found: dict[str, Any], threads: int) -> str:
    notes = (
        "`make -C benchmarks scaling`. MACE with 32 channels, l_max 3, correlation 3 and a cutoff "
        "of 5 Å in float32, unless that is what grows. Milliseconds, medians; exponents are those "
        f"of the {FITTED} largest sizes, for cutoffs with the number of edges. Datasets are read "
        "and made into batches of ten."
    )
    tables = [_table(axis) for axis in found.values()]
    return write_report(path, "How time grows with size", threads, found, [notes, *tables])


def _table(axis: dict[str, Any]) -> str:
    """A row for each size; edges where there is a step that has some."""
    tasks, exponents = axis["tasks"], axis["exponents"]
    edges = ["edges of a step"] if "edges" in axis["rows"][0] else []
    rows = [
        [f"{row['size']:g}", *(f"{row['edges']:.0f}" for _ in edges)]
        + [f"{1000 * row[task]:.3g}" for task in tasks]
        for row in axis["rows"]
    ]
    rows.append(["exponent", *("" for _ in edges), *(f"{exponents[task]:.2f}" for task in tasks)])
    return markdown([axis["label"], *edges, *tasks.values()], rows)


if __name__ == "__main__":
    main()
