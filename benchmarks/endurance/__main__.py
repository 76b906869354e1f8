"""``python -m benchmarks.endurance``: trains two models, simulates for long, prints a table."""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.models.options import parse_with_data
from benchmarks.models.table import markdown
from benchmarks.reporting import write_report
from mlip_core.study.runtime import prepare_jax

if TYPE_CHECKING:
    from benchmarks.endurance.simulations import Found

ROOT = Path(__file__).parents[2]
STUDY = Path(__file__).with_name("study.yaml")


def main() -> int:
    """Simulate a molecule and a crystal with trained models; status 1 if a bound is not kept."""
    arguments = _parse()
    work, data = arguments.work.resolve(), arguments.data.resolve()
    prepare_jax(arguments.threads)
    from benchmarks.endurance.simulations import SUBJECTS, simulations

    models = {subject.run: f"results/models/{subject.run}.zip" for subject in SUBJECTS}
    _train(models.values(), work, data, arguments.threads)

    found: list[Found] = []
    page = ""
    for subject in SUBJECTS:
        for one in simulations(subject, data, work / models[subject.run]):
            found.append(one)
            page = _write(found, arguments)
    sys.stdout.write(page)
    return 0 if all(one.is_good for one in found) else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/endurance", description=main.__doc__)
    add = parser.add_argument
    add("--work", type=Path, required=True, help="directory of the study; models there are kept")
    add("--threads", type=int, default=2)
    add("--out", type=Path, required=True, help="path of the results without suffix")
    return parse_with_data(parser)


def _train(models: Iterable[str], work: Path, data: Path, cores: int) -> None:
    """Run the study as a user does; models that are there already are not trained again."""
    work.mkdir(parents=True, exist_ok=True)
    link = work / "data"
    link.unlink(missing_ok=True)
    link.symlink_to(data)
    subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--cores", str(cores)),
            *("--snakefile", str(ROOT / "Snakefile"), "--configfile", str(STUDY), "--"),
            *models,
        ],
        cwd=work,
        check=True,
    )


def _write(found: Sequence["Found"], arguments: argparse.Namespace) -> str:
    title = "Long simulations in float32, with models trained for some minutes"
    figures = {"found": [asdict(one) for one in found]}
    return write_report(arguments.out, title, arguments.threads, figures, [_table(found)])


def _table(found: Sequence["Found"]) -> str:
    header = ("system", "engine", "simulated", "mean K", "result", "compiled after the start", "")
    rows = [
        (
            one.system,
            one.engine,
            one.what,
            f"{one.kelvin:.0f}",
            one.result,
            str(one.late_compilations),
            "good" if one.is_good else "**bad**",
        )
        for one in found
    ]
    return markdown(header, rows)


if __name__ == "__main__":
    sys.exit(main())
