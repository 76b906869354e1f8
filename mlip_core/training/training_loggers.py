"""Loggers to attach to a ``TrainingIOHandler``: metrics as a table or as a line."""

import math
from typing import Any

from rich.console import Console
from rich.table import Table

from mlip_core.training.log_category import LogCategory

_TITLES = {
    LogCategory.BEST_MODEL: "Best model",
    LogCategory.TRAIN_METRICS: "Training set",
    LogCategory.EVAL_METRICS: "Validation set",
    LogCategory.TEST_METRICS: "Test set",
    LogCategory.SYSTEM_METRICS: "System",
}


def convert_mse_to_rmse_in_logs(to_log: dict[str, Any]) -> dict[str, Any]:
    """Metrics in which each mean squared error (``mse_…``) is its root (``rmse_…``).

    To be used on averages over the whole dataset only: the root comes last.
    """
    return {
        name.replace("mse", "rmse", 1) if _is_mse(name) else name: (
            math.sqrt(value) if _is_mse(name) else value
        )
        for name, value in to_log.items()
    }


def log_metrics_to_table(category: LogCategory, to_log: dict[str, Any], epoch_number: int) -> None:
    """Print metrics as a table, mean squared errors as their roots."""
    if category not in _TITLES:
        return
    table = Table("Metric", title=f"{_TITLES[category]} at epoch {epoch_number}")
    table.add_column("Value", justify="right")
    for name, value in convert_mse_to_rmse_in_logs(to_log).items():
        table.add_row(name.replace("_", " ").capitalize(), _format(value))
    Console().print(table)


def log_metrics_to_line(category: LogCategory, to_log: dict[str, Any], epoch_number: int) -> None:
    """Print metrics in one line, mean squared errors as their roots."""
    if category not in _TITLES:
        return
    metrics = convert_mse_to_rmse_in_logs(to_log)
    values = ", ".join(f"{name}: {_format(value)}" for name, value in metrics.items())
    line = f"Epoch {epoch_number} | {_TITLES[category]} | {values}"
    Console(soft_wrap=True).print(line, markup=False, highlight=False)


def _is_mse(name: str) -> bool:
    return "mse" in name and "rmse" not in name


def _format(value: Any) -> str:
    return str(value) if isinstance(value, int | str) else f"{float(value):.5g}"
