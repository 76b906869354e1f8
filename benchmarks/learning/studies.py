"""Claims about runs of an example study, and whether they hold for each of several seeds."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.models.table import markdown
from benchmarks.reporting import write_report

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Claim:
    """One run of a study is at least as good as another.

    Attributes:
        text: what is claimed.
        config: path of the study file, from the root of the repository.
        testset: the structures on which forces are compared.
        runs: all runs that are shown, in the order of the table.
        better: the run that is to have the smaller error.
        worse: the run that it is compared with.
    """

    text: str
    config: str
    testset: str
    runs: Sequence[str]
    better: str
    worse: str


CLAIMS = {
    "active-learning": Claim(
        text="Three rounds of 50 structures chosen by a committee beat 150 random ones in the root"
        " mean square error of forces at 700 K.",
        config="config/examples/active_learning.yaml",
        testset="hot",
        # Round 0 is the same run for both, by another name.
        runs=["uncertain-r0-1", "random-r3-1", "uncertain-r3-1"],
        better="uncertain-r3-1",
        worse="random-r3-1",
    ),
    "finetuning": Claim(
        text="A model of another molecule, trained on with 100 structures, reaches the error of"
        " training from scratch with 300.",
        config="config/examples/finetuning.yaml",
        testset="test",
        runs=["scratch-n100", "scratch-n300", "tuned-n100"],
        better="tuned-n100",
        worse="scratch-n300",
    ),
}


def measure(name: str, seeds: Sequence[int], cores: int, work: Path, out: Path) -> bool:
    """Run the study of a claim with each seed and write ``out`` with ``.md`` and ``.json``.

    What an earlier call has finished below ``work`` is not made again.

    Args:
        name: of the claim.
        seeds: of the study; data, splits and trainings differ by it.
        cores: that Snakemake may use.
        work: directory for the studies.
        out: path of the results without suffix.

    Returns:
        whether the claim holds for each seed.
    """
    claim = CLAIMS[name]
    errors = {seed: _force_errors(claim, seed, cores, work / name / str(seed)) for seed in seeds}
    figures = {"claim": claim.text, "rmse_forces_ev_per_angstrom": errors}
    sys.stdout.write(write_report(out, claim.text, cores, figures, _body(claim, errors)))
    return all(error[claim.better] <= error[claim.worse] for error in errors.values())


def _force_errors(claim: Claim, seed: int, cores: int, directory: Path) -> dict[str, float]:
    """Root mean square errors of force components, eV/Å, by run."""
    paths = {run: f"results/evaluation/{run}/{claim.testset}/metrics.json" for run in claim.runs}
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--cores", str(cores)),
            *("--snakefile", str(ROOT / "Snakefile")),
            *("--configfile", str(ROOT / claim.config), "--config", f"seed={seed}", "--"),
            *paths.values(),
        ],
        cwd=directory,
        check=True,
    )
    return {
        run: json.loads((directory / path).read_text(encoding="utf-8"))["forces"]["rmse"]
        for run, path in paths.items()
    }


def _body(claim: Claim, errors: dict[int, dict[str, float]]) -> list[str]:
    """The errors in meV/Å, a row for each run and a column for each seed."""
    rows = []
    for run in claim.runs:
        shown = run if run not in (claim.better, claim.worse) else f"**{run}**"
        rows.append([shown, *(f"{1000 * of_seed[run]:.1f}" for of_seed in errors.values())])
    ratios = (of_seed[claim.better] / of_seed[claim.worse] for of_seed in errors.values())
    return [
        f"Root mean square errors of force components, meV/Å, of the runs of `{claim.config}`.",
        markdown(["run", *(f"seed {seed}" for seed in errors)], rows),
        f"Ratio of {claim.better} to {claim.worse}: {', '.join(f'{one:.2f}' for one in ratios)}.",
    ]
