"""What a change makes again: the table in docs/workflow.md is what the test expects."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.tiny_study import ROOT, StudyDirectory, add_run

DOCUMENT = ROOT / "docs/workflow.md"
CODE = ("Snakefile", "environment.yml", "pyproject.toml", "mlip_core", "profiles", "workflow")

Study = dict[str, Any]


class Case:
    """A copy of the finished study, and of the code, that a change is made to."""

    def __init__(self, finished: StudyDirectory, directory: Path) -> None:
        shutil.copytree(finished.path, directory / "study", symlinks=True)
        self.study = StudyDirectory(directory / "study")

    def configure(self, change: Callable[[Study], object]) -> None:
        """Change the config."""

        def both(study: Study) -> None:
            add_run(study, "nequip")
            change(study)

        self.study.configure(both)

    def copy_code(self) -> Path:
        """Go on with a copy of the code."""
        code = self.study.path.parent / "code"
        code.mkdir()
        for name in CODE:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
            copy(ROOT / name, code / name)
        self.study = StudyDirectory(self.study.path, code)
        return code


def small(study: Study) -> Study:
    """The run that changes."""
    run: Study = study["runs"]["small"]
    return run


def touch(case: Case) -> None:
    for path in sorted(case.study.path.rglob("*")):
        if ".snakemake" not in path.parts[:-1]:
            path.touch()


def touch_files_in_any_order(case: Case) -> None:
    """What `cp -r` and `git clone` do: results newer than what was made from them."""
    for number, path in enumerate(sorted(case.study.path.glob("results/**/*"), reverse=True)):
        os.utime(path, (2_000_000_000 + number, 2_000_000_000 + number))


def comment(case: Case) -> None:
    code = case.copy_code()
    config = case.study.path / "config/config.yaml"
    snakefiles = [path for name in ("Snakefile", "*.smk") for path in code.rglob(name)]
    for path in [config, *snakefiles, *code.rglob("*.py")]:
        path.write_text(f"{path.read_text()}\n# A comment.\n")


def new_version(case: Case) -> None:
    """One that has more keys, each with a default, and needs newer packages."""
    code = case.copy_code()
    for file, before, new in (
        ("pyproject.toml", 'version = "', 'version = "9'),
        ("environment.yml", "  - pip\n", "  - pip>=25\n"),
        (
            "mlip_core/study/run_config.py",
            "    batch_size: Pos",
            "    new: int = 1\n    batch_size: Pos",
        ),
        ("mlip_core/data/frames/labels.py", "    energy_key:", "    new: int = 1\n    energy_key:"),
        ("mlip_core/data/quality/config.py", "    require:", "    new: int = 1\n    require:"),
    ):
        text = (code / file).read_text()
        assert text.count(before) >= 1, file
        (code / file).write_text(text.replace(before, new, 1))


def new_run(case: Case) -> None:
    case.configure(lambda s: s["runs"].update(third={**small(s), "batch_size": 3}))


def new_test_set(case: Case) -> None:
    reference = case.study.path / "results/datasets/ethane/reference.extxyz"
    shutil.copyfile(reference, case.study.path / "more.extxyz")
    case.configure(lambda s: s.update(testsets={"more": {"files": ["more.extxyz"]}}))


def move(case: Case) -> None:
    target = case.study.path.parent / "elsewhere"
    shutil.move(case.study.path, target)
    case.study = StudyDirectory(target)


CHANGES: dict[str, Callable[[Case], None]] = {
    "all files touched": touch,
    "results copied without their times": touch_files_in_any_order,
    "directory moved": move,
    "comments in code and config": comment,
    "new version": new_version,
    "hyperparameter of a run": lambda case: case.configure(
        lambda s: small(s)["model"].update(num_channels=3)
    ),
    "seed of a run": lambda case: case.configure(lambda s: small(s).update(seed=5)),
    "more epochs for a run": lambda case: case.configure(
        lambda s: small(s)["training"].update(num_epochs=4)
    ),
    "fewer epochs for a run": lambda case: case.configure(
        lambda s: small(s)["training"].update(num_epochs=1)
    ),
    "new run": new_run,
    "new test set": new_test_set,
    "run removed": lambda case: case.configure(lambda s: s["runs"].pop("nequip")),
    "cutoff": lambda case: case.configure(
        lambda s: s["datasets"]["ethane"]["graph"].update(graph_cutoff_angstrom=3.5)
    ),
    "number of `shard_jobs`": lambda case: case.configure(
        lambda s: s["datasets"]["ethane"].update(shard_jobs=2)
    ),
    "size of a split": lambda case: case.configure(
        lambda s: s["datasets"]["ethane"]["split"].update(train=10)
    ),
    "seed of the study": lambda case: case.configure(lambda s: s.update(seed=2)),
    "title": lambda case: case.configure(lambda s: s.update(title="Other")),
}


# The columns of the table; a rule that is in none has one of its own.
COLUMNS = {
    "data": ("reference_part", "reference", "check"),
    "split": ("split",),
    "graphs": ("shard", "dataset_info"),
    "training": ("train_run",),
    "evaluation": ("evaluate_entry", "physics_subject", "physics"),
    "best model": ("select_best", "best"),
    "pages": ("report_dataset", "report_entry", "report", "model_card", "best_card"),
}


def table() -> dict[str, dict[str, int]]:
    """The numbers of jobs that each change runs, as the document has them."""
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    return {
        change: {name: int(cell) for name, cell in zip(head[1:], cells, strict=True) if cell}
        for change, *cells in rows
    }


def by_column(planned: dict[str, int]) -> dict[str, int]:
    """Numbers of jobs by the columns of the table."""
    names = {rule: name for name, rules in COLUMNS.items() for rule in rules}
    counts: Counter[str] = Counter()
    for rule, count in planned.items():
        counts[names.get(rule, rule)] += count
    return dict(counts)


def test_table_has_all_changes() -> None:
    assert list(table()) == list(CHANGES)


@pytest.mark.parametrize("change", CHANGES)
def test_change_runs_the_jobs_of_the_table(
    two: StudyDirectory, tmp_path: Path, change: str
) -> None:
    case = Case(two, tmp_path)
    CHANGES[change](case)
    result = case.study.snakemake("--dry-run")
    assert result.status == 0, result.output
    assert by_column(result.planned) == table()[change], result.planned
