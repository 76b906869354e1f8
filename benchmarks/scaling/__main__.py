"""``python -m benchmarks.scaling``: times of a step at many sizes, exponents, table and plot."""

import argparse
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models.measure import Settings, take_turns, worker_environment
from benchmarks.models.options import add_turns
from benchmarks.models.participants import ENVIRONMENTS, OURS
from benchmarks.models.statistics import summarise
from benchmarks.models.table import markdown
from benchmarks.models.worker import running
from benchmarks.reporting import write_report
from benchmarks.scaling.axes import Axis, Point, axes
from benchmarks.scaling.plot import plot

TASKS = {"train": "training step", "single": "one structure"}
FITTED = 3
"""The exponent is that of the largest sizes: small ones show what a step costs at least."""

_logger = logging.getLogger(__name__)


def main() -> None:
    """Measure how the time of a step grows with atoms, edges, batches, channels and devices."""
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
        rows.append(_measure_point(point, axis.tasks, settings))
    sizes = [row["size"] for row in rows]
    exponents = {task: exponent_of(sizes, [row[task] for row in rows]) for task in axis.tasks}
    return {"label": axis.label, "rows": rows, "exponents": exponents}


def _measure_point(point: Point, tasks: tuple[str, ...], settings: Settings) -> dict[str, Any]:
    environment = worker_environment(settings.threads, settings.caches)
    if point.devices > 1:
        flag = f"--xla_force_host_platform_device_count={point.devices}"
        environment["XLA_FLAGS"] = flag
    row: dict[str, Any] = {"size": point.size}
    with tempfile.TemporaryDirectory() as directory:
        case = point.to_case(Path(directory), settings.threads)
        with running(Path(sys.executable), OURS, case, environment) as worker:
            row["edges"] = worker.description["edges"] * point.devices
            for task in tasks:
                n_structures = 1 if task == "single" else point.batch_size * point.devices
                times = take_turns({OURS.name: worker}, task, n_structures, settings)
                row[task] = summarise(times[OURS.name]).median
    return row


def exponent_of(sizes: list[float], seconds: list[float]) -> float:
    """Of the power law through the last points, by least squares of logarithms."""
    logarithms = np.log(sizes[-FITTED:]), np.log(seconds[-FITTED:])
    return float(np.polyfit(*logarithms, 1)[0])


def _write(path: Path, found: dict[str, Any], threads: int) -> str:
    plot(found, TASKS, path.with_suffix(".svg"))
    notes = (
        "`make -C benchmarks scaling`. MACE with 32 channels, l_max 3, correlation 3 and a cutoff "
        "of 5 Å in float32, unless that is what grows. Milliseconds, medians; the exponents are "
        f"those of the {FITTED} largest sizes."
    )
    image = f"![Times of a step]({path.name}.svg)"
    tables = [_table(axis) for axis in found.values()]
    return write_report(
        path, "How the time of a step grows", threads, found, [notes, image, *tables]
    )


def _table(axis: dict[str, Any]) -> str:
    tasks = list(axis["exponents"])
    rows = [
        [f"{row['size']:g}", f"{row['edges']:.0f}", *(f"{1000 * row[task]:.3g}" for task in tasks)]
        for row in axis["rows"]
    ]
    rows.append(["exponent", "", *(f"{axis['exponents'][task]:.2f}" for task in tasks)])
    return markdown([axis["label"], "edges of a step", *(TASKS[task] for task in tasks)], rows)


if __name__ == "__main__":
    main()
