"""Inject faults into a small study: ``python -m benchmarks.faults [SERIES ...]``."""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from benchmarks.faults.series import SERIES, Bench
from benchmarks.faults.study import Outcome, Study
from benchmarks.faults.table import ROOT, write_tables

# As in the tests: little is computed, so programs that are compiled in no time are the fastest.
XLA_FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0"


def main() -> int:
    """Run the series; status 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", nargs="*", help=f"of {', '.join(SERIES)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the injections of a full run")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/faults.json"))
    arguments = parser.parse_args()
    os.environ["XLA_FLAGS"] = XLA_FLAGS
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        bench = prepare(Path(directory), arguments.seed, arguments.share)
        lost = inject(bench, arguments.series or list(SERIES), arguments.out)
    write_tables()
    return 1 if lost else 0


def inject(bench: Bench, names: list[str], out: Path) -> int:
    """Run series, put what came of them into a file, and return how much was lost."""
    known = json.loads(out.read_text()) if out.exists() else {}
    lost = 0
    for name in names:
        outcomes = []
        for outcome in SERIES[name](bench):
            sys.stdout.write(_line(outcome))
            sys.stdout.flush()
            outcomes.append(_anywhere(asdict(outcome), bench.directory))
            lost += len(outcome.lost)
        known[name] = outcomes
        out.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    return lost


def _anywhere(outcome: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Messages without the directories of this machine."""
    text = json.dumps(outcome)
    for place in (directory, ROOT):
        text = text.replace(f"{place}/", "")
    return cast("dict[str, Any]", json.loads(text))


def prepare(directory: Path, seed: int = 0, share: float = 1.0) -> Bench:
    """The undisturbed study, measured."""
    study = Study.new(directory / "whole", {"measure": True})
    result = study.run()
    artifacts = study.artifacts()
    if result.status != 0 or not artifacts:
        raise RuntimeError(result.output)
    whole = Study(study.path)
    return Bench(whole, artifacts, study.measured(), directory, seed=seed, share=share)


def _line(outcome: Outcome) -> str:
    lost = "".join(f"\n    LOST {entry}" for entry in outcome.lost)
    said = "".join(f"\n    {message}" for message in outcome.messages)
    counts = f"{outcome.injected} injected, {outcome.alone} alone, {outcome.told} told"
    return f"{outcome.fault}: {counts}, {len(outcome.lost)} lost{said}{lost}\n"


if __name__ == "__main__":
    sys.exit(main())
