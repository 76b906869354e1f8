"""What can be wrong with a study although its config is well formed: seen before any job runs."""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path

from mlip_core.data.splits import SPLITS
from mlip_core.data.splits.filling import wanted_sizes
from mlip_core.models.model_zip import open_model_zip
from mlip_core.reference import (
    check_structure,
    is_molecule_name,
    reference_parts,
    resolve_calculator,
)
from mlip_core.reference.config import ReferenceConfig
from mlip_core.study.active_learning import labelled_files, reference_file, split_file
from mlip_core.study.config import StudyConfig
from mlip_core.study.dataset_config import DatasetConfig
from mlip_core.study.problems import nearest
from mlip_core.study.remote_file import SourceFile, is_stored_elsewhere, local_paths
from mlip_core.study.run_config import RunConfig
from mlip_core.utils.errors import UserError


def check_study(study: StudyConfig, source: str = "config") -> None:
    """Look for files, calculators and structures that the study names, and for too few of them.

    Args:
        study: what is to be run.
        source: what to call its file in messages.

    Raises:
        UserError: with one line for each thing that is missing.
    """
    made = _made_files(study)
    problems = [
        f"datasets.{name}.{problem}"
        for name, dataset in study.datasets.items()
        for problem in _dataset_problems(dataset, made)
    ]
    trained_on = dict.fromkeys(name for run in study.runs.values() for name in run.datasets)
    problems += [
        f"datasets.{name}.{problem}"
        for name in trained_on
        for problem in _dynamics_problems(study.datasets[name])
    ]
    problems += [
        f"runs.{name}.{problem}"
        for name, run in study.runs.items()
        for problem in (*_start_problems(study, run), *_size_problems(study, run))
    ]
    problems += _evaluation_problems(study, made)
    problems += _active_learning_problems(study, made)
    problems += _brace_problems(study)
    if problems:
        raise UserError("\n".join(f"{source}: {problem}" for problem in problems))


def check_evaluated(study: StudyConfig, dataset: str, split: str, source: str = "config") -> None:
    """Raise a ``UserError`` if a split to evaluate has no frames; who only trains needs none."""
    if not getattr(study.datasets[dataset].split, split):
        raise UserError(
            f"{source}: datasets.{dataset}.split.{split}: no frames, but evaluation.splits has the"
            " split; ask for some, or take it out there"
        )


def check_calibrated(study: StudyConfig, committee: str, source: str = "config") -> None:
    """Raise a ``UserError`` if a committee's dataset has no test split to compare errors on."""
    dataset = study.dataset_of_entry(committee)
    if not study.datasets[dataset].split.test:
        raise UserError(
            f"{source}: datasets.{dataset}.split.test: no frames, but committees.{committee}"
            " compares its spread with its errors there; ask for some"
        )


def _dataset_problems(dataset: DatasetConfig, made: Collection[str]) -> Iterator[str]:
    """Problems of a dataset, some of whose files jobs of the study make."""
    files = dataset.source.files or []
    yield from (f"source.files: {line}" for line in _missing_files(files, made))
    reference = dataset.source.reference
    if reference is not None:
        yield from (f"source.reference.{problem}" for problem in _reference_problems(reference))
        if dataset.atomic_energies == "isolated_atoms" and not reference.isolated_atoms:
            yield (
                "atomic_energies: 'isolated_atoms' needs frames of single atoms; "
                "set source.reference.isolated_atoms to true"
            )


def _dynamics_problems(dataset: DatasetConfig) -> Iterator[str]:
    """Frames and labels of a dataset to train on that its dynamics cannot give."""
    reference = dataset.source.reference
    if reference is None or reference.dynamics is None or dataset.number_of_frames is None:
        return
    try:
        wanted_sizes(dataset.split, dataset.number_of_frames)
    except UserError as error:
        yield str(error)
    molecule = reference.dynamics.structure
    needs_stress = "stress" in dataset.check.require and dataset.labels.missing == "error"
    if needs_stress and is_molecule_name(molecule):
        yield (
            f"source.reference.dynamics.structure: {molecule} has no cell, hence no stress, but"
            " check.require, or the loss of a run, asks for it; set predict_stress to false"
        )


def _size_problems(study: StudyConfig, run: RunConfig) -> Iterator[str]:
    """More structures than the training split has, as far as the config says its size."""
    split = study.datasets[run.dataset].split
    # Groups that fit nowhere else may bring it more than it asks for.
    size = split.train if isinstance(split.train, int) and split.group_by is None else None
    if run.train_size is not None and size is not None and run.train_size > size:
        yield (
            f"train_size: {run.train_size}, but datasets.{run.dataset}.split.train is {size};"
            " ask for fewer, or give the split more"
        )


def _start_problems(study: StudyConfig, run: RunConfig) -> Iterator[str]:
    """Graphs that the model to start from was not made for."""
    if run.init_from is None:
        return
    if run.init_from in study.runs:
        dataset = study.datasets[study.runs[run.init_from].dataset]
        cutoff = dataset.graph.graph_cutoff_angstrom
    else:
        with open_model_zip(run.init_from) as archive:
            cutoff = archive.hyperparameters.dataset_info.cutoff_distance_angstrom
    for name in run.datasets:
        own = study.datasets[name].graph.graph_cutoff_angstrom
        if own != cutoff:
            yield (
                f"init_from: {run.init_from} has a cutoff of {cutoff} Å;"
                f" set datasets.{name}.graph.graph_cutoff_angstrom to {cutoff}, not {own}"
            )


def _made_files(study: StudyConfig) -> set[str]:
    """Paths of the files of structures that jobs of the study make."""
    return {
        *(
            reference_file(name)
            for name, dataset in study.datasets.items()
            if dataset.source.reference
        ),
        *(split_file(name, split) for name in study.datasets for split in SPLITS),
        *(
            file
            for name, config in study.active_learning.items()
            for file in labelled_files(name, config.rounds)
        ),
    }


def _active_learning_problems(study: StudyConfig, made: Collection[str]) -> Iterator[str]:
    for name, config in study.active_learning.items():
        key = f"active_learning.{name}"
        pool_files = config.pool.files or []
        yield from (f"{key}.pool.files: {line}" for line in _missing_files(pool_files, made))
        if config.pool.dataset is not None and config.pool.dataset not in study.datasets:
            pool = config.pool.dataset
            yield f"{key}.pool.dataset: there is no dataset {pool!r}{nearest(pool, study.datasets)}"
        elif config.pool.dataset is not None:
            frames = study.datasets[config.pool.dataset].number_of_frames
            wanted = config.rounds * config.select.per_round
            if frames is not None and wanted > frames:
                yield (
                    f"{key}.select.per_round: {config.select.per_round} in each of {config.rounds}"
                    f" rounds are {wanted}, but the pool has {frames} frames; ask for fewer"
                )
        label = config.label or study.datasets[config.dataset].source.reference
        if label is None:
            yield f"{key}.label: the dataset has no reference calculator; say which labels"
        elif config.label is not None:
            check = partial(resolve_calculator, config.label.calculator)
            yield from _problem(f"{key}.label.calculator", check)


def _evaluation_problems(study: StudyConfig, made: Collection[str]) -> Iterator[str]:
    for name, testset in study.testsets.items():
        lines = _missing_files(testset.files, made)
        yield from (f"testsets.{name}.files: {line}" for line in lines)
    for name, baseline in study.baselines.items():
        if baseline.calculator is not None:
            path = baseline.calculator.calculator
            check = partial(resolve_calculator, path)
            yield from _problem(f"baselines.{name}.calculator.calculator", check)
        elif baseline.model is not None:
            yield from _problem(f"baselines.{name}.model", partial(_open_zip, baseline.model))


def _open_zip(path: str) -> None:
    with open_model_zip(path):
        pass


def _reference_problems(reference: ReferenceConfig) -> Iterator[str]:
    yield from _problem("calculator", lambda: resolve_calculator(reference.calculator))
    if reference.dynamics is not None:
        start = reference.dynamics.structure
        yield from _problem("dynamics.structure", lambda: check_structure(start))
    if reference.label is not None:
        yield from (f"label.files: {line}" for line in _missing_files(reference.label.files))


def _problem(key: str, check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except UserError as error:
        yield f"{key}: {error}"


def _brace_problems(study: StudyConfig) -> Iterator[str]:
    for path in dict.fromkeys(_named_files(study)):
        if "{" in path or "}" in path:
            yield f"{path}: braces in paths are wildcards for Snakemake; rename the file"


def _named_files(study: StudyConfig) -> Iterator[str]:
    yield from local_paths(study.source_files)
    for dataset in study.datasets.values():
        if dataset.source.reference is not None:
            for part in reference_parts(dataset.source.reference):
                yield from part.structures
    yield from filter(None, (run.init_from for run in study.runs.values()))
    yield from filter(None, (baseline.model for baseline in study.baselines.values()))


def _missing_files(files: Iterable[SourceFile], made: Collection[str] = ()) -> Iterator[str]:
    """A line for each file that should be here, less those that lie elsewhere or jobs make."""
    for file in files:
        if file in made:
            continue
        if isinstance(file, str) and not (is_stored_elsewhere(file) or Path(file).is_file()):
            yield _missing(file)


def _missing(path: str) -> str:
    kind = "is a directory, not a file" if Path(path).is_dir() else "no such file"
    if "*" in path:
        kind += " (files are listed one by one)"
    return f"{path}: {kind}; paths are relative to {Path.cwd()}"
