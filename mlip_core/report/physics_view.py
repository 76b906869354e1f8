"""Physics checks and cost of one entry, as any check writes them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlip_core.report import figures
from mlip_core.report.elements import Cell, Column, Row, Table, number, word
from mlip_core.report.figure_files import FigureFile, FigureWriter
from mlip_core.report.formats import MISSING, is_missing, significant, thousands
from mlip_core.report.results import CheckResults, EntryResults

_MOST_SERIES = 12


@dataclass(frozen=True)
class CheckView:
    """One physics check.

    Attributes:
        anchor: its place on the page.
        passed: ``None`` where it does not apply.
    """

    anchor: str
    title: str
    passed: bool | None
    note: str
    quantities: Table | None
    figures: Sequence[FigureFile]


@dataclass(frozen=True)
class CostView:
    """What using the model takes."""

    table: Table
    figures: Sequence[FigureFile]


def check_views(entry: EntryResults, writer: FigureWriter) -> list[CheckView]:
    """All checks of an entry, in the order of the config."""
    return [_check(check, writer) for check in entry.checks]


def _check(check: CheckResults, writer: FigureWriter) -> CheckView:
    return CheckView(
        anchor=f"check-{check.name}",
        title=check.title,
        passed=check.passed,
        note=str(check.outcome.get("note") or ""),
        quantities=_quantities(check.outcome.get("quantities", [])),
        figures=list(_figures(check, writer)),
    )


def _quantities(quantities: Sequence[Mapping[str, Any]]) -> Table | None:
    if not quantities:
        return None
    rows = [
        Row(
            [
                word(quantity["name"]),
                _value(quantity.get("value"), quantity.get("passed")),
                word(quantity.get("unit") or ""),
                _value(quantity.get("limit"), None),
            ]
        )
        for quantity in quantities
    ]
    columns = [Column("Quantity", numeric=False), Column("Value")]
    columns += [Column("Unit", numeric=False), Column("Limit")]
    return Table("", columns, rows)


def _value(value: Any, passed: bool | None) -> Cell:
    """A quantity need not be a number."""
    if isinstance(value, bool):
        return Cell("yes" if value else "no", str(int(value)), passed=passed)
    if is_missing(value):
        return Cell(MISSING, passed=passed)
    text = significant(value) if isinstance(value, int | float) else str(value)
    return Cell(text, str(value), passed=passed)


def _figures(check: CheckResults, writer: FigureWriter) -> Iterator[FigureFile]:
    table = check.table()
    for index, plot in enumerate(check.outcome.get("plots", [])):
        series = _series(table, plot)
        if not series:
            continue
        title = str(plot.get("title") or check.title)
        xlabel, ylabel = plot.get("x_label") or plot["x"], plot.get("y_label") or plot["y"][0]
        more = _more(table, plot)
        yield writer.write(
            f"{check.name}-{index + 1}",
            figures.traces(series, xlabel, ylabel),
            alt=f"{title}: {ylabel} against {xlabel}, {len(series)} lines.",
            caption=f"{title}.{more}",
        )


def _series(
    table: pd.DataFrame, plot: Mapping[str, Any]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Lines by name: one for each column, or for each group and column."""
    group, names = plot.get("group"), plot["y"]
    parts = {"": table} if not group else {str(g): part for g, part in table.groupby(group)}
    series = {}
    for part_name, part in list(parts.items())[:_MOST_SERIES]:
        for column in names:
            finite = part[np.isfinite(part[[plot["x"], column]]).all(axis=1)]
            words = [part_name] if len(names) == 1 and part_name else [part_name, _words(column)]
            if len(finite):
                x, y = (finite[name].to_numpy(dtype=np.float64) for name in (plot["x"], column))
                series[" ".join(filter(None, words))] = (x, y)
    return series


def _more(table: pd.DataFrame, plot: Mapping[str, Any]) -> str:
    count = table[plot["group"]].nunique() if plot.get("group") else 1
    return f" Shown are {_MOST_SERIES} of {count}." if count > _MOST_SERIES else ""


def _words(column: str) -> str:
    """``total_energy_ev`` without the unit that stands on the axis."""
    stem = column.rpartition("_")[0] if column.count("_") else column
    return stem.replace("_", " ")


def cost_view(entry: EntryResults, writer: FigureWriter) -> CostView | None:
    """Time of energies and forces by size of the structure."""
    rows = entry.cost.get("rows", [])
    if not rows:
        return None
    columns = [
        Column("Atoms"),
        Column("Time of a step", "ms"),
        Column("Time per atom", "µs"),
        Column("Steps", "per second"),
    ]
    cells = [
        Row(
            [
                number(row["n_atoms"], thousands(row["n_atoms"])),
                number(1000.0 * row["seconds_per_step"]),
                number(row["microseconds_per_atom"]),
                number(row["steps_per_second"]),
            ]
        )
        for row in rows
    ]
    return CostView(
        Table(f"Steps of dynamics, on {device_text(entry.cost)}", columns, cells),
        [_cost_figure(rows, writer)] if len(rows) > 1 else [],
    )


def device_text(cost: Mapping[str, Any]) -> str:
    """What the times were measured on."""
    threads = cost.get("threads")
    with_threads = f" with {threads} thread{'s' if threads != 1 else ''}" if threads else ""
    return f"{cost.get('device', 'an unnamed device')}{with_threads}"


def _cost_figure(rows: Sequence[Mapping[str, Any]], writer: FigureWriter) -> FigureFile:
    n_atoms = np.array([row["n_atoms"] for row in rows], dtype=np.float64)
    seconds = np.array([row["seconds_per_step"] for row in rows])
    fastest = significant(min(row["microseconds_per_atom"] for row in rows))
    text = "Time of one step of dynamics against the number of atoms"
    return writer.write(
        "cost",
        figures.scaling(n_atoms, 1000.0 * seconds, "atoms", "time of a step (ms)"),
        alt=f"{text}; at best {fastest} µs per atom.",
        caption=f"{text}. The grey line is proportional to it.",
    )
