"""``python -m benchmarks.data``: from files to batches, ours and the peer's in turns."""

import argparse
import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.data.cases import OURS, PEER, TASKS
from benchmarks.models.cases import CUTOFF_ANGSTROM, DATASETS
from benchmarks.models.options import add_environments, environments, parse_with_data
from benchmarks.models.participants import HERE, Participant, python_of
from benchmarks.models.statistics import Summary, summarise
from benchmarks.models.table import markdown
from benchmarks.models.worker import running
from benchmarks.reporting import write_report

CASES = ("acac", "silicon")
MODELS_RESULTS = HERE / "results" / "models.json"

Results = dict[str, dict[str, dict[str, Any]]]


def main() -> None:
    """Measure how many structures a second become batches."""
    arguments = _parse()
    results: Results = {case: _measure(case, arguments) for case in CASES}
    assemblies = [_assembly(case, participants) for case, participants in results.items()]
    body = ["Structures per second, medians of turns.", _table(results), "\n".join(assemblies)]
    title = "From files to batches"
    figures = {"cases": results}
    sys.stdout.write(write_report(arguments.out, title, arguments.threads, figures, body))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/data", description=main.__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=15, help="how often the two take turns")
    add("--threads", type=int, default=2)
    add_environments(parser)
    add("--out", type=Path, help="file for results, without suffix: .json and .md are written")
    return parse_with_data(parser)


def _measure(case: str, arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Description and structures per second of each task, by participant."""
    with ExitStack() as stack:
        workers = {
            participant.name: stack.enter_context(_running(participant, case, arguments))
            for participant in (OURS, PEER)
        }
        rates: dict[str, dict[str, list[float]]] = {
            name: {task: [] for task in TASKS} for name in workers
        }
        for _ in range(arguments.rounds):
            for name, worker in workers.items():
                for task in TASKS:
                    seconds, structures = worker.run(task, 1)
                    rates[name][task].append(structures[0] / seconds[0])
        return {
            name: {
                "description": worker.description,
                "structures_per_second": {
                    task: asdict(summarise(values)) for task, values in rates[name].items()
                },
            }
            for name, worker in workers.items()
        }


def _running(participant: Participant, case: str, arguments: argparse.Namespace) -> Any:
    is_ours = participant == OURS
    python = Path(sys.executable) if is_ours else python_of(participant, environments(arguments))
    dataset = DATASETS[case]
    request = {
        "library": participant.variant,
        "file": str(arguments.data.resolve() / dataset.file),
        "num_structures": dataset.num_structures,
        "batch_size": dataset.batch_size,
        "cutoff": CUTOFF_ANGSTROM,
    }
    threads = str(arguments.threads)
    return running(python, participant, request, {"OMP_NUM_THREADS": threads, "NPROC": threads})


def _table(results: Results) -> str:
    rows = []
    for case, participants in results.items():
        for task, label in TASKS.items():
            peer, ours = (_rate(participants, who.name, task).median for who in (PEER, OURS))
            rows.append((case, label, f"{peer:.0f}", f"{ours:.0f}", f"{ours / peer:.1f}"))
    return markdown(("dataset", "what", PEER.name, "ours", "ratio"), rows)


def _rate(participants: dict[str, dict[str, Any]], name: str, task: str) -> Summary:
    return Summary(**participants[name]["structures_per_second"][task])


def _assembly(case: str, participants: dict[str, dict[str, Any]]) -> str:
    """How long a batch takes, how full it is, and how that compares with training on it."""
    rate = _rate(participants, OURS.name, "assemble").median
    seconds = DATASETS[case].batch_size / rate
    filled = participants[OURS.name]["description"]["filled_edges"]
    line = f"- {case}: a batch is assembled in {seconds * 1e3:.2f} ms and filled to {filled:.1%}"
    step = _fastest_step(case)
    return (
        line if step is None else f"{line}; the fastest step takes {step / seconds:.0f} times that"
    )


def _fastest_step(case: str) -> float | None:
    """Seconds of our fastest training step on these batches, if the models were measured."""
    if not MODELS_RESULTS.exists():
        return None
    cases = json.loads(MODELS_RESULTS.read_text())["cases"]
    steps = [
        participants["mlip-core"]["quantities"]["train"]["median"]
        for name, participants in cases.items()
        if name.startswith(f"{case}-")
    ]
    return min(steps, default=None)


if __name__ == "__main__":
    main()
