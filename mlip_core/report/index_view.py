"""What the first page says about the study as a whole."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from mlip_core.report.curves import compared_curves
from mlip_core.report.dataset_view import element_names
from mlip_core.report.elements import Cell, Column, Row, Table, Tile, number, word
from mlip_core.report.entry_view import tiles, verdict
from mlip_core.report.figure_files import FigureFile, FigureWriter
from mlip_core.report.formats import enumeration, thousands
from mlip_core.report.front import front_figure
from mlip_core.report.inputs import ReportInputs
from mlip_core.report.leaderboard import find_replicas, leaderboard_view, replicas_table
from mlip_core.report.learning_view import LearningView, learning_views
from mlip_core.report.listing import ListedFile, study_files
from mlip_core.report.results import Choice, DatasetResults, EntryResults, read_dataset

_USE = """from mlip_core import ForceFieldCalculator

atoms.calc = ForceFieldCalculator("{path}")
energy, forces = atoms.get_potential_energy(), atoms.get_forces()"""
_MOST_NAMED = 5


@dataclass(frozen=True)
class IndexView:
    """The first page.

    Attributes:
        use: code that uses the best model; empty if there is none.
        range: what the best model is for.
        card: link to its model card; empty if there is none.
        selection: how the best model was chosen.
    """

    verdict: str
    tiles: Sequence[Tile]
    use: str
    range: str
    card: str
    leaderboard: Table
    testsets: Sequence[str]
    selection: str
    replicas: Table | None
    front: FigureFile | None
    comparisons: Sequence[FigureFile]
    learning: Sequence[LearningView]
    datasets: Table
    files: Sequence[ListedFile]


def index_view(
    directory: Path,
    inputs: ReportInputs,
    choice: Choice,
    entries: Sequence[EntryResults],
    table: pd.DataFrame,
    writer: FigureWriter,
) -> IndexView:
    """Draw the figures of the first page and put together what it says."""
    best = next((entry for entry in entries if entry.name == choice.run), None)
    datasets = [read_dataset(dataset) for dataset in inputs.datasets]
    ranked = {name: i for i, name in enumerate(dict.fromkeys(table["entry"]))}
    runs = sorted((e for e in entries if e.is_run), key=lambda run: ranked[run.name])
    testsets = list(dict.fromkeys(name for entry in entries for name in entry.metrics))
    return IndexView(
        verdict=_verdict(best, runs, choice),
        tiles=[] if best is None else list(tiles(best)),
        use="" if best is None else _USE.format(path=inputs.best_model.as_posix()),
        range="" if best is None else _range(best, datasets),
        card=_card(directory, inputs),
        leaderboard=leaderboard_view(table),
        testsets=testsets,
        selection=_selection(best, choice, len(runs)),
        replicas=replicas_table(table, list(find_replicas(entries))),
        front=front_figure(table, testsets[0], writer) if testsets else None,
        comparisons=list(compared_curves(runs, writer)),
        learning=learning_views(inputs.learning, entries, writer),
        datasets=_datasets_table(datasets),
        files=list(study_files(directory, inputs)),
    )


def _verdict(best: EntryResults | None, runs: Sequence[EntryResults], choice: Choice) -> str:
    if best is None:
        return _no_choice(choice)
    chosen = f"Of {len(runs)} runs, {best.name} is the best. " if len(runs) > 1 else ""
    return chosen + verdict(best)


def _no_choice(choice: Choice) -> str:
    failing = [f"{run} ({', '.join(failed)})" for run, failed in choice.gates.items() if failed]
    shown = failing[:_MOST_NAMED]
    more = f" and {len(failing) - len(shown)} more" if len(failing) > len(shown) else ""
    named = f": {'; '.join(shown)}{more}" if shown else ""
    return f"No run was chosen as the best: each fails a physics check{named}."


def _range(best: EntryResults, datasets: Sequence[DatasetResults]) -> str:
    info = next((d.info for d in datasets if d.name == best.inputs.dataset), {})
    known = enumeration(element_names(info))
    return f"It knows the elements {known}. Trust it for structures like those it was trained on."


def _card(directory: Path, inputs: ReportInputs) -> str:
    card = inputs.best_model.with_suffix(".md")
    return quote(Path(os.path.relpath(card, directory)).as_posix()) if card.exists() else ""


def _selection(best: EntryResults | None, choice: Choice, n_runs: int) -> str:
    if best is None or n_runs == 1:
        return ""
    return (
        f"{best.name} was chosen by its {choice.metric} on the validation set; the errors in this "
        "table took no part in the choice."
    )


def _datasets_table(datasets: Sequence[DatasetResults]) -> Table:
    columns = [
        Column("Dataset", numeric=False),
        Column("Structures"),
        Column("Training"),
        Column("Validation"),
        Column("Test"),
        Column("Elements", numeric=False),
        Column("Findings"),
    ]
    return Table("", columns, [Row(list(_dataset_cells(dataset))) for dataset in datasets])


def _dataset_cells(dataset: DatasetResults) -> Iterator[Cell]:
    sizes = dataset.split.get("sizes", {})
    frames = dataset.summary.get("frames")
    n_findings = sum(len(s.get("findings", [])) for s in (dataset.quality, dataset.split))
    yield word(dataset.name, f"datasets/{quote(dataset.name)}.html")
    for count in (frames, *(sizes.get(split) for split in ("train", "valid", "test"))):
        yield number(count, thousands(count))
    yield word(", ".join(element_names(dataset.info)) or "–")
    yield number(n_findings, str(n_findings))
