"""The report: one folder of pages that need no network."""

import os
from pathlib import Path

from mlip_core.report.dataset_view import dataset_view
from mlip_core.report.definitions import definitions
from mlip_core.report.entry_view import entry_view
from mlip_core.report.figure_files import FigureWriter
from mlip_core.report.index_view import index_view
from mlip_core.report.inputs import DatasetInputs, EntryInputs, ReportInputs
from mlip_core.report.leaderboard import leaderboard_table
from mlip_core.report.listing import entry_files
from mlip_core.report.pages import write_assets, write_page
from mlip_core.report.results import read_choice, read_dataset, read_entry
from mlip_core.report.timeline import read_jobs, timeline_view
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path

PathLike = str | os.PathLike[str]


def build_report(output_dir: PathLike, inputs: ReportInputs) -> Path:
    """Write all pages with their figures into ``output_dir``.

    They need no network and nothing outside the folder, except for links to the files of the
    results. The same inputs give the same bytes.

    Returns:
        The path of the first page.

    Raises:
        UserError: if there are no entries, or the best run is not among them.
    """
    for entry in inputs.entries:
        write_entry_page(output_dir, entry)
    for dataset in inputs.datasets:
        write_dataset_page(output_dir, dataset)
    return write_overview(output_dir, inputs)


def write_entry_page(output_dir: PathLike, inputs: EntryInputs) -> Path:
    """Write the page and the figures of one entry: ``entries/<name>.html``."""
    writer = FigureWriter(output_dir, f"entries/{inputs.name}")
    view = entry_view(read_entry(inputs), writer)
    writer.remove_others()
    path = Path(output_dir, "entries", f"{inputs.name}.html")
    files = list(entry_files(path.parent, inputs))
    write_page(path, "entry.html.j2", root="../", entry=view, files=files)
    return path


def write_dataset_page(output_dir: PathLike, inputs: DatasetInputs) -> Path:
    """Write the page and the figures of one dataset: ``datasets/<name>.html``."""
    writer = FigureWriter(output_dir, f"datasets/{inputs.name}")
    view = dataset_view(read_dataset(inputs), writer)
    writer.remove_others()
    path = Path(output_dir, "datasets", f"{inputs.name}.html")
    write_page(path, "dataset.html.j2", root="../", dataset=view)
    return path


def write_overview(output_dir: PathLike, inputs: ReportInputs) -> Path:
    """Write what is said of the study as a whole: ``index.html``, ``workflow.html``,
    ``definitions.html``, ``leaderboard.csv``.

    Raises:
        UserError: as :func:`build_report`.
    """
    directory = Path(output_dir)
    choice = read_choice(inputs.best)
    _check(inputs, choice.run)
    entries = [read_entry(entry) for entry in inputs.entries]
    table = leaderboard_table(entries, choice)
    with atomic_path(directory / "leaderboard.csv") as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    writer = FigureWriter(directory, "study")
    page = index_view(directory, inputs, choice, entries, table, writer)
    timeline = timeline_view(read_jobs(inputs.benchmarks), writer)
    writer.remove_others()
    write_assets(directory)
    study = inputs.title
    write_page(directory / "index.html", "index.html.j2", root="", study=study, page=page)
    write_page(
        directory / "workflow.html",
        "workflow.html.j2",
        root="",
        study=study,
        timeline=timeline,
        benchmarks=inputs.benchmarks.as_posix(),
    )
    write_page(
        directory / "definitions.html",
        "definitions.html.j2",
        root="",
        study=study,
        definitions=definitions(),
    )
    return directory / "index.html"


def _check(inputs: ReportInputs, best_run: str | None) -> None:
    names = [entry.name for entry in inputs.entries]
    if not names:
        raise UserError("the report has no runs to show: name at least one in the config")
    if best_run is not None and best_run not in names:
        raise UserError(
            f"the best run {best_run!r} is not among the runs of the report "
            f"({', '.join(names)}); choose the best run again"
        )
