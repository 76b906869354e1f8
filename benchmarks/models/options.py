"""Options that several benchmarks share."""

import argparse
import os
from pathlib import Path

DATA_VARIABLE = "BENCHMARK_DATA"


def add_environments(parser: argparse.ArgumentParser) -> None:
    """Add ``--env``; :func:`environments` reads it."""
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="PEER=DIRECTORY",
        help="an environment to use instead of that made by 'make env'",
    )


def environments(arguments: argparse.Namespace) -> dict[str, Path]:
    """Directories of the environments that ``--env`` names, by peer."""
    named = (text.partition("=") for text in arguments.env)
    return {peer: Path(directory) for peer, _, directory in named}


def add_turns(parser: argparse.ArgumentParser) -> None:
    """Add ``--threads`` and ``--realtime``, of participants that take turns."""
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="put whoever's turn it is before other processes (needs the right to)",
    )


def parse_with_data(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Add ``--data``, the directory of the benchmarks' data, and parse the command line."""
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get(DATA_VARIABLE),
        help=f"directory with acac/ and silicon/ (or {DATA_VARIABLE})",
    )
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error(f"give --data or set {DATA_VARIABLE}")
    return arguments
