"""Snakemake as often as it is asked for, without the seconds that its imports take each time.

Each line of standard input is a request, a JSON object. A process is forked for it, which does what
``python -m snakemake`` does; its exit status is answered. ``tiny_study`` starts this program.
"""

import json
import os
import sys
from importlib import import_module
from typing import Any

from snakemake.cli import get_argument_parser, main

# What the Snakefile imports, and what its imports import when they are used.
MODULES = ("ase.build", "ase.calculators.emt", "mlip_core.study.checks")


def serve() -> None:
    """Import everything once, and answer requests until there are no more."""
    for module in MODULES:
        import_module(module)
    get_argument_parser()  # finds Snakemake's plugins
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(**json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def run(arguments: list[str], directory: str, environment: dict[str, str], output: str) -> Any:
    """Become Snakemake, in a directory, with an environment, its output going to a file."""
    with open(os.devnull, "rb") as nothing, open(output, "wb") as file:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["snakemake", *arguments]
    main()


if __name__ == "__main__":
    serve()
