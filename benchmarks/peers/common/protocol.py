"""What a runner says to the driver and hears from it: JSON, one object a line.

The driver starts ``runner.py FD``: requests come by standard input, answers go to the file
descriptor FD, for libraries print to standard output what they like. The first line to a runner is
a case (the fields of ``benchmarks.models.cases.Case.to_json``); it
answers with a description once data and model are there. Every further line asks for something:

``{"do": "run", "task": "train", "steps": 3}``
    Steps of a task, each waited for. Answer: ``{"seconds": [...], "structures": [...]}``.
``{"do": "cost", "task": "train"}``
    Operations and bytes of one step by the compiler's count, where there is a compiler.
``{"do": "memory"}``
    Largest resident memory of the process so far: ``{"bytes": n}``.

An end of input ends the runner. This module runs in the environments of the peers: it needs the
standard library alone.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol


class Program(Protocol):
    """A peer with its data and model, ready to run."""

    def describe(self) -> dict[str, Any]:
        """Versions, number of parameters and the like."""

    def run(self, task: str) -> Callable[[], int]:
        """Do one step of "train", "evaluate" or "single" and wait for it.

        Returns what counts its structures, which is not part of the step and not timed.
        """

    def cost(self, task: str) -> dict[str, float]:
        """``{"flops": .., "bytes": ..}`` of one step, empty where nobody counts them."""


def serve(build: Callable[[dict[str, Any]], Program]) -> None:
    """Answer the driver until its input ends."""
    answers = os.fdopen(int(sys.argv[1]), "w", buffering=1)

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")

    program = build(json.loads(sys.stdin.readline()))
    answer(program.describe())
    for line in sys.stdin:
        answer(_respond(program, json.loads(line)))


def _respond(program: Program, request: dict[str, Any]) -> dict[str, Any]:
    match request["do"]:
        case "run":
            return _run(program, request["task"], request["steps"])
        case "cost":
            return program.cost(request["task"])
        case "memory":
            # Linux counts in units of 1024 bytes.
            return {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        case unknown:
            raise ValueError(f"unknown request {unknown!r}")


def _run(program: Program, task: str, steps: int) -> dict[str, Any]:
    seconds, structures = [], []
    for _ in range(steps):
        start = time.perf_counter()
        count = program.run(task)
        seconds.append(time.perf_counter() - start)
        structures.append(count())
    return {"seconds": seconds, "structures": structures}
