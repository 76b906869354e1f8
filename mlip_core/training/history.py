"""The metrics of all epochs so far, as tables that pandas reads."""

import csv
import io
import os
from typing import Any

from mlip_core.training.training_loggers import convert_mse_to_rmse_in_logs
from mlip_core.utils.files import write_text

Row = dict[str, Any]


class History:
    """One row for each epoch; part of every checkpoint.

    Attributes:
        metrics: rows of what depends only on config, data and machine: ``epoch``, ``train_…``,
            ``valid_…`` (errors as MAE and RMSE), ``best_epoch``, ``best_loss``.
        timing: rows of what differs from run to run: seconds and throughput.
    """

    def __init__(self, metrics: list[Row] | None = None, timing: list[Row] | None = None) -> None:
        """Start with these rows, or without any."""
        self.metrics = list(metrics or [])
        self.timing = list(timing or [])

    def add_metrics(self, epoch: int, prefix: str, metrics: dict[str, Any]) -> None:
        """Add columns ``<prefix><metric>`` to the row of an epoch; MSEs become RMSEs."""
        if not self.metrics or self.metrics[-1]["epoch"] != epoch:
            self.metrics.append({"epoch": epoch})
        converted = convert_mse_to_rmse_in_logs(metrics)
        self.metrics[-1] |= {f"{prefix}{name}": value for name, value in converted.items()}

    def add_timing(self, epoch: int, timing: dict[str, float]) -> None:
        """Add the row of an epoch, or replace it."""
        self.timing = [row for row in self.timing if row["epoch"] < epoch]
        self.timing.append({"epoch": epoch} | timing)

    def forget_after(self, epoch: int) -> None:
        """Remove the rows of later epochs."""
        self.metrics = [row for row in self.metrics if row["epoch"] <= epoch]
        self.timing = [row for row in self.timing if row["epoch"] <= epoch]

    def copy(self) -> "History":
        """A copy that later rows do not reach."""
        return History([dict(row) for row in self.metrics], [dict(row) for row in self.timing])


def write_table(path: str | os.PathLike[str], rows: list[Row]) -> None:
    """Write rows as CSV, atomically; numbers in full, what a row lacks as an empty cell.

    Columns come in the order in which rows first name them, those of an unfinished first row last.
    """
    columns = list(dict.fromkeys(name for row in reversed(rows) for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
