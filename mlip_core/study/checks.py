"""What can be wrong with a study although its config is well formed: seen before any job runs."""

from collections.abc import Callable, Iterator
from pathlib import Path

from mlip_core.reference import check_structure, resolve_calculator
from mlip_core.reference.config import ReferenceConfig
from mlip_core.study.config import StudyConfig
from mlip_core.study.dataset_config import DatasetConfig
from mlip_core.utils.errors import UserError


def check_study(study: StudyConfig) -> None:
    """Look for files, calculators and structures that the study names.

    Raises:
        UserError: with one line for each thing that is missing.
    """
    problems = [
        f"datasets.{name}.{problem}"
        for name, dataset in study.datasets.items()
        for problem in _dataset_problems(dataset)
    ]
    if problems:
        raise UserError("\n".join(problems))


def _dataset_problems(dataset: DatasetConfig) -> Iterator[str]:
    for path in dataset.source.files or []:
        if not Path(path).is_file():
            yield f"source.files: {_missing(path)}"
    reference = dataset.source.reference
    if reference is not None:
        yield from (f"source.reference.{problem}" for problem in _reference_problems(reference))
        if dataset.atomic_energies == "isolated_atoms" and not reference.isolated_atoms:
            yield (
                "atomic_energies: 'isolated_atoms' needs frames of single atoms; "
                "set source.reference.isolated_atoms to true"
            )


def _reference_problems(reference: ReferenceConfig) -> Iterator[str]:
    yield from _problem("calculator", lambda: resolve_calculator(reference.calculator))
    if reference.dynamics is not None:
        start = reference.dynamics.structure
        yield from _problem("dynamics.structure", lambda: check_structure(start))
    for path in reference.label.files if reference.label is not None else []:
        if not Path(path).is_file():
            yield f"label.files: {_missing(path)}"


def _problem(key: str, check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except UserError as error:
        yield f"{key}: {error}"


def _missing(path: str) -> str:
    kind = "is a directory, not a file" if Path(path).is_dir() else "no such file"
    return f"{path}: {kind}; paths are relative to {Path.cwd()}"
