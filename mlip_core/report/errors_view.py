"""Errors of one entry on one test set."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlip_core.report import figures
from mlip_core.report.elements import Cell, Column, Row, Table, number, word
from mlip_core.report.figure_files import FigureFile, FigureWriter
from mlip_core.report.formats import fixed, is_missing, r_squared, significant, thousands
from mlip_core.report.predictions import Predictions, WorstStructure, read_predictions
from mlip_core.report.results import EntryResults
from mlip_core.report.structure_drawings import DrawnStructure, draw_structures

_MILLI = 1000.0
_MOST_GROUPS = 40


@dataclass(frozen=True)
class GroupsView:
    """Errors by some property."""

    title: str
    table: Table
    figures: Sequence[FigureFile]


@dataclass(frozen=True)
class TestsetView:
    """Errors on one test set."""

    name: str
    anchor: str
    errors: Table
    figures: Sequence[FigureFile]
    groups: Sequence[GroupsView]
    worst: Table | None
    worst_figures: Sequence[FigureFile]


def testset_views(entry: EntryResults, writer: FigureWriter) -> list[TestsetView]:
    """All test sets of an entry."""
    return [
        _testset(name, metrics, entry.inputs.testsets[name], writer)
        for name, metrics in entry.metrics.items()
    ]


def _testset(
    name: str, metrics: Mapping[str, Any], directory: Path, writer: FigureWriter
) -> TestsetView:
    predictions = read_predictions(directory)
    drawn = [] if predictions is None else list(_figures(name, metrics, predictions, writer))
    worst = [] if predictions is None else predictions.worst
    return TestsetView(
        name=name,
        anchor=f"test-{name}",
        errors=_error_table(metrics),
        figures=drawn,
        groups=list(_groups(name, metrics, writer)),
        worst=_worst_table(worst) if worst else None,
        worst_figures=[_worst_figure(name, worst, writer)] if worst else [],
    )


def _error_table(metrics: Mapping[str, Any]) -> Table:
    rows = [
        *_row("Energy per atom", "meV/atom", metrics["energy_per_atom"]),
        *_row("Energy of a structure", "meV", metrics["energy"]),
        *_row("Force components", "meV/Å", metrics["forces"]),
        *_row("Force vectors", "meV/Å", metrics["forces_vector"]),
        *_row("Stress components", "meV/Å³", metrics["stress"]),
    ]
    columns = [
        Column("Quantity", numeric=False),
        Column("Unit", numeric=False),
        Column("RMSE"),
        Column("MAE"),
        Column("95 % below"),
        Column("Largest"),
        Column("RMSE / spread", "%"),
        Column("R²"),
        Column("Mean cosine"),
        Column("Values"),
    ]
    caption = (
        f"{thousands(metrics['n_structures'])} structures with {thousands(metrics['n_atoms'])} "
        f"atoms in all.{_intervals_sentence(metrics)}{_shift_sentence(metrics)}"
    )
    return _without_empty_columns(Table(caption, columns, rows))


def _intervals_sentence(metrics: Mapping[str, Any]) -> str:
    bootstrap = metrics.get("bootstrap", {})
    if not bootstrap.get("resamples"):
        return ""
    return f" Small print: {bootstrap['confidence_percent']} % confidence intervals."


def _shift_sentence(metrics: Mapping[str, Any]) -> str:
    shift = metrics.get("energy_shift")
    if not shift:
        return ""
    constants = ", ".join(f"{symbol} {fixed(energy, 3)} eV" for symbol, energy in shift.items())
    return (
        " The model counts energies from another zero: fitted to the training set, its energies "
        f"got a constant for each atom ({constants})."
    )


def _without_empty_columns(table: Table) -> Table:
    """Without the columns that say nothing."""
    kept = [i for i in range(len(table.columns)) if any(row.cells[i].value for row in table.rows)]
    rows = [replace(row, cells=[row.cells[i] for i in kept]) for row in table.rows]
    return replace(table, columns=[table.columns[i] for i in kept], rows=rows)


def _row(label: str, unit: str, errors: Mapping[str, Any] | None) -> Iterator[Row]:
    if errors is None:
        return
    yield Row(
        [
            word(label),
            word(unit),
            _milli(errors, "rmse"),
            _milli(errors, "mae"),
            number(_MILLI * errors["quantiles"]["95"]),
            _milli(errors, "max"),
            number(errors.get("relative_rmse_percent")),
            _r_squared(errors.get("r2")),
            _r_squared(errors.get("mean_cosine")),
            number(errors["count"], thousands(errors["count"])),
        ]
    )


def _r_squared(value: float | None) -> Cell:
    return number(value, r_squared(value))


def _milli(errors: Mapping[str, Any], name: str) -> Cell:
    """An error in thousandths, with its confidence interval if there is one."""
    interval = _interval(errors, name)
    more = "" if interval is None else f"{significant(interval[0])}–{significant(interval[1])}"
    return number(_MILLI * errors[name], more=more)


def _interval(errors: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    interval = errors.get("confidence", {}).get(name)
    return None if interval is None else (_MILLI * interval[0], _MILLI * interval[1])


_GROUPINGS = (
    ("by_config_type", "config_type", ""),
    ("by_element", "element", ""),
    ("by_size", "number of atoms", " atoms"),
    ("by_force_magnitude", "size of the reference force", " eV/Å"),
)


def _groups(name: str, metrics: Mapping[str, Any], writer: FigureWriter) -> Iterator[GroupsView]:
    """Errors by each property that tells structures or atoms apart."""
    for key, what, unit in _GROUPINGS:
        found = metrics.get(key) or {}
        groups = {_range(group, unit): errors for group, errors in found.items()}
        if len(groups) > 1:
            yield GroupsView(
                title=f"By {what}",
                table=_groups_table(what, groups),
                figures=list(_group_figures(f"{name}-{key}", what, groups, writer)),
            )


def _range(group: str, unit: str) -> str:
    """``3-4`` as ``3–4 atoms``; other names as they are."""
    return f"{group.replace('-', '–')}{unit}" if unit else group


_GROUPED = (
    ("forces", "Force", "meV/Å"),
    ("energy_per_atom", "Energy", "meV/atom"),
)


def _groups_table(what: str, groups: Mapping[str, Mapping[str, Any]]) -> Table:
    shown = [spec for spec in _GROUPED if any(group.get(spec[0]) for group in groups.values())]
    columns = [Column(what, numeric=False)]
    for _, label, unit in shown:
        columns += [Column(f"{label} RMSE", unit), Column(f"{label} MAE", unit), Column("Values")]
    rows = [Row([word(name), *_group_cells(group, shown)]) for name, group in groups.items()]
    return Table("", columns, rows, sortable=True)


def _group_cells(group: Mapping[str, Any], shown: Sequence[tuple[str, str, str]]) -> Iterator[Cell]:
    for quantity, _, _ in shown:
        errors = group.get(quantity)
        if not errors:
            yield from (number(None),) * 3
        else:
            yield _milli(errors, "rmse")
            yield _milli(errors, "mae")
            yield number(errors["count"], thousands(errors["count"]))


def _group_figures(
    stem: str, what: str, groups: Mapping[str, Mapping[str, Any]], writer: FigureWriter
) -> Iterator[FigureFile]:
    for quantity, label, unit in _GROUPED:
        found = {name: group[quantity] for name, group in groups.items() if group.get(quantity)}
        if len(found) < 2:
            continue
        found, left_out = _largest(found)
        intervals = [_interval(errors, "rmse") for errors in found.values()]
        known = " with 95 % confidence intervals" if any(intervals) else ""
        text = f"{label} RMSE by {what}{known}.{left_out}"
        yield writer.write(
            f"{stem}-{quantity}",
            figures.errors_by_group(
                list(found),
                [_MILLI * errors["rmse"] for errors in found.values()],
                intervals,
                f"{label.lower()} RMSE ({unit})",
            ),
            alt=text,
            caption=text,
        )


def _largest(groups: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The groups with the largest errors where there are too many for a figure."""
    if len(groups) <= _MOST_GROUPS:
        return groups, ""
    names = sorted(groups, key=lambda name: groups[name]["rmse"], reverse=True)[:_MOST_GROUPS]
    return {name: groups[name] for name in names}, f" The {_MOST_GROUPS} largest of {len(groups)}."


def _figures(
    name: str, metrics: Mapping[str, Any], predictions: Predictions, writer: FigureWriter
) -> Iterator[FigureFile]:
    for values, quantity, errors in (
        (predictions.energies, ("energy", "eV/atom", "meV/atom"), metrics["energy_per_atom"]),
        (predictions.forces, ("force component", "eV/Å", "meV/Å"), metrics["forces"]),
        (predictions.stress, ("stress component", "eV/Å³", "meV/Å³"), metrics["stress"]),
    ):
        if len(values):
            stem = f"{name}-{quantity[0].replace(' ', '-')}"
            yield from _parity_and_errors(stem, quantity, values, errors, writer)


def _parity_and_errors(
    name: str,
    quantity: tuple[str, str, str],
    values: np.ndarray,
    errors: Mapping[str, Any],
    writer: FigureWriter,
) -> Iterator[FigureFile]:
    """Of ``values`` ``[n, 2]``, reference and predicted."""
    what, unit, error_unit = quantity
    reference, predicted = values[:, 0], values[:, 1]
    rmse = f"{significant(_MILLI * errors['rmse'])} {error_unit}"
    yield writer.write(
        f"{name}-parity",
        figures.parity(reference, predicted, f"{what} ({unit})", f"RMSE {rmse}"),
        alt=f"Predicted against reference {what}: the points lie along the diagonal with an "
        f"RMSE of {rmse}.",
        caption=f"{what.capitalize()}: predicted against reference. On the grey line both are "
        "equal.",
    )
    yield writer.write(
        f"{name}-errors",
        figures.error_histogram(_MILLI * (predicted - reference), f"{what} ({error_unit})"),
        alt=f"Histogram of the errors of the {what}, RMSE {rmse}.",
        caption=f"Errors of the {what}, predicted minus reference.",
    )


def _worst_table(worst: Sequence[WorstStructure]) -> Table:
    columns = [
        Column("Number"),
        Column("Structure", numeric=False),
        Column("Formula", numeric=False),
        Column("config_type", numeric=False),
        Column("Largest force error", "meV/Å"),
        Column("On atom", numeric=False),
        Column("Energy error", "meV/atom"),
    ]
    rows = [_worst_row(i, each) for i, each in enumerate(worst, start=1)]
    caption = (
        "The structures with the largest error of a force, by file and number of the frame, "
        "counting from 0."
    )
    return Table(caption, columns, rows)


def _worst_row(rank: int, worst: WorstStructure) -> Row:
    atom = "–" if worst.atom is None else f"{worst.atoms.symbols[worst.atom]} {worst.atom}"
    return Row(
        [
            number(rank, str(rank)),
            word(worst.source or "–"),
            word(worst.atoms.get_chemical_formula()),
            word(worst.config_type or "–"),
            number(_MILLI * worst.force_error),
            word(atom),
            number(_MILLI * worst.energy_error),
        ]
    )


def _worst_figure(name: str, worst: Sequence[WorstStructure], writer: FigureWriter) -> FigureFile:
    drawn = [
        DrawnStructure(each.atoms, f"{rank}: {_title(each)}", each.atom)
        for rank, each in enumerate(worst, start=1)
    ]
    return writer.write(
        f"{name}-worst",
        draw_structures(drawn),
        alt=f"Drawings of the {len(worst)} structures of the table above.",
        caption="A red ring marks the atom with the largest error of its force. Colours of the "
        "elements as usual: H white, C grey, N blue, O red.",
    )


def _title(worst: WorstStructure) -> str:
    if is_missing(worst.force_error):
        return f"{significant(_MILLI * worst.energy_error)} meV/atom"
    return f"{significant(_MILLI * worst.force_error)} meV/Å"
