"""All entries side by side."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas as pd

from mlip_core.report.elements import Cell, Column, Row, Table, number, word
from mlip_core.report.formats import is_missing, significant, thousands
from mlip_core.report.results import Choice, EntryResults

_MILLI = 1000.0


@dataclass(frozen=True)
class _Shown:
    """A column of the CSV file as it is shown."""

    name: str
    label: str
    unit: str = ""
    text: Callable[[float], str] = significant


def _rounded(value: float) -> str:
    return thousands(round(value))


_NUMBERS = (
    _Shown("force_rmse_mev_per_angstrom", "Force RMSE", "meV/Å"),
    _Shown("force_mae_mev_per_angstrom", "Force MAE", "meV/Å"),
    _Shown("force_relative_rmse_percent", "Force RMSE", "% of spread"),
    _Shown("energy_rmse_mev_per_atom", "Energy RMSE", "meV/atom"),
    _Shown("energy_mae_mev_per_atom", "Energy MAE", "meV/atom"),
    _Shown("stress_rmse_mev_per_cubic_angstrom", "Stress RMSE", "meV/Å³"),
)
_COSTS = (
    _Shown("microseconds_per_atom", "Time per atom", "µs"),
    _Shown("steps_per_second", "MD steps", "per second"),
    _Shown("n_parameters", "Parameters", text=_rounded),
    _Shown("epochs", "Epochs", text=_rounded),
    _Shown("training_seconds", "Training", "s", text=_rounded),
)
_COLUMNS = (
    "entry",
    "dataset",
    "test_set",
    *(column.name for column in _NUMBERS),
    "checks_passed",
    "checks_failed",
    "failed_checks",
    *(column.name for column in _COSTS),
    "trained_here",
    "members",
    "best",
)


def leaderboard_table(entries: Sequence[EntryResults], choice: Choice) -> pd.DataFrame:
    """One row per entry and test set: the chosen run first, then by force error.

    What is not known is missing (NaN). ``microseconds_per_atom`` and ``steps_per_second`` are those
    of the largest structure that was timed.
    """
    rows = [row for entry in entries for row in _rows(entry, choice)]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.sort_values(
        ["best", "force_rmse_mev_per_angstrom", "energy_rmse_mev_per_atom", "entry"],
        ascending=[False, True, True, True],
        ignore_index=True,
    )


def leaderboard_view(table: pd.DataFrame) -> Table:
    """The table as it is shown: columns that say nothing are left out."""
    numbers = [column for column in _NUMBERS if table[column.name].notna().any()]
    costs = [column for column in _COSTS if table[column.name].notna().any()]
    names = [name for name in ("dataset", "test_set") if len(set(table[name].dropna())) > 1]
    checked = bool((table["checks_passed"] + table["checks_failed"]).gt(0).any())
    columns = [
        Column("Model", numeric=False),
        *(Column(name.replace("_", " ").capitalize(), numeric=False) for name in names),
        *(Column(column.label, column.unit) for column in numbers),
        *([Column("Physics checks", numeric=False)] if checked else []),
        *(Column(column.label, column.unit) for column in costs),
    ]
    rows = [
        Row(
            cells=[
                _name(record),
                *(word(_or_empty(record[name])) for name in names),
                *(_number(column, record) for column in numbers),
                *([_checks(record)] if checked else []),
                *(_number(column, record) for column in costs),
            ],
            badge="best" if record["best"] else "",
            kind=str(record["test_set"]) if "test_set" in names else "",
        )
        for record in table.to_dict("records")
    ]
    caption = "Errors on each test set; smaller is better. Click a heading to sort."
    return Table(caption, columns, rows, sortable=True)


def entry_href(name: str) -> str:
    """Where an entry's page lies, relative to the report's folder."""
    return f"entries/{quote(name)}.html"


def _name(record: Mapping[Any, Any]) -> Cell:
    if record["members"]:
        more = f"committee of {record['members']}"
    else:
        more = "" if record["trained_here"] else "not trained here"
    return word(record["entry"], entry_href(record["entry"]), more)


def _number(column: _Shown, record: Mapping[Any, Any]) -> Cell:
    value = record[column.name]
    return number(value, None if is_missing(value) else column.text(value))


def _checks(record: Mapping[Any, Any]) -> Cell:
    """How many of the checks it passed, and the names of those that it did not."""
    passed, failed = record["checks_passed"], record["checks_failed"]
    total = passed + failed
    if not total:
        return Cell("–")
    return Cell(
        f"{passed} of {total}",
        repr(passed / total),
        more=_or_empty(record["failed_checks"]),
        passed=not failed,
    )


def _or_empty(value: Any) -> str:
    return "" if is_missing(value) else str(value)


def _rows(entry: EntryResults, choice: Choice) -> list[dict[str, Any]]:
    shared = {
        "entry": entry.name,
        "dataset": entry.inputs.dataset,
        "checks_passed": sum(check.passed is True for check in entry.checks),
        "checks_failed": len(entry.failed_checks),
        "failed_checks": ", ".join(entry.failed_checks),
        "n_parameters": entry.n_parameters,
        "epochs": entry.last_epoch,
        "training_seconds": entry.training_seconds,
        "trained_here": entry.is_run,
        "members": len(entry.inputs.members),
        "best": entry.name == choice.run,
        **_cost(entry),
    }
    tests = [{"test_set": name, **_errors(metrics)} for name, metrics in entry.metrics.items()]
    return [shared | test for test in tests or [{}]]


def _errors(metrics: Mapping[str, Any]) -> dict[str, Any]:
    forces = metrics["forces"] or {}
    energy = metrics["energy_per_atom"] or {}
    stress = metrics["stress"] or {}
    return {
        "force_rmse_mev_per_angstrom": _milli(forces.get("rmse")),
        "force_mae_mev_per_angstrom": _milli(forces.get("mae")),
        "force_relative_rmse_percent": forces.get("relative_rmse_percent"),
        "energy_rmse_mev_per_atom": _milli(energy.get("rmse")),
        "energy_mae_mev_per_atom": _milli(energy.get("mae")),
        "stress_rmse_mev_per_cubic_angstrom": _milli(stress.get("rmse")),
    }


def _cost(entry: EntryResults) -> dict[str, float]:
    rows = entry.cost.get("rows", [])
    if not rows:
        return {}
    largest = max(rows, key=lambda row: row["n_atoms"])
    return {name: largest[name] for name in ("microseconds_per_atom", "steps_per_second")}


def _milli(value: float | None) -> float | None:
    return None if value is None else _MILLI * value


@dataclass(frozen=True)
class Replicas:
    """Runs that differ in their seeds only."""

    name: str
    runs: Sequence[str]


def find_replicas(entries: Sequence[EntryResults]) -> Iterator[Replicas]:
    """Groups of two or more runs whose configs are equal but for the seeds."""
    groups: dict[str, list[str]] = {}
    for entry in entries:
        if config := entry.provenance.get("config"):
            groups.setdefault(_without_seeds(config), []).append(entry.name)
    for runs in groups.values():
        if len(runs) > 1:
            yield Replicas(_common_name(runs), sorted(runs))


def _without_seeds(config: Mapping[str, Any]) -> str:
    training = {k: v for k, v in config.get("training", {}).items() if k != "random_seed"}
    rest = {k: v for k, v in config.items() if k != "seed"}
    return repr(sorted({**rest, "training": training}.items()))


def _common_name(runs: Sequence[str]) -> str:
    """What the names have in common, without the words that lead to the seed."""
    shared = runs[0]
    while not all(run.startswith(shared) for run in runs):
        shared = shared[:-1]
    name = re.sub(r"seed_?\d*$", "", shared).rstrip("-_.")
    return name or f"{runs[0]} and {len(runs) - 1} more"


def replicas_table(table: pd.DataFrame, groups: Sequence[Replicas]) -> Table | None:
    """Mean and standard deviation over the seeds, by group and test set."""
    if not groups:
        return None
    errors = [column for column in _NUMBERS if table[column.name].notna().any()]
    rows = []
    for group in groups:
        members = table[table["entry"].isin(group.runs)]
        for test_set, part in members.groupby("test_set", sort=False):
            cells = [word(group.name), word(test_set), number(len(part), str(len(part)))]
            cells += [_spread(part[column.name]) for column in errors]
            rows.append(Row(cells))
    columns = [Column("Runs", numeric=False), Column("Test set", numeric=False), Column("Seeds")]
    columns += [Column(column.label, column.unit) for column in errors]
    caption = "Runs that differ in their seeds only: mean ± standard deviation of one run."
    return Table(caption, columns, rows, sortable=True)


def _spread(values: pd.Series) -> Cell:
    if values.isna().any():
        return Cell("–")
    mean, std = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return number(mean, f"{significant(mean)} ± {significant(std, digits=2)}")
