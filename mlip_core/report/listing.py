"""Links to the files of the results."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from mlip_core.report.inputs import EntryInputs, ReportInputs


@dataclass(frozen=True)
class ListedFile:
    """A line of a list of files; directories are named but not linked."""

    path: str
    content: str
    href: str | None


def entry_files(directory: Path, entry: EntryInputs) -> Iterator[ListedFile]:
    """The files of one entry, seen from a page in ``directory``."""
    if entry.model is not None:
        yield from _listed(directory, entry.model, "the model")
        yield from _listed(directory, entry.model.with_suffix(".md"), "its model card")
    for name, path in entry.testsets.items():
        yield from _listed(directory, path / "metrics.json", f"all errors on {name}")
        for file in sorted(path.glob("*")):
            if file.name != "metrics.json" and file.is_file():
                yield from _listed(directory, file, "reference and predicted values")
    for path in entry.checks.values():
        yield from _listed(directory, path.with_suffix(".csv"), "what the physics check measured")
    if entry.run is not None:
        yield from _listed(directory, entry.run / "metrics.csv", "losses and errors by epoch")
        yield from _listed(directory, entry.run / "config.yaml", "the configuration")


def study_files(directory: Path, inputs: ReportInputs) -> Iterator[ListedFile]:
    """The files of the study as a whole."""
    yield from _listed(directory, inputs.best_model.with_suffix(".md"), "card of the best model")
    yield from _listed(directory, inputs.best, "how the best model was chosen")
    for dataset in inputs.datasets:
        split = dataset.directory / "splits" / "split.json"
        yield from _listed(directory, split, f"which frame of {dataset.name} is in which split")
    yield ListedFile("leaderboard.csv", "the leaderboard as a table", "leaderboard.csv")
    yield ListedFile("figures/", "all figures as SVG and PNG", None)


def _listed(directory: Path, path: Path, content: str) -> Iterator[ListedFile]:
    if path.exists():
        relative = Path(os.path.relpath(path, directory)).as_posix()
        yield ListedFile(relative, content, quote(relative) if path.is_file() else None)
