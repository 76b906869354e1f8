"""Loggers to attach to a ``TrainingIOHandler``: a table, a line, a file, an experiment tracker."""

import json
import math
import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mlip_core.training.log_category import LogCategory, Logger
from mlip_core.utils.errors import UserError
from mlip_core.utils.files import write_text

_TITLES = {
    LogCategory.BEST_MODEL: "Best model",
    LogCategory.TRAIN_METRICS: "Training set",
    LogCategory.EVAL_METRICS: "Validation set",
    LogCategory.TEST_METRICS: "Test set",
    LogCategory.SYSTEM_METRICS: "System",
}

_PREFIXES = {
    LogCategory.BEST_MODEL: "best",
    LogCategory.TRAIN_METRICS: "train",
    LogCategory.EVAL_METRICS: "valid",
    LogCategory.TEST_METRICS: "test",
    LogCategory.SYSTEM_METRICS: "system",
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


def log_metrics_to_tracker(log_scalars: Callable[[dict[str, float], int], object]) -> Logger:
    """A logger that hands all metrics to an experiment tracker.

    Args:
        log_scalars: called with numbers by name, e.g. ``{"valid/rmse_f": 0.02}``, and the epoch.
            Names begin with ``train``, ``valid``, ``test``, ``best`` or ``system``; mean squared
            errors come as their roots. When a training goes on from an earlier epoch, the numbers
            of the epochs after it come again.

    For Weights & Biases, MLflow and Neptune::

        log_metrics_to_tracker(lambda scalars, epoch: wandb.log(scalars, step=epoch))
        log_metrics_to_tracker(mlflow.log_metrics)
        log_metrics_to_tracker(lambda scalars, epoch: run.log_metrics(scalars, step=epoch))
    """

    def log(category: LogCategory, to_log: dict[str, Any], epoch_number: int) -> None:
        if category in _PREFIXES:
            log_scalars(_scalars(category, to_log), epoch_number)

    return log


def log_metrics_to_json_lines(path: str | os.PathLike[str]) -> Logger:
    """A logger that adds a line ``{"epoch": …, "valid/rmse_f": …}`` to a file for each category.

    When a training goes on from an earlier epoch, lines of later epochs are removed.
    """
    target = Path(path)

    def append(scalars: dict[str, float], epoch: int) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": epoch} | scalars) + "\n")

    log_scalars = log_metrics_to_tracker(append)

    def log(category: LogCategory, to_log: dict[str, Any], epoch_number: int) -> None:
        if category is LogCategory.CLEANUP_AFTER_CKPT_RESTORATION:
            _forget_lines_after(target, epoch_number)
        log_scalars(category, to_log, epoch_number)

    return log


def has_tensorboard() -> bool:
    """Whether ``log_metrics_to_tensorboard`` can be used: whether tensorboardX is installed."""
    return find_spec("tensorboardX") is not None


def log_metrics_to_tensorboard(directory: str | os.PathLike[str]) -> Logger:
    """A logger that writes the event files that TensorBoard shows.

    Raises:
        UserError: if tensorboardX is not installed.
    """
    if not has_tensorboard():
        raise UserError("logging for TensorBoard needs tensorboardX: pip install tensorboardX")
    writer = import_module("tensorboardX").SummaryWriter(os.fspath(directory))

    def add(scalars: dict[str, float], epoch: int) -> None:
        for name, value in scalars.items():
            writer.add_scalar(name, value, epoch)
        writer.flush()

    return log_metrics_to_tracker(add)


def _scalars(category: LogCategory, to_log: dict[str, Any]) -> dict[str, float]:
    prefix, metrics = _PREFIXES[category], convert_mse_to_rmse_in_logs(to_log)
    return {f"{prefix}/{name}": float(value) for name, value in metrics.items()}


def _forget_lines_after(path: Path, epoch: int) -> None:
    """Also removes what is no such line: damaged, or the last one of a killed process."""
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        write_text(path, "".join(f"{line}\n" for line in lines if _is_until(line, epoch)))


def _is_until(line: str, epoch: int) -> bool:
    try:
        return bool(json.loads(line)["epoch"] <= epoch)
    except (ValueError, LookupError, TypeError):
        return False


def _is_mse(name: str) -> bool:
    return "mse" in name and "rmse" not in name


def _format(value: Any) -> str:
    return str(value) if isinstance(value, int | str) else f"{float(value):.5g}"
