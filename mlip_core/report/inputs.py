"""Which files a report is made of."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class DatasetInputs:
    """One dataset's files.

    Attributes:
        name: its name in the study.
        directory: has ``dataset_info.json``, ``quality.json``, ``splits/split.json``, ``shards/``.
        origin: what the study says of where the data come from: ``description``, ``licence``,
            ``level_of_theory``.
    """

    name: str
    directory: Path
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EntryInputs:
    """The files of what is evaluated: a run of the study, a committee, a model from elsewhere.

    Attributes:
        name: its name in the study.
        testsets: for each test set the directory with ``metrics.json`` and the predictions.
        checks: for each physics check its ``<check>.json``; ``<check>.csv`` lies beside it.
        cost: what it costs, if that was measured.
        dataset: name of the dataset it was trained on, if it was trained here.
        run: the directory with ``config.yaml``, ``metrics.csv``, ``timing.csv`` and
            ``provenance.json``, if it was trained here.
        model: the exported model, if it was trained here.
        members: names of the runs whose mean it is, if it is a committee.
    """

    name: str
    testsets: Mapping[str, Path]
    checks: Mapping[str, Path] = field(default_factory=dict)
    cost: Path | None = None
    dataset: str | None = None
    run: Path | None = None
    model: Path | None = None
    members: Sequence[str] = ()


@dataclass(frozen=True)
class LearningRound:
    """A round of active learning.

    Attributes:
        entry: the committee that was trained in it, or its only run.
        dataset: the directory of the dataset that it was trained on.
        selection: how the structures were chosen that it has more than the round before; there is
            none in the first one.
    """

    entry: str
    dataset: Path
    selection: Path


@dataclass(frozen=True)
class Evaluated:
    """What every entry of a study was evaluated by.

    Attributes:
        testsets: names of the test sets.
        checks: names of the physics checks.
        cost: whether its cost was measured.
    """

    testsets: Sequence[str]
    checks: Sequence[str] = ()
    cost: bool = False


@dataclass(frozen=True)
class ReportInputs:
    """What a report is made of; a file that is not there is left out of the pages.

    Attributes:
        title: title of the study.
        datasets: the datasets of the study.
        entries: the runs of the study, then the models from elsewhere, then committees.
        best: path of ``best.json``.
        best_model: path of the best model.
        benchmarks: the directory of the times that Snakemake measured.
        learning: the rounds of each active learning.
    """

    title: str
    datasets: Sequence[DatasetInputs]
    entries: Sequence[EntryInputs]
    best: Path
    best_model: Path
    benchmarks: Path
    learning: Mapping[str, Sequence[LearningRound]] = field(default_factory=dict)

    @classmethod
    def from_results(
        cls,
        results: PathLike,
        runs: Mapping[str, str],
        evaluated: Evaluated,
        baselines: Sequence[str] = (),
        committees: Mapping[str, Sequence[str]] | None = None,
        learning: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        origins: Mapping[str, Mapping[str, str]] | None = None,
        title: str = "Study",
    ) -> Self:
        """The files of a study where its workflow puts them.

        Args:
            results: the study's directory of results.
            runs: the dataset of each run, in the order of the pages.
            evaluated: what was evaluated.
            baselines: names of the models from elsewhere.
            committees: the runs of each committee.
            learning: entry and dataset of each round of each active learning.
            origins: see :attr:`DatasetInputs.origin`, by dataset.
            title: title of the study.
        """
        root, members = Path(results), committees or {}
        return cls(
            title=title,
            datasets=[
                dataset_inputs(root, name, (origins or {}).get(name))
                for name in dict.fromkeys(runs.values())
            ],
            entries=[
                entry_inputs(root, name, runs.get(name), evaluated, members.get(name, ()))
                for name in (*runs, *baselines, *members)
            ],
            best=root / "models" / "best.json",
            best_model=root / "models" / "best.zip",
            benchmarks=root / "benchmarks",
            learning={
                name: [
                    LearningRound(
                        entry,
                        root / "datasets" / dataset,
                        root / "active_learning" / name / f"round-{number}" / "selection.json",
                    )
                    for number, (entry, dataset) in enumerate(rounds)
                ]
                for name, rounds in (learning or {}).items()
            },
        )


def dataset_inputs(
    results: PathLike, name: str, origin: Mapping[str, str] | None = None
) -> DatasetInputs:
    """The files of one dataset where the workflow puts them."""
    return DatasetInputs(name, Path(results, "datasets", name), origin or {})


def entry_inputs(
    results: PathLike,
    name: str,
    dataset: str | None,
    evaluated: Evaluated,
    members: Sequence[str] = (),
) -> EntryInputs:
    """The files of one entry where the workflow puts them.

    ``dataset`` is that of a run, ``members`` are the runs of a committee.
    """
    root = Path(results)
    directory = root / "evaluation" / name
    return EntryInputs(
        name=name,
        testsets={testset: directory / testset for testset in evaluated.testsets},
        checks={check: directory / "physics" / f"{check}.json" for check in evaluated.checks},
        cost=directory / "cost.json" if evaluated.cost else None,
        dataset=dataset,
        run=None if dataset is None else root / "runs" / name,
        model=None if dataset is None else root / "models" / f"{name}.zip",
        members=members,
    )
