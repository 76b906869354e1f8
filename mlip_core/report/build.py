"""The report: one folder, one page, no network."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from mlip_core.report import figures, formats
from mlip_core.report.dataset_view import dataset_view, element_names
from mlip_core.report.figures import FigureFile, FigureWriter
from mlip_core.report.inputs import DatasetInputs, ReportInputs, RunInputs
from mlip_core.report.leaderboard import (
    last_epoch,
    leaderboard_table,
    leaderboard_view,
    training_seconds,
)
from mlip_core.report.results import DatasetResults, RunResults, read_dataset, read_run
from mlip_core.report.run_view import error_curves, learning_curve, run_view
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import atomic_path, write_text


@dataclass(frozen=True)
class Tile:
    """A figure that says it all, at the top of the page."""

    label: str
    value: str
    unit: str = ""
    more: str = ""
    passed: bool | None = None


@dataclass(frozen=True)
class Page:
    """What is said about the study as a whole."""

    title: str
    verdict: str
    tiles: Sequence[Tile]
    model_path: str
    elements: str
    selection: str
    comparisons: Sequence[FigureFile]
    made_by: str


@dataclass(frozen=True)
class ListedFile:
    """A line of the list of files."""

    path: str
    content: str
    href: str | None


Lister = Callable[[Path, str], Iterator[ListedFile]]


def build_report(output_dir: str | os.PathLike[str], inputs: ReportInputs) -> Path:
    """Write ``index.html``, ``leaderboard.csv`` and ``figures/`` into ``output_dir``.

    The page needs no network and nothing outside its folder, except for the links in its list of
    files. The same inputs give the same bytes.

    Returns:
        The path of the page.

    Raises:
        UserError: if there are no runs, or the best run is not among them.
    """
    _check(inputs)
    directory = Path(output_dir)
    runs = [read_run(run, run.name == inputs.best_run) for run in inputs.runs]
    runs.sort(key=lambda run: not run.is_best)
    datasets = [read_dataset(dataset) for dataset in inputs.datasets]
    table = leaderboard_table(runs)
    with atomic_path(directory / "leaderboard.csv") as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")

    writer = FigureWriter(directory)
    text = _template().render(
        page=_page(inputs, runs, datasets, table, writer),
        leaderboard=leaderboard_view(table),
        runs=[run_view(run, writer) for run in runs],
        datasets=[dataset_view(dataset, writer) for dataset in datasets],
        files=list(_files(directory, inputs)),
    )
    write_text(directory / "index.html", text)
    writer.remove_others()
    return directory / "index.html"


def _check(inputs: ReportInputs) -> None:
    names = [run.name for run in inputs.runs]
    if not names:
        raise UserError("the report has no runs to show: name at least one in the config")
    if inputs.best_run not in names:
        raise UserError(
            f"the best run {inputs.best_run!r} is not among the runs of the report "
            f"({', '.join(names)}); choose the best run again"
        )


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("mlip_core.report"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {
        "significant": formats.significant,
        "r_squared": formats.r_squared,
        "thousands": formats.thousands,
    }
    return environment.get_template("index.html.j2")


def _page(
    inputs: ReportInputs,
    runs: Sequence[RunResults],
    datasets: Sequence[DatasetResults],
    table: pd.DataFrame,
    writer: FigureWriter,
) -> Page:
    best = runs[0]
    row = table.iloc[0]
    info = next((d.info for d in datasets if d.name == best.inputs.dataset), {})
    return Page(
        title=inputs.title,
        verdict=_verdict(best, row, len(runs)),
        tiles=list(_tiles(best, row)),
        model_path=_model_path(inputs),
        elements=formats.enumeration(element_names(info)),
        selection=_selection(best, runs),
        comparisons=list(_comparisons(runs, writer)),
        made_by=f"Made by {_version(best)} from the files named above. Opens without a network.",
    )


def _verdict(best: RunResults, row: pd.Series, n_runs: int) -> str:
    chosen = f"Of {n_runs} runs, {best.name} is the best." if n_runs > 1 else ""
    return " ".join(part for part in (chosen, _errors(best, row), _nve_verdict(best)) if part)


def _errors(best: RunResults, row: pd.Series) -> str:
    errors = [
        f"{formats.significant(row[column])} {unit} in the {quantity}"
        for column, unit, quantity in (
            ("force_rmse_mev_per_angstrom", "meV/Å", "forces"),
            ("energy_rmse_mev_per_atom", "meV/atom", "energy"),
        )
        if not formats.is_missing(row[column])
    ]
    if not errors:
        return "The model has not been evaluated on a test set."
    n_structures = next(iter(best.evaluations.values())).metrics["n_structures"]
    return (
        f"On {formats.thousands(n_structures)} structures that it has not seen, the model is off "
        f"by {formats.enumeration(errors)} (root-mean-square)."
    )


def _nve_verdict(best: RunResults) -> str:
    if best.nve is None:
        return ""
    if best.nve.summary["explosion"] is not None:
        return "In dynamics at constant energy it blew up: do not use it for dynamics."
    kept = "It keeps" if best.nve.summary["passed"] else "It does not keep"
    return f"{kept} the energy in dynamics."


def _tiles(best: RunResults, row: pd.Series) -> Iterator[Tile]:
    if not formats.is_missing(row["force_rmse_mev_per_angstrom"]):
        yield Tile(
            "Force error (RMSE)",
            formats.significant(row["force_rmse_mev_per_angstrom"]),
            "meV/Å",
            more=f"{formats.significant(row['force_relative_rmse_percent'])} % of their spread",
        )
    if not formats.is_missing(row["energy_rmse_mev_per_atom"]):
        yield Tile(
            "Energy error (RMSE)",
            formats.significant(row["energy_rmse_mev_per_atom"]),
            "meV/atom",
            more=f"MAE {formats.significant(row['energy_mae_mev_per_atom'])} meV/atom",
        )
    if best.nve is not None:
        yield _nve_tile(best.nve.summary)
    if (seconds := training_seconds(best)) is not None:
        epochs = formats.thousands(last_epoch(best))
        yield Tile("Training time", formats.duration(seconds), more=f"{epochs} epochs")


def _nve_tile(summary: Mapping[str, Any]) -> Tile:
    label, time = "Energy drift in dynamics", summary["simulated_time_fs"]
    if summary["explosion"] is not None:
        return Tile(label, formats.MISSING, more=f"blew up after {time:g} fs", passed=False)
    return Tile(
        label,
        formats.significant(summary["drift_mev_per_atom"]),
        "meV/atom",
        more=f"in {time / 1000:g} ps",
        passed=summary["passed"],
    )


def _model_path(inputs: ReportInputs) -> str:
    """As seen from where the study was run, which is where its results lie."""
    return inputs.best_model.as_posix()


def _selection(best: RunResults, runs: Sequence[RunResults]) -> str:
    if len(runs) == 1:
        return ""
    return (
        f"{best.name} was chosen on the validation set; the test errors in this table took no part "
        "in the choice."
    )


def _comparisons(runs: Sequence[RunResults], writer: FigureWriter) -> Iterator[FigureFile]:
    """Validation errors of all runs in one figure each."""
    if len(runs) == 1:
        return
    for curve in error_curves(runs[0].history):
        series = {
            run.name: values
            for run in runs
            if (values := learning_curve(run.history, "valid", curve)) is not None
        }
        text = f"{curve.name[0].upper()}{curve.name[1:]} on the validation set by epoch, all runs."
        yield writer.write(
            f"comparison-{curve.metric}",
            figures.learning_curve(series, curve.label),
            alt=text,
            caption=text,
        )


def _files(directory: Path, inputs: ReportInputs) -> Iterator[ListedFile]:
    def listed(path: Path, content: str) -> Iterator[ListedFile]:
        if path.exists():
            relative = Path(os.path.relpath(path, directory)).as_posix()
            yield ListedFile(relative, content, relative if path.is_file() else None)

    yield from listed(inputs.best_model, "the best model: load it with ForceFieldCalculator")
    for run in inputs.runs:
        yield from _run_files(run, listed)
    for dataset in inputs.datasets:
        yield from _dataset_files(dataset, listed)
    yield from listed(directory / "leaderboard.csv", "the leaderboard as a table")
    yield from listed(directory / "figures", "the figures as SVG and PNG")


def _run_files(run: RunInputs, listed: Lister) -> Iterator[ListedFile]:
    yield from listed(run.model, f"model of run {run.name}")
    for name, path in run.evaluations.items():
        yield from listed(path / "metrics.json", f"all errors of {run.name} on {name}")
        yield from listed(
            path / "predictions.extxyz", "structures with reference and predicted values"
        )
    yield from listed(run.directory / "metrics.csv", f"losses and errors of {run.name} by epoch")
    yield from listed(run.nve / "nve.csv", f"energies of {run.name}'s dynamics")


def _dataset_files(dataset: DatasetInputs, listed: Lister) -> Iterator[ListedFile]:
    yield from listed(dataset.directory / "splits" / "split.json", "which frame is in which split")
    yield from listed(dataset.directory / "quality.json", "the check of the dataset")


def _version(best: RunResults) -> str:
    version = best.provenance.get("versions", {}).get("mlip-core")
    return f"mlip_core {version}" if version else "mlip_core"
