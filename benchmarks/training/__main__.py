"""What a training costs, survives and reaches."""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.models.options import add_environments, environments
from benchmarks.models.table import markdown
from benchmarks.reporting import write_report
from mlip_core.study.runtime import prepare_jax

RESULTS = Path("benchmarks/results")


def main() -> int:
    """Run one of the measurements; status 1 if it does not find what it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    _add_overhead(commands.add_parser("overhead", help="checkpoints, logging, bookkeeping"))
    _add_kills(commands.add_parser("kills", help="killed at random moments, and resumed"))
    _add_accuracy(commands.add_parser("accuracy", help="errors at equal time, beside peers"))
    arguments = parser.parse_args()
    status: int = arguments.run(arguments)
    return status


def _add_overhead(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=5.0, help="length of an epoch")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "overhead", help="without suffix")
    parser.set_defaults(run=_overhead)


def _overhead(arguments: argparse.Namespace) -> int:
    prepare_jax(arguments.threads)
    from benchmarks.training.overhead import measure_overhead

    with tempfile.TemporaryDirectory() as directory:
        result = measure_overhead(Path(directory), arguments.seconds, arguments.epochs)
    row = [f"{result[name]:.3f} s" for name in ("epoch", "steps only")]
    header = ["steps", "an epoch with everything", "its steps only", "overhead"]
    body = [markdown(header, [[f"{result['steps']}", *row, f"{result['overhead']:.1%}"]])]
    title = "What a training takes beside its steps"
    sys.stdout.write(write_report(arguments.out, title, arguments.threads, result, body))
    return 0


def _add_kills(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--scenario", default="diverging", help="plain, diverging or adaptive")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "kills", help="without suffix")
    parser.set_defaults(run=_kills)


def _kills(arguments: argparse.Namespace) -> int:
    from benchmarks.training.kill_matrix import run_kill_matrix

    with tempfile.TemporaryDirectory() as directory:
        outcome = run_kill_matrix(
            Path(directory),
            arguments.kills,
            arguments.epochs,
            arguments.scenario,
            arguments.seed,
        )
    header = ["ended by SIGKILL", "by SIGTERM", "half-written checkpoints left", "differences"]
    differences = ", ".join(outcome.differences) or "none"
    row = [str(outcome.kills), str(outcome.stops), str(outcome.half_written), differences]
    title = "A training ended at random moments and resumed, beside one left alone"
    body = [markdown(header, [row])]
    sys.stdout.write(write_report(arguments.out, title, 1, vars(outcome), body))
    return 1 if outcome.differences else 0


def _add_accuracy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="see benchmarks/README.md")
    parser.add_argument("--case", choices=("acac", "silicon"), default="acac")
    parser.add_argument("--minutes", type=float, default=10.0, help="from process start")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], help="names of participants")
    parser.add_argument(
        "--set",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="other settings of our run than the network of all, e.g. model.num_channels=64",
    )
    add_environments(parser)
    parser.add_argument("--work", type=Path, required=True, help="directory for their files")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.set_defaults(run=_accuracy)


def _accuracy(arguments: argparse.Namespace) -> int:
    from benchmarks.training.accuracy import compare

    return compare(
        arguments.case,
        arguments.data.resolve(),
        arguments.work.resolve(),
        arguments.out,
        minutes=arguments.minutes,
        threads=arguments.threads,
        only=arguments.only,
        changes=arguments.set,
        environments=environments(arguments),
    )


if __name__ == "__main__":
    sys.exit(main())
