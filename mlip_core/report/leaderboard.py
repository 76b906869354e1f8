"""All runs' errors side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlip_core.report.formats import MISSING, is_missing, significant, thousands
from mlip_core.report.results import RunResults

_MILLI = 1000.0


@dataclass(frozen=True)
class Column:
    """A column: its name in the CSV file, its heading and its unit on the page."""

    name: str
    label: str
    unit: str = ""
    numeric: bool = True


_NVE_COLUMN = "nve_drift_mev_per_atom"

COLUMNS = (
    Column("run", "Run", numeric=False),
    Column("dataset", "Dataset", numeric=False),
    Column("test_set", "Test set", numeric=False),
    Column("force_rmse_mev_per_angstrom", "Force RMSE", "meV/Å"),
    Column("force_mae_mev_per_angstrom", "Force MAE", "meV/Å"),
    Column("force_relative_rmse_percent", "Force RMSE", "% of spread"),
    Column("energy_rmse_mev_per_atom", "Energy RMSE", "meV/atom"),
    Column("energy_mae_mev_per_atom", "Energy MAE", "meV/atom"),
    Column("stress_rmse_mev_per_cubic_angstrom", "Stress RMSE", "meV/Å³"),
    Column(_NVE_COLUMN, "NVE drift", "meV/atom"),
    Column("n_parameters", "Parameters"),
    Column("epochs", "Epochs"),
    Column("training_seconds", "Training", "s"),
)
_UNSHOWN = ("nve_passed", "best")


@dataclass(frozen=True)
class Cell:
    """One cell of the page's table: what sorting compares and what is read."""

    value: str
    text: str
    numeric: bool
    passed: bool | None = None


@dataclass(frozen=True)
class Row:
    """One row of the page's table."""

    cells: Sequence[Cell]
    best: bool


@dataclass(frozen=True)
class Leaderboard:
    """The page's table."""

    columns: Sequence[Column]
    rows: Sequence[Row]


def leaderboard_table(runs: Sequence[RunResults]) -> pd.DataFrame:
    """One row per run and test set, the chosen run first, then by force error.

    Columns are those of ``COLUMNS``, then ``nve_passed`` and ``best``. What is not known is missing
    (NaN).
    """
    rows = [row for run in runs for row in _rows(run)]
    table = pd.DataFrame(rows, columns=[*(column.name for column in COLUMNS), *_UNSHOWN])
    return table.sort_values(
        ["best", "force_rmse_mev_per_angstrom", "run"],
        ascending=[False, True, True],
        ignore_index=True,
    )


def leaderboard_view(table: pd.DataFrame) -> Leaderboard:
    """The table as it is shown: columns that say nothing are left out."""
    columns = [column for column in COLUMNS if _says_something(column.name, table)]
    rows = [
        Row(cells=[_cell(column, record) for column in columns], best=record["best"])
        for record in table.to_dict("records")
    ]
    return Leaderboard(columns, rows)


def _rows(run: RunResults) -> list[dict[str, Any]]:
    shared = {
        "run": run.name,
        "dataset": run.inputs.dataset,
        "best": run.is_best,
        **_nve(run),
        **_cost(run),
    }
    tests = [{"test_set": t, **_errors(e.metrics)} for t, e in run.evaluations.items()]
    return [shared | test for test in tests or [{}]]


def _errors(metrics: dict[str, Any]) -> dict[str, Any]:
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
        "n_parameters": metrics.get("n_parameters"),
    }


def _nve(run: RunResults) -> dict[str, Any]:
    if run.nve is None:
        return {}
    summary = run.nve.summary
    # What it drifted by until it blew up says nothing.
    drift = None if summary["explosion"] is not None else summary["drift_mev_per_atom"]
    return {_NVE_COLUMN: drift, "nve_passed": summary["passed"]}


def _cost(run: RunResults) -> dict[str, Any]:
    return {
        "epochs": last_epoch(run),
        "training_seconds": training_seconds(run),
    }


def last_epoch(run: RunResults) -> int | None:
    """The number of epochs trained."""
    return int(run.history["epoch"].max()) if "epoch" in run.history else None


def training_seconds(run: RunResults) -> float | None:
    """Time spent in all epochs, s."""
    name = "runtime_in_seconds"
    return float(run.timing[name].sum()) if name in run.timing else None


def _milli(value: float | None) -> float | None:
    return None if value is None else _MILLI * value


def _says_something(name: str, table: pd.DataFrame) -> bool:
    values = table[name].dropna()
    if name in ("dataset", "test_set"):
        return len(set(values)) > 1
    if name == _NVE_COLUMN:
        return bool(table["nve_passed"].notna().any())
    return not values.empty


def _cell(column: Column, record: Mapping[Any, Any]) -> Cell:
    value, passed = record[column.name], None
    if column.name == _NVE_COLUMN and not is_missing(record["nve_passed"]):
        passed = bool(record["nve_passed"])
    if is_missing(value):
        return Cell("", MISSING, column.numeric, passed)
    if not column.numeric:
        return Cell(str(value), str(value), numeric=False)
    return Cell(repr(float(value)), _number(column, value), numeric=True, passed=passed)


def _number(column: Column, value: float) -> str:
    if column.name in ("n_parameters", "epochs"):
        return thousands(value)
    if column.name == "training_seconds":
        return thousands(round(value))
    return significant(value)
