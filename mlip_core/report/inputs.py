"""Which files a report is made of."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class DatasetInputs:
    """One dataset's files.

    Attributes:
        name: its name in the study.
        directory: has ``dataset_info.json``, ``quality.json``, ``splits/split.json``, ``shards/``.
    """

    name: str
    directory: Path


@dataclass(frozen=True)
class RunInputs:
    """One run's files.

    Attributes:
        name: its name in the study.
        dataset: name of the dataset it was trained on.
        directory: has ``config.yaml``, ``metrics.csv``, ``timing.csv``, ``provenance.json``.
        evaluations: for each test set the directory with ``metrics.json``, ``predictions.extxyz``.
        nve: the directory with ``nve.json`` and ``nve.csv``.
        model: the exported model.
    """

    name: str
    dataset: str
    directory: Path
    evaluations: Mapping[str, Path]
    nve: Path
    model: Path


@dataclass(frozen=True)
class ReportInputs:
    """What a report is made of; a file that is not there is left out of the page.

    Attributes:
        title: title of the page.
        datasets: the datasets of the study.
        runs: the runs of the study.
        best_run: the run whose model is ``best_model``.
        best_model: path of the best model.
    """

    title: str
    datasets: Sequence[DatasetInputs]
    runs: Sequence[RunInputs]
    best_run: str
    best_model: Path

    @classmethod
    def from_results(
        cls,
        results: str | os.PathLike[str],
        runs: Mapping[str, str],
        best_run: str,
        title: str = "Study",
        testsets: Sequence[str] = ("test",),
    ) -> Self:
        """The files of a study where its workflow puts them.

        Args:
            results: the study's directory of results.
            runs: the dataset of each run, in the order of the page.
            best_run: the run that was chosen.
            title: title of the page.
            testsets: names of the test sets.
        """
        root = Path(results)
        return cls(
            title=title,
            datasets=[
                DatasetInputs(name, root / "datasets" / name)
                for name in dict.fromkeys(runs.values())
            ],
            runs=[
                RunInputs(
                    name=name,
                    dataset=dataset,
                    directory=root / "runs" / name,
                    evaluations={t: root / "evaluation" / name / t for t in testsets},
                    nve=root / "evaluation" / name,
                    model=root / "models" / f"{name}.zip",
                )
                for name, dataset in runs.items()
            ],
            best_run=best_run,
            best_model=root / "models" / "best.zip",
        )
